package rank_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/rank"
)

func TestWordsMeetInTheirStems(t *testing.T) {
	for _, pair := range [][2]string{
		{"training", "trains"},
		{"trained", "train"},
		{"datasets", "dataset"},
		{"running", "runs"},
		{"policies", "policy"},
		{"trainer", "training"},
	} {
		if a, b := rank.Words(pair[0]), rank.Words(pair[1]); !cmp.Equal(a, b) {
			t.Errorf("%s and %s: %q and %q", pair[0], pair[1], a, b)
		}
	}
	if got := rank.Words("How do I use the SFTTrainer?"); !cmp.Equal(got, []string{"use", "sfttrain", "sft", "train"}) {
		t.Errorf("%q", got)
	}
}

func TestSearchPutsTheBestFirst(t *testing.T) {
	ix := rank.New([]string{"nothing of interest", "dpo trainer and dpo loss", "a long page about many things that also names dpo once among them all", ""})
	hits := ix.Search("DPO")
	if len(hits) != 2 || hits[0].Text != 1 || hits[1].Text != 2 {
		t.Fatalf("%+v", hits)
	}
	if len(ix.Search("the of")) != 0 || len(ix.Search("")) != 0 || len(rank.New(nil).Search("x")) != 0 {
		t.Error("an empty query found something")
	}
}
