package document

// LabelReport says what the labels are and who made them: the output
// label_report.
type LabelReport struct {
	Rows       int                      `json:"rows"`
	Covered    int                      `json:"covered"`
	Abstained  int                      `json:"abstained"`
	Overlap    int                      `json:"overlap"`
	Categories map[string]LabelCategory `json:"categories"`
	Sources    map[string]LabelSource   `json:"sources"`
	DeadRules  []string                 `json:"dead_rules"`
	HTTP       *struct {
		Model     string  `json:"model"`
		Rows      int     `json:"rows"`
		Asked     int     `json:"asked"`
		Answers   int     `json:"answers"`
		Bad       int     `json:"bad"`
		TokensIn  int64   `json:"tokens_in"`
		TokensOut int64   `json:"tokens_out"`
		Cost      float64 `json:"cost"`
		Agreement *struct {
			Rows   int     `json:"rows"`
			Right  int     `json:"right"`
			Weight float64 `json:"weight"`
		} `json:"agreement"`
	} `json:"http"`
	Encoder *struct {
		Asked   int `json:"asked"`
		Decided int `json:"decided"`
		Unsure  int `json:"unsure"`
		None    int `json:"none"`
	} `json:"encoder"`
	Overlay *struct {
		Corrections int      `json:"corrections"`
		Rows        int      `json:"rows"`
		Added       int      `json:"added_rows"`
		Unknown     []string `json:"unknown"`
		UnknownRows int      `json:"unknown_rows"`
	} `json:"overlay"`
	Gold *struct {
		Rows   int `json:"rows"`
		Voters map[string]struct {
			Votes  int     `json:"votes"`
			Right  int     `json:"right"`
			Weight float64 `json:"weight"`
		} `json:"voters"`
	} `json:"gold"`
}

// LabelCategory counts the labels of one category.
type LabelCategory struct {
	Positives    int            `json:"positives"`
	Tags         map[string]int `json:"tags"`
	Overlap      map[string]int `json:"overlap"`
	Conflicts    int            `json:"conflicts"`
	Undecided    int            `json:"undecided"`
	TagConflicts int            `json:"tag_conflicts"`
	Rules        map[string]int `json:"rules"`
}

// LabelSource counts what one labeller decided.
type LabelSource struct {
	Rows      int `json:"rows"`
	Labels    int `json:"labels"`
	Positives int `json:"positives"`
}
