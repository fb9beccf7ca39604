//go:build daulet

package tokenize_test

// engine names the build's engine where the two refuse different things.
const engine = "daulet"
