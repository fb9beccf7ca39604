package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// locateStore looks for the store of a config that names none.
func (a *App) locateStore(c *config.Config, origins map[string]options.Origin) {
	a.search = nil
	if origins["store"].From == "default" {
		found := config.FindStore("")
		a.search, c.Store = &found, filepath.ToSlash(found.Path)
		if found.There {
			origins["store"] = options.Origin{From: "found"}
		}
	}
	a.store = c.Store
}

// OpenStore opens the store of a config, and makes the folder of one that is not
// there yet.
func (a *App) OpenStore(ctx context.Context, c *config.Config) (*storage.Store, error) {
	if a.search != nil && a.search.Refused() && c.Store == a.store {
		return nil, a.noStore(c.Store)
	}
	if err := a.checkRegion(c.Store); err != nil {
		return nil, err
	}
	keys, err := a.StoreKeys(c)
	if err != nil {
		return nil, err
	}
	s, err := storage.Open(ctx, c.Store, &storage.Options{Log: a.Log(), Keys: keys})
	if err != nil {
		return nil, stages.Fail(stages.CodeEnvironment, "check --store; `sprint doctor --store URL` tries it", "cannot open the store: %w", err)
	}
	return s, nil
}

// tellSecondStore says that a plan whose own folder has a store, or one above it, gets
// another one in the working directory: nothing of what was done there is found here.
func (a *App) tellSecondStore(c *Compiled, what string) {
	if a.Quiet || a.search == nil || a.search.There || a.search.Refused() || c.Config.Store != a.store {
		return
	}
	if of := config.FindStore(c.Plan.Dir()); of.There {
		fmt.Fprintf(a.Stderr, "sprint: %s (.sprint); the plan's folder has one: --store %s uses it\n", what, commandline.Quote(filepath.ToSlash(of.Path)))
	}
}

// checkRegion refuses an S3 store whose region nobody says: the client's own words for
// that are those of a name that cannot be resolved, after several seconds.
func (a *App) checkRegion(store string) error {
	rest, isS3 := strings.CutPrefix(store, "s3://")
	_, query, _ := strings.Cut(rest, "?")
	values, _ := url.ParseQuery(query) // what is wrong with it the opening tells
	if !isS3 || values.Has("region") || values.Has("profile") {
		return nil
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		if a.Getenv(name) != "" {
			return nil
		}
	}
	if _, err := os.Stat(cmp.Or(a.Getenv("AWS_CONFIG_FILE"), filepath.Join(a.Getenv("HOME"), ".aws", "config"))); err == nil {
		return nil
	}
	return stages.Fail(stages.CodeEnvironment, "set AWS_REGION (and credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), or write s3://BUCKET/PREFIX?region=REGION", "the region of the store %s is not known", storage.Redact(store))
}

// ReadStore opens the store of a config and makes nothing: one that is not there is
// ErrNoStore.
func (a *App) ReadStore(ctx context.Context, c *config.Config) (*storage.Store, error) {
	if Absent(c.Store) {
		return nil, a.noStore(c.Store)
	}
	return a.OpenStore(ctx, c)
}

// readOrEmpty is ReadStore for what can be said without a store too: it is an empty
// one then.
func (a *App) readOrEmpty(ctx context.Context, c *config.Config) (*storage.Store, error) {
	s, err := a.ReadStore(ctx, c)
	if !errors.Is(err, ErrNoStore) || a.search != nil && a.search.Refused() {
		return s, err
	}
	if a.search == nil && !a.Quiet {
		fmt.Fprintf(a.Stderr, "sprint: %v\n", err)
	}
	keys, err := a.StoreKeys(c)
	if err != nil {
		return nil, err
	}
	return storage.Open(ctx, "mem://", &storage.Options{Log: a.Log(), Keys: keys})
}

// ErrNoStore is the cause of a failure for want of a store.
var ErrNoStore = errors.New("there is no store")

// Absent reports whether the folder of a store is not there.
func Absent(store string) bool {
	folder, local := storage.Folder(store)
	if !local {
		return false
	}
	_, err := os.Stat(folder)
	return errors.Is(err, fs.ErrNotExist)
}

// noStore says where a store was looked for.
func (a *App) noStore(where string) error {
	f := a.search
	if f == nil || where != a.store {
		return stages.Fail(stages.CodeEnvironment, "check --store; the first run of a plan makes a store", "%w at %s", ErrNoStore, storage.Redact(where))
	}
	hint := "go to the folder of its project, or name it with --store; the first run of a plan makes one"
	if len(f.Foreign) > 0 {
		hint = fmt.Sprintf("another user owns %s; if you trust it, name it: --store %s", strings.Join(f.Foreign, " and "), commandline.Quote(f.Foreign[0]))
	}
	return stages.Fail(stages.CodeEnvironment, hint, "%w of yours in %s or a folder above it (.sprint/store)", ErrNoStore, f.From)
}

