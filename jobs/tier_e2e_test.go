//go:build e2e && !soak

package jobs_test

const tier = 1
