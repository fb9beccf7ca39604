package render

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/jobs/atomicfile"
	"github.com/sprint-ml/sprint/jobs/report"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// WriteFiles writes report.html and report.md into a folder, each whole, and
// returns their paths. Files of these names there are replaced.
func WriteFiles(r *report.Report, folder string) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	var html, md bytes.Buffer
	if err := errors.Join(HTML(&html, r), Markdown(&md, r)); err != nil {
		return nil, err
	}
	var files []string
	for _, f := range []struct {
		name string
		data []byte
	}{{"report.html", html.Bytes()}, {"report.md", md.Bytes()}} {
		path := filepath.Join(folder, f.name)
		if err := atomicfile.Write(path, f.data, 0o644); err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	return files, nil
}

// keepTime bounds what a run waits for its report: the work is done.
const keepTime = 30 * time.Second

// Keep puts report.html beside the records of a run that trained or verified, and
// returns where it is. It keeps none, and returns "", of a run whose stages were
// all done before: that has nothing new to show.
func Keep(ctx context.Context, s *storage.Store, res *runs.Result) (url string, err error) {
	worked := slices.ContainsFunc(res.Stages, func(st runs.StageResult) bool {
		return (st.Kind == "train" || st.Kind == "verify") && (st.State == runs.Succeeded || st.State == runs.Failed && len(st.Outputs) > 0)
	})
	if !worked || res.Run == nil || ctx.Err() != nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	src, err := document.Load(ctx, s, *res.Run)
	if err != nil {
		return "", err
	}
	var html bytes.Buffer
	if err := HTML(&html, report.Build(src)); err != nil {
		return "", err
	}
	key := "runs/" + *res.Run + "/report.html"
	if err := s.WriteFile(ctx, key, html.Bytes()); err != nil {
		return "", err
	}
	return s.URL() + "/" + key, nil
}
