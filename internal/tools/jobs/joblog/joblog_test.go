package joblog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/tools/jobs/joblog"
)

func open(t *testing.T, dir string) *joblog.Log {
	t.Helper()
	l, err := joblog.Open(dir, "66aa", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// add appends events from number first on.
func add(t *testing.T, l *joblog.Log, first int, lines ...string) {
	t.Helper()
	for i, line := range lines {
		if _, err := l.Add(first+i, line); err != nil {
			t.Fatal(err)
		}
	}
}

func numbered(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprintf("line %d", i))
	}
	return out
}

// A run that was killed has left its log, perhaps with a torn line: the next
// one knows which event comes next and what was said before.
func TestGoesOnAfterAKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "jobs")
	l := open(t, dir)
	add(t, l, 2, "one", "two\nand more", "", "10%\r20%\r30%") // event 1 was no line
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "66aa.log")
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("half a li"); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	again := open(t, dir)
	if again.Taken() != 5 || again.Path() != name {
		t.Errorf("taken %d, path %q", again.Taken(), again.Path())
	}
	add(t, again, 6, "half a line")
	if got, want := again.Lines(), []string{"one", "two", "and more", "30%", "half a line"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if again.Taken() != 6 || open(t, dir).Taken() != 6 {
		t.Error("the number of the next event is wrong")
	}
}

// What is nothing for people is in the file, and told once each time the log is
// opened.
func TestHidden(t *testing.T) {
	dir := t.TempDir()
	var hidden []string
	hide := func(_ int, event string) bool {
		if strings.HasPrefix(event, "::") {
			hidden = append(hidden, event)
			return true
		}
		return false
	}
	for range 2 {
		l, err := joblog.Open(dir, "66aa", hide)
		if err != nil {
			t.Fatal(err)
		}
		if l.Taken() == 0 {
			for i, line := range []string{"a", "::mark", "b"} {
				if shown, err := l.Add(i+1, line); err != nil || shown == (i == 1) {
					t.Errorf("%q: %v, %v", line, shown, err)
				}
			}
		}
		if got := l.Lines(); l.Taken() != 3 || !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%d, %q", l.Taken(), got)
		}
		_ = l.Close()
	}
	if !slices.Equal(hidden, []string{"::mark", "::mark"}) {
		t.Errorf("%q", hidden)
	}
}

func TestRefusesAnIDThatIsAPath(t *testing.T) {
	for _, id := range []string{"../x", "a/b", "..", ""} {
		if _, err := joblog.Open(t.TempDir(), id, nil); err == nil {
			t.Errorf("%q was taken", id)
		}
	}
}

// Of a long log the beginning, the end and the errors between them are kept.
func TestKeepsBeginningEndAndErrors(t *testing.T) {
	l := open(t, "")
	add(t, l, 1, numbered(1, 5000)...)
	add(t, l, 5001, "before it", "ValueError: no such column", "behind it", "and this", "not this")
	add(t, l, 5006, numbered(5006, 12000)...)
	lines := l.Lines()
	text := strings.Join(lines, "\n")
	if len(lines) > 2300 || lines[0] != "line 1" || lines[199] != "line 200" || lines[len(lines)-1] != "line 12000" {
		t.Errorf("%d lines, from %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
	if !strings.Contains(text, "before it\nValueError: no such column\nbehind it\nand this\n") || strings.Contains(text, "not this") {
		t.Error("the error and its surroundings are not there")
	}
	if !strings.Contains(text, fmt.Sprintf("… (%d lines omitted) …", 12000-200-2000)) {
		t.Error("nothing says how many lines are left out")
	}
	if l.Taken() != 12000 {
		t.Errorf("taken %d", l.Taken())
	}
}

// A log that floods does not fill the memory.
func TestMemoryIsBounded(t *testing.T) {
	l := open(t, t.TempDir())
	line := strings.Repeat("x", 100_000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 500 {
		add(t, l, i+1, line)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("50 MB of log keep %d bytes", grown)
	}
	for _, kept := range l.Lines() {
		if len(kept) > 4100 {
			t.Fatalf("a line of %d bytes is kept", len(kept))
		}
	}
	if info, err := os.Stat(l.Path()); err != nil || info.Size() < 50_000_000 {
		t.Errorf("the file has not everything: %v, %v", info.Size(), err)
	}
}

func TestProgressBarsCollapse(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\rb\rc": "c", "a\rb\r": "b", "\r": "", "": "", "step 1\r\rstep 2": "step 2",
	} {
		if got := joblog.Collapse(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// What a package installation has printed is left out.
func TestInstallsAreLeftOut(t *testing.T) {
	for _, mark := range []string{"Installed 3 packages in 12ms", "Installed 1 package in 1.5s"} {
		l := open(t, "")
		add(t, l, 1, "Resolved", "Downloading torch", mark, "training")
		if got := l.Lines(); !slices.Equal(got, []string{"[installs truncated]", mark, "training"}) {
			t.Errorf("%q", got)
		}
	}
	l := open(t, "")
	add(t, l, 1, "we have Installed 3 packages in 12ms", "Installed many packages in 3ms")
	if got := l.Lines(); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

// A result has a fifth of the room for the beginning, the rest for the end, and
// tells of errors between them.
func TestText(t *testing.T) {
	l := open(t, "")
	add(t, l, 1, numbered(1, 900)...)
	add(t, l, 901, "torch.OutOfMemoryError: CUDA out of memory")
	add(t, l, 902, numbered(902, 2000)...)
	text := l.Text(6000)
	if !strings.HasPrefix(text, "line 1\n") || !strings.HasSuffix(text, "\nline 2000") || !strings.Contains(text, "\ntorch.OutOfMemoryError: CUDA out of memory\n") {
		t.Errorf("%q … %q", text[:100], text[len(text)-100:])
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "line ") && !strings.HasSuffix(strings.TrimSpace(line), strings.TrimPrefix(strings.TrimSpace(line), "line ")) {
			t.Errorf("a line is cut: %q", line)
		}
	}
	head := strings.Index(text, "…")
	if head < 800 || head > 1200 {
		t.Errorf("the beginning has %d of 6000 bytes", head)
	}
	short := open(t, "")
	add(t, short, 1, "a", "b")
	if got := short.Text(100); got != "a\nb" {
		t.Errorf("%q", got)
	}
	if got := open(t, "").Text(100); got != "" {
		t.Errorf("an empty log: %q", got)
	}
}

// Whatever a job prints, the text of a result is valid and not much longer than
// its limit, and reading the log again comes to the same end.
func TestAnyLog(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		id := fmt.Sprintf("job%d", n)
		l, err := joblog.Open(dir, id, nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := rapid.SliceOfN(rapid.String(), 0, 60).Draw(t, "lines")
		for i, line := range lines {
			if _, err := l.Add(i+1, line); err != nil {
				t.Fatal(err)
			}
		}
		limit := rapid.IntRange(100, 2000).Draw(t, "limit")
		if text := l.Text(limit); !utf8.ValidString(text) || len(text) > limit {
			t.Fatalf("%d bytes of at most %d", len(text), limit)
		}
		_ = l.Close()
		again, err := joblog.Open(dir, id, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if again.Taken() != len(lines) {
			t.Fatalf("%d events, %d after reading again", len(lines), again.Taken())
		}
	})
}
