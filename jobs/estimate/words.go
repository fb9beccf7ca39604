package estimate

import (
	"fmt"
	"time"
)

// About puts a time that is only known roughly into words: "about 50 s". It claims no
// more digits than such a time has.
func About(d time.Duration) string {
	seconds := d.Seconds()
	switch {
	case seconds < 1.5:
		return "about 1 s"
	case seconds < 20:
		return fmt.Sprintf("about %.0f s", seconds)
	case seconds < 120:
		return fmt.Sprintf("about %d s", 10*int(seconds/10+0.5))
	case d < 2*time.Hour:
		return fmt.Sprintf("about %.0f min", d.Minutes())
	}
	return fmt.Sprintf("about %.0f h", d.Hours())
}
