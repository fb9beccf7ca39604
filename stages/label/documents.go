package label

// The document that label writes: label_report.json.

// Report counts what the labels of a set are.
type Report struct {
	Rows int `json:"rows"`
	// Covered rows have at least one positive category, Abstained ones no
	// decision at all, Overlap ones several positive categories.
	Covered   int `json:"covered"`
	Abstained int `json:"abstained"`
	Overlap   int `json:"overlap"`
	// Conflicts counts rows on which votes for a category disagreed.
	Conflicts  int                        `json:"conflicts"`
	Categories map[string]*CategoryReport `json:"categories"`
	// Sources counts by who decided, "rules+encoder" for a vote that both won.
	Sources map[string]*SourceReport `json:"sources"`
	// DeadRules never fired, as category:rule.
	DeadRules []string `json:"dead_rules,omitempty"`

	// Languages are there where rules are by language, or the plan asks for them.
	Languages map[string]*LanguageReport `json:"languages,omitempty"`

	Encoder *encoderCount `json:"encoder,omitempty"`
	HTTP    *httpCount    `json:"http,omitempty"`
	Overlay *overlayCount `json:"overlay,omitempty"`
	Gold    *goldCount    `json:"gold,omitempty"`

	index map[string]int // of a rule in the taxonomy
	fired []int          // rows on which a rule fired
}

// SourceReport counts what one source decided.
type SourceReport struct {
	Rows      int `json:"rows"`      // of which it decided a category
	Labels    int `json:"labels"`    // categories of rows
	Positives int `json:"positives"` // of those
}

// CategoryReport counts one category.
type CategoryReport struct {
	Positives int            `json:"positives"`
	Coverage  float64        `json:"coverage"` // share of all rows
	Tags      map[string]int `json:"tags,omitempty"`
	// Overlap counts rows that are positive for another category too.
	Overlap map[string]int `json:"overlap,omitempty"`
	// Conflicts counts rows on which votes disagreed, Undecided those without a
	// decision, TagConflicts those on which rules of different tags fired.
	Conflicts    int            `json:"conflicts"`
	Undecided    int            `json:"undecided"`
	TagConflicts int            `json:"tag_conflicts"`
	Rules        map[string]int `json:"rules,omitempty"` // rows on which a rule fired
}

// LanguageReport counts the rows of one language.
type LanguageReport struct {
	Rows    int `json:"rows"`
	Covered int `json:"covered"` // rows with a positive category
	// NoRules says that no rule can fire on a row of it.
	NoRules bool `json:"no_rules,omitempty"`
}

// encoderCount is what the report says about the encoder.
type encoderCount struct {
	Asked   int `json:"asked"`   // rows
	Decided int `json:"decided"` // rows on which it voted
	Unsure  int `json:"unsure"`  // rows without a vote: no category is probable enough
	None    int `json:"none"`    // rows of no category: too far from every description
}

// httpCount is what the report says about the answers, whenever they were paid
// for; the attempt's note http says what this attempt asked and spent.
type httpCount struct {
	Model     string  `json:"model"`
	Prompt    int     `json:"prompt_version"`
	Rows      int     `json:"rows"`      // that needed an answer
	Asked     int     `json:"asked"`     // rows within max_calls
	Answers   int     `json:"answers"`   // paid for, second tries included
	Bad       int     `json:"bad"`       // answers that were no labels
	Unlabeled int     `json:"unlabeled"` // rows without a usable answer
	TokensIn  int64   `json:"tokens_in"`
	TokensOut int64   `json:"tokens_out"`
	Cost      float64 `json:"cost"`
	// Of rows asked about where others disagree.
	Reasons   *reasons   `json:"reasons,omitempty"`
	Agreement *agreement `json:"agreement,omitempty"`
}

// overlayCount is what the report says about the overlay.
type overlayCount struct {
	Corrections int      `json:"corrections"`
	Rows        int      `json:"rows"`                 // that they correct
	Added       int      `json:"added_rows,omitempty"` // of those, rows that the sources did not give
	Unknown     []string `json:"unknown,omitempty"`    // a few that correct no row
	UnknownRows int      `json:"unknown_rows,omitempty"`
}

// goldCount is what the report says about the gold part.
type goldCount struct {
	Rows int `json:"rows"` // that weigh the voters
	// Scored rows were left out: they meet the gold set that verify scores.
	Scored int `json:"scored,omitempty"`
	// Removed rows of the articles are in the gold part: it never trains.
	Removed int `json:"removed"`
	// Voters by name, "category:rule" or "category (source)".
	Voters map[string]voterCount `json:"voters"`
}

// voterCount is how a voter did on the gold part.
type voterCount struct {
	Votes  int     `json:"votes"`
	Right  int     `json:"right"`
	Weight float64 `json:"weight"` // 0: silenced
}
