package dedup_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/rows"
)

// TestGoldPart: about the share, the same in any order, larger parts hold the
// smaller ones, and near-duplicates are never parted.
func TestGoldPart(t *testing.T) {
	titles := newNewsroom(3).headlines(600)
	var gold []rows.Row
	for i, title := range titles {
		gold = append(gold, rows.Row{ID: fmt.Sprint(i), Title: title})
	}
	part, more := dedup.GoldPart(gold, 0.3), dedup.GoldPart(gold, 0.5)
	groups := dedup.Groups(titles)
	in, n := map[int]bool{}, 0
	for i := range gold {
		if was, ok := in[groups[i]]; ok && was != part[i] {
			t.Fatalf("%q is parted from its like", titles[i])
		}
		in[groups[i]] = part[i]
		if part[i] {
			n++
		}
		if part[i] && !more[i] {
			t.Errorf("row %d is in three tenths and not in half", i)
		}
	}
	if n < 120 || n > 240 {
		t.Errorf("%d of 600 rows are three tenths", n)
	}
	slices.Reverse(gold)
	back := dedup.GoldPart(gold, 0.3)
	slices.Reverse(back)
	if !slices.Equal(part, back) {
		t.Error("the order of rows changes the part")
	}
}

// TestGoldPartFavoursNoStory: stories of many rows are drawn as often as others.
func TestGoldPartFavoursNoStory(t *testing.T) {
	const stories, each = 300, 4
	var gold []rows.Row
	for i := range stories {
		title := ""
		for w := range 6 {
			title += fmt.Sprintf("%x ", uint32(i*6+w+1)*2654435761) // words of no other story
		}
		for j := range each {
			gold = append(gold, rows.Row{ID: fmt.Sprint(i, "-", j), Title: title})
		}
	}
	n := 0
	for _, in := range dedup.GoldPart(gold, 0.3) {
		if in {
			n++
		}
	}
	if n < stories*each*2/10 || n > stories*each*4/10 {
		t.Errorf("%d of %d rows are three tenths", n, stories*each)
	}
}
