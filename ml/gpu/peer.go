package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed peer.py
var peer []byte

func torch(ctx context.Context, s settings, say func(figures)) error {
	return runPeer(ctx, s, say)
}

func torchCompiled(ctx context.Context, s settings, say func(figures)) error {
	if s.Small {
		return skip("torch.compile is worth it on a GPU")
	}
	return runPeer(ctx, s, say, "--compile")
}

// runPeer times the steps of PyTorch on the same shapes, each line of its output a JSON
// object of the figures so far.
func runPeer(ctx context.Context, s settings, say func(figures), extra ...string) error {
	if out, err := exec.CommandContext(ctx, s.Python, "-c", "import torch, transformers").CombinedOutput(); err != nil {
		return skip("%s has no torch and transformers: %s", s.Python, bytes.TrimSpace(lastLineOf(out)))
	}
	dir, err := os.MkdirTemp("", "sprint-gpu-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "peer.py")
	if err := os.WriteFile(script, peer, 0o600); err != nil {
		return err
	}
	sizes := []size{miniLM(), bertBase()}
	if s.Small {
		sizes = []size{tiny()}
	}
	job, err := json.Marshal(map[string]any{"device": s.Device, "sizes": sizes, "shapes": s.shapesOf(), "steps": 20})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.Python, append([]string{script, string(job)}, extra...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		f := figures{}
		if json.Unmarshal(lines.Bytes(), &f) == nil {
			say(f)
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("the peer in PyTorch: %w", err)
	}
	return nil
}

func lastLineOf(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}
