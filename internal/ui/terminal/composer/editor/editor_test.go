package editor_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/editor"
)

// at returns an editor with a text and its cursor where the text has a |.
func at(t *testing.T, text string) *editor.Editor {
	t.Helper()
	before, after, ok := strings.Cut(text, "|")
	if !ok {
		t.Fatalf("%q has no cursor", text)
	}
	var e editor.Editor
	e.SetWidth(40)
	e.Insert(after)
	e.Top()
	e.Insert(before)
	return &e
}

func shown(e *editor.Editor) string {
	return e.Before() + "|" + strings.TrimPrefix(e.Shown(), e.Before())
}

func TestMovesAndCuts(t *testing.T) {
	type do = func(*editor.Editor)
	word := func(n int) do {
		return func(e *editor.Editor) {
			for range n {
				e.WordRight()
			}
		}
	}
	for _, test := range []struct {
		name, from string
		do         do
		want       string
	}{
		{"a word to the left", "one two-three|", func(e *editor.Editor) { e.WordLeft() }, "one two-|three"},
		{"over signs and blanks", "one  --  |two", func(e *editor.Editor) { e.WordLeft() }, "|one  --  two"},
		{"letters of any script", "naïve Größe 日本語|", func(e *editor.Editor) { e.WordLeft() }, "naïve Größe |日本語"},
		{"a word to the right", "|one two", word(1), "one| two"},
		{"two words over lines", "|one\ntwo", word(2), "one\ntwo|"},
		{"cut to the end of the line", "one |two\nthree", (*editor.Editor).CutLine, "one |\nthree"},
		{"cut the line break", "one|\ntwo", (*editor.Editor).CutLine, "one|two"},
		{"cut to the start of the line", "one\ntwo |three", (*editor.Editor).CutLineBack, "one\n|three"},
		{"cut the line break in front", "one\n|two", (*editor.Editor).CutLineBack, "one|two"},
		{"cut a word", "one |two three", (*editor.Editor).CutWord, "one | three"},
		{"cut a word back", "one two/three|", (*editor.Editor).CutWordBack, "one two/|"},
		{"cut up to the blank", "one two/three |", (*editor.Editor).CutBlankBack, "one |"},
		{"nothing to cut", "|one", (*editor.Editor).CutBlankBack, "|one"},
		{"a family goes at once", "a👩‍👩‍👧|b", (*editor.Editor).Backspace, "a|b"},
		{"a letter and its mark", "|e\u0301a", (*editor.Editor).Delete, "|a"},
		{"halves of a flag meet", "🇩|x🇪", (*editor.Editor).Delete, "🇩🇪|"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := at(t, test.from)
			test.do(e)
			if got := shown(e); got != test.want {
				t.Errorf("%q became %q, want %q", test.from, got, test.want)
			}
		})
	}
}

func TestKillSlot(t *testing.T) {
	e := at(t, "one two |three four")
	e.CutWord()
	e.CutWord()
	e.CutWordBack()
	if got := shown(e); got != "one |" {
		t.Fatalf("left %q", got)
	}
	e.Yank()
	if got := shown(e); got != "one two three four|" {
		t.Errorf("cuts that follow each other are one: %q", got)
	}
	e.CutWordBack()
	e.Left()
	e.CutWordBack()
	e.Yank()
	e.Yank()
	if got := e.Text(); got != "one two threethree " {
		t.Errorf("a move begins another cut: %q", got)
	}
	e.CutAll()
	e.Reset(editor.Saved{})
	e.Yank()
	if got := e.Text(); got != "one two threethree " {
		t.Errorf("what was cut outlives the text: %q", got)
	}
}

func TestUndoTakesBackWords(t *testing.T) {
	var e editor.Editor
	for _, r := range "one two" {
		e.Type(string(r))
	}
	e.Backspace()
	e.Backspace()
	e.Left()
	e.Type("x")
	e.Insert("\n")
	want := []string{"one xt", "one t", "one two", "one ", ""}
	var got []string
	for e.Undo() {
		got = append(got, e.Text())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("undo (-want +got):\n%s", diff)
	}
	for e.Redo() {
		got = append(got, e.Text())
	}
	want = append(want, "one ", "one two", "one t", "one xt", "one x\nt")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("redo (-want +got):\n%s", diff)
	}
	e.Undo()
	e.Type("y")
	if e.Redo() {
		t.Error("what was undone is gone once something else is written")
	}
}

