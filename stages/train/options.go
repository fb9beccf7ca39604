// Package train trains a BERT encoder with a score and a tag head per category. The fit
// itself is in ml/train; here are the decisions around it.
//
// options.go is the kind and its options, stage.go one attempt, documents.go what it
// writes. heads.go is method: heads, which trains no encoder, and tune.go what both does after it; all else is of finetune. choice.go is what differs where a row has one label. examples.go and weights.go make training examples of rows, select.go checks
// weak labels before. prepare.go warms up and budgets the fit, loop.go drives it,
// epoch.go measures each epoch, checkpoint.go saves and restores. calibrate.go fits
// scores and thresholds after, rules_beside.go lets rules answer beside the model.
package train

import (
	"context"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/frozen"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Kind returns the kind "train".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "train",
		Version: 12,
		Doc: `Trains a BERT, RoBERTa, XLM-RoBERTa, CamemBERT or ModernBERT encoder with a score and a tag head per category.
By heads first: the rows of train and val are embedded once, labelled or not, and linear
heads are fitted on their vectors, in closed steps without
a gradient; where a row has one label they are then fitted to their own answers for all
rows. Folds take the place of val: what heads of the other rows say of a row gives
temperature, thresholds, history and the agreement with the labels. The rules weigh in
beside the heads, and answer alone where the agreement is below heads.alarm. Where people
made most of the labels the report shows what more of them would bring: macro-F1 of heads
of 10, 20, 50, 100 ... and of all labelled rows, on rows that they have not seen.
method: heads stops here. method: both then tunes the encoder gently, towards the
probabilities that these heads give for all rows, with words left out at random: where a
row has one label, there are at least tune.min_rows rows, and texts are longer than
titles. Temperature and rules stay as the heads have them. Elsewhere the model is its
heads, and a note says why. The output heads is the model before it was tuned; verify
measures both.
With method: finetune the encoder learns the labels themselves. Loss is the squared error
of the score plus the cross entropy of the tag, AdamW
with warm-up and decay. Several texts share a row of a batch, so that little of
it is padding and one or two programs are all that is compiled. Before the first
step everything is run once, and a checkpoint goes to the store and comes back.
After each epoch the model is measured on val; the best one is kept and
training stops early when it does not get better. The state is saved after
checkpoint_steps or checkpoint_minutes, and on a signal; the same command continues, on the same CPU
and plugin to the same bytes. Rows on which the labeller abstained do not count
in the loss, nor do labels that select doubts: it judges each from the text without
the rules' words, by what other rows teach. mask_rules and mask_random hide words anew in every
epoch. calibration says on what thresholds and temperatures were fitted, and names
the gold rows that calibrate took: these are never scored.
Where the taxonomy says labels: single, one softmax over the categories is learned by
cross entropy, with one more output for none of them if there are such rows. A row's
target is shared by the categories in proportion to their scores; its weight hangs on
how rare they are. Answers are the likeliest category, and there are no thresholds.
A temperature makes probabilities; it is fitted on val, read as it is and with the
rules' words hidden, in the shares of rows on which a rule fires and of others.`,
		Example: "encoder: all-minilm-l6-v2\ntext: [title, description]\n",
		Inputs:  func(any) []stages.Input { return []stages.Input{{Name: "train"}, {Name: "val"}} },
		Outputs: func(options any) []stages.Output {
			out := []stages.Output{{Name: "model"}, {Name: "history"}, {Name: "curve"}, {Name: "thresholds"}, {Name: "calibration"}}
			if options.(*Options).Method == methodBoth {
				out = append(out, stages.Output{Name: "heads"})
			}
			return out
		},
		Effort:    func(options any) (string, float64) { return "train", float64(max(options.(*Options).Epochs, 1)) },
		Options:   func() any { return new(Options) },
		New:       func(options any, env stages.Env) stages.Stage { return &stage{o: options.(*Options), env: env} },
		EndsEarly: func(options any) bool { return options.(*Options).Method != methodHeads },
		Isolated:  stages.Always, Checkpoints: stages.Always,
	}
}

// Values of Options.
const (
	methodHeads = "heads"
	methodBoth  = "both"
	poolingAuto = "auto"
)

