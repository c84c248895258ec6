package history_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/history"
)

func open(t *testing.T, path, cwd string) *history.History {
	t.Helper()
	return history.Open(history.Options{Path: path, Cwd: cwd, Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
}

func add(t *testing.T, h *history.History, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := h.Add(text); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTextsOfThisFolderComeFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "history.jsonl")
	add(t, open(t, path, "/a"), "one", "two\nlines", "  ", "both")
	add(t, open(t, path, "/b"), "elsewhere", "both")
	h := open(t, path, "/a")
	add(t, h, "one", "three", "three")
	want := []string{"three", "one", "both", "two\nlines", "elsewhere"}
	if diff := cmp.Diff(want, h.Texts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, open(t, path, "/a").Texts()); diff != "" {
		t.Errorf("another process (-want +got):\n%s", diff)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(raw), "\n"); first != `{"text":"one","time":"2026-01-02T03:04:05Z","cwd":"/a"}` {
		t.Errorf("a line is %s", first)
	}
	if n := bytes.Count(raw, []byte("\n")); n != 7 {
		t.Errorf("%d lines", n)
	}
}

func TestOnlyItsOwnerReadsTheFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "history.jsonl")
	add(t, open(t, path, ""), "one")
	for name, want := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, path: 0o600, path + ".lock": 0o600} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v", filepath.Base(name), info.Mode())
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	add(t, open(t, path, ""), "two")
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("a file that others could read: %v, %v", info.Mode(), err)
	}
}

func TestSecretsAreTakenOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	h := history.Open(history.Options{Path: path, Scrub: func(s string) string { return strings.ReplaceAll(s, "hf_secret", "[key]") }})
	add(t, h, "use hf_secret for it")
	if diff := cmp.Diff([]string{"use [key] for it"}, h.Texts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	raw, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(raw), "hf_secret") {
		t.Errorf("the file holds %s, %v", raw, err)
	}
}

func TestMemoryAlone(t *testing.T) {
	h := history.Open(history.Options{})
	add(t, h, "one", "two")
	if diff := cmp.Diff([]string{"two", "one"}, h.Texts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h := open(t, filepath.Join(file, "history.jsonl"), "")
	if err := h.Add("one"); err == nil || !strings.Contains(err.Error(), "input history is not saved") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"one"}, h.Texts()); diff != "" {
		t.Errorf("this process still knows (-want +got):\n%s", diff)
	}
}

func TestBrokenLinesAreSkipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	if err := os.WriteFile(path, []byte("{\"text\":\"one\"}\n\nnull\n[1]\nnot json\n{\"text\":5}\n{\"text\":\"two\"}\n{\"text\":\"cut of"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := open(t, path, "")
	add(t, h, "three")
	want := []string{"three", "two", "one"}
	if diff := cmp.Diff(want, h.Texts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, open(t, path, "").Texts()); diff != "" {
		t.Errorf("a torn line spoils no other (-want +got):\n%s", diff)
	}
}

func lines(t *testing.T, path string) int {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(raw, []byte("\n"))
}

func TestTheOldestAreForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for i := range 5400 {
		if err := enc.Encode(history.Entry{Text: "text " + strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	h := open(t, path, "")
	for i := range 100 {
		add(t, h, "new "+strconv.Itoa(i))
	}
	if n := lines(t, path); n != 5500 {
		t.Fatalf("%d lines are not yet too many", n)
	}
	add(t, h, "the last")
	if n := lines(t, path); n != 5000 {
		t.Errorf("%d lines remain", n)
	}
	texts := open(t, path, "").Texts()
	if texts[0] != "the last" || texts[4999] != "text 501" || len(h.Texts()) != 5000 {
		t.Errorf("%d texts from %q to %q; %d here", len(texts), texts[0], texts[len(texts)-1], len(h.Texts()))
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".history*")); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestHugeTexts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	h := open(t, path, "")
	add(t, h, strings.Repeat("x", 2<<20), "small")
	if got := h.Texts(); len(got) != 2 {
		t.Errorf("%d texts here", len(got))
	}
	if n := lines(t, path); n != 1 {
		t.Errorf("%d lines in the file", n)
	}
	old := strings.Repeat(`{"text":"`+strings.Repeat("x", 900<<10)+`y"}`+"\n", 20)
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	h = open(t, path, "")
	add(t, h, "the last")
	info, err := os.Stat(path)
	if err != nil || info.Size() > 8<<20 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	if got := open(t, path, "").Texts(); len(got) != 2 || got[0] != "the last" {
		t.Errorf("%d texts are read", len(got))
	}
}

// Several processes, and several sessions in each, write one file while it is
// made smaller: no line is torn or lost.
func TestManyProcesses(t *testing.T) {
	const processes, sessions, texts = 4, 2, 100
	if path := os.Getenv("HISTORY_TEST_FILE"); path != "" {
		var all sync.WaitGroup
		for s := range sessions {
			all.Go(func() {
				h := history.Open(history.Options{Path: path})
				for i := range texts {
					if err := h.Add(fmt.Sprintf("%s %d %d\nmore", os.Getenv("HISTORY_TEST_NAME"), s, i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		return
	}
	path := filepath.Join(t.TempDir(), "history.jsonl")
	var old bytes.Buffer
	for i := range 5480 {
		fmt.Fprintf(&old, "{\"text\":\"old %d\"}\n", i)
	}
	if err := os.WriteFile(path, old.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for p := range processes {
		all.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestManyProcesses$")
			cmd.Env = append(os.Environ(), "HISTORY_TEST_FILE="+path, "HISTORY_TEST_NAME="+strconv.Itoa(p))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v\n%s", p, err, out)
			}
		})
	}
	all.Wait()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range bytes.Lines(raw) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue // who saw a line while it was being written began a new one
		}
		var e history.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		seen[e.Text] = true
	}
	for p := range processes {
		for s := range sessions {
			for i := range texts {
				if text := fmt.Sprintf("%d %d %d\nmore", p, s, i); !seen[text] {
					t.Errorf("%q is lost", text)
				}
			}
		}
	}
	if seen["old 0"] {
		t.Error("the file was never made smaller")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("{\"text\":\"one\",\"time\":\"2026-01-02T03:04:05Z\",\"cwd\":\"/a\"}\n{\"text\":\"one\",\"cwd\":\"/a\"}\n"))
	f.Add([]byte("\n{}\nnull\n{\"text\":\"\\ud800\"}\n{\"text\":\" \"}\n\xff"))
	f.Add([]byte(`{"text":"cut of`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, n := history.Parse(raw)
		if len(entries) > n {
			t.Fatalf("%d entries in %d lines", len(entries), n)
		}
		for i, e := range entries {
			if strings.TrimSpace(e.Text) == "" || i > 0 && e.Text == entries[i-1].Text && e.Cwd == entries[i-1].Cwd {
				t.Fatalf("entry %d is %+v", i, e)
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	path := filepath.Join(b.TempDir(), "history.jsonl")
	var raw bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&raw, "{\"text\":\"train the model number %d on my data and push it\",\"time\":\"2026-01-02T03:04:05Z\",\"cwd\":\"/home/me/project\"}\n", i)
	}
	if err := os.WriteFile(path, raw.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if got := history.Open(history.Options{Path: path}).Texts(); len(got) != 5000 {
			b.Fatalf("%d texts", len(got))
		}
	}
}
