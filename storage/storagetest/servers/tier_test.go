//go:build !soak

package servers

const (
	kills = 8  // of a server; 100 in the soak
	tags  = "" // of the tests of other packages
)
