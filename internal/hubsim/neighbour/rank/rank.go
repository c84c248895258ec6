// Package rank orders short texts by how well they match a query: BM25 over
// stemmed words. The searches of the simulated services stand on it. It knows
// nothing of what the texts are.
package rank

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// The usual constants of BM25: how fast repeated words saturate and how much
// long texts are discounted.
const (
	saturation = 1.2
	lengthBias = 0.75
)

// Index holds the texts. It is not changed after New, so any number of
// goroutines may search it.
type Index struct {
	counts  []map[string]int // words of each text
	lengths []int
	mean    float64
	in      map[string]int // in how many texts a word occurs
}

// New indexes texts; a text's number is its place in the slice.
func New(texts []string) *Index {
	ix := &Index{in: map[string]int{}}
	total := 0
	for _, text := range texts {
		words := Words(text)
		counts := map[string]int{}
		for _, w := range words {
			counts[w]++
		}
		for w := range counts {
			ix.in[w]++
		}
		ix.counts = append(ix.counts, counts)
		ix.lengths = append(ix.lengths, len(words))
		total += len(words)
	}
	if len(texts) > 0 {
		ix.mean = float64(total) / float64(len(texts))
	}
	return ix
}

// Hit is a text that matched.
type Hit struct {
	Text  int
	Score float64
}

// Search returns the texts that hold a word of query, best first; equal scores
// keep the order of the texts.
func (ix *Index) Search(query string) []Hit {
	words := Words(query)
	slices.Sort(words)
	words = slices.Compact(words)
	var hits []Hit
	for i := range ix.counts {
		if s := ix.score(i, words); s > 0 {
			hits = append(hits, Hit{Text: i, Score: s})
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	return hits
}

func (ix *Index) score(i int, words []string) float64 {
	sum := 0.0
	for _, w := range words {
		n := float64(ix.counts[i][w])
		if n == 0 {
			continue
		}
		rare := math.Log(1 + (float64(len(ix.counts))-float64(ix.in[w])+0.5)/(float64(ix.in[w])+0.5))
		length := 1 - lengthBias + lengthBias*float64(ix.lengths[i])/ix.mean
		sum += rare * n * (saturation + 1) / (n + saturation*length)
	}
	return sum
}

// Words cuts text into lower-case stems; words that carry no meaning are left
// out. A mixed-case name such as SFTTrainer counts whole and in its parts, so
// that "sft trainer" finds it.
func Words(text string) []string {
	var out []string
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		whole := stem(strings.ToLower(field))
		if whole == "" {
			continue
		}
		out = append(out, whole)
		if parts := humps(field); len(parts) > 1 {
			for _, p := range parts {
				if s := stem(strings.ToLower(p)); s != "" {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// humps cuts SFTTrainer into SFT and Trainer.
func humps(word string) []string {
	runes := []rune(word)
	var parts []string
	start := 0
	for i := 1; i < len(runes); i++ {
		lowerBefore := unicode.IsLower(runes[i-1]) && unicode.IsUpper(runes[i])
		endOfCapitals := i+1 < len(runes) && unicode.IsUpper(runes[i-1]) && unicode.IsUpper(runes[i]) && unicode.IsLower(runes[i+1])
		if lowerBefore || endOfCapitals {
			parts = append(parts, string(runes[start:i]))
			start = i
		}
	}
	return append(parts, string(runes[start:]))
}

const stopwords = " a an and are as at be by can do does for from how i in is it its of on or that the this to was what when which with you your "

// stem cuts the commonest English endings off, so that trains, trained and
// training meet; empty for a word without meaning.
func stem(w string) string {
	if strings.Contains(stopwords, " "+w+" ") {
		return ""
	}
	for _, end := range []struct{ from, to string }{
		{"ations", "at"},
		{"ation", "at"},
		{"ings", ""},
		{"ing", ""},
		{"ies", "y"},
		{"ers", ""},
		{"er", ""},
		{"ed", ""},
		{"es", ""},
		{"s", ""},
		{"e", ""},
	} {
		if root, ok := strings.CutSuffix(w, end.from); ok && len(root) >= 3 && !strings.HasSuffix(w, "ss") {
			return undouble(root) + end.to
		}
	}
	return w
}

// undouble makes running and runs meet.
func undouble(w string) string {
	n := len(w)
	if n > 3 && w[n-1] == w[n-2] && !strings.ContainsRune("aeiouls", rune(w[n-1])) {
		return w[:n-1]
	}
	return w
}
