package checkpoint_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/checkpoint"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// place is a workspace with its checkpoints.
type place struct {
	t interface {
		Helper()
		Fatal(args ...any)
		Fatalf(format string, args ...any)
	}
	dir, store, log string
	points          *checkpoint.Checkpoints
	warned          []string
	calls           int
}

func open(t testing.TB) *place {
	root := t.TempDir()
	p := &place{t: t, dir: filepath.Join(root, "work"), store: filepath.Join(root, "store"), log: filepath.Join(root, "log.jsonl")}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p.restart()
	return p
}

// restart is a new run of the program.
func (p *place) restart() {
	p.points = checkpoint.New(checkpoint.Options{
		Workspace: p.dir, Store: p.store, Log: p.log, Session: "s",
		Warn:  func(text string) { p.warned = append(p.warned, text) },
		Debug: func(text string) { p.t.Fatal(text) },
	})
}

func (p *place) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) remove(name string) { _ = os.Remove(filepath.Join(p.dir, name)) }

// read is a file's text, "-" where there is none.
func (p *place) read(name string) string {
	raw, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		return "-"
	}
	return string(raw)
}

// call lets a call of a turn do something.
func (p *place) call(turn string, do func()) *event.Checkpoint {
	p.calls++
	end := p.points.Begin(context.Background(), turn, tool.Risk{Effect: event.Once, Command: "x"}, fmt.Sprintf("call_%d", p.calls))
	do()
	return end(context.Background(), "bash")
}

func (p *place) undo(turns ...string) event.Restored {
	return p.points.Undo(context.Background(), turns)
}

func (p *place) redo(turns ...string) event.Restored {
	return p.points.Redo(context.Background(), turns)
}

func (p *place) want(name, text string) {
	p.t.Helper()
	if got := p.read(name); got != text {
		p.t.Fatalf("%s holds %q, want %q", name, got, text)
	}
}

// What the store keeps is for nobody else to read, whatever the umask is.
func TestStoreIsPrivate(t *testing.T) {
	p := open(t)
	p.write("secret.txt", "mine\n")
	p.call("turn_1", func() { p.write("secret.txt", "ours\n") })
	err := filepath.WalkDir(p.store, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Several sessions of one workspace may begin at the same moment.
func TestSessionsBeginTogether(t *testing.T) {
	p := open(t)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			points := checkpoint.New(checkpoint.Options{
				Workspace: p.dir, Store: p.store, Log: fmt.Sprintf("%s-%d", p.log, i), Session: fmt.Sprint("s", i),
				Warn: func(text string) { t.Error(text) }, Debug: func(text string) { t.Error(text) },
			})
			points.Begin(t.Context(), "turn_1", tool.Risk{Effect: event.Once, Command: "x"}, "call_1")(t.Context(), "bash")
		})
	}
	wait.Wait()
}

func TestUndoAndRedo(t *testing.T) {
	p := open(t)
	p.write("train.py", "lr = 1\nepochs = 3\n")
	p.write("notes.txt", "mine\n")
	got := p.call("turn_1", func() {
		p.write("train.py", "lr = 2\nepochs = 3\n")
		p.write("out/new.txt", "new\n")
		p.remove("notes.txt")
	})
	want := []event.FileChanged{
		{Path: "notes.txt", Change: "deleted", Removed: 1},
		{Path: "out/new.txt", Change: "added", Added: 1},
		{Path: "train.py", Change: "modified", Added: 1, Removed: 1},
	}
	if diff := cmp.Diff(want, got.Files); diff != "" {
		t.Error(diff)
	}
	text, err := p.points.Diff(t.Context(), got.Before, got.After)
	if err != nil || !strings.Contains(text, "-lr = 1\n+lr = 2\n") {
		t.Errorf("%q, %v", text, err)
	}
	p.restart()
	if diff := cmp.Diff(event.Restored{Files: []string{"notes.txt", "out/new.txt", "train.py"}}, p.undo("turn_1")); diff != "" {
		t.Error(diff)
	}
	p.want("train.py", "lr = 1\nepochs = 3\n")
	p.want("notes.txt", "mine\n")
	p.want("out/new.txt", "-")
	if _, err := os.Stat(filepath.Join(p.dir, "out")); err == nil {
		t.Error("the folder that was made stays")
	}
	if got := p.undo("turn_1"); len(got.Files) != 0 {
		t.Errorf("a second undo: %+v", got)
	}
	p.restart()
	if got := p.redo("turn_1"); len(got.Files) != 3 || got.Problem != "" {
		t.Errorf("redo: %+v", got)
	}
	p.want("train.py", "lr = 2\nepochs = 3\n")
	p.want("notes.txt", "-")
	if got := p.redo("turn_1"); len(got.Files) != 0 {
		t.Errorf("a second redo: %+v", got)
	}
}

func TestNothingChanged(t *testing.T) {
	p := open(t)
	p.write("a", "1")
	if got := p.call("turn_1", func() {}); got != nil {
		t.Errorf("%+v", got)
	}
	end := p.points.Begin(t.Context(), "turn_1", tool.Risk{Effect: event.Read, Command: "cat a"}, "c")
	p.write("a", "2")
	if got := end(t.Context(), "bash"); got != nil {
		t.Errorf("a reading call has changed %+v", got)
	}
}

