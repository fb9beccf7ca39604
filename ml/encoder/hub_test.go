package encoder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
)

func TestHubFetchesOnceAndVerifies(t *testing.T) {
	f := newFakeHub(t, tiny(t, "bert.", "weight", "bias"))
	o := f.options(t)
	var said []string
	o.Announce = func(s string) { said = append(said, s) }
	e, id, err := load(t, "org/model", o)
	if err != nil {
		t.Fatal(err)
	}
	if id.Revision != commit || id.License != "cc0-1.0" || id.Digest == "" || e.Prefix != "bert." {
		t.Errorf("id %+v", id)
	}
	if len(said) != 1 || !strings.Contains(said[0], "org/model") || !strings.Contains(said[0], o.CacheDir) {
		t.Errorf("announced %q", said)
	}
	// With the revision pinned the second time needs no network, and is the same.
	f.hub.Close()
	f.cdn.Close()
	o.Offline = true
	again, err := encoder.Resolve(t.Context(), "org/model@"+commit, o)
	if err != nil || again.Digest != id.Digest {
		t.Fatalf("%+v, %v", again, err)
	}
	if !encoder.Cached(again, o) {
		t.Error("not cached")
	}
	dir, err := encoder.Fetch(t.Context(), again, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{dir, filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "config.json")} {
		if info, err := os.Stat(p); err != nil || info.Mode()&0o077 != 0 {
			t.Errorf("other users may use %s: %v, %v", p, info.Mode(), err)
		}
	}
	// A flipped byte in the cache is found, every time.
	path := filepath.Join(dir, "model.safetensors")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := encoder.Fetch(t.Context(), again, o); !errors.Is(err, encoder.ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
}

// TestHubEntryWithoutPrompts: an entry of before prompts were asked for is completed.
func TestHubEntryWithoutPrompts(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	o := f.options(t)
	_, id, err := load(t, "org/model", o)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := encoder.Fetch(t.Context(), id, o)
	if err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(dir, ".sprint-encoder.json")
	data, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, bytes.Replace(data, []byte(`"prompts": true`), []byte(`"prompts": false`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	offline := o
	offline.Offline = true
	if _, err := encoder.Fetch(t.Context(), id, offline); err == nil || errors.Is(err, encoder.ErrCorrupt) || !strings.Contains(err.Error(), "--offline") {
		t.Errorf("offline: %v", err)
	}
	f.files["config_sentence_transformers.json"] = []byte(`{"prompts": {"q": "query: "}, "default_prompt_name": "q"}`)
	if dir, err = encoder.Fetch(t.Context(), id, o); err != nil {
		t.Fatal(err)
	}
	e, err := encoder.Load(dir)
	if err != nil || e.Prompt != "query: " {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := encoder.Fetch(t.Context(), id, offline); err != nil {
		t.Errorf("completed, offline: %v", err)
	}
}

func TestHubResumesABrokenDownload(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	f.cut = 2
	if _, err := open(t, "org/model@v1", f.options(t)); err != nil {
		t.Fatal(err)
	}
	if f.ranges != 2 {
		t.Errorf("%d answers continued the file, want 2", f.ranges)
	}
}

func TestHubHealsADamagedEntry(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	o := f.options(t)
	dir, err := open(t, "org/model", o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "vocab.txt"), 3); err != nil {
		t.Fatal(err)
	}
	if dir, err = open(t, "org/model", o); err != nil {
		t.Fatal(err)
	}
	if _, err := encoder.Load(dir); err != nil {
		t.Error(err)
	}
}

func TestHubRefusesWrongBytes(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	f.flip = true
	o := f.options(t)
	if _, err := open(t, "org/model", o); !errors.Is(err, encoder.ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
	f.flip = false
	if _, err := open(t, "org/model", o); err != nil {
		t.Fatalf("after the mend: %v", err)
	}
}

func TestHubToken(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	f.gated = true
	o := f.options(t)
	_, err := open(t, "org/model", o)
	var fe *encoder.FetchError
	if !errors.As(err, &fe) || !strings.Contains(err.Error(), "401") || !strings.Contains(fe.Hint, "HF_TOKEN") {
		t.Fatalf("got %v", err)
	}
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(io.Writer(&log), &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Token = func() string { return secret }
	f.cut = 1
	if _, err := open(t, "org/model", o); err != nil {
		t.Fatal(err)
	}
	if f.leaked != "" {
		t.Error("the token reached the CDN")
	}
	if strings.Contains(log.String(), secret) || log.Len() == 0 {
		t.Errorf("log: %s", log.String())
	}
	o = f.options(t)
	o.Token = func() string { return secret }
	f.oneHost = true
	if _, err := open(t, "org/model", o); err != nil || f.leaked != "" {
		t.Errorf("the token reached another port of the hub's host: %q, %v", f.leaked, err)
	}
}

// TestAddressesHoldNoPassword: neither that of the hub nor that of an encoder, and no
// message repeats it.
func TestAddressesHoldNoPassword(t *testing.T) {
	o := encoder.Options{CacheDir: t.TempDir(), OpenURL: func(context.Context, string) (encoder.Files, error) { return nil, errors.New("opened") }}
	for _, c := range []struct{ ref, hub, says string }{
		{"s3://KEY:hunter2@bucket/encoder", "", "AWS_SECRET_ACCESS_KEY"},
		{"s3://KEY:hun/hunter2@bucket/encoder", "", "AWS_SECRET_ACCESS_KEY"},
		{"https://hunter2@huggingface.co/org/model", "", "HF_TOKEN"},
		{"org/model", "https://me:hunter2@127.0.0.1:1", "HF_TOKEN"},
		{"org/model@" + commit, "https://me:hun/hunter2@127.0.0.1:1", "HF_TOKEN"},
	} {
		o.HubURL = c.hub
		id, err := encoder.Resolve(t.Context(), c.ref, o)
		if err == nil {
			_, err = encoder.Fetch(t.Context(), id, o)
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s at %s: %v", c.ref, c.hub, err)
		}
	}
}

func TestHubMissing(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	o := f.options(t)
	if _, err := open(t, "org/other", o); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
	delete(f.files, "model.safetensors")
	if _, err := open(t, "org/model", o); err == nil || !strings.Contains(err.Error(), "model.safetensors") {
		t.Errorf("got %v", err)
	}
	before := f.requests
	o.Offline = true
	if _, err := open(t, "org/model", o); err == nil || !strings.Contains(err.Error(), "--offline") {
		t.Errorf("got %v", err)
	}
	if _, err := open(t, "org/model@"+commit, o); err == nil || !strings.Contains(err.Error(), "--offline") {
		t.Errorf("got %v", err)
	}
	if f.requests != before {
		t.Error("offline talked to the hub")
	}
}

func TestStoreURL(t *testing.T) {
	dir := tiny(t, "", "weight", "bias")
	o := encoder.Options{CacheDir: t.TempDir()}
	if _, err := open(t, "s3://bucket/encoder", o); err == nil {
		t.Error("a store URL without OpenURL was accepted")
	}
	o.OpenURL = func(context.Context, string) (encoder.Files, error) {
		files := encoder.Files{}
		for _, name := range []string{"config.json", "vocab.txt", "model.safetensors"} {
			files[name] = func(context.Context) (io.ReadCloser, error) { return os.Open(filepath.Join(dir, name)) }
		}
		return files, nil
	}
	for range 2 {
		e, id, err := load(t, "s3://bucket/encoder", o)
		if err != nil {
			t.Fatal(err)
		}
		folder, err := encoder.Resolve(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if id.Digest != folder.Digest || e.Config.HiddenSize != 4 {
			t.Errorf("store %+v, folder %+v", id, folder)
		}
	}
}