// Options of train.
type Options struct {
	Encoder      string   `yaml:"encoder" required:"true" path:"dotted" key:"-" doc:"all-minilm-l6-v2, a Hugging Face model org/name[@revision], a folder, or a store URL"`
	Method       string   `yaml:"method" default:"both" implied:"true" enum:"both|heads|finetune" key:"set" doc:"heads leaves the encoder as it is and fits linear heads on its vectors, in seconds and beyond the rules that label the rows; both then tunes the encoder gently, where that gains something; finetune trains the encoder with heads on it, and is meant where an option of it alone is given, such as epochs"`
	Epochs       int      `yaml:"epochs" when:"method=finetune" default:"3" min:"1" max:"1000" doc:"passes over the training rows at most"`
	BatchSize    int      `yaml:"batch_size" when:"method=finetune" default:"32" min:"1" max:"4096" doc:"texts of a batch at most"`
	BatchTokens  int      `yaml:"batch_tokens" when:"method=both,finetune" default:"4096" min:"16" max:"1048576" doc:"padded tokens of a batch at most"`
	LearningRate float64  `yaml:"learning_rate" when:"method=finetune" default:"2.0e-5" above:"0" max:"1" doc:"peak learning rate of the encoder"`
	HeadScale    float64  `yaml:"head_scale" when:"method=finetune" default:"1" above:"0" max:"1000" doc:"learning rate of the new heads over that of the encoder"`
	LayerDecay   float64  `yaml:"layer_decay" when:"method=both,finetune" default:"1" above:"0" max:"1" doc:"factor of the learning rate per encoder layer from the top down"`
	Warmup       float64  `yaml:"warmup" when:"method=both,finetune" default:"0.1" min:"0" max:"1" doc:"share of the steps with a rising learning rate"`
	Schedule     string   `yaml:"schedule" when:"method=both,finetune" default:"linear" enum:"linear|cosine" doc:"how the learning rate falls to 0"`
	WeightDecay  float64  `yaml:"weight_decay" when:"method=both,finetune" default:"0.01" min:"0" max:"1" doc:"of AdamW; not on biases and LayerNorm"`
	Clip         float64  `yaml:"clip" when:"method=both,finetune" default:"1" min:"0" doc:"global norm that gradients are clipped to; 0 is none"`
	Dropout      float64  `yaml:"dropout" when:"method=both,finetune" default:"0.1" min:"0" below:"1" doc:"rate of dropout while training"`
	Smoothing    float64  `yaml:"label_smoothing" when:"method=finetune" default:"0" min:"0" below:"1" doc:"of the tags' targets, and with labels: single of the label's"`
	Pooling      string   `yaml:"pooling" default:"auto" enum:"auto|pooler|cls|mean" doc:"from tokens to one vector; mean suits encoders made for sentence similarity; auto is pooler for method: finetune where the encoder has one, and else mean"`
	HeadHidden   int      `yaml:"head_hidden" when:"method=finetune" default:"128" min:"1" max:"4096" doc:"width of the hidden layer of each head"`
	MaxLength    int      `yaml:"max_length" default:"128" min:"8" max:"512" doc:"tokens of a text at most"`
	Text         []string `yaml:"text" default:"[title]" enum:"title|description" min:"1" max:"2" doc:"fields that make the text: [title] or [title, description]"`
	Prompt       string   `yaml:"prompt" default:"auto" key:"set" doc:"what stands before every text, as encoders for search want it (e5: \"query: \"); auto is the default prompt of the encoder's config_sentence_transformers.json, if it has one"`
	ClassWeights string   `yaml:"class_weights" when:"method=finetune" default:"sqrt" enum:"none|sqrt|balanced" doc:"weight of positives by how rare their category is, and of tags by how rare they are in it"`
	HandWeight   float64  `yaml:"hand_weight" default:"1" above:"0" max:"100" key:"set" doc:"weight of labels by people, of source columns or an overlay, over that of other labels"`
	MaskAbstain  bool     `yaml:"mask_abstained" default:"true" doc:"undecided targets do not count; false makes them negative"`
	MaskRules    float64  `yaml:"mask_rules" when:"method=finetune" default:"0" min:"0" max:"1" doc:"probability that a text is read without the words on which rules fired, drawn anew in every epoch, so that the model learns the others"`
	MaskRandom   float64  `yaml:"mask_random" when:"method=finetune" default:"0" min:"0" below:"1" doc:"probability of each word to be hidden, drawn anew in every epoch"`
	MaskHow      string   `yaml:"mask_how" when:"method=finetune" default:"mask" enum:"mask|delete" doc:"what becomes of the words that mask_rules and mask_random hide: the encoder's own token for a hidden word, or nothing"`
	RulesBeside  string   `yaml:"with_rules" when:"method=finetune" default:"never" enum:"never|auto|always" doc:"whether the rules answer beside the model: where they fire they decide, and the model adds what it is sure of; auto lets them for categories that the model does not find on val with the rules' words hidden; with labels: single a category that they name gains 2 in its logit, which tips answers in doubt"`
	TagLoss      string   `yaml:"tag_loss" when:"method=finetune" default:"tagged" enum:"tagged|positives|all" doc:"rows whose tag is learned: those that carry one, those of the category, or all, which teaches mostly the empty tag"`
	ScoreWeight  float64  `yaml:"score_weight" when:"method=finetune" default:"0.5" min:"0" max:"100" doc:"weight of the scores' squared error; with labels: single of the label's cross entropy"`
	TagWeight    float64  `yaml:"tag_weight" when:"method=finetune" default:"0.5" min:"0" max:"100" doc:"weight of the tags' cross entropy"`
	Patience     int      `yaml:"patience" when:"method=finetune" default:"3" min:"0" max:"1000" doc:"epochs without a better one, see best_by, before it stops; 0 never stops early"`
	MinGain      float64  `yaml:"min_gain" when:"method=finetune" default:"0.0001" min:"0" below:"1" doc:"what val's loss must fall by for an epoch to count as better for patience, since the last one that counted; the best epoch is kept whatever it gained"`
	BestBy       string   `yaml:"best_by" when:"method=finetune" default:"loss" enum:"loss|macro_f1" doc:"what makes an epoch the best one, on val: the loss, or the macro-F1 at 0.5, with labels: single of the likeliest category"`
	Sampling     string   `yaml:"sampling" when:"method=finetune" default:"natural" enum:"natural|balanced" doc:"balanced repeats rows of rare categories and tags in every epoch, by the root of how rare they are"`
	Precision    string   `yaml:"precision" when:"method=both,finetune" default:"fp32" enum:"fp32|bf16" doc:"of matrix products; bf16 is for GPUs, weights stay fp32"`
	DType        string   `yaml:"dtype" default:"fp32" enum:"fp32|fp16" doc:"of the weights that are kept, in releases too; fp16 has half the bytes: weights are rounded after training, and the log says how far the scores of val moved; of linear heads before these are fitted"`
	MicroBatches int      `yaml:"micro_batches" when:"method=both,finetune" default:"1" min:"1" max:"4096" doc:"parts that a batch is cut into, to save memory; doubled by itself when memory runs out"`
	MaxMinutes   float64  `yaml:"max_minutes" when:"method=both,finetune" default:"0" min:"0" doc:"time for the stage: speed is measured first, then steps and schedule are cut to fit; 0 is no limit"`
	Deadline     string   `yaml:"deadline" when:"method=both,finetune" doc:"the same by the clock, as 2006-01-02T15:04:05Z; the model is then written and the run goes on"`
	FreezeEmbed  string   `yaml:"freeze_embeddings" when:"method=both,finetune" default:"auto" enum:"auto|true|false" doc:"keep the embeddings fixed; auto does so on the go device, where they cost most"`
	FreezeLayers int      `yaml:"freeze_layers" when:"method=both,finetune" default:"0" min:"0" max:"1000" doc:"keep the embeddings and this many lowest layers fixed"`
	Seed         int64    `yaml:"seed" default:"1" doc:"of new weights, order and dropout"`
	Checkpoint   int      `yaml:"checkpoint_steps" when:"method=both,finetune" default:"200" min:"1" key:"-" doc:"steps between checkpoints at most"`

	Heads     frozen.Options `yaml:"heads" when:"method=both,heads" doc:"of linear heads on the frozen encoder"`
	Tune      frozen.Tune    `yaml:"tune" when:"method=both" doc:"of the encoder, once heads are fitted"`
	Select    Select         `yaml:"select" when:"method=finetune" doc:"judge weak labels by held-out folds before they train"`
	Calibrate Calibrate      `yaml:"calibrate" when:"method=finetune" doc:"fit scores and thresholds after training"`

	CheckpointMinutes float64 `yaml:"checkpoint_minutes" when:"method=both,finetune" default:"2" above:"0" key:"-" doc:"minutes between checkpoints at most"`
}

