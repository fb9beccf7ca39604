// Package ml holds no code: it is the map of the packages below it, a library for training
// and using text classifiers without plans, stores, stages and runs. None of them imports
// anything of this module outside ml.
//
//	language    in which language a text is
//	taxonomy    categories, tags and rules, as a file says them
//	keywords    the classifier made of a taxonomy's rules
//	labelmodel  what several voters say of a text, made into one label a category
//	labelnoise  labels that are probably wrong, by confident learning
//	metrics     precision, recall, F1, intervals, thresholds, calibration, drift
//	tokenize    token ids as BERT encoders want them
//	wheel       pinned packages, fetched by pip into a cache
//	encoder     pretrained encoders: references, fetching, the files' formats
//	device      PJRT plugins and the pure-Go backend; device/xla has what go-xla lacks
//	kernel      products of matrices and what else an encoder is made of, on one core
//	forward     texts' vectors by an encoder on all cores, without a device
//	bert        the network: graphs, weights, prediction
//	heads       linear heads on a frozen encoder's vectors, beyond the rules that label
//	train       fitting a network, step by step; train/peer compares with PyTorch
//	classify    the chain that answers: model, rules beside it, or rules alone
//
// Each imports only what stands above it.
package ml
