package config

import "github.com/sprint-ml/sprint/config/diagnostic"

// UsageError is a mistake in how the program was called rather than in a plan.
type UsageError struct {
	Message string
	Hint    string
	// Errors are the mistakes with their places, if they stand in a config.
	Errors diagnostic.Errors
}

func (e *UsageError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "\n       " + e.Hint
}
