//go:build soak

package jobs_test

const tier = 2
