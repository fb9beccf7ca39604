package document

// SplitReport says what the sides hold and what met across them.
type SplitReport struct {
	Rows  int    `json:"rows"`
	By    string `json:"by"`
	Sides []struct {
		Name      string         `json:"name"`
		Rows      int            `json:"rows"`
		Groups    int            `json:"groups"`
		Positives map[string]int `json:"positives"`
		First     string         `json:"first"`
		Last      string         `json:"last"`
	} `json:"sides"`
	Groups   int `json:"groups"`
	Repeated int `json:"repeated"`
	Largest  []struct {
		Rows   int      `json:"rows"`
		Side   string   `json:"side"`
		Titles []string `json:"titles"`
	} `json:"largest"`
	Undated        int `json:"undated"`
	UndatedDropped int `json:"undated_dropped"`
	Leaks          []struct {
		Between  [2]string `json:"between"`
		By       string    `json:"by"`
		Rows     int       `json:"rows"`
		Dropped  bool      `json:"dropped"`
		Examples []Example `json:"examples"`
	} `json:"leaks"`
	Truncated bool `json:"truncated"`
}

// Example is a pair of rows that meet.
type Example struct {
	Title      string  `json:"title"`
	Other      string  `json:"other"`
	URL        string  `json:"url"`
	OtherURL   string  `json:"other_url"`
	Similarity float64 `json:"similarity"` // Jaccard, of four-letter shingles
}
