package models

import (
	"encoding/json"
	"testing"
)

// TestFacts: what a store says of the run that published is a run's name, or nothing.
func TestFacts(t *testing.T) {
	for run, want := range map[string]string{
		"20261130-212231-16efa817": "20261130-212231-16efa817", "": "",
		"x; rm -rf ~": "", "../../x": "", "a/b": "", "\x1b]0;x": "", "x\ny": "",
	} {
		meta, err := json.Marshal(map[string]string{"run": run, "stage": "publish"})
		if err != nil {
			t.Fatal(err)
		}
		r := Release{Meta: meta}
		if f := r.Facts(); f.Run != want || f.Stage != "publish" {
			t.Errorf("%q: %+v", run, f)
		}
	}
}