// Check refuses options that contradict each other.
func (o *Options) Check() []stages.Problem {
	var out stages.Problems
	out.If(o.Text[0] != "title" || len(o.Text) == 2 && o.Text[1] != "description",
		"text", "", "the text is [title] or [title, description]")
	out.If(o.ScoreWeight == 0 && !o.frozen(), "score_weight", "set it above 0", "a model that learns no score decides nothing")
	out.If(o.MaskHow == "delete" && o.MaskRules == 0 && o.MaskRandom == 0,
		"mask_how", "set mask_rules or mask_random too", "there is nothing to delete")
	out.If(o.Select.Rounds > 0 && !o.MaskAbstain,
		"select.rounds", "leave mask_abstained true", "undecided rows cannot be negative and be judged")
	out.If(o.Select.unused(),
		"select", "set select.rounds too, or leave out folds and confidence", "no row is judged: rounds is 0")
	if o.Calibrate.Gold > 0 {
		out.If(o.Calibrate.File == "",
			"calibrate.gold", "add `gold: FILE` to verify, or name it in calibrate.file", "there is no gold set to take a part of")
		out = slices.Concat(out, rows.CheckFormat("calibrate.file", o.Calibrate.File), rows.CheckColumns("calibrate.columns", o.Calibrate.Columns), rows.CheckLabelForm("calibrate.", o.Calibrate.layout().Labels))
	}
	_, err := time.Parse(time.RFC3339, o.Deadline)
	out.If(o.Deadline != "" && err != nil, "deadline", "write it as 2006-01-02T15:04:05Z", "%q is no time", o.Deadline)
	return out
}

