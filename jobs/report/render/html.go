// Package render writes a report as an HTML page (html.go, with page.gohtml and
// style.css) and as Markdown (markdown.go), and what a run found as tables for a
// terminal (terminal.go). A rendering decides nothing: what is shown is decided by
// package report.
package render

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/sprint-ml/sprint/jobs/report"
	"github.com/sprint-ml/sprint/jobs/report/chart"
)

//go:embed page.gohtml
var pageText string

//go:embed style.css
var styleText string

// HTML writes the report as one page. It refers to nothing on any network and
// runs no script, and says so to the browser in its content security policy.
func HTML(w io.Writer, r *report.Report) error {
	page, err := template.New("page").Funcs(template.FuncMap{"sign": sign, "svg": svg}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("report page: %w", err)
	}
	style := strings.TrimSpace(strings.Replace(styleText, "/* charts */", strings.TrimSpace(chart.Style), 1))
	sum := sha256.Sum256([]byte(style))
	var b bytes.Buffer
	err = page.Execute(&b, struct {
		*report.Report
		Style  template.CSS
		Policy string
	}{r, template.CSS(style), "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"})
	if err != nil {
		return fmt.Errorf("report page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// svg is a drawing, whose texts it escapes.
func svg(c *chart.Chart) template.HTML { return template.HTML(c.SVG()) }

// sign stands beside a colour, for those who do not see it.
func sign(m report.Mark) string {
	switch m {
	case report.Good:
		return "✓"
	case report.Warn:
		return "▲"
	case report.Bad:
		return "✗"
	}
	return ""
}
