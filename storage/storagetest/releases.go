package storagetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// tree stores a tree of two files with that content.
func tree(t *testing.T, s *storage.Store, content string) storage.Artifact {
	t.Helper()
	a := put(t, s, []byte(content))
	tree, err := s.PutTree(testContext(t), []storage.TreeEntry{{Path: "config.json", Digest: a.Digest, Size: a.Size}, {Path: "sub/README.md", Digest: a.Digest, Size: a.Size}})
	check(t, err)
	return tree
}

func testReleases(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	one, two := tree(t, s, "one"), tree(t, s, "two")
	r1, err := models.In(s).Publish(ctx, "news", one, []byte(`{"run":"a"}`))
	if err != nil || r1.Version != 1 || r1.Digest != one.Digest || len(r1.Files) != 2 {
		t.Fatalf("%+v, %v", r1, err)
	}
	again, err := models.In(second(t, s)).Publish(ctx, "news", one, []byte(`{"run":"b"}`))
	if err != nil || again.Version != 1 || string(again.Meta) == `{"run":"b"}` {
		t.Errorf("the same tree again: %+v, %v", again, err)
	}
	r2, err := models.In(s).Publish(ctx, "news", two, nil)
	if err != nil || r2.Version != 2 {
		t.Fatalf("%+v, %v", r2, err)
	}
	if data, err := s.ReadFile(ctx, "models/news/2/files/config.json", 100); err != nil || string(data) != "two" {
		t.Errorf("the file of the release is %q, %v", data, err)
	}
	all, err := models.In(s).Releases(ctx, "news")
	if err != nil || len(all) != 2 || all[0].Version != 1 || all[1].Version != 2 {
		t.Errorf("releases %+v, %v", all, err)
	}
	_, err = models.In(s).Release(ctx, "news", "3")
	want(t, err, storage.ErrNotFound)
	_, err = models.In(s).Release(ctx, "unknown", "1")
	want(t, err, storage.ErrNotFound)
	for _, bad := range []string{"", "../x", "Up", "a/b", ".a"} {
		if _, err := models.In(s).Publish(ctx, bad, one, nil); err == nil {
			t.Errorf("released under the name %q", bad)
		}
		if _, err := models.In(s).Release(ctx, bad, "1"); err == nil {
			t.Errorf("found under the name %q", bad)
		}
	}
	// A claim that a crash left is completed by its own tree and passed over by
	// another; that of a release which can be read decides nothing any more.
	check(t, s.Create(ctx, "models/news/3/claim", []byte(tree(t, s, "three").Digest)))
	r4, err := models.In(s).Publish(ctx, "news", tree(t, s, "four"), nil)
	if err != nil || r4.Version != 4 {
		t.Errorf("past a claim: %+v, %v", r4, err)
	}
	r3, err := models.In(s).Publish(ctx, "news", tree(t, s, "three"), nil)
	if err != nil || r3.Version != 3 {
		t.Errorf("the claim's own tree: %+v, %v", r3, err)
	}
	check(t, s.WriteFile(ctx, "models/news/4/claim", []byte("broken")))
	r5, err := models.In(s).Publish(ctx, "news", tree(t, s, "five"), nil)
	if err != nil || r5.Version != 5 {
		t.Errorf("past a broken claim: %+v, %v", r5, err)
	}
	check(t, s.WriteFile(ctx, "models/news/5/release.json", []byte("{}")))
	_, err = models.In(s).Release(ctx, "news", "5")
	want(t, err, storage.ErrCorrupt, "models/news/5/release.json")
}

