package editor

import (
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

// A paste above these sizes is folded.
const (
	foldLines = 20
	foldRunes = 2000
)

// The marks around a fold's number. Clean leaves no such characters in a text,
// so nothing that is typed or pasted can be mistaken for them.
const (
	foldStart = 0x01
	foldEnd   = 0x02
	// markBytes is more than the marks and the number between them take.
	markBytes = 24
)

// fold is a long piece and what stands for it.
type fold struct{ text, label string }

// folds are the long pieces of a text, by number.
type folds struct {
	pieces map[int]fold
	last   int
}

// long reports whether a paste is folded.
func long(text string) bool {
	return lines(text) > foldLines || len(text) > foldRunes && utf8.RuneCountInString(text) > foldRunes
}

func lines(text string) int { return strings.Count(strings.TrimSuffix(text, "\n"), "\n") + 1 }

// add keeps a text and returns the mark that stands for it.
func (f *folds) add(text string) string {
	if f.pieces == nil {
		f.pieces = map[int]fold{}
	}
	f.last++
	number := strconv.Itoa(f.last)
	size, unit := lines(text), "lines"
	if size <= foldLines {
		size, unit = utf8.RuneCountInString(text), "characters"
	}
	f.pieces[f.last] = fold{text, "[pasted " + amount.Grouped(size) + " " + unit + " #" + number + "]"}
	return string(rune(foldStart)) + number + string(rune(foldEnd))
}

// expand puts the pieces in the place of their marks.
func (f *folds) expand(text string) string {
	return f.replace(text, func(n int) string { return f.pieces[n].text })
}

// label puts the labels in the place of the marks.
func (f *folds) label(text string) string {
	return f.replace(text, func(n int) string { return f.pieces[n].label })
}

func (f *folds) replace(text string, with func(n int) string) string {
	if strings.IndexByte(text, foldStart) < 0 {
		return text
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, string(rune(foldStart)))
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		number, after, _ := strings.Cut(rest, string(rune(foldEnd)))
		n, _ := strconv.Atoi(number)
		b.WriteString(with(n))
		text = after
	}
}

// keep is what remains when only text may still refer to a piece. Without any
// the numbers begin anew.
func (f *folds) keep(text string) folds {
	kept := folds{last: f.last, pieces: maps.Clone(f.pieces)}
	used := map[int]bool{}
	f.replace(text, func(n int) string { used[n] = true; return "" })
	maps.DeleteFunc(kept.pieces, func(n int, _ fold) bool { return !used[n] })
	if len(kept.pieces) == 0 {
		return folds{}
	}
	return kept
}
