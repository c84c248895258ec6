package duplicate_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/lab/audit/audittest"
	"github.com/ml-intern/ml-intern/internal/lab/duplicate"
	"github.com/ml-intern/ml-intern/internal/lab/text"
)

// pairs is what was found with every group written out: all pairs of documents.
type pairs map[[2]int]float64

func find(t testing.TB, texts []string, o duplicate.Options) (pairs, *duplicate.Result) {
	t.Helper()
	out := pairs{}
	var near []duplicate.Pair
	r, err := run(t.Context(), texts, texts, o, func(p duplicate.Pair) { near = append(near, p) })
	if err != nil {
		t.Fatal(err)
	}
	members := map[int][]int{}
	for d := range texts {
		members[r.First(d)] = append(members[r.First(d)], d)
	}
	for _, g := range members {
		for i, a := range g {
			for _, b := range g[i+1:] {
				out[[2]int{a, b}] = 1
			}
		}
	}
	for _, p := range near {
		for _, a := range members[p.A] {
			for _, b := range members[p.B] {
				key := [2]int{min(a, b), max(a, b)}
				if _, twice := out[key]; twice {
					t.Fatalf("pair %v is there twice", key)
				}
				out[key] = p.Jaccard
			}
		}
	}
	return out, r
}

func run(ctx context.Context, first, second []string, o duplicate.Options, near func(duplicate.Pair)) (*duplicate.Result, error) {
	var x duplicate.Index
	signer := duplicate.NewSigner()
	for _, s := range first {
		signature := signer.Sign(text.Normalise(s))
		if err := x.Add(&signature); err != nil {
			return nil, err
		}
	}
	if o.Workers == 0 {
		o.Workers = 2
	}
	r := x.Equal()
	return r, x.Near(ctx, r, func(wanted func(int) bool) iter.Seq2[duplicate.Item, error] {
		return func(yield func(duplicate.Item, error) bool) {
			for i, s := range second {
				if wanted(i) && !yield(duplicate.Item{Document: i, Size: len(s), Text: func() string { return text.Normalise(s) }}, nil) {
					return
				}
			}
		}
	}, o, near)
}

// truth is all pairs by comparing real shingles, without hashes: of each text
// the rarest shingles, one more than may be missing, lead to all others that
// can reach the threshold.
func truth(texts []string) pairs {
	ids, count := map[string]int{}, []int{}
	sets := make([][]int, len(texts))
	for d, s := range texts {
		set := map[int]bool{}
		for _, shingle := range shingles(s) {
			id, ok := ids[shingle]
			if !ok {
				id = len(count)
				ids[shingle] = id
				count = append(count, 0)
			}
			if !set[id] {
				set[id] = true
				count[id]++
			}
		}
		sets[d] = slices.Collect(maps.Keys(set))
	}
	out, postings := pairs{}, map[int][]int{}
	for d, set := range sets {
		slices.SortFunc(set, func(a, b int) int {
			return cmp.Or(cmp.Compare(count[a], count[b]), cmp.Compare(a, b))
		})
		candidates := map[int]bool{}
		// Two sets with a similarity of 0.8 share 0.8 of each at least.
		must := (len(set)*8 + 9) / 10
		prefix := set
		if must > 0 {
			prefix = set[:len(set)-must+1]
		}
		for _, id := range prefix {
			for _, e := range postings[id] {
				candidates[e] = true
			}
			postings[id] = append(postings[id], d)
		}
		for e := range candidates {
			if j := similarity(sets[e], set); j >= 0.8 {
				out[[2]int{e, d}] = j
			}
		}
	}
	return out
}

func shingles(s string) []string {
	words := text.Words(text.Normalise(s))
	if len(words) < 5 {
		return words
	}
	var out []string
	for i := range len(words) - 4 {
		out = append(out, strings.Join(words[i:i+5], " "))
	}
	return out
}

func similarity(a, b []int) float64 {
	in := map[int]bool{}
	for _, x := range a {
		in[x] = true
	}
	shared := 0
	for _, x := range b {
		if in[x] {
			shared++
		}
	}
	return float64(shared) / float64(len(a)+len(b)-shared)
}

func conversations(seed uint64, n int) []string {
	chat := audittest.NewChat(seed)
	out := make([]string, n)
	for i := range out {
		var parts []string
		for _, m := range chat.Row(i).Messages {
			parts = append(parts, m.Content)
		}
		out[i] = strings.Join(parts, "\n")
	}
	return out
}

// TestPairsAgainstBruteForce: precision and recall of at least 0.99 against all
// pairs; a precision of 1 is what confirmation promises.
func TestPairsAgainstBruteForce(t *testing.T) {
	n := 20000
	if raceEnabled || testing.Short() {
		n = 3000
	}
	texts := conversations(7, n)
	want := truth(texts)
	got, result := find(t, texts, duplicate.Options{})
	hits := 0
	for p, j := range got {
		if w, ok := want[p]; !ok || w != j {
			t.Errorf("pair %v with %v: truly %v", p, j, w)
		} else {
			hits++
		}
	}
	recall := float64(hits) / float64(len(want))
	t.Logf("%d rows, %d true pairs, %d found, recall %.5f, sparse %t", n, len(want), len(got), recall, result.Sparse)
	if len(want) < n/20 || recall < 0.99 || result.Cut {
		t.Errorf("recall %v of %d pairs", recall, len(want))
	}
}

