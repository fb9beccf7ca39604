package storagetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// noNumbers are names in the place of a number that are none: what a forged store
// counts with.
var noNumbers = []string{"-3", "01", "0", "9223372036854775807", "9223372036854775808", "1000000000", "1e3", "0x1", "latest"}

// testNumbers: only one way to write a number counts, and numbers do not run out by one
// that somebody else wrote.
func testNumbers(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	m := manifest(1, 1, "model")
	_, _, err := s.Commit(ctx, m)
	check(t, err)
	made, err := models.In(s).Publish(ctx, "news", tree(t, s, "one"), nil)
	check(t, err)
	generations := strings.TrimSuffix(storage.ManifestKey(m.Kind, m.Key, 1), "000001")
	check(t, s.WriteRecord(ctx, generations+"7", []byte("{}")))
	for _, n := range noNumbers {
		folder := "models/news/" + n + "/"
		version := strings.TrimLeft(n, "0") // what a lenient reader makes of it
		forged := fmt.Sprintf(`{"name":"news","version":%s,"digest":%q,"files":[]}`, version, made.Digest)
		check(t, s.WriteRecord(ctx, folder+"release.json", []byte(forged)))
		check(t, s.WriteRecord(ctx, folder+"claim", []byte(made.Digest)))
		check(t, s.WriteRecord(ctx, generations+n, []byte("{}")))
		if r, err := models.In(s).Release(ctx, "news", n); err == nil {
			t.Errorf("%s is release %+v", n, r)
		}
	}
	if n, err := s.Generation(ctx, m.Kind, m.Key); err != nil || n != 1 {
		t.Errorf("the newest generation is %d, %v", n, err)
	}
	if all, err := models.In(s).Releases(ctx, "news"); err != nil || len(all) != 1 {
		t.Errorf("releases %+v, %v", all, err)
	}
	if next, err := models.In(s).Publish(ctx, "news", tree(t, s, "two"), nil); err != nil || next.Version != 2 {
		t.Errorf("the next version is %+v, %v", next, err)
	}
	for _, version := range []string{"-3", "0", "1000000000", "9223372036854775807"} {
		check(t, s.WriteRecord(ctx, "models/news/aliases/latest", []byte(`{"version":`+version+`}`)))
		_, err = models.In(s).Release(ctx, "news", "latest")
		want(t, err, storage.ErrCorrupt, "latest", version)
	}
	for _, alias := range []string{"01", "99999999999999999999"} {
		if models.In(s).SetAlias(ctx, "news", alias, 1) == nil {
			t.Errorf("alias %q is allowed", alias)
		}
	}
	// The highest number there is leaves none after it.
	check(t, s.WriteRecord(ctx, fmt.Sprintf("models/news/%d/claim", storage.MaxNumber), []byte(made.Digest[:70]+"0")))
	_, err = models.In(s).Publish(ctx, "news", tree(t, s, "three"), nil)
	want(t, err, storage.ErrCorrupt, "models/news/1000000000", "delete")
	m.Generation = storage.MaxNumber + 1
	_, _, err = s.Commit(ctx, m)
	want(t, err, storage.ErrCorrupt, "/1000000000", "delete")
}

// testBrokenRelease: a release or alias that cannot be read does not hide the others.
func testBrokenRelease(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	for _, c := range []string{"one", "two", "three"} {
		_, err := models.In(s).Publish(ctx, "news", tree(t, s, c), nil)
		check(t, err)
	}
	check(t, models.In(s).SetAlias(ctx, "news", "latest", 3))
	check(t, models.In(s).SetAlias(ctx, "news", "stable", 3))
	check(t, s.WriteFile(ctx, "models/news/2/release.json", []byte("broken")))
	check(t, s.WriteFile(ctx, "models/news/aliases/latest", []byte("broken")))
	all, err := models.In(s).Releases(ctx, "news")
	want(t, err, storage.ErrCorrupt, "models/news/2/release.json")
	if len(all) != 2 || all[0].Version != 1 || all[1].Version != 3 {
		t.Errorf("releases %+v", all)
	}
	named, err := models.In(s).Aliases(ctx, "news")
	want(t, err, storage.ErrCorrupt, "models/news/aliases/latest")
	if fmt.Sprint(named) != "map[3:[stable]]" {
		t.Errorf("aliases %v", named)
	}
	odd := put(t, s, []byte("odd"))
	check(t, s.WriteRecord(ctx, "models/news/4/release.json", []byte(`{"name":"news","version":4,"digest":"`+all[0].Digest+`","files":[{"path":"\u00e5","digest":"`+odd.Digest+`","size":3}]}`)))
	_, err = models.In(s).Release(ctx, "news", "4")
	want(t, err, storage.ErrCorrupt, "no store can hold")
}
