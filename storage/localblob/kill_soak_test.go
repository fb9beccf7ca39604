//go:build soak

package localblob

const kills = 100 // of a writing process
