package editor_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/editor"
)

// model is what an editor does, in the simplest way: a text, an index, and
// every character counted from the very beginning.
type model struct {
	text string
	at   int
}

// bounds lists where characters begin, and the end.
func (m *model) bounds() []int {
	out := []int{0}
	for i := 0; i < len(m.text); {
		cluster, _ := ansi.FirstGraphemeCluster(m.text[i:], ansi.GraphemeWidth)
		i += len(cluster)
		out = append(out, i)
	}
	return out
}

func (m *model) step(n int) int {
	b := m.bounds()
	i, _ := slices.BinarySearch(b, m.at)
	return b[min(max(0, i+n), len(b)-1)]
}

func (m *model) replace(from, to int, s string) {
	m.text = m.text[:from] + s + m.text[to:]
	m.at = from + len(s)
	b := m.bounds()
	i, _ := slices.BinarySearch(b, m.at)
	m.at = b[i]
}

func (m *model) home() int { return strings.LastIndexByte(m.text[:m.at], '\n') + 1 }

func (m *model) end() int {
	if i := strings.IndexByte(m.text[m.at:], '\n'); i >= 0 {
		return m.at + i
	}
	return len(m.text)
}

// typed are texts that are hard to count in: letters of several bytes, marks
// that join the letter in front, flags, families, wide and invisible characters.
func typed() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "b", "Z", "1", " ", " ", "\n", "\t", "é", "e\u0301", "\u0301", "ß", "日", "本", "한", "\u1112", "\u1161",
			"👍", "👍🏽", "👩‍👩‍👧", "\u200d", "🇩", "🇪", "❤️", "\ufe0f", "\u00ad", "\u200b", "क", "्", "ष", "-", "_", "\u202e", "\u0600",
		}), 1, 4).Draw(t, "pieces")
		return strings.Join(pieces, "")
	})
}

// trail is the texts there have been since the last undo went back behind them.
type trail struct {
	texts []string
	at    int
	// undone are the places that undoing has left.
	undone []int
}

func (r *trail) see(text string) {
	if text == r.texts[r.at] {
		return
	}
	r.texts = append(r.texts[:r.at+1], text)
	r.at++
	r.undone = nil
}

func TestEditorAgainstTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e editor.Editor
		var m model
		r := trail{texts: []string{""}}
		width := rapid.IntRange(1, 30).Draw(t, "width")
		method := rapid.SampledFrom([]ansi.Method{ansi.WcWidth, ansi.GraphemeWidth}).Draw(t, "method")
		e.SetWidth(width)
		e.SetMethod(method)
		edit := func(do func()) func(*rapid.T) {
			return func(*rapid.T) {
				do()
				r.see(m.text)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"type": func(t *rapid.T) {
				s := typed().Draw(t, "text")
				e.Type(s)
				m.replace(m.at, m.at, s)
				r.see(m.text)
			},
			"insert": func(t *rapid.T) {
				s := typed().Draw(t, "text")
				e.Insert(s)
				m.replace(m.at, m.at, s)
				r.see(m.text)
			},
			"backspace":   edit(func() { e.Backspace(); m.replace(m.step(-1), m.at, "") }),
			"delete":      edit(func() { e.Delete(); m.replace(m.at, m.step(1), "") }),
			"cutLine":     edit(func() { e.CutLine(); m.replace(m.at, max(m.end(), min(m.step(1), m.end()+1)), "") }),
			"cutLineBack": edit(func() { e.CutLineBack(); m.replace(min(m.home(), max(m.step(-1), m.home()-1)), m.at, "") }),
			"set":         edit(func() { e.Set("né\nw"); m.replace(0, len(m.text), "né\nw") }),
			"left":        func(*rapid.T) { e.Left(); m.at = m.step(-1) },
			"right":       func(*rapid.T) { e.Right(); m.at = m.step(1) },
			"home":        func(*rapid.T) { e.Home(); m.at = m.home() },
			"end":         func(*rapid.T) { e.End(); m.at = m.end() },
			"top":         func(*rapid.T) { e.Top(); m.at = 0 },
			"bottom":      func(*rapid.T) { e.Bottom(); m.at = len(m.text) },
			"undo": func(t *rapid.T) {
				did := e.Undo()
				if did != (r.at > 0) {
					t.Fatalf("undo did something: %v, after %d changes", did, r.at)
				}
				if !did {
					return
				}
				i := r.at - 1
				for ; i >= 0 && r.texts[i] != e.Text(); i-- {
				}
				if i < 0 {
					t.Fatalf("undo made a text that never was: %q", e.Text())
				}
				r.undone = append(r.undone, r.at)
				r.at, m.text, m.at = i, e.Text(), len(e.Before())
			},
			"redo": func(t *rapid.T) {
				did := e.Redo()
				if did != (len(r.undone) > 0) {
					t.Fatalf("redo did something: %v, after %d undone changes", did, len(r.undone))
				}
				if !did {
					return
				}
				r.at, r.undone = r.undone[len(r.undone)-1], r.undone[:len(r.undone)-1]
				m.text, m.at = r.texts[r.at], len(e.Before())
			},
			"": func(t *rapid.T) {
				if e.Text() != m.text || len(e.Before()) != m.at {
					t.Fatalf("the editor has %q at %d, the model %q at %d", e.Text(), len(e.Before()), m.text, m.at)
				}
				if !utf8.ValidString(e.Text()) || !slices.Contains(m.bounds(), m.at) {
					t.Fatalf("the cursor is inside a character: %q at %d", m.text, m.at)
				}
				checkView(t, &e, width, method)
			},
		})
	})
}

