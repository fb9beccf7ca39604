// Package train fits a bert.Model to examples, step by step: the caller drives
// every step, so that cancelling, checkpoints and budgets live outside. Equal
// options, data and device give byte-identical weights, over a resume too.
//
// The way of a fit: New packs the examples (packing.go, buckets.go), keeps the embedding
// rows that they use (vocabulary.go) and puts the weights on the device (trainer.go).
// Compile builds the programs (programs.go, graphs.go) and runs frozen layers once
// (frozen_cache.go); WarmUp tries them all (warmup.go). Step takes the next batch
// (schedule.go has the learning rate and the random streams), lays it out (collate.go,
// word_dropout.go), and runs it at once or in accumulation steps (accumulate.go) with
// AdamW (optimizer.go). Validate answers for the validation examples (evaluate.go), Save
// and Restore keep the whole state (checkpoint.go), Export makes a model (export.go).
//
// Beside ml/bert it imports ml/device for its programs and ml/encoder for the format of
// checkpoints. The benchmarks next to PyTorch are in train/peer.
package train
