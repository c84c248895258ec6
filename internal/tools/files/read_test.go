package files_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
	"github.com/ml-intern/ml-intern/internal/tools/files"
)

func (d *desk) part(name string, offset, limit int) (string, bool) {
	d.t.Helper()
	r := d.run(d.files.Read(), files.ReadParams{Path: name, Offset: offset, Limit: limit})
	return r.Output, r.OK
}

// Acceptance check 14, numbering: only \n and \r\n end a line, as for grep -n.
func TestCheck14LinesAreNumberedAsGrepDoes(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "one\ftwo\u2028three\v\u0085four\nfive\r\nsix\rseven\n\nnine")
	r := d.read("a.txt")
	good(t, r)
	lines := strings.Split(r.Output, "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines: %q", len(lines), r.Output)
	}
	for i, want := range []string{"     1\tone", "     2\tfive", "     3\tsix", "     4\t", "     5\tnine"} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %q, want %q", lines[i], want)
		}
	}
	if lines[1] != "     2\tfive" {
		t.Errorf("the line end is shown: %q", lines[1])
	}
}

// Acceptance check 14, binary files.
func TestCheck14Binary(t *testing.T) {
	d := newDesk(t)
	d.put("a.png", "\x89PNG\r\n\x1a\n\x00\x00"+strings.Repeat("x", 2038))
	bad(t, d.read("a.png"), "binary", "2.0 KiB", "image/png")
}

// Acceptance check 14, past the end.
func TestCheck14OffsetPastTheEnd(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "1\n2\n3\n")
	if text, ok := d.part("a.txt", 4, 0); ok || !strings.Contains(text, "3 lines") {
		t.Errorf("%v %q", ok, text)
	}
	if text, ok := d.part("a.txt", 3, 0); !ok || text != "     3\t3" {
		t.Errorf("%v %q", ok, text)
	}
}

func TestReadPages(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", strings.Repeat("x\n", 5000))
	text, _ := d.part("a.txt", 0, 0)
	if !strings.HasSuffix(text, "(lines 1-2000 of 5000; continue at offset 2001)") {
		t.Errorf("ends %q", text[len(text)-80:])
	}
	text, _ = d.part("a.txt", 4999, 10)
	if text != "  4999\tx\n  5000\tx" {
		t.Errorf("%q", text)
	}
	text, _ = d.part("a.txt", 2, int(^uint(0)>>1))
	if !strings.HasSuffix(text, "  5000\tx") {
		t.Errorf("ends %q", text[len(text)-80:])
	}
}

func TestReadCutsLongLinesAndLongFiles(t *testing.T) {
	d := newDesk(t)
	token := "hf_" + strings.Repeat("aB3", 12)
	d.put("a.txt", strings.Repeat("é", 4000)+"\n"+strings.Repeat("é", 200_000)+"\nend\n"+
		strings.Repeat("x ", 1970)+token+" "+token+" "+strings.Repeat("x ", 1980)+"\nlast\n")
	r := d.read("a.txt")
	good(t, r, "\n     3\tend")
	// Half of a token would not be recognised as one.
	good(t, r, "x "+token+" ...\n")
	lines := strings.Split(r.Output, "\n")
	if lines[0] != "     1\t"+strings.Repeat("é", 4000) || lines[1] != "     2\t"+strings.Repeat("é", 4000)+"..." {
		t.Errorf("lines of %d and %d characters", utf8.RuneCountInString(lines[0]), utf8.RuneCountInString(lines[1]))
	}
	d.put("b.txt", strings.Repeat(strings.Repeat("é", 999)+"\n", 500))
	r = d.read("b.txt")
	good(t, r, "continue at offset 100)")
	if n := utf8.RuneCountInString(r.Output); n > 100_000 || n < 99_000 {
		t.Errorf("%d characters", n)
	}
}

