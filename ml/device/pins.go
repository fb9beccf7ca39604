package device

// release is a published plugin: a wheel per platform.
type release struct {
	name, version, member string
	builds                map[string]build // by GOOS/GOARCH
}

type build struct {
	platform    string // as pip calls it
	size        int64
	sum, record string // sha256 of the wheel, and of its RECORD
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
		"linux/amd64": {manyAMD64, 63_461_052,
			"55837b6b7b47daa717f2d9a5a03563ea0ceaa338d06a81a1e2d3f060d960decc",
			"c471c2751fe9b0087f31550ac09f7f7e1e1abf6527f72b59a58592d2a6351b45"},
		"linux/arm64": {manyARM64, 49_514_947,
			"8f613be6e891858f40d64f9799319502fff42689661944fc18a6ffd8210b30c9",
			"96d0a793d31c6747bf920b59c247bad91732f0fe91be3deb5dfd34ada5ad6c9d"},
	}}
}

// The oldest drivers that run CUDA 12 and 13, by NVIDIA's release notes of CUDA.
const (
	cuda12Driver = 525
	cuda13Driver = 580
)

// cudaRelease is the CUDA plugin that the driver's major version can run; an
// unknown driver (0) gets CUDA 12, which every supported driver runs.
func cudaRelease(driver int) release {
	if driver >= cuda13Driver {
		return release{"jax-cuda13-pjrt", "0.12.0.1", "jax_plugins/xla_cuda13/xla_cuda_plugin.so", map[string]build{
			"linux/amd64": {manyAMD64, 134_922_808,
				"5899bb6177eda86ea532afb9a26794f2bdd04966f6a01f9028266b16c2b6cf90",
				"4acf6bbae83bb8d980d06c881d6e5389cda4999f32bfceb222f831d156d4d84f"},
			"linux/arm64": {manyARM64, 128_847_710,
				"40758d042df8c06991b6a1a8016b56e9cefb1ed4c677c062125c3eb71c3dab97",
				"c913b43523c72a610dee5bbd0876cf0368c4406c5091b123746290f87b5d152b"},
		}}
	}
	return release{"jax-cuda12-pjrt", "0.12.0.1", "jax_plugins/xla_cuda12/xla_cuda_plugin.so", map[string]build{
		"linux/amd64": {manyAMD64, 191_846_358,
			"5ec28e06198d094031c37590b4ea753ae8cde4879ab4b60baf40f0dffb673286",
			"96523da041565386a7a23c245c803f6ecdf39acdae633d84492e543cd87bd61e"},
		"linux/arm64": {manyARM64, 185_765_557,
			"e6aa6c58c5420c1bda22db31a2f6c5c1d0a66cb701eeb731feae44fef197717c",
			"92248eb9180aa883fd24dd9bb2ef4eee6b61e78daa3d4df5134a0416b5139f32"},
	}}
}