// What somebody else has changed is never overwritten.
func TestConflicts(t *testing.T) {
	p := open(t)
	p.write("a", "1")
	p.write("b", "1")
	p.call("turn_1", func() { p.write("a", "2"); p.write("b", "2") })
	p.write("b", "mine") // after the last change
	if diff := cmp.Diff(event.Restored{Files: []string{"a"}, Conflicts: []string{"b"}}, p.undo("turn_1")); diff != "" {
		t.Error(diff)
	}
	p.want("a", "1")
	p.want("b", "mine")

	// In between: what came after the person's change goes back, that stays.
	p = open(t)
	p.write("a", "1")
	p.call("turn_1", func() { p.write("a", "2") })
	p.write("a", "mine")
	p.call("turn_2", func() { p.write("a", "3") })
	if diff := cmp.Diff(event.Restored{Conflicts: []string{"a"}}, p.undo("turn_1", "turn_2")); diff != "" {
		t.Error(diff)
	}
	p.want("a", "mine")
}

// Of calls that run side by side every change is one call's.
func TestParallelCalls(t *testing.T) {
	p := open(t)
	ctx := t.Context()
	risk := tool.Risk{Effect: event.Once, Command: "x"}
	first := p.points.Begin(ctx, "turn_1", risk, "one")
	p.write("a", "1")
	second := p.points.Begin(ctx, "turn_1", risk, "two")
	p.write("b", "1")
	two := second(ctx, "bash")
	p.write("c", "1")
	one := first(ctx, "bash")
	names := func(c *event.Checkpoint) string {
		var all []string
		for _, f := range c.Files {
			all = append(all, f.Path)
		}
		return strings.Join(all, " ")
	}
	if names(one) != "a c" || names(two) != "b" {
		t.Errorf("one has changed %s, two %s", names(one), names(two))
	}
	if got := p.undo("turn_1"); len(got.Files) != 3 {
		t.Errorf("%+v", got)
	}
}

// Neither attributes nor links nor large files of the workspace lead anywhere.
func TestHostileWorkspace(t *testing.T) {
	p := open(t)
	outside := t.TempDir()
	p.write(".gitattributes", "* text eol=crlf filter=evil\n")
	p.write(".gitignore", "secret\n")
	p.write("a", "x\r\ny\n")
	p.write("secret", "s")
	p.write("d/f", "in")
	if err := os.Symlink(outside, filepath.Join(p.dir, "link")); err != nil {
		t.Fatal(err)
	}
	got := p.call("turn_1", func() {
		p.write("a", "changed\r\n")
		p.write("secret", "t")
		p.write("model.bin", strings.Repeat("m", 100))
		p.write("big.txt", strings.Repeat("b", 11<<20))
		p.write("d/f", "changed")
	})
	if len(got.Files) != 2 {
		t.Errorf("%+v", got.Files)
	}
	// The folder becomes a link to a place outside.
	if err := os.RemoveAll(filepath.Join(p.dir, "d")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "f"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(p.dir, "d")); err != nil {
		t.Fatal(err)
	}
	p.undo("turn_1")
	p.want("a", "x\r\ny\n")
	if raw, _ := os.ReadFile(filepath.Join(outside, "f")); string(raw) != "changed" {
		t.Errorf("a file outside was written: %q", raw)
	}
	p.want("secret", "t")
}

func TestHomeIsNoWorkspace(t *testing.T) {
	p := open(t)
	t.Setenv("HOME", p.dir)
	p.call("turn_1", func() { p.write("a", "1") })
	if len(p.warned) != 1 || !strings.Contains(p.warned[0], "no project") {
		t.Errorf("%q", p.warned)
	}
	if got := p.undo("turn_1"); len(got.Files) != 0 {
		t.Errorf("%+v", got)
	}
}

// Whatever calls and people do: an undo of everything brings each file back to
// what it was, or to what a person made of it last, and a redo takes that back.
func TestAnyEdits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := open(t)
		p.t = rt
		names := []string{"a", "b", "d/c"}
		touched := map[string]bool{} // by a person, after the first call
		var turns []string
		for _, n := range names {
			if rapid.Bool().Draw(rt, "there") {
				p.write(n, "start "+n)
			}
		}
		start := map[string]string{}
		for _, n := range names {
			start[n] = p.read(n)
		}
		edit := func(who string, i int) string {
			n := rapid.SampledFrom(names).Draw(rt, "file")
			if rapid.Bool().Draw(rt, "remove") {
				p.remove(n)
			} else {
				p.write(n, fmt.Sprintf("%s %d", who, i))
			}
			return n
		}
		mine := map[string]string{}
		for i := range rapid.IntRange(1, 6).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "call") {
				turn := fmt.Sprintf("turn_%d", i)
				turns = append(turns, turn)
				p.call(turn, func() { edit("agent", i) })
			} else {
				then := map[string]string{}
				for _, n := range names {
					then[n] = p.read(n)
				}
				if n := edit("person", i); p.read(n) != then[n] {
					touched[n], mine[n] = true, p.read(n)
				}
			}
		}
		before := map[string]string{}
		for _, n := range names {
			before[n] = p.read(n)
		}
		r := p.undo(turns...)
		if r.Problem != "" {
			rt.Fatal(r.Problem)
		}
		for _, n := range names {
			switch got := p.read(n); {
			case touched[n] && got != mine[n] && got != start[n]:
				rt.Fatalf("%s holds %q: neither what a person made of it, %q, nor the start", n, got, mine[n])
			case !touched[n] && got != start[n]:
				rt.Fatalf("%s holds %q, want %q", n, got, start[n])
			}
		}
		p.redo(turns...)
		for _, n := range names {
			if got := p.read(n); len(r.Files)+len(r.Conflicts) > 0 && got != before[n] {
				rt.Fatalf("after the redo %s holds %q, want %q", n, got, before[n])
			}
		}
	})
}