// Resolve keys the stage by the encoder's content and the categories.
func (o *Options) Resolve(ctx context.Context, lookup stages.Lookup) (stages.External, error) {
	t, err := dataset.Taxonomy(lookup.Taxonomy())
	if err != nil {
		return nil, err
	}
	if err := o.checkSingle(t); err != nil {
		return nil, err
	}
	ext := dataset.Key(t)
	if o.frozen() || o.MaskRules > 0 || o.Select.Rounds > 0 || o.rulesBeside() || t.Single {
		ext["rules"] = t.RulesKey()
	}
	if o.Calibrate.Gold > 0 {
		if err := ext.AddFile(ctx, lookup, "gold", o.Calibrate.File); err != nil {
			return nil, err
		}
		ext["gold_part"] = 2 // bumped with what rows.GoldPart draws
	}
	id, err := resources.PinEncoder(ctx, lookup, o.Encoder)
	if err != nil {
		return nil, stages.At("encoder", err)
	}
	ext["encoder"] = resources.EncoderKey(id)
	return ext, nil
}

// frozen reports whether the encoder stays as it is.
func (o *Options) frozen() bool { return o.Method == methodHeads || o.Method == methodBoth }

// pooling is the one that is meant.
func (o *Options) pooling(pooler bool) string {
	switch {
	case o.Pooling != poolingAuto:
		return o.Pooling
	case o.frozen() || !pooler:
		return bert.Mean
	}
	return bert.Pooler
}

// has reports whether the text holds a field.
func (o *Options) has(field string) bool { return slices.Contains(o.Text, field) }

// rulesBeside reports whether rules may answer beside the model.
func (o *Options) rulesBeside() bool { return o.RulesBeside == "auto" || o.RulesBeside == "always" }
