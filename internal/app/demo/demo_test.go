package demo_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/replay"
	"github.com/ml-intern/ml-intern/internal/app/demo"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// needPython skips a test where the demo cannot run.
func needPython(t *testing.T) {
	t.Helper()
	err := demo.Require(t.Context())
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

func prepare(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "demo")
	if err := demo.Prepare(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRequire(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	if err := demo.Require(t.Context()); err == nil || !strings.Contains(err.Error(), "python3 is missing") || !strings.Contains(err.Error(), "3.8") {
		t.Errorf("without python3: %v", err)
	}
	for name, c := range map[string]struct{ script, want string }{
		"old":    {"echo 3.6; exit 1", "version 3.6"},
		"broken": {"exit 9009", "does not run"},
		"new":    {"echo 3.8", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("PATH", dir)
			if err := os.WriteFile(filepath.Join(dir, "python3"), []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			err := demo.Require(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestPrepare(t *testing.T) {
	dir := prepare(t)
	for _, name := range []string{"README.md", "data/messages.csv"} {
		a, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(prepare(t), name))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s is not the same every time (%v)", name, err)
		}
	}
	if err := demo.Prepare(dir); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a folder in use: %v", err)
	}
	if err := demo.Prepare(t.TempDir()); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := demo.Prepare(file); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// The data has the faults that the story finds.
func TestData(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(prepare(t), "data", "messages.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 80_000 {
		t.Errorf("%d bytes", len(raw))
	}
	if bytes.ContainsAny(raw, "{}") {
		t.Error("a sentence has a gap that was not filled")
	}
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"id", "desk", "text"}, rows[0]); diff != "" {
		t.Error(diff)
	}
	byDesk, labels, copies := map[string]int{}, map[string]map[string]bool{}, map[string]int{}
	empty, wordless := 0, 0
	letter := regexp.MustCompile(`[A-Za-z]`)
	for i, r := range rows[1:] {
		if want := fmt.Sprintf("M%04d", i+1); r[0] != want {
			t.Fatalf("id %s, want %s", r[0], want)
		}
		byDesk[r[1]]++
		switch text := r[2]; {
		case text == "":
			empty++
		case !letter.MatchString(text):
			wordless++
		default:
			copies[text]++
			if labels[text] == nil {
				labels[text] = map[string]bool{}
			}
			labels[text][r[1]] = true
		}
	}
	more, contradictory := 0, 0
	for text, n := range copies {
		more += n - 1
		if len(labels[text]) > 1 {
			contradictory++
		}
	}
	got := []int{len(byDesk), empty, wordless, more, contradictory}
	if diff := cmp.Diff([]int{4, 6, 5, 17, 3}, got); diff != "" {
		t.Errorf("desks, empty, wordless, copies, contradictory: %s", diff)
	}
	if n := len(rows) - 1; n < 600 || n > 900 || byDesk["loans"] < 3*byDesk["building"]/2 {
		t.Errorf("%d rows: %v", n, byDesk)
	}
}

func TestScripts(t *testing.T) {
	if err := fsOpen(demo.Scripts(), "other.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another script: %v", err)
	}
	if err := fsOpen(demo.Scripts(), "/demo.json"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("an absolute path: %v", err)
	}
	m, err := replay.New(replay.Options{Scripts: demo.Scripts()})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(demo.Model); err != nil {
		t.Error(err)
	}
	st, err := fs.Stat(demo.Scripts(), "demo.json")
	raw := scriptText(t)
	if err != nil || st.Size() != int64(len(raw)) || st.IsDir() || st.Name() != "demo.json" {
		t.Errorf("%v, %v", st, err)
	}
}

// Nothing the model says is a number known beforehand.
func TestNoNumberIsRecorded(t *testing.T) {
	var script struct {
		Messages []llm.Message `json:"messages"`
	}
	if err := json.Unmarshal(scriptText(t), &script); err != nil {
		t.Fatal(err)
	}
	if first := script.Messages[0].Text; !strings.Contains(first, "script") || !strings.Contains(first, demo.Model) {
		t.Errorf("the first message does not say that it is scripted: %q", first)
	}
	blank := regexp.MustCompile(`\{\{tool:.*?\}\}+`)
	for _, m := range script.Messages {
		said := blank.ReplaceAllString(strings.ReplaceAll(m.Text, "95%", ""), "")
		if n := regexp.MustCompile(`\d`).FindString(strings.ReplaceAll(said, "F1", "")); n != "" {
			t.Errorf("the digit %s in %q", n, m.Text)
		}
	}
}

// The whole story, with both shells, gives the same results.
func TestStory(t *testing.T) {
	needPython(t)
	var all []string
	for _, shell := range []string{"/bin/bash", "/bin/sh"} {
		if _, err := os.Stat(shell); err != nil {
			t.Logf("not tried: %v", err)
			continue
		}
		p := &player{shell: shell, dir: prepare(t), reverse: shell == "/bin/sh"}
		start := time.Now()
		p.play(t)
		if took := time.Since(start); took > 40*time.Second {
			t.Errorf("the tools took %v of the demo's minute", took)
		}
		t.Logf("%s", p.said)
		sum, err := demo.Check(p.dir, p.env.Sources())
		if err != nil {
			t.Fatal(err)
		}
		if sum.Accuracy < 0.8 || sum.Accuracy > 0.97 || sum.HeldOut < 150 || sum.Low >= sum.Accuracy || sum.High <= sum.Accuracy {
			t.Errorf("%+v", sum)
		}
		if want := fmt.Sprintf("**%.1f%%** of %d held-out messages", 100*sum.Accuracy, sum.HeldOut); !strings.Contains(p.said, want) {
			t.Errorf("the answer does not say %q: %s", want, p.said)
		}
		if want := fmt.Sprintf("is %.1f%% to %.1f%%; always naming the biggest desk gives %.1f%%", 100*sum.Low, 100*sum.High, 100*sum.Baseline); !strings.Contains(p.said, want) {
			t.Errorf("the answer does not say %q: %s", want, p.said)
		}
		if sum.Read < 8 || sum.Cited < 4 || sum.Cited >= sum.Read {
			t.Errorf("%d sources were read and %d are cited", sum.Read, sum.Cited)
		}
		if bad := evidence.Unverified(p.said, p.env.Sources()); len(bad) > 0 || len(evidence.References(p.said)) == 0 {
			t.Errorf("the answer cites what was not read: %q", bad)
		}
		for _, f := range sum.Files {
			if !filepath.IsAbs(f.Path) || f.About == "" {
				t.Errorf("%+v", f)
			}
		}
		raw, err := os.ReadFile(filepath.Join(p.dir, "metrics.json"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(raw))
	}
	if n := len(slices.Compact(all)); n != 1 {
		t.Errorf("%d different results", n)
	}
}

// Check finds what was changed afterwards.
func TestCheck(t *testing.T) {
	needPython(t)
	done := &player{shell: "/bin/sh", dir: prepare(t)}
	done.play(t)

	right := regexp.MustCompile(`"right": \d+`)
	read := done.env.Sources()
	cut := func(from, to string) func([]byte) []byte {
		return func(b []byte) []byte { return regexp.MustCompile(`(?s)`+from+`.*?`+to).ReplaceAll(b, []byte(to)) }
	}
	for name, c := range map[string]struct {
		file   string
		change func([]byte) []byte
		want   string
	}{
		"report": {"report.md", func(b []byte) []byte {
			return regexp.MustCompile(`\*\*[\d.]+%\*\*`).ReplaceAll(b, []byte("**99.9%**"))
		}, "report.md does not say"},
		"label":        {"report.md", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("are a script"), nil) }, "are a script"},
		"evidence":     {"report.md", cut("## Evidence\n", "## Limits"), "no section Evidence"},
		"no marks":     {"report.md", cut("- \\[S", "- No mark"), "cites nothing"},
		"another mark": {"report.md", func(b []byte) []byte { return bytes.Replace(b, []byte("- [S"), []byte("- [S9"), 1) }, "was not looked up"},
		"another place": {"report.md", func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("/acme/audit-mini"), []byte("/acme/toy-chat"))
		}, "the address of"},
		"not found": {"report.md", func(b []byte) []byte { return bytes.Replace(b, []byte("  Found: "), []byte("  Found: unknown, "), 1) }, "is unknown"},
		"counts":    {"metrics.json", func(b []byte) []byte { return right.ReplaceAll(b, []byte(`"right": 1`)) }, "does not add up"},
		"leak":      {"metrics.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"leaked": 0`), []byte(`"leaked": 2`), 1) }, "held-out texts occur"},
		"no json":   {"history.json", func([]byte) []byte { return []byte("{") }, "history.json"},
		"split":     {"history.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"train": `), []byte(`"train": 1`), 1) }, "do not add up"},
		"curve":     {"curve.svg", func(b []byte) []byte { return b[:len(b)/2] }, "curve.svg"},
		"empty":     {"model.json", func([]byte) []byte { return nil }, "model.json is empty"},
		"too good":  {"history.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"accuracy": 0`), []byte(`"accuracy": 7`), 1) }, "cannot be true"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(done.dir)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.file)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			after := c.change(bytes.Clone(before))
			if bytes.Equal(before, after) {
				t.Fatal("nothing was changed")
			}
			if err := os.WriteFile(path, after, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := demo.Check(dir, read); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if _, err := demo.Check(t.TempDir(), read); err == nil || !strings.Contains(err.Error(), "report.md") || !strings.Contains(err.Error(), "model.json") {
		t.Errorf("an empty folder: %v", err)
	}
}

// The programs use no syntax that is younger than Python 3.8.
func TestPythonSyntax(t *testing.T) {
	needPython(t)
	files, err := filepath.Glob("story/*.py")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "python3", "-c", "import ast,sys; ast.parse(sys.stdin.buffer.read().decode('utf-8'), feature_version=(3, 8))")
		cmd.Stdin = bytes.NewReader(source)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func fsOpen(fsys fs.FS, name string) error {
	f, err := fsys.Open(name)
	if err == nil {
		_ = f.Close()
	}
	return err
}

func scriptText(t *testing.T) []byte {
	t.Helper()
	raw, err := fs.ReadFile(demo.Scripts(), "demo.json")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
