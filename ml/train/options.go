package train

// Options of a fit. Field words are those of the plan.
type Options struct {
	Epochs       int
	BatchSize    int // texts of a batch at most
	BatchTokens  int // padded tokens of a batch at most
	MaxShapes    int // static shapes that programs are compiled for
	LearningRate float64
	HeadScale    float64 // learning rate of the heads over that of the encoder
	LayerDecay   float64 // factor per layer below the top; 1 is none
	Warmup       float64 // share of the steps
	Schedule     string  // linear or cosine
	WeightDecay  float64
	Clip         float64 // global gradient norm; 0 is none
	Dropout      float64
	Smoothing    float64 // of the tag's target
	ScoreWeight  float64
	TagWeight    float64
	AltProb      float64
	WordDropout  WordDropout `json:"Hide"` // the name in checkpoints
	Seed         uint64
	FreezeEmbed  bool
	FreezeLayers int  // lowest encoder layers; includes the embeddings
	Half         bool // multiply matrices in bfloat16
	Accumulate   int  // accumulation steps of a batch; 0 is 1
}
