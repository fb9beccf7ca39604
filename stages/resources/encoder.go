package resources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// PinEncoder resolves an encoder to its content. What a branch of the hub means is
// asked once; sprint.lock keeps the answer.
func PinEncoder(ctx context.Context, lookup stages.Lookup, ref string) (encoder.ID, error) {
	options := encoderOptions(lookup.CacheDir(), lookup.Offline())
	if isHub(ref) && !fullRevision.MatchString(ref) {
		revision, err := lookup.Pin(ctx, "encoder "+ref, func(ctx context.Context) (string, error) {
			id, err := encoder.Resolve(ctx, ref, options)
			return id.Revision, err
		})
		if err != nil {
			return encoder.ID{}, encoderFailure(err)
		}
		name, _, _ := strings.Cut(ref, "@")
		ref = name + "@" + revision
	}
	id, err := encoder.Resolve(ctx, ref, options)
	return id, encoderFailure(err)
}

// CheckEncoder tells of an option that names no encoder, without a network.
func CheckEncoder(option, ref string) []stages.FileProblem {
	var failure *stages.Failure
	if !errors.As(encoderFailure(encoder.Check(ref)), &failure) {
		return nil
	}
	return []stages.FileProblem{{Option: option, Message: failure.Error(), Hint: failure.Hint}}
}

// EncoderKey is what a key holds of an encoder.
func EncoderKey(id encoder.ID) map[string]any {
	return map[string]any{"name": id.Name, "revision": id.Revision, "digest": id.Digest}
}

// FetchEncoder fetches the encoder that the attempt's key holds, under the name the
// plan gives it, and returns its folder.
func FetchEncoder(ctx context.Context, env stages.Env, ref string) (string, error) {
	key, _ := env.External["encoder"].(map[string]any)
	name := ref
	if revision, _ := key["revision"].(string); revision != "" && isHub(ref) {
		name = fmt.Sprint(key["name"]) + "@" + revision
	}
	o := encoderOptions(env.CacheDir, env.Offline)
	o.Log, o.Announce, o.Progress = env.Log, announce(env), fetchProgress(env)
	id, err := encoder.Resolve(ctx, name, o)
	if err != nil {
		return "", encoderFailure(err)
	}
	if id.Digest != key["digest"] {
		return "", stages.Fail(stages.CodeIntegrity, "run again: the new content has its own key", "the encoder %s changed since the run began", ref)
	}
	dir, err := encoder.Fetch(ctx, id, o)
	if ctx.Err() != nil {
		return dir, err
	}
	return dir, encoderFailure(err)
}

// fullRevision ends a hub reference that needs no network to resolve.
var fullRevision = regexp.MustCompile(`@[0-9a-f]{40}$`)

// isHub reports whether a reference names a model of the hub.
func isHub(ref string) bool {
	return !strings.Contains(ref, "://") && !strings.HasPrefix(ref, ".") && !path.IsAbs(ref) && strings.Count(ref, "/") == 1
}

func encoderOptions(cache string, offline bool) encoder.Options {
	return encoder.Options{CacheDir: cache, Offline: offline, OpenURL: openURL}
}

// openURL reads an encoder's files from a store.
func openURL(ctx context.Context, url string) (encoder.Files, error) {
	s, err := storage.Open(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	files := encoder.Files{}
	for info, err := range s.Bucket.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		if name := info.Key; !strings.Contains(name, "/") {
			files[name] = func(ctx context.Context) (io.ReadCloser, error) { return s.OpenFile(ctx, name) }
		}
	}
	return files, nil
}

// LoadEncoder reads the encoder that FetchEncoder fetched.
func LoadEncoder(dir string) (*encoder.Encoder, error) {
	e, err := encoder.Load(dir)
	switch {
	case errors.Is(err, encoder.ErrMixed):
		return nil, stages.Fail(stages.CodeIntegrity, "take config.json, the weights and the tokenizer of one encoder", "%w", err)
	case errors.Is(err, encoder.ErrCorrupt):
		return nil, stages.Fail(stages.CodeIntegrity, "remove the damaged file and fetch it again", "%w", err)
	case err != nil:
		return nil, stages.Fail(stages.CodeEnvironment, "use an encoder of the BERT family in the Hugging Face layout", "%w", err)
	}
	return e, nil
}

// PromptOf is what stands before every text that an encoder reads: what a plan says, or, if
// that is PromptAuto, what sentence-transformers' config of the encoder does.
func PromptOf(option string, e *encoder.Encoder) string {
	if option == PromptAuto {
		return e.Prompt
	}
	return option
}

// PromptAuto leaves the prompt to the encoder.
const PromptAuto = "auto"

// encoderFailure gives an encoder's error its exit code.
func encoderFailure(err error) error {
	var unknown *encoder.UnknownError
	var fetch *encoder.FetchError
	_, done := errors.AsType[*stages.Failure](err)
	switch {
	case err == nil, done:
		return err
	case errors.As(err, &unknown):
		return stages.Fail(stages.CodePlan, "", "%w", err)
	case errors.Is(err, encoder.ErrCorrupt):
		return stages.Fail(stages.CodeIntegrity, "remove the damaged files and run again", "%w", err)
	case errors.As(err, &fetch):
		return stages.Fail(stages.CodeEnvironment, "", "%w", err)
	}
	return stages.Fail(stages.CodeEnvironment, "`sprint doctor` shows what is there", "%w", err)
}