// testReleaseRepair: what of a release cannot be verified, the next publish of
// the same tree makes anew; another tree never takes its place.
func testReleaseRepair(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	one, two := tree(t, s, "one"), tree(t, s, "two")
	r1, err := models.In(s).Publish(ctx, "news", one, []byte(`{"run":"a"}`))
	check(t, err)
	publish := func(what string, tree storage.Artifact, version int) {
		t.Helper()
		r, err := models.In(second(t, s)).Publish(ctx, "news", tree, nil)
		if err != nil || r.Version != version || r.Digest != tree.Digest {
			t.Fatalf("%s: published as %d (%s), %v; want version %d", what, r.Version, r.Digest, err, version)
		}
		if at, err := models.In(s).Release(ctx, "news", fmt.Sprint(version)); err != nil || at.Digest != tree.Digest || len(at.Files) != len(r1.Files) {
			t.Fatalf("%s: version %d is %+v, %v", what, version, at, err)
		}
	}
	record, err := s.ReadFile(ctx, "models/news/1/release.json", 1<<20)
	check(t, err)
	for name, change := range damage {
		check(t, s.WriteFile(ctx, "models/news/1/release.json", change(record)))
		_, err := models.In(s).Release(ctx, "news", "1")
		want(t, err, storage.ErrCorrupt, "models/news/1/release.json")
		publish(name+" record", one, 1)
	}
	for name, change := range damage {
		check(t, s.WriteFile(ctx, "models/news/1/files/config.json", change([]byte("one"))))
		check(t, s.WriteFile(ctx, "models/news/1/claim", change([]byte("one"))))
		publish(name+" file", one, 1)
		if got, err := s.ReadFile(ctx, "models/news/1/files/config.json", 100); err != nil || string(got) != "one" {
			t.Errorf("%s file: it is %q, %v after the next publish", name, got, err)
		}
		if got, _, err := s.Read(ctx, "models/news/1/claim"); err != nil || string(got) != one.Digest {
			t.Errorf("%s claim: it is %q, %v after the next publish", name, got, err)
		}
	}
	// A claim that names another tree gives nobody a release that can be read.
	_, at, err := s.Read(ctx, "models/news/1/claim")
	check(t, err)
	_, err = s.Swap(ctx, "models/news/1/claim", at, []byte(two.Digest))
	check(t, err)
	publish("another's claim", two, 2)
	publish("another's claim", one, 1)
	// Whose a version is of which nothing can be read nobody knows.
	for _, name := range []string{"claim", "release.json"} {
		check(t, s.WriteFile(ctx, "models/news/2/"+name, []byte("broken")))
	}
	publish("nothing left", two, 3)
	_, err = models.In(s).Release(ctx, "news", "2")
	want(t, err, storage.ErrCorrupt)
	// A claim written by half of a release that nobody saw keeps no number taken.
	check(t, s.WriteFile(ctx, "models/news/4/claim", []byte("broken")))
	publish("half a claim", tree(t, s, "four"), 4)
}

// testReleaseRace: publishers of different trees get different versions, those
// of one tree the same.
func testReleaseRace(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	handles := []*storage.Store{s, second(t, s)}
	versions := make([]int, 8)
	var wg sync.WaitGroup
	for i := range versions {
		made := tree(t, s, fmt.Sprint("tree ", i/2))
		wg.Go(func() {
			r, err := models.In(handles[i%2]).Publish(ctx, "news", made, nil)
			if err != nil {
				t.Error(err)
			}
			versions[i] = r.Version
		})
	}
	wg.Wait()
	distinct := slices.Clone(versions)
	slices.Sort(distinct)
	if distinct = slices.Compact(distinct); len(distinct) < 4 {
		t.Errorf("four trees share versions: %v", versions)
	}
	all, err := models.In(s).Releases(ctx, "news")
	check(t, err)
	digests := map[string]int{}
	for _, r := range all {
		digests[r.Digest]++
	}
	if len(digests) != 4 || len(all) != len(distinct) {
		t.Errorf("%d releases of %d trees; the publishers were told %v", len(all), len(digests), versions)
	}
}

func testAliases(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	for _, c := range []string{"one", "two"} {
		_, err := models.In(s).Publish(ctx, "news", tree(t, s, c), nil)
		check(t, err)
	}
	_, err := models.In(s).Release(ctx, "news", "latest")
	want(t, err, storage.ErrNotFound, "latest")
	want(t, models.In(s).SetAlias(ctx, "news", "latest", 9), storage.ErrNotFound)
	for _, bad := range []string{"3", "", "A", "a/b"} {
		if models.In(s).SetAlias(ctx, "news", bad, 1) == nil {
			t.Errorf("alias %q is allowed", bad)
		}
	}
	for _, v := range []int{1, 2, 1, 1} {
		check(t, models.In(s).SetAlias(ctx, "news", "latest", v))
		if r, err := models.In(second(t, s)).Release(ctx, "news", ""); err != nil || r.Version != v {
			t.Errorf("latest is %+v, %v; want version %d", r, err, v)
		}
	}
	check(t, s.WriteFile(ctx, "models/news/aliases/latest", []byte("broken")))
	_, err = models.In(s).Release(ctx, "news", "latest")
	want(t, err, storage.ErrCorrupt, "latest")
	var wg sync.WaitGroup
	for v := range 6 {
		wg.Go(func() {
			if err := models.In(s).SetAlias(ctx, "news", "latest", v%2+1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	check(t, models.In(s).SetAlias(ctx, "news", "stable", 2))
	all, err := models.In(s).Aliases(ctx, "news")
	if named := fmt.Sprint(all[1], all[2]); err != nil || named != "[latest] [stable]" && named != "[] [latest stable]" {
		t.Errorf("aliases %+v, %v", all, err)
	}
}
