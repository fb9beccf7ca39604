//go:build e2e && !soak

package jobstest

// Tier says how long tests may take.
const Tier = 1
