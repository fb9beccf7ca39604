package rows

import "time"

// seenLayouts are the ways in which sources write a time.
var seenLayouts = []string{"20060102T150405Z", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "20060102150405", "2006-01-02", "20060102", time.RFC1123Z, time.RFC1123}

// SeenTime reads a time as sources write it: GDELT's 20060102T150405Z, ISO 8601
// with or without a clock time, or that of RSS. Without a zone it is UTC. ok is
// false if the text is none of these.
func SeenTime(text string) (t time.Time, ok bool) {
	for _, layout := range seenLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
