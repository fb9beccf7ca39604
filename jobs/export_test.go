package jobs

// The scratch folders of attempts.
var (
	NewScratch = newScratch
)
