package look

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/jobs/provenance"
)

// TestManyOptions: of a stage with another method the options that both runs have are told, and
// the others by their names; a stage where little differs, and --all, tell each of them.
func TestManyOptions(t *testing.T) {
	few := []key.Change{{Path: "external.encoder", Old: `"a"`, New: `"b"`}, {Path: "options.method", New: `"finetune"`}}
	many, record := few, []key.Change{{Path: "device", Old: "go", New: "cpu"}, {Path: "options.pace", Old: "1", New: "2"}, {Path: "options.old3.file", Old: `"x"`}, {Path: "options.path", New: `"y"`}}
	for i := range 10 {
		many = append(many, key.Change{Path: fmt.Sprintf("options.both%d", i), Old: "1", New: "2"}, key.Change{Path: fmt.Sprintf("options.old%d", i), Old: "1"}, key.Change{Path: fmt.Sprintf("options.new%d", i), New: "2"})
	}
	many = append(many, key.Change{Path: "options.last", Old: "null"})
	const brief = `encoder: "a" -> "b"
option method: (none) -> "finetune"
option both0: 1 -> 2
option both1: 1 -> 2
option both2: 1 -> 2
option both3: 1 -> 2
option both4: 1 -> 2
option both5: 1 -> 2
option both6: 1 -> 2
option both7: 1 -> 2
device: go -> cpu (in no key)
and 3 more options that both runs have
11 options that only the first run has: old0, old1, old2, old3, old4, old5, old6, old7, ...
11 options that only the second run has: new0, new1, new2, new3, new4, new5, new6, new7, ...
(--all shows each of them)`
	st := provenance.StageComparison{Changes: many, Record: record}
	if got := strings.Join((&diffView{}).changes(st), "\n"); got != brief {
		t.Errorf("got\n%s\nwant\n%s", got, brief)
	}
	if got := (&diffView{flags: diffFlags{all: true}}).changes(st); len(got) != len(many)+len(record) || got[2] != "option both0: 1 -> 2" || got[4] != "option new0: (none) -> 2" {
		t.Errorf("--all: %q", got)
	}
	st = provenance.StageComparison{Changes: few, Record: record}
	if got := (&diffView{}).changes(st); len(got) != 6 || got[4] != `option old3.file: "x" -> (none) (in no key)` {
		t.Errorf("few: %q", got)
	}
}