// stray reports whether a character begins with what belongs to a letter.
func stray(cluster string) bool {
	r, _ := utf8.DecodeRuneInString(cluster)
	return unicode.IsMark(r) || r == '\u200d'
}

// cells is what a text looks like, cell by cell: a character that takes two
// has an empty one behind it.
func cells(s string, method ansi.Method) []string {
	var out []string
	for len(s) > 0 {
		cluster, w := ansi.FirstGraphemeCluster(s, method)
		s = s[len(cluster):]
		switch {
		case cluster == "\t":
			out = append(out, " ", " ", " ", " ")
			continue
		case cluster == "\n":
			continue
		case w == 0 || cluster == "\u202e" || stray(cluster):
			cluster, w = "\ufffd", 1
		}
		for i := range w {
			if i > 0 {
				cluster = ""
			}
			out = append(out, cluster)
		}
	}
	return out
}

// checkView draws the whole text and a window of it.
func checkView(t *rapid.T, e *editor.Editor, width int, method ansi.Method) {
	whole := e.View(100000)
	var all, before []string
	for i, row := range whole.Rows {
		line := ""
		for _, p := range row {
			line += p.Text
		}
		shown := cells(line, method)
		// One character that is wider than a row has one to itself.
		first, _ := ansi.FirstGraphemeCluster(line, method)
		if w := len(shown); w > width+1 && line != first && line != "    " {
			t.Fatalf("row %q is %d wide, more than %d", line, w, width)
		}
		all = append(all, shown...)
		switch {
		case i < whole.Y:
			before = append(before, shown...)
		case i == whole.Y:
			before = append(before, shown[:whole.X]...)
		}
	}
	if want := cells(e.Text(), method); !slices.Equal(all, want) {
		t.Fatalf("shown %q, want %q", all, want)
	}
	if want := cells(e.Before(), method); !slices.Equal(before, want) {
		t.Fatalf("in front of the cursor %d,%d stands %q, want %q", whole.X, whole.Y, before, want)
	}
	const height = 3
	part := e.View(height)
	if len(part.Rows) != min(height, len(whole.Rows)) || part.Y < 0 || part.Y >= len(part.Rows) || part.X != whole.X {
		t.Fatalf("window of %d rows with the cursor at %d,%d; the whole has %d and %d,%d",
			len(part.Rows), part.X, part.Y, len(whole.Rows), whole.X, whole.Y)
	}
	top := whole.Y - part.Y
	if part.More.Above != (top > 0) || part.More.Below != (top+len(part.Rows) < len(whole.Rows)) {
		t.Fatalf("row %d of %d is the first: more %+v", top, len(whole.Rows), part.More)
	}
	for i, row := range part.Rows {
		if !slices.Equal(row, whole.Rows[top+i]) {
			t.Fatalf("row %d of the window is %v, want %v", i, row, whole.Rows[top+i])
		}
	}
}
