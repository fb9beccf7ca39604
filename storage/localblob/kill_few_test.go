//go:build !soak

package localblob

const kills = 8 // of a writing process; 100 in the soak
