package rank

import (
	"math"
	"slices"
	"strings"
)

// Field is a part of a text and what a word in it is worth.
type Field struct {
	Text   string
	Weight float64
}

// Hit is a text that was found.
type Hit struct {
	Text  int // its place among the texts
	Score float64
}

// Index finds texts. It is not changed after New.
type Index struct {
	texts  []map[string]float64 // what each word is worth in a text
	length []float64
	mean   float64
	with   map[string]int // how many texts have a word
}

// New reads texts; each consists of fields.
func New(texts [][]Field) *Index {
	x := &Index{texts: make([]map[string]float64, len(texts)), length: make([]float64, len(texts)), with: map[string]int{}}
	for i, fields := range texts {
		words := map[string]float64{}
		for _, f := range fields {
			for _, w := range Words(f.Text) {
				words[w] += f.Weight
				x.length[i]++
			}
		}
		for w := range words {
			x.with[w]++
		}
		x.texts[i] = words
		x.mean += x.length[i] / float64(len(texts))
	}
	return x
}

// The constants of BM25: how soon more of the same word counts no more, and how
// much long texts are held back.
const (
	saturation = 1.2
	lengthCost = 0.5
)

// Search returns the texts that have any of the words of query, best first.
// Rare words count more than those that most texts have; a text that has more
// of the words comes before one that has one of them often.
func (x *Index) Search(query string) []Hit {
	words := Query(query)
	var hits []Hit
	for i, text := range x.texts {
		score, found := 0.0, 0
		for _, w := range words {
			n := text[w]
			if n == 0 {
				continue
			}
			found++
			rarity := math.Log(1 + (float64(len(x.texts))-float64(x.with[w])+0.5)/(float64(x.with[w])+0.5))
			long := 1 - lengthCost + lengthCost*x.length[i]/max(x.mean, 1)
			score += rarity * n * (saturation + 1) / (n + saturation*long)
		}
		if found > 0 {
			hits = append(hits, Hit{i, score * (0.5 + 0.5*float64(found)/float64(len(words)))})
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return a.Text - b.Text
	})
	return hits
}

// Query are the different words of a question that say something; all of them
// if none does.
func Query(text string) []string {
	var telling, all []string
	for _, w := range Split(text) {
		for _, stem := range Words(w) {
			if !slices.Contains(all, stem) {
				all = append(all, stem)
			}
			if !Stop(strings.ToLower(w)) && !slices.Contains(telling, stem) {
				telling = append(telling, stem)
			}
		}
		if len(all) > mostWords {
			break
		}
	}
	if len(telling) == 0 {
		return all
	}
	return telling
}

// mostWords bounds what is read of a question.
const mostWords = 64