func TestShortTextsAreTheirWords(t *testing.T) {
	got, r := find(t, []string{"", "  ", "Yes please", "yes  PLEASE", "please yes", "a b c d", "d c b a", "a b c e", "one two three four five"}, duplicate.Options{})
	want := pairs{{2, 3}: 1, {2, 4}: 1, {3, 4}: 1, {5, 6}: 1}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(r.Groups) != 1 || r.Cluster(4) != 2 || r.Cluster(0) != 0 || r.Cluster(1) != 1 {
		t.Errorf("groups %v", r.Groups)
	}
}

func TestLittleMemoryTakesMoreReadingsAndFindsTheSame(t *testing.T) {
	texts := conversations(3, 1200)
	want, _ := find(t, texts, duplicate.Options{})
	for _, memory := range []int{1, 20000} {
		if got, _ := find(t, texts, duplicate.Options{Memory: memory, Workers: 3}); !maps.Equal(got, want) {
			t.Errorf("memory %d: %d pairs, not %d", memory, len(got), len(want))
		}
	}
}

// TestCrowdsHideNoPairs makes crowds of the texts that begin with one
// instruction: what else they have in common is still found.
func TestCrowdsHideNoPairs(t *testing.T) {
	n := 2500
	if raceEnabled || testing.Short() {
		n = 800
	}
	texts := conversations(3, n)
	want := truth(texts)
	for _, crowd := range []int{5, 20} {
		got, r := find(t, texts, duplicate.Options{Crowd: crowd})
		if missed := len(want) - len(got); missed*100 > len(want) {
			t.Errorf("crowds of %d: %d of %d pairs missed, sparse %t", crowd, missed, len(want), r.Sparse)
		}
	}
}

func TestCrowdsAreNotQuadratic(t *testing.T) {
	// All texts alike in all but the last word: one cluster of everything.
	var texts []string
	for i := range 4000 {
		texts = append(texts, strings.Repeat("the quick brown fox jumps over the lazy dog and then ", 1)+
			"it sleeps under the old tree near the river until the evening comes with rain and wind "+fmt.Sprint(i))
	}
	got, r := find(t, texts, duplicate.Options{})
	if !r.Sparse || r.Cut || len(got) > 4000*40 {
		t.Errorf("sparse %t, cut %t, %d pairs", r.Sparse, r.Cut, len(got))
	}
	for d := range texts {
		if r.Cluster(d) != 0 {
			t.Fatalf("document %d is in cluster %d", d, r.Cluster(d))
		}
	}
	if _, r := find(t, texts[:600], duplicate.Options{Candidates: 100}); !r.Cut {
		t.Error("more candidates than allowed are not told")
	}
}

func TestChangedRowsAreTold(t *testing.T) {
	texts := conversations(3, 600)
	for name, second := range map[string][]string{
		"fewer": texts[:300],
		"other": slices.Repeat([]string{"something else that is long enough"}, 600),
	} {
		if _, err := run(t.Context(), texts, second, duplicate.Options{}, func(duplicate.Pair) {}); !errors.Is(err, duplicate.ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFindStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(ctx, conversations(3, 300), nil, duplicate.Options{}, func(duplicate.Pair) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	base := conversations(5, 120)
	want, _ := find(t, base, duplicate.Options{})
	rapid.Check(t, func(rt *rapid.T) {
		order := rapid.Permutation(numbers(len(base))).Draw(rt, "order")
		texts := make([]string, len(base))
		for to, from := range order {
			texts[to] = base[from]
		}
		got, _ := find(t, texts, duplicate.Options{Workers: rapid.IntRange(1, 4).Draw(rt, "workers")})
		back := pairs{}
		for p, j := range got {
			a, b := order[p[0]], order[p[1]]
			back[[2]int{min(a, b), max(a, b)}] = j
		}
		if !maps.Equal(back, want) {
			rt.Fatalf("%d pairs, not %d", len(back), len(want))
		}
	})
}

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// TestSmallTextsAgainstTruth tries texts that random words make, where
// similarities fall on the threshold itself.
func TestSmallTextsAgainstTruth(t *testing.T) {
	missed, all := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		line := rapid.StringMatching("([ab] ){0,14}")
		texts := rapid.SliceOfN(line, 0, 30).Draw(rt, "texts")
		got, _ := find(t, texts, duplicate.Options{})
		want := truth(texts)
		for p, j := range got {
			if want[p] != j {
				rt.Fatalf("pair %q %q: %v, truly %v", texts[p[0]], texts[p[1]], j, want[p])
			}
		}
		all += len(want)
		missed += len(want) - len(got)
	})
	if missed*1000 > all {
		t.Errorf("%d of %d pairs missed", missed, all)
	}
}

func FuzzSign(f *testing.F) {
	f.Add("one two three four five six")
	f.Add("训练模型")
	f.Fuzz(func(t *testing.T, s string) {
		n := text.Normalise(s)
		a, b := duplicate.NewSigner().Sign(n), duplicate.NewSigner().Sign(n)
		if a != b || a.Empty() != (len(text.Words(n)) == 0) {
			t.Fatal("signatures differ")
		}
	})
}

func BenchmarkSign(b *testing.B) {
	texts := conversations(1, 500)
	for i, s := range texts {
		texts[i] = text.Normalise(s)
	}
	signer := duplicate.NewSigner()
	for i := 0; b.Loop(); i++ {
		signer.Sign(texts[i%len(texts)])
	}
}
