//go:build !e2e && !soak

package jobstest

// Tier says how long tests may take: 0 a newcomer's, 1 CI's end to end, 2 an
// hour of soak.
const Tier = 0
