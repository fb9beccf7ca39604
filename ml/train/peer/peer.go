// Package peer holds benchmarks of package train in turns with PyTorch on the same texts:
// steps_test.go times single steps, fine_tune_test.go whole fine-tunes, and the Python
// files of those names are PyTorch's sides. Without BENCH_TORCH, a Python with torch and
// transformers, ours runs alone; `just bench-torch` sets it. That both compute the same is
// held by the parity tests of package train, which look into a trainer.
package peer
