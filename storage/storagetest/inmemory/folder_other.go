//go:build !linux

package storagetest

import "errors"

func memoryFolder() (string, error) { return "", errors.ErrUnsupported }
