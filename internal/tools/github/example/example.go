// Package example tells which files of a repository are examples, and how well
// their names fit a keyword. It looks at paths alone: it opens nothing.
package example

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"unicode"
)

// File is a file of a repository.
type File struct {
	Path string
	Size int64
	SHA  string
}

// Hit is an example with how well it fits, from 0 to 100.
type Hit struct {
	File
	Score int
}

// words are the names of folders and files that examples have, the most telling
// first.
var words = [...]string{
	"scripts", "examples", "example", "notebooks", "notebook", "tutorials", "tutorial", "quickstart", "walkthroughs",
	"walkthrough", "cookbook", "cookbooks", "recipes", "recipe", "demos", "demo", "samples", "sample", "guides", "guide",
	"getting-started", "getting_started", "playground", "howto", "how-to", "use-cases", "usecases", "use_cases", "sandbox",
	"showcase",
}

// IsWord reports whether a folder of that name holds examples.
func IsWord(name string) bool { return slices.Contains(words[:], strings.ToLower(name)) }

// Candidates are the files that are examples, in order of the tree. What nobody
// looks for in examples (tests, package markers, pictures, lock files, settings)
// is left out unless the keyword names it.
func Candidates(files []File, keyword string) []File {
	var out []File
	asked := split(keyword)
	for _, f := range files {
		if isExample(f.Path) && !left(f.Path, asked) {
			out = append(out, f)
		}
	}
	return out
}

// isExample reports whether a folder above the file, or a word of its name, is
// one of the words.
func isExample(p string) bool {
	segments := strings.Split(p, "/")
	for _, s := range segments {
		if IsWord(s) {
			return true
		}
	}
	return slices.ContainsFunc(split(stem(p)), IsWord)
}

// kinds are groups of files that are left out, with the words of a keyword that
// ask for them.
var kinds = [...]struct {
	asked string
	holds func(p, base, ext string) bool
	named bool // a keyword that is the file's name asks for it, too
}{
	{asked: "test tests testing conftest", holds: func(p, base, _ string) bool {
		return strings.HasPrefix(base, "test_") || strings.HasSuffix(stem(p), "_test") || base == "conftest.py" ||
			slices.ContainsFunc(strings.Split(path.Dir(p), "/"), func(d string) bool { return d == "test" || d == "tests" })
	}},
	{asked: "init", holds: func(_, base, _ string) bool { return base == "__init__.py" || base == "py.typed" }},
	{asked: "image images picture png jpg gif svg video", holds: in(".png .jpg .jpeg .gif .svg .webp .ico .bmp .mp4 .mov .webm .pdf .wav .mp3")},
	{asked: "lock", holds: in(".lock .sum")},
	{asked: "config configs configuration yaml yml json toml ini cfg", holds: in(".yaml .yml .json .toml .ini .cfg .conf .jsonl .csv"), named: true},
}

func in(endings string) func(string, string, string) bool {
	list := strings.Fields(endings)
	return func(_, base, ext string) bool {
		return slices.Contains(list, ext) || slices.Contains(list, ".lock") && (base == "package-lock.json" || base == "pnpm-lock.yaml") || strings.HasPrefix(base, ".")
	}
}

// left reports whether a file is left out.
func left(p string, asked []string) bool {
	base := strings.ToLower(path.Base(p))
	for _, k := range kinds {
		if !k.holds(strings.ToLower(p), base, path.Ext(base)) {
			continue
		}
		wanted := slices.ContainsFunc(strings.Fields(k.asked), func(w string) bool { return slices.Contains(asked, w) })
		own := split(stem(p))
		whole := k.named && len(asked) > 0 && !slices.ContainsFunc(asked, func(w string) bool { return !slices.Contains(own, w) })
		if !wanted && !whole {
			return true
		}
	}
	return false
}

// Rank orders examples: with a keyword those that fit it with at least minScore,
// the best first; without one those that a reader would open first.
func Rank(files []File, keyword string, minScore int) []Hit {
	asked := strings.FieldsFunc(keyword, separates)
	var hits []Hit
	for _, f := range files {
		h := Hit{File: f, Score: 100}
		if len(asked) > 0 {
			if h.Score = score(f.Path, asked); h.Score < minScore {
				continue
			}
		}
		hits = append(hits, h)
	}
	order := byPlace
	if len(asked) > 0 {
		order = byScore
	}
	slices.SortStableFunc(hits, order)
	return hits
}

