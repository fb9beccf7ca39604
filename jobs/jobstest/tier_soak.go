//go:build soak

package jobstest

// Tier says how long tests may take.
const Tier = 2
