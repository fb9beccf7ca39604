package table

import "bytes"

// RepairJSON drops raw control characters from a JSON text and the backslash of
// escapes that JSON does not know, and returns how many it dropped. Text
// without such faults is returned as it is.
func RepairJSON(data []byte) (repaired []byte, dropped int) {
	faulty := bytes.ContainsFunc(data, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' })
	if !faulty && !bytes.ContainsRune(data, '\\') && !bytes.ContainsAny(data, "\n\t\r") {
		return data, 0
	}
	out := make([]byte, 0, len(data))
	inString := false
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case c == '"':
			inString = !inString
		case c < ' ':
			if inString || c != '\n' && c != '\t' && c != '\r' {
				dropped++
				continue
			}
		case c == '\\' && inString:
			if n := escapeLen(data[i:]); n > 0 {
				out = append(out, data[i:i+n]...)
				i += n - 1
			} else {
				dropped++
			}
			continue
		}
		out = append(out, c)
	}
	return out, dropped
}

// escapeLen returns the length of the valid JSON escape at the start of b, or 0.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, h := range b[2:6] {
			if !(h >= '0' && h <= '9' || h >= 'a' && h <= 'f' || h >= 'A' && h <= 'F') {
				return 0
			}
		}
		return 6
	}
	return 0
}