func byScore(a, b Hit) int {
	return cmp.Or(
		b.Score-a.Score, language(a.Path)-language(b.Path), depth(a.Path)-depth(b.Path),
		len(split(stem(a.Path)))-len(split(stem(b.Path))), strings.Compare(a.Path, b.Path),
	)
}

func byPlace(a, b Hit) int {
	return cmp.Or(
		first(a.Path)-first(b.Path), priority(a.Path)-priority(b.Path), depth(a.Path)-depth(b.Path), strings.Compare(a.Path, b.Path),
	)
}

// first puts what lies below the folder for examples in front.
func first(p string) int {
	if top, _, _ := strings.Cut(p, "/"); strings.EqualFold(top, "examples") || strings.EqualFold(top, "example") {
		return 0
	}
	return 1
}

// priority is the place, among the words, of the deepest folder that is one.
func priority(p string) int {
	segments := strings.Split(strings.ToLower(path.Dir(p)), "/")
	for _, s := range slices.Backward(segments) {
		if i := slices.Index(words[:], s); i >= 0 {
			return i
		}
	}
	return len(words)
}

func language(p string) int {
	switch strings.ToLower(path.Ext(p)) {
	case ".py":
		return 0
	case ".ipynb":
		return 1
	}
	return 2
}

func depth(p string) int { return strings.Count(p, "/") }

func stem(p string) string {
	base := path.Base(p)
	return strings.TrimSuffix(base, path.Ext(base))
}

// Points that a word of the keyword makes.
const (
	wholeWord  = 100 // it is a word of the name
	beginning  = 85  // it begins one, or one begins it
	folderWord = 70  // it is a word of a folder above
	misspelt   = 60  // one letter is another
)

// separates reports whether r stands between the words of a keyword.
func separates(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// score is the mean over the words of the keyword; DeepSeek fits what fits deep
// and seek, or both as one.
func score(p string, asked []string) int {
	name := split(stem(p))
	folders := split(path.Dir(p))
	if ext := strings.TrimPrefix(path.Ext(p), "."); ext != "" {
		name = append(name, strings.ToLower(ext))
	}
	sum := 0
	for _, w := range asked {
		parts := 0
		pieces := capitals(w)
		for _, piece := range pieces {
			parts += points(piece, name, folders)
		}
		sum += max(points(strings.ToLower(w), name, folders), parts/len(pieces))
	}
	return sum / len(asked)
}

func points(w string, name, folders []string) int {
	const letters = 4 // a beginning has at least so many
	best := 0
	for _, n := range name {
		switch {
		case n == w:
			return wholeWord
		case len(w) >= letters && strings.HasPrefix(n, w), len(n) >= letters && strings.HasPrefix(w, n):
			best = max(best, beginning)
		case len(w) >= 5 && len(n) >= 5 && near(w, n):
			best = max(best, misspelt)
		}
	}
	if best < folderWord && slices.Contains(folders, w) {
		best = folderWord
	}
	return best
}

// near reports whether one letter more, less or other makes a of b.
func near(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(a)-len(b) > 1 {
		return false
	}
	i := 0
	for i < len(b) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i == len(a) || a[i+1:] == b[i+1:]
	}
	return a[i+1:] == b[i:]
}

// split takes a name apart into lower-case words: at everything that is neither
// letter nor digit and, beside the whole, where a capital begins a new word.
func split(s string) []string {
	var out []string
	for _, part := range strings.FieldsFunc(s, separates) {
		if pieces := capitals(part); len(pieces) > 1 {
			out = append(out, pieces...)
		}
		out = append(out, strings.ToLower(part))
	}
	return out
}

// capitals takes DeepSeekMath and GRPOTrainer apart.
func capitals(s string) []string {
	var out []string
	runes := []rune(s)
	start := 0
	for i := 1; i < len(runes); i++ {
		begins := unicode.IsUpper(runes[i]) &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsUpper(runes[i-1]) && unicode.IsLower(runes[i+1]))
		if begins {
			out = append(out, strings.ToLower(string(runes[start:i])))
			start = i
		}
	}
	return append(out, strings.ToLower(string(runes[start:])))
}
