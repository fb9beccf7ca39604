//go:build soak

package servers

const (
	kills = 100    // of a server
	tags  = "soak" // of the tests of other packages
)
