package integrity

import (
	"context"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/bucket"
)

// objectKeys are the keys at which a folder can be nothing but in the way. In a
// release's files/ a folder may be one of the tree. Compiling it at the start would
// cost every command.
var objectKeys = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(` + strings.Join([]string{
		`(blobs|quarantine|kept)/sha256/../[0-9a-f]{64}`,
		`(manifests|checkpoints)/[^/]+/[^/]+/[^/]+`, `jobs/[^/]+/[^/]+`,
		`(leases|tombstones|answers|last)/[^/]+/[^/]+`, `pins/runs/[^/]+`,
		`models/[^/]+/([0-9]+/(claim|release\.json)|aliases/[^/]+|history/[^/]+/[^/]+|mirrors/[^/]+)`,
		`runs/[^/]+/(plan\.yaml|resolved\.json|result\.json|report\.html|uses|cancel|(attempts|used|ends)/[^/]+/[^/]+)`,
	}, `|`) + `)$`)
})

// findIrregular finds what lies in the folder of a store and is no file.
func (c *check) findIrregular(ctx context.Context) error {
	return c.Store.Irregular(ctx, func(key string, mode fs.FileMode) {
		switch {
		case strings.HasPrefix(key, "."):
			c.report.Aside++
		case !mode.IsDir() && ours(key), objectKeys().MatchString(key):
			c.place[key] = mode
		}
	})
}

// ours reports whether a key is below one of the prefixes of a store.
func ours(key string) bool {
	first, _, _ := strings.Cut(key, "/")
	return slices.Contains(recordPrefixes, first) || slices.Contains([]string{"blobs", "quarantine", "kept", "last", "probe", "jobs"}, first)
}

// checkPlaces records what lies in the place of an object, also of one that no record
// names.
func (c *check) checkPlaces(ctx context.Context) error {
	for key := range c.place {
		c.fault(Fault{Key: key, Problem: Obstructed}, &storage.Error{Key: key, Class: storage.ErrNotFound})
	}
	return nil
}

func describe(mode fs.FileMode) string { return bucket.KindOf(mode) }
