package train

import (
	"encoding/json"
	"testing"
)

// TestOptionsInCheckpoints: the words by which checkpoints name options stay, since a
// checkpoint with others would be one of another fit.
func TestOptionsInCheckpoints(t *testing.T) {
	o := options()
	o.WordDropout = WordDropout{Rate: 0.25, Delete: true}
	got, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Epochs":4,"BatchSize":16,"BatchTokens":512,"MaxShapes":1,"LearningRate":0.003,"HeadScale":1,"LayerDecay":1,"Warmup":0.1,"Schedule":"linear","WeightDecay":0.01,"Clip":1,"Dropout":0.1,"Smoothing":0,"ScoreWeight":0.5,"TagWeight":0.5,"AltProb":0,"Hide":{"Share":0.25,"Delete":true},"Seed":11,"FreezeEmbed":false,"FreezeLayers":0,"Half":false,"Accumulate":0}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
