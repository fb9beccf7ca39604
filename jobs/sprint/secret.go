package main

import (
	"fmt"
	"os"
	"strings"
)

// secret resolves a reference: env:NAME or file:PATH.
func (a *app) secret(ref string) (string, error) {
	kind, name, _ := strings.Cut(ref, ":")
	switch kind {
	case "env":
		if v := a.getenv(name); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the environment variable %s is empty", name)
	case "file":
		b, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		return strings.TrimSpace(string(b)), nil
	}
	return "", fmt.Errorf("a secret is a reference, env:NAME or file:PATH")
}
