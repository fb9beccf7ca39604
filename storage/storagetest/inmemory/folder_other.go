//go:build !linux

package inmemory

import "errors"

func folder() (string, error) { return "", errors.ErrUnsupported }
