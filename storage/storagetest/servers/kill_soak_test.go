//go:build soak

package servers

const kills = 100 // of a server