func TestReadOddFiles(t *testing.T) {
	d := newDesk(t)
	d.put("empty", "")
	if r := d.read("empty"); !r.OK || r.Output != "(empty file)" {
		t.Errorf("%+v", r)
	}
	d.put("latin", "caf\xe9\n")
	good(t, d.read("latin"), "caf\uFFFD", "not UTF-8")
	d.put("bom", "\uFEFFx\n")
	if r := d.read("bom"); r.Output != "     1\tx" {
		t.Errorf("%q", r.Output)
	}
	d.put("steer", "a\x1b]52;c;x\x07b\u009b2J\n")
	if r := d.read("steer"); strings.ContainsAny(r.Output, "\x1b\x07\u009b") {
		t.Errorf("control characters came through: %q", r.Output)
	}
	bad(t, d.read("none"), "file not found: none")
	bad(t, d.read("empty/x"), "read error")
	bad(t, d.read("."), "directory", "ls")
}

func TestReadRefusesDevicesAndProcesses(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no device files")
	}
	d := newDesk(t)
	bad(t, d.read("/dev/zero"), "no regular file but a device")
	if _, err := os.Stat("/proc/self/environ"); err == nil {
		t.Setenv("SOME_TOKEN", "hf_secret")
		bad(t, d.read("/proc/self/environ"), "environment of a process")
		bad(t, d.read("/proc/thread-self/environ"), "environment of a process")
	}
}

func TestReadHugeFileNeedsAPart(t *testing.T) {
	d := newDesk(t)
	f, err := os.Create(d.path("huge"))
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.Repeat("h", 1<<16-1) + "\n")
	for range 51 << 4 { // 51 MiB
		if _, err := f.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	bad(t, d.read("huge"), "51.0 MiB", "offset and limit")
	text, ok := d.part("huge", 2, 1)
	if !ok || !strings.HasPrefix(text, "     2\thhh") || !strings.HasSuffix(text, "(lines 2-2; continue at offset 3)") {
		t.Errorf("%v %.40q … %q", ok, text, text[max(0, len(text)-60):])
	}
	// Having seen a part counts, until the file changes.
	good(t, d.write("huge", "small\n"), "Wrote 6 bytes to huge")
	d.has("huge", "small\n")
}

func TestReadNotebook(t *testing.T) {
	d := newDesk(t)
	d.put("n.ipynb", `{"cells":[{"cell_type":"code","execution_count":1,"source":["x = 1\n","x"],"outputs":[]}],"metadata":{},"nbformat":4,"nbformat_minor":5}`)
	good(t, d.read("n.ipynb"), "cell 1: code, run 1", "\tx = 1\n", "see the JSON")
	good(t, d.edit("n.ipynb", `x = 1\n`, `x = 2\n`), "Edited")
	d.put("broken.ipynb", "{oops\n")
	good(t, d.read("broken.ipynb"), "     1\t{oops")
}

func TestReadEndsWhenCancelled(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "a\n")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if r, err := d.files.Read().Run(ctx, d.env, json.RawMessage(`{"path":"a.txt"}`)); err == nil {
		t.Errorf("%+v, want a Go error: the call did not happen", r)
	}
	for _, tl := range d.files.Tools()[1:] {
		if r, err := tl.Run(ctx, d.env, json.RawMessage(`{"path":"new.txt","content":"a","old_str":"a","new_str":"b"}`)); err == nil && r.OK {
			t.Errorf("%s worked although cancelled", tl.Spec().Name)
		}
	}
	if _, err := os.Stat(d.path("new.txt")); err == nil {
		t.Error("a cancelled write made the file")
	}
}

func TestHomeStandsForTilde(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "a.txt"), []byte("home\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, func(o *local.Options) { o.Home = home })
	good(t, d.read("~/a.txt"), "home")
	d.put("~a", "not home\n")
	good(t, d.read("~a"), "not home")
}

// The notebook a code host serves, read as a file of the workspace.
func TestReadNotebookFixture(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "research"), "gh-contents-notebook.json"))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Content []byte `json:"content"`
	}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), `\n`, "")), &answer); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	d.put("tiny.ipynb", string(answer.Content))
	good(t, d.read("tiny.ipynb"), "print('hello')", "noise")
}
