package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// sprintRuns trains a tiny encoder by `sprint run`, whole and once more with a kill -9 after
// its first checkpoint: both must end with the same model.
func sprintRuns(ctx context.Context, s settings, say func(figures)) error {
	if s.Sprint == "" {
		return skip("there is no sprint binary beside this program, and -sprint names none")
	}
	dir, err := os.MkdirTemp("", "sprint-gpu-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writePlan(dir); err != nil {
		return err
	}
	began := time.Now()
	whole, err := s.sprint(ctx, dir, "whole").Output()
	if err != nil {
		return failed("the whole run", err)
	}
	f := figures{"seconds": round(time.Since(began).Seconds(), 1)}
	say(f)
	want, err := modelOf(whole)
	if err != nil {
		return err
	}
	if err := s.killAtCheckpoint(ctx, dir); err != nil {
		return err
	}
	again, err := s.sprint(ctx, dir, "killed").Output()
	if err != nil {
		return failed("the run after the kill", err)
	}
	got, err := modelOf(again)
	if err != nil {
		return err
	}
	f["model"], f["same_after_kill"] = want, got == want
	say(f)
	if got != want {
		return fmt.Errorf("the continued run made %s, the whole one %s", got, want)
	}
	return nil
}

func (s settings) sprint(ctx context.Context, dir, store string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Sprint, "run", filepath.Join(dir, "plan.yaml"), "--store", filepath.Join(dir, store), "--device", s.Device, "-o", "json")
	cmd.Env = append(os.Environ(), "SPRINT_CACHE="+s.Cache)
	return cmd
}

func failed(what string, err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%s ended with %d: %s", what, exit.ExitCode(), bytes.TrimSpace(exit.Stderr[:min(len(exit.Stderr), 2000)]))
	}
	return fmt.Errorf("%s: %w", what, err)
}

// modelOf is the digest of the model that a run's result names.
func modelOf(stdout []byte) (string, error) {
	var r struct {
		Stages []struct {
			Name    string
			Outputs map[string]struct{ Digest string }
		}
	}
	if err := json.Unmarshal(lastLineOf(stdout), &r); err != nil {
		return "", fmt.Errorf("read the result: %w", err)
	}
	for _, stage := range r.Stages {
		if d := stage.Outputs["model"].Digest; stage.Name == "train" && d != "" {
			return d, nil
		}
	}
	return "", errors.New("the result names no model")
}

// killAtCheckpoint starts a run and kills it when a step's checkpoint is there.
func (s settings) killAtCheckpoint(ctx context.Context, dir string) error {
	cmd := s.sprint(ctx, dir, "killed")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan string, 1)
	go func() { ended <- fmt.Sprint(cmd.Wait()) }()
	for {
		select {
		case how := <-ended:
			return fmt.Errorf("the run to be killed ended before its second checkpoint: %s, %s", how, lastLineOf(out.Bytes()))
		case <-time.After(5 * time.Millisecond):
		}
		if checkpoints(filepath.Join(dir, "killed", "checkpoints")) < 2 { // the first is that of step 0
			continue
		}
		if err := cmd.Process.Kill(); err != nil {
			return err
		}
		<-ended
		return nil
	}
}

// checkpoints counts the files below a folder of a file store.
func checkpoints(dir string) int {
	n := 0
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { // it comes and goes while the run goes on
		if err == nil && !d.IsDir() {
			n++
		}
		return nil
	})
	return n
}

// writePlan makes a plan with a tiny encoder and rows that rules can label.
func writePlan(dir string) error {
	folder := filepath.Join(dir, "encoder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	z := tiny()
	if err := z.write(folder); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same rows on every machine
	vocabulary := words(z.Rows - 5)
	var rows strings.Builder
	for i := range 600 {
		var title []string
		for range 6 {
			title = append(title, vocabulary[20+rng.IntN(200)])
		}
		title = append(title, vocabulary[rng.IntN(4)])
		line, err := json.Marshal(map[string]string{"id": fmt.Sprint(i), "title": strings.Join(title, " ")})
		if err != nil {
			return err
		}
		rows.Write(append(line, '\n'))
	}
	files := map[string]string{
		"rows.jsonl": rows.String(),
		"taxonomy.yaml": fmt.Sprintf("categories:\n  - {name: one, rules: [{words: [%s, %s]}]}\n  - {name: two, rules: [{words: [%s]}]}\n",
			vocabulary[0], vocabulary[1], vocabulary[2]),
		"plan.yaml": `name: gpu
taxonomy: taxonomy.yaml
stages:
  - {name: fetch, with: {source: files, files: {paths: [rows.jsonl]}}}
  - {name: label}
  - name: split
  - name: train
    with: {encoder: ./encoder, epochs: 20, patience: 0, batch_size: 16, max_length: 16, checkpoint_steps: 20}
`,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