// What is typed may become one character with what stands behind it; then what
// is typed next is another step.
func TestUndoWhereCharactersMeet(t *testing.T) {
	e := at(t, "a|🇪b")
	e.Type("🇩")
	e.Type("x")
	for _, want := range []string{"a🇩🇪|b", "a|🇪b"} {
		if e.Undo(); shown(e) != want {
			t.Errorf("undone to %q, want %q", shown(e), want)
		}
	}
}

func TestUndoIsBounded(t *testing.T) {
	var e editor.Editor
	for range 1500 {
		e.Insert("x\n")
	}
	n := 0
	for e.Undo() {
		n++
	}
	if n != 1000 {
		t.Errorf("%d steps can be undone", n)
	}
	e.Reset(editor.Saved{})
	for range 20 {
		e.Insert(strings.Repeat("x", 1<<20))
	}
	n = 0
	for e.Undo() {
		n++
	}
	if n != 8 {
		t.Errorf("%d megabytes can be undone", n)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"a\r\nb\rc\n\r\rd":                 "a\nb\nc\n\n\nd",
		"\x1b[31mred\x1b[0m \x07\x00bell":  "red bell",
		"\x1b]0;title\x07x\x1b[2Jy":        "xy",
		"tab\tbad\xff\u2028next":           "tab\tbad\ufffd\nnext",
		"\x01" + "1" + "\x02 is no fold":   "1 is no fold",
		"right\u202eleft keeps what it is": "right\u202eleft keeps what it is",
	} {
		if got := editor.Clean(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func lines(n int) string { return strings.TrimSuffix(strings.Repeat("line\n", n), "\n") }

func TestFolds(t *testing.T) {
	var e editor.Editor
	e.SetWidth(60)
	e.Type("see ")
	e.Paste(lines(20))
	if got := e.Shown(); got != "see "+lines(20) {
		t.Fatalf("twenty lines are not folded: %q", got)
	}
	e.Undo()
	e.Paste(lines(20) + "\n")
	if got := e.Shown(); got != "see "+lines(20)+"\n" {
		t.Fatalf("nor with the end of the last: %q", got)
	}
	e.Undo()
	e.Paste(strings.Repeat("ü", 2000))
	e.Undo()
	if got := e.Shown(); got != "see " {
		t.Fatalf("2,000 characters are not folded: %q", got)
	}
	e.Paste(lines(120))
	e.Type(" and ")
	e.Paste(strings.Repeat("ü", 3400))
	const want = "see [pasted 120 lines #1] and [pasted 3,400 characters #2]"
	if got := e.Shown(); got != want {
		t.Fatalf("shown %q", got)
	}
	if got := e.Text(); got != "see "+lines(120)+" and "+strings.Repeat("ü", 3400) {
		t.Fatalf("text %q", got)
	}
	e.Left()
	e.Type("x")
	e.WordLeft()
	e.WordLeft()
	e.Backspace()
	e.Backspace()
	if got := shown(&e); got != "see |and x[pasted 3,400 characters #2]" {
		t.Errorf("a fold is one character: %q", got)
	}
	e.Undo()
	if got := e.Shown(); got != "see [pasted 120 lines #1] and x[pasted 3,400 characters #2]" {
		t.Errorf("undo brings a fold back: %q", got)
	}
	e.CutAll()
	e.Reset(editor.Saved{})
	e.Yank()
	e.Yank()
	e.Paste(lines(21))
	if got := e.Text(); !strings.HasPrefix(got, "see line\n") || strings.Count(got, lines(120)) != 2 {
		t.Errorf("what was cut keeps its folds: %q", got)
	}
	if got := e.Shown(); !strings.HasSuffix(got, "#3]") {
		t.Errorf("a new fold has a new number: %q", got)
	}
	e.Reset(editor.Saved{})
	e.Home()
	e.CutLine()
	e.Paste(lines(21) + "\n")
	if got := e.Shown(); got != "[pasted 21 lines #4]" {
		t.Errorf("the end of the last line is no line: %q", got)
	}
}

func TestLineAndReplace(t *testing.T) {
	e := at(t, "one\nsee @src/ma|in")
	if line, first := e.Line(100); line != "see @src/ma" || first {
		t.Errorf("line %q, first %v", line, first)
	}
	if line, first := e.Line(6); line != "src/ma" || first {
		t.Errorf("end of the line %q, first %v", line, first)
	}
	e.Replace(7, "@README.md ")
	if got := shown(e); got != "one\nsee @README.md |in" {
		t.Errorf("replaced: %q", got)
	}
	var f editor.Editor
	f.Paste(lines(30))
	f.Type("x")
	f.Replace(20, "y")
	if got := f.Shown(); got != "[pasted 30 lines #1]y" {
		t.Errorf("a fold's label is no text: %q", got)
	}
	if line, first := f.Line(2); line != "y" || first {
		t.Errorf("a fold is not cut: %q, %v", line, first)
	}
}

func TestSaveAndRestore(t *testing.T) {
	e := at(t, "one| two")
	e.Paste(lines(30))
	saved := e.Save()
	e.Set("another")
	e.Restore(saved)
	if got := shown(e); got != "one[pasted 30 lines #1]| two" {
		t.Errorf("restored %q", got)
	}
	saved = e.Save()
	e.Set("another")
	e.Reset(saved)
	if got := shown(e); got != "one[pasted 30 lines #1]| two" || e.Text() != "one"+lines(30)+" two" || e.Undo() {
		t.Errorf("after a reset %q", got)
	}
}

func TestRowsWrapBetweenWords(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		want  []string
	}{
		{"one two three", 7, []string{"one two ", "three"}},
		{"one two three", 8, []string{"one two ", "three"}},
		{"one two  three", 7, []string{"one two ", " three"}},
		{"abcdefghij", 4, []string{"abcd", "efgh", "ij"}},
		{"ab cdefghij", 4, []string{"ab ", "cdef", "ghij"}},
		{"日本語日本語", 5, []string{"日本", "語日", "本語"}},
		{"full ", 4, []string{"full ", ""}},
		{"a\tb", 5, []string{"a    ", "b"}},
		{"one\n\ntwo", 9, []string{"one", "", "two"}},
	} {
		var e editor.Editor
		e.SetWidth(test.width)
		e.Insert(test.text)
		var got []string
		for _, row := range e.View(99).Rows {
			line := ""
			for _, p := range row {
				line += p.Text
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q at %d (-want +got):\n%s", test.text, test.width, diff)
		}
	}
}

func TestUpAndDownKeepTheColumn(t *testing.T) {
	e := at(t, "a long line\nsh\n日本語日本語|")
	for i, want := range []string{"a long line\nsh|\n日本語日本語", "a long line|\nsh\n日本語日本語"} {
		if e.Up(); shown(e) != want {
			t.Errorf("step %d: %q, want %q", i+1, shown(e), want)
		}
	}
	if e.Up() {
		t.Error("there is nothing above the first row")
	}
	e.Down()
	e.Down()
	if got := shown(e); got != "a long line\nsh\n日本語日本語|" {
		t.Errorf("back in column 12: %q", got)
	}
	e.Left()
	e.Up()
	e.Down()
	if got := shown(e); got != "a long line\nsh\n日本語日本|語" {
		t.Errorf("a move to the side sets another column: %q", got)
	}
}

func BenchmarkKeystroke(b *testing.B) {
	line := "the learning rate of this run was 3e-4, größer als gedacht\n"
	for name, text := range map[string]string{
		"lines": strings.Repeat(line, 10000),
		"line":  strings.Repeat(strings.TrimSuffix(line, "\n"), 1000),
	} {
		b.Run(name, func(b *testing.B) {
			var e editor.Editor
			e.SetWidth(78)
			e.Set(text)
			e.Top()
			for range 5000 {
				e.Down()
			}
			for b.Loop() {
				e.Type("x")
				e.View(10)
			}
		})
	}
}
