package serve

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestPage: the page is short, asks for nothing elsewhere, and its policy lets its own
// script and style run and no other.
func TestPage(t *testing.T) {
	_, s := serve(t, classifier(t), Options{})
	status, page, h := ask(t, s, "GET", "/", "")
	if n := strings.Count(page, "\n"); status != 200 || n > 200 {
		t.Errorf("%d, %d lines", status, n)
	}
	for _, word := range []string{"http:", "https:", "src=", "innerHTML", "onclick", "style="} {
		if strings.Contains(page, word) {
			t.Errorf("it has %q", word)
		}
	}
	policy := h.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src '" + digestOf("script") + "'", "style-src '" + digestOf("style") + "'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("its policy %q lacks %q", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || slices.Contains(strings.Fields(policy), "*") || digestOf("script") == digestOf("style") {
		t.Errorf("its policy is %q", policy)
	}
}

// TestPageIsReadable: in the light and in the dark each colour stands out from the paper, as
// the accessibility guidelines of the web (WCAG 2.2, 1.4.3 and 1.4.11) ask of text and of
// lines; fields have labels, and whoever has no mouse sees where they are.
func TestPageIsReadable(t *testing.T) {
	light, dark, ok := strings.Cut(tryPage, "@media (prefers-color-scheme: dark)")
	if !ok || !strings.Contains(light, "color-scheme: light dark") || !strings.Contains(tryPage, ":focus-visible") {
		t.Fatal("it has one theme, or none for the keyboard")
	}
	dark, _, _ = strings.Cut(dark, "\n")
	colours := regexp.MustCompile(`--(\w+): #([0-9a-f]+)`)
	for theme, text := range map[string]string{"light": light, "dark": dark} {
		of := map[string]float64{}
		for _, m := range colours.FindAllStringSubmatch(text, -1) {
			of[m[1]] = luminance(t, m[2])
		}
		for name, least := range map[string]float64{"ink": 4.5, "soft": 4.5, "bad": 4.5, "link": 4.5, "line": 3} {
			a, b := of[name], of["paper"]
			if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < least {
				t.Errorf("in the %s, %s has the contrast %.2f, want %v", theme, name, contrast, least)
			}
		}
	}
	fields, labels := regexp.MustCompile(`<(input|textarea) `).FindAllString(tryPage, -1), regexp.MustCompile(`<label>\w+ <(input|textarea) `).FindAllString(tryPage, -1)
	if len(fields) != 2 || len(labels) != len(fields) {
		t.Errorf("%d fields, %d labels", len(fields), len(labels))
	}
	if used := regexp.MustCompile(`(color|background|solid)[: ]+#`).FindString(strings.ReplaceAll(tryPage, "--", "")); used != "" {
		t.Errorf("%q is of no theme", used)
	}
}

// luminance is that of a colour of three or six hexadecimal digits, by WCAG's definition.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
