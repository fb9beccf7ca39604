package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Probe tries the chosen source: files are opened, objects of a store looked up, and GDELT
// is asked once.
func (o *Options) Probe(ctx context.Context, look stages.Lookup) []stages.Probed {
	if o.Source == sourceGDELT {
		return []stages.Probed{o.GDELT.probe(ctx, look, newPacer(look.CacheDir(), o.GDELT.Pace))}
	}
	var out []stages.Probed
	for _, pattern := range o.Files.Paths {
		p := stages.Probed{Source: storage.Redact(pattern)}
		if strings.Contains(pattern, "://") && look.Offline() {
			p.Untried = "offline"
		} else {
			p.Found, p.Err = probeFiles(ctx, look, pattern)
		}
		out = append(out, p)
	}
	return out
}

// probeFiles says how many files fit a path or pattern, and how large they are.
func probeFiles(ctx context.Context, look stages.Lookup, pattern string) (found string, err error) {
	paths, err := look.Glob(ctx, pattern)
	if err != nil {
		return "", err
	}
	var size int64
	for _, path := range paths {
		n, err := probeFile(ctx, path)
		if err != nil {
			code, hint := stages.CodePlan, "check the path; `sprint validate` looks into the files of a plan"
			if _, _, remote := storage.SplitURL(path); remote {
				code, hint = stages.CodeEnvironment, "check the URL, its region and the credentials"
			}
			return "", stages.Fail(code, hint, "cannot read %s: %w", storage.Redact(path), err)
		}
		size += n
	}
	if len(paths) == 1 {
		return fmt.Sprintf("%d bytes", size), nil
	}
	return fmt.Sprintf("%d files, %d bytes", len(paths), size), nil
}

// probeFile opens a file, or looks an object of a store up, and returns its size.
func probeFile(ctx context.Context, path string) (size int64, err error) {
	if bucket, key, ok := storage.SplitURL(path); ok {
		s, err := storage.Open(ctx, bucket, nil)
		if err != nil {
			return 0, err
		}
		defer s.Close()
		info, err := s.StatFile(ctx, key)
		return info.Size, err
	}
	f, err := plainfile.Open(storage.LocalPath(path))
	if err != nil {
		return 0, cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, cause(err)
	}
	if info.IsDir() {
		return 0, errors.New("it is a folder")
	}
	return info.Size(), nil
}

// probeWait is how long a user waits for the turn of one request and its answer.
const probeWait = time.Minute

// probe asks for the newest window, as the first request of a run would, in the turn that
// clock gives. A throttled ask holds all processes of the machine back.
func (g *GDELT) probe(ctx context.Context, look stages.Lookup, clock *pacer) stages.Probed {
	p := stages.Probed{Source: "GDELT"}
	if look.Offline() {
		p.Untried = "offline"
		return p
	}
	since, until, err := g.closed(look.Now())
	if err != nil {
		p.Err = err
		return p
	}
	ctx, stop := context.WithTimeoutCause(ctx, probeWait, fmt.Errorf("no turn and answer within %s: others may have been asked to wait", probeWait))
	defer stop()
	c := newClient(stages.Env{Log: slog.New(slog.DiscardHandler)}, clock)
	c.once()
	w := spans(since, until, g.Window)[0]
	body, err := c.get(ctx, g.address(w))
	if _, passing := errors.AsType[*passingError](err); passing {
		p.Err = stages.Lose(stages.CodeEnvironment, "wait a while; a run asks again by itself", "GDELT: %w", errors.Join(err, clock.delay(firstBackoff)))
		return p
	}
	if ctx.Err() != nil {
		p.Err = context.Cause(ctx)
		return p
	}
	var list []article
	if err == nil {
		list, _, err = parsePage(body)
	}
	if err != nil {
		p.Err = err
		return p
	}
	p.Found = w.found(len(list))
	return p
}

// found says how many rows a window has.
func (w window) found(n int) string {
	span := w.from.Format("2006-01-02 15:04") + " to " + w.to.Format("2006-01-02 15:04") + " UTC"
	switch {
	case n == 0:
		return "it answers, with no row of " + span + ": look at the query, its codes of countries are FIPS (Sweden is SW)"
	case n >= pageRows:
		return fmt.Sprintf("%d rows or more of %s", n, span)
	}
	return fmt.Sprintf("%d rows of %s", n, span)
}
