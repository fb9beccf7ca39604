package commandline

import "testing"

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"plan.yaml": "plan.yaml", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "train.x=[1]": "'train.x=[1]'",
		"räks 猫": "'räks 猫'", "a\nb'c\\": `$'a\x0ab\'c\\'`, "\x1b[2J": `$'\x1b[2J'`, "\u202egpj": `$'\xe2\x80\xaegpj'`, "\xff;": `$'\xff;'`} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

// TestLine: a line is quoted word by word, an absent flag is none, and a line
// that goes on leaves the one before it as it was.
func TestLine(t *testing.T) {
	base := Of("classify").Flag("store", "")
	for _, x := range []struct {
		line Line
		want string
	}{
		{Line{}, "sprint"},
		{base.Flag("store", "my store").With("a b"), "sprint classify --store 'my store' 'a b'"},
		{base.With("$(rm)"), "sprint classify '$(rm)'"},
		{base, "sprint classify"},
	} {
		if got := x.line.String(); got != x.want {
			t.Errorf("%s, want %s", got, x.want)
		}
	}
}

// TestOnStore: what is typed next works on the same store.
func TestOnStore(t *testing.T) {
	for text, want := range map[string]string{
		"`sprint runs` lists them, `sprint cancel 'a b'` ends one": "`sprint runs --store 'my store'` lists them, `sprint cancel 'a b' --store 'my store'` ends one",
		"continue with:\n  sprint run plan.yaml -k\nor not":        "continue with:\n  sprint run plan.yaml -k --store 'my store'\nor not",
		"`sprint doctor --store URL` and `sprint init` stay":       "`sprint doctor --store URL` and `sprint init` stay",
		"`sprint doctor --install` too, and sprint itself":         "`sprint doctor --install` too, and sprint itself",
		"sprint run --store=x":                                     "sprint run --store=x",
	} {
		if got := OnStore(text, "my store"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := OnStore(text, ""); got != text {
			t.Errorf("%s was changed to %s", text, got)
		}
	}
}
