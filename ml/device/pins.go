package device

// release is a published plugin: a wheel per platform.
type release struct {
	name, version, member string
	builds                map[string]build // by GOOS/GOARCH
}

type build struct {
	platform, sum string // as pip calls it; sha256 of the wheel
	size          int64
}

const (
	manyAMD64 = "manylinux_2_27_x86_64"
	manyARM64 = "manylinux_2_27_aarch64"
)

// cpuRelease is the CPU plugin: Google's, the one whose owner is
// best known. On 2 cores it trains a 6-layer BERT as fast as the newer
// lammps-jax-pjrt-cpu 0.11.2 (2.5-2.6 steps/s against 2.2-2.8, compile 5.2 s
// for both, batch 32x24 with dropout), and there is one for ARM.
func cpuRelease() release {
	return release{"xla-cpu-pjrt", "0.0.1", "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so", map[string]build{
		"linux/amd64": {manyAMD64, "55837b6b7b47daa717f2d9a5a03563ea0ceaa338d06a81a1e2d3f060d960decc", 63_461_052},
		"linux/arm64": {manyARM64, "8f613be6e891858f40d64f9799319502fff42689661944fc18a6ffd8210b30c9", 49_514_947},
	}}
}

// cuda13Driver is the oldest driver that runs CUDA 13.
const cuda13Driver = 580

// cudaRelease is the CUDA plugin that the driver's major version can run; an
// unknown driver (0) gets CUDA 12, which every supported driver runs.
func cudaRelease(driver int) release {
	if driver >= cuda13Driver {
		return release{"jax-cuda13-pjrt", "0.12.0.1", "jax_plugins/xla_cuda13/xla_cuda_plugin.so", map[string]build{
			"linux/amd64": {manyAMD64, "5899bb6177eda86ea532afb9a26794f2bdd04966f6a01f9028266b16c2b6cf90", 134_922_808},
			"linux/arm64": {manyARM64, "40758d042df8c06991b6a1a8016b56e9cefb1ed4c677c062125c3eb71c3dab97", 128_847_710},
		}}
	}
	return release{"jax-cuda12-pjrt", "0.12.0.1", "jax_plugins/xla_cuda12/xla_cuda_plugin.so", map[string]build{
		"linux/amd64": {manyAMD64, "5ec28e06198d094031c37590b4ea753ae8cde4879ab4b60baf40f0dffb673286", 191_846_358},
		"linux/arm64": {manyARM64, "e6aa6c58c5420c1bda22db31a2f6c5c1d0a66cb701eeb731feae44fef197717c", 185_765_557},
	}}
}
