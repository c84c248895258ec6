package files

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

const (
	// diffLines is the most lines of a diff excerpt.
	diffLines = 40
	// newLines is the most lines shown of a new file, which the model has just
	// written itself.
	newLines = 12
	// diffWidth is the most characters of a line in it.
	diffWidth = 200
	// diffBytes bounds what is compared on each side.
	diffBytes = 64 << 10
	// diffContext is how many unchanged lines surround a change.
	diffContext = 3
)

// diff is a unified diff from before to after, cut to limit lines; empty
// when there is nothing to show.
func diff(label string, before, after []byte, limit int) string {
	if bytes.Equal(before, after) || bytes.IndexByte(before, 0) >= 0 || bytes.IndexByte(after, 0) >= 0 {
		return ""
	}
	head := commonHead(before, after)
	tail := commonTail(before[head:], after[head:])
	skipped := bytes.Count(before[:head], []byte("\n"))
	from, fromCut := part(before[head : len(before)-tail])
	to, toCut := part(after[head : len(after)-tail])
	d, err := udiff.ToUnifiedDiff(label, label, from, udiff.Lines(from, to), diffContext)
	if err != nil {
		return "" // an excerpt is a courtesy
	}
	lines := []string{"--- " + label, "+++ " + label}
	for _, h := range d.Hunks {
		lines = append(lines, hunk(h, skipped)...)
	}
	if len(lines) > limit || fromCut || toCut {
		lines = append(lines[:min(len(lines), limit-1)], "… (the diff goes on)")
	}
	return strings.Join(lines, "\n")
}

// hunk renders h, whose lines are counted from the skipped ones on.
func hunk(h *udiff.Hunk, skipped int) []string {
	count := map[udiff.OpKind]int{}
	lines := []string{""}
	for _, l := range h.Lines {
		count[l.Kind]++
		sign := " "
		switch l.Kind {
		case udiff.Delete:
			sign = "-"
		case udiff.Insert:
			sign = "+"
		}
		text := strings.TrimSuffix(strings.TrimSuffix(l.Content, "\n"), "\r")
		lines = append(lines, sign+bounded(visible(text), diffWidth))
		if !strings.HasSuffix(l.Content, "\n") {
			lines = append(lines, `\ No newline at end of file`)
		}
	}
	lines[0] = fmt.Sprintf("@@ -%s +%s @@",
		span(h.FromLine+skipped, count[udiff.Equal]+count[udiff.Delete]),
		span(h.ToLine+skipped, count[udiff.Equal]+count[udiff.Insert]))
	return lines
}

func span(first, count int) string {
	if count == 0 {
		first--
	}
	return fmt.Sprintf("%d,%d", first, count)
}

// commonHead is how many bytes of whole lines both begin with, less the
// context of the first change.
func commonHead(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for range diffContext + 1 {
		n = bytes.LastIndexByte(a[:n], '\n')
		if n < 0 {
			return 0
		}
	}
	return n + 1
}

// commonTail is how many bytes of whole lines both end with, less the context
// of the last change.
func commonTail(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	rest := a[len(a)-n:]
	for range diffContext + 1 {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return 0
		}
		rest = rest[i+1:]
	}
	return len(rest)
}

// part is what of a side is compared, in whole lines where it has them.
func part(side []byte) (string, bool) {
	if len(side) <= diffBytes {
		return string(side), false
	}
	side = side[:diffBytes]
	if i := bytes.LastIndexByte(side, '\n'); i >= 0 {
		side = side[:i+1]
	}
	return string(side), true
}