// StoreFlag is what --store must say in a command that is typed where this one was, to
// mean the same store; empty if it is the one that such a command finds by itself.
func (a *App) StoreFlag() string {
	c, origins, err := config.LoadConfig(config.Source{Env: a.Env, User: a.userConfig()})
	if err != nil {
		return a.store
	}
	if origins["store"].From == "default" {
		c.Store = filepath.ToSlash(config.FindStore("").Path)
	}
	if SameStore(c.Store, a.store) {
		return ""
	}
	return a.store
}

// Line is a command of this program on the same store, to be typed next.
func (a *App) Line(words ...string) commandline.Line {
	return commandline.Of(words...).Flag("store", a.StoreFlag())
}

// Hint is a text that names commands, each on the same store.
func (a *App) Hint(text string) string {
	if !strings.Contains(text, "sprint ") || a.store == "" {
		return text
	}
	return commandline.OnStore(text, a.StoreFlag())
}

// SameStore reports whether two URLs or folders are one store.
func SameStore(a, b string) bool {
	if a == b {
		return true
	}
	x, xLocal := storage.Folder(a)
	y, yLocal := storage.Folder(b)
	if !xLocal || !yLocal {
		return false
	}
	if x == y {
		return true
	}
	first, err := os.Stat(x)
	if err != nil {
		return false
	}
	second, err := os.Stat(y)
	return err == nil && os.SameFile(first, second)
}

// StoreKeys resolves the keys of a config's store; nil if it names none.
func (a *App) StoreKeys(c *config.Config) (*storage.Keyring, error) {
	if c.StoreKey == "" {
		if len(c.StoreKeysAccepted) > 0 {
			return nil, &diagnostic.UsageError{Message: "store_keys_accepted is set and store_key is not", Hint: "store_key names the key that signs"}
		}
		return nil, nil
	}
	var secrets []string
	for _, ref := range append([]string{c.StoreKey}, c.StoreKeysAccepted...) {
		secret, err := a.Secret(ref)
		if err != nil {
			return nil, stages.Fail(stages.CodeEnvironment, "store_key and store_keys_accepted say where the store's keys are, env:NAME or file:PATH", "a key of the store: %w", err)
		}
		secrets = append(secrets, strings.TrimSpace(secret))
	}
	keys, err := storage.NewKeyring(secrets[0], secrets[1:]...)
	if err != nil {
		return nil, stages.Fail(stages.CodeEnvironment, "", "%w", err)
	}
	return keys, nil
}

// WorkerFlags say where a worker finds the store's keys: the references, never what
// they refer to.
func WorkerFlags(c *config.Config) []string {
	var out []string
	if c.StoreKey != "" {
		out = append(out, "--store-key", c.StoreKey)
	}
	for _, ref := range c.StoreKeysAccepted {
		out = append(out, "--store-key-accepted", ref)
	}
	return out
}

// OnStore runs a command without a plan on the configured store, which must be there:
// nothing is made.
func (a *App) OnStore(do func(ctx context.Context, s *storage.Store, args []string) error) func(*cobra.Command, []string) error {
	return a.onStore(a.ReadStore, do)
}

// OnStoreOrNone is OnStore for commands that have an answer without a store too: they
// get an empty one, and NoStore says so.
func (a *App) OnStoreOrNone(do func(ctx context.Context, s *storage.Store, args []string) error) func(*cobra.Command, []string) error {
	return a.onStore(func(ctx context.Context, c *config.Config) (*storage.Store, error) {
		if a.search == nil {
			return a.ReadStore(ctx, c)
		}
		return a.readOrEmpty(ctx, c)
	}, do)
}

func (a *App) onStore(open func(context.Context, *config.Config) (*storage.Store, error), do func(ctx context.Context, s *storage.Store, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, _, err := a.LoadConfig(cmd, "")
		if err != nil {
			return err
		}
		store, err := open(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		defer store.Close()
		return Interrupted(cmd.Context(), do(cmd.Context(), store, args))
	}
}

// Where ends an empty answer: it names the store, or says where one was looked for.
func (a *App) Where(s *storage.Store) string {
	if s.Local() && a.search != nil {
		return a.noStore(a.store).Error()
	}
	return "the store " + s.URL() + " has none"
}
