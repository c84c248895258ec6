package store_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/engine/journal/journaltest"
)

const holdEnv = "STORE_TEST_HOLD" // "<root> <session>": be the process that holds it

func TestMain(m *testing.M) {
	if root, id, ok := strings.Cut(os.Getenv(holdEnv), " "); ok {
		hold(root, id)
		return
	}
	os.Exit(m.Run())
}

// hold takes a session, says so and keeps it until its input ends.
func hold(root, id string) {
	s, err := store.New(store.Options{Root: root})
	if err == nil {
		err = s.Append(context.Background(), id, 0, journaltest.Events(id, 1, 3))
	}
	fmt.Println("ready", err)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

func open(t testing.TB, root string) *store.Store {
	t.Helper()
	s, err := store.New(store.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	journaltest.Run(t, journaltest.Options{
		Persistent: true,
		Open: func(dir string) (journal.Store, func() error, error) {
			s, err := store.New(store.Options{Root: dir})
			if err != nil {
				return nil, nil, err
			}
			return s, s.Close, nil
		},
	})
}

func TestRootIsNeeded(t *testing.T) {
	if _, err := store.New(store.Options{}); err == nil || !strings.Contains(err.Error(), "Root") {
		t.Errorf("error is %v", err)
	}
}

func TestOnlyUUIDsBecomePaths(t *testing.T) {
	root := t.TempDir()
	s := open(t, filepath.Join(root, "sessions"))
	for _, id := range []string{"", "..", "../x", "a/b", "urn:uuid:" + uuid.NewString(), strings.ToUpper(uuid.NewString()), "{" + uuid.NewString() + "}"} {
		if err := s.Append(t.Context(), id, 0, journaltest.Events(id, 1, 1)); err == nil {
			t.Errorf("session id %q was accepted", id)
		}
		if _, err := s.Read(t.Context(), id, 0, 0); err == nil {
			t.Errorf("session id %q was read", id)
		}
		if err := s.Remove(t.Context(), id); err == nil {
			t.Errorf("session id %q was removed", id)
		}
	}
	if left, _ := os.ReadDir(root); len(left) != 0 {
		t.Errorf("something was created: %v", left)
	}
}

func number(t testing.TB, session string, first int64, ps ...event.Payload) []event.Event {
	t.Helper()
	out := make([]event.Event, len(ps))
	for i, p := range ps {
		ev, err := event.New(session, "", time.Now(), p)
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = first + int64(i)
		out[i] = ev
	}
	return out
}

// Acceptance check 24 of the command line: a session without a person's
// message leaves nothing on disk.
func TestCheck24_NothingSaidLeavesNoFolder(t *testing.T) {
	root := filepath.Join(t.TempDir(), "sessions")
	s, id := open(t, root), uuid.NewString()
	ctx := t.Context()
	quiet := number(t, id, 1,
		event.Ready{},
		event.HistoryMessage{MessageID: "msg_1", Message: llm.Message{Role: llm.System, Text: "you are"}},
		event.HistoryMessage{MessageID: "msg_2", Message: llm.Message{Role: llm.User, Text: "[SYSTEM: note]", Synthetic: true}},
		event.Shutdown{})
	if err := s.Append(ctx, id, 0, quiet); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder exists: %v", err)
	}
	got, err := s.Read(ctx, id, 1, 2)
	if err != nil || len(got) != 2 || got[0].Seq != 2 {
		t.Errorf("held events read as %v, %v", got, err)
	}
	if err := s.Release(id); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.Sessions(); err != nil || len(ids) != 0 {
		t.Errorf("sessions: %v, %v", ids, err)
	}
}

func TestFirstMessageWritesWhatWasHeld(t *testing.T) {
	for name, spoken := range map[string]event.Payload{
		"accepted input":   event.InputAccepted{Text: "hi"},
		"user message":     event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: "hi"}},
		"imported history": event.HistoryRewritten{Reason: "resume", Messages: []llm.Message{{Role: llm.User, Text: "hi"}}},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "sessions")
			s, id := open(t, root), uuid.NewString()
			want := number(t, id, 1, event.Ready{}, event.Processing{}, spoken)
			if err := s.Append(t.Context(), id, 0, want[:2]); err != nil {
				t.Fatal(err)
			}
			if err := s.Append(t.Context(), id, 0, want[2:]); err != nil {
				t.Fatal(err)
			}
			if err := s.Release(id); err != nil {
				t.Fatal(err)
			}
			got, err := s.Read(t.Context(), id, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCreateWritesAtOnce(t *testing.T) {
	s, id := open(t, t.TempDir()), uuid.NewString()
	if err := s.Append(t.Context(), id, 0, number(t, id, 1, event.Ready{})); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	path, _ := s.JournalPath(id)
	if raw, err := os.ReadFile(path); err != nil || bytes.Count(raw, []byte("\n")) != 1 {
		t.Errorf("%q, %v", raw, err)
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	root := filepath.Join(t.TempDir(), "sessions")
	s, id := open(t, root), uuid.NewString()
	if err := s.Append(t.Context(), id, 0, journaltest.Events(id, 1, 1)); err != nil {
		t.Fatal(err)
	}
	c, err := s.Cursor("trace")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Save(id, 1); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// written returns the journal of a session with n events, written and released.
func written(t *testing.T, root string, n int) (id, path string, lines [][]byte) {
	t.Helper()
	s, id := open(t, root), uuid.NewString()
	if err := s.Append(t.Context(), id, 0, journaltest.Events(id, 1, n)); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(id); err != nil {
		t.Fatal(err)
	}
	path, _ = s.JournalPath(id)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return id, path, bytes.SplitAfter(bytes.TrimSuffix(raw, nil), []byte("\n"))
}

func TestTornLastLineIsCut(t *testing.T) {
	for name, tail := range map[string]string{
		"half a line":       `{"seq":5,"timestamp":"2026-01-01T0`,
		"whole but for end": `{"seq":5,"timestamp":"2026-01-01T00:00:00.000Z","session_id":"x","event_type":"ready","data":{}}`,
		"zeros":             strings.Repeat("\x00", 300),
		"zeros and an end":  strings.Repeat("\x00", 300) + "\n",
		"garbage, ended":    `{"seq":5,"timest` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			id, path, lines := written(t, root, 4)
			good := bytes.Join(lines, nil)
			if err := os.WriteFile(path, append(bytes.Clone(good), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, root)
			if got, err := s.Read(t.Context(), id, 0, 0); err != nil || len(got) != 4 {
				t.Fatalf("a reader sees %d events, %v; want 4", len(got), err)
			}
			if err := s.Acquire(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if raw, _ := os.ReadFile(path); !bytes.Equal(raw, good) {
				t.Errorf("the journal is %q", raw)
			}
			if err := s.Append(t.Context(), id, 0, journaltest.Events(id, 5, 1)); err != nil {
				t.Fatal(err)
			}
			got, err := s.Read(t.Context(), id, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(journaltest.Events(id, 1, 5), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadLineElsewhereRefusesTheSession(t *testing.T) {
	for name, spoil := range map[string]func(lines [][]byte) [][]byte{
		"not JSON":      func(l [][]byte) [][]byte { l[2] = []byte("{oops\n"); return l },
		"empty":         func(l [][]byte) [][]byte { l[2] = []byte("\n"); return l },
		"a gap":         func(l [][]byte) [][]byte { return append(l[:2:2], l[3:]...) },
		"twice":         func(l [][]byte) [][]byte { l[2] = l[1]; return l },
		"no event type": func(l [][]byte) [][]byte { l[2] = []byte(`{"seq":3,"data":{}}` + "\n"); return l },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			id, path, lines := written(t, root, 6)
			before := bytes.Join(spoil(lines), nil)
			if err := os.WriteFile(path, before, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, root)
			var bad *store.LineError
			if err := s.Acquire(t.Context(), id); !errors.As(err, &bad) || bad.Line != 3 || bad.Path != path {
				t.Fatalf("error is %v, want one that names line 3 of %s", err, path)
			}
			if !strings.Contains(bad.Error(), "line 3") || !strings.Contains(bad.Error(), path) {
				t.Errorf("text is %q", bad.Error())
			}
			if _, err := s.Read(t.Context(), id, 0, 0); !errors.As(err, &bad) {
				t.Errorf("read: %v", err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the damaged journal was changed")
			}
			other := open(t, root) // the refusal has released the lock
			if err := other.Acquire(t.Context(), id); !errors.As(err, &bad) {
				t.Errorf("second opening: %v", err)
			}
		})
	}
}

func TestForeignJournalIsRefused(t *testing.T) {
	root := t.TempDir()
	id, path, _ := written(t, root, 2)
	other := uuid.NewString()
	if err := os.Rename(filepath.Dir(path), filepath.Join(root, other)); err != nil {
		t.Fatal(err)
	}
	if err := open(t, root).Acquire(t.Context(), other); err == nil || !strings.Contains(err.Error(), id) {
		t.Errorf("error is %v", err)
	}
}

func TestLockNamesTheOtherProcess(t *testing.T) {
	root, id := t.TempDir(), uuid.NewString()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+root+" "+id)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready <nil>\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}

	s := open(t, root)
	var held *store.HeldError
	for name, err := range map[string]error{
		"acquire": s.Acquire(t.Context(), id),
		"append":  s.Append(t.Context(), id, 0, journaltest.Events(id, 4, 1)),
		"remove":  s.Remove(t.Context(), id),
	} {
		if !errors.As(err, &held) || held.PID != cmd.Process.Pid || held.SessionID != id {
			t.Errorf("%s: %v, want one held by process %d", name, err, cmd.Process.Pid)
		}
	}
	if got, err := s.Read(t.Context(), id, 0, 0); err != nil || len(got) != 3 {
		t.Errorf("reading a held session: %d events, %v", len(got), err)
	}
	if pid, held := s.Held(id); !held || pid != cmd.Process.Pid {
		t.Errorf("held is %v by %d", held, pid)
	}
	if removed, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil || len(removed) != 0 {
		t.Errorf("the sweep took %v, %v", removed, err)
	}

	if err := cmd.Process.Kill(); err != nil { // a crash leaves no stale lock
		t.Fatal(err)
	}
	_ = stdin.Close()
	_ = cmd.Wait() // it was killed
	if pid, held := s.Held(id); held {
		t.Errorf("after the crash it is held by %d", pid)
	}
	if err := s.Acquire(t.Context(), id); err != nil {
		t.Errorf("after the crash: %v", err)
	}
}

func TestReleaseEndsTheLock(t *testing.T) {
	root := t.TempDir()
	a, b, id := open(t, root), open(t, root), uuid.NewString()
	if err := a.Append(t.Context(), id, 0, journaltest.Events(id, 1, 1)); err != nil {
		t.Fatal(err)
	}
	var held *store.HeldError
	if err := b.Acquire(t.Context(), id); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Fatalf("error is %v", err)
	}
	for _, one := range []*store.Store{a, b} {
		if pid, held := one.Held(id); !held || pid != os.Getpid() {
			t.Errorf("held is %v by %d", held, pid)
		}
	}
	if err := a.Release(id); err != nil {
		t.Fatal(err)
	}
	// The process lives on, and has let go.
	if _, held := b.Held(id); held {
		t.Error("a released session is held")
	}
	if _, held := b.Held(uuid.NewString()); held {
		t.Error("a session that is not there is held")
	}
	if err := b.Append(t.Context(), id, 0, journaltest.Events(id, 2, 1)); err != nil {
		t.Error(err)
	}
}

func TestSweepRemovesOnlyTheOld(t *testing.T) {
	root := t.TempDir()
	old, path, _ := written(t, root, 3) // events of January 2026
	if err := os.MkdirAll(filepath.Join(filepath.Dir(path), "spill"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, young := open(t, root), uuid.NewString()
	if err := s.Append(t.Context(), young, 0, number(t, young, 1, event.InputAccepted{Text: "hi"})); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(young); err != nil {
		t.Fatal(err)
	}
	removed, err := s.Sweep(t.Context(), time.Now().Add(-time.Hour))
	if err != nil || len(removed) != 1 || removed[0] != old {
		t.Fatalf("removed %v, %v; want %s", removed, err, old)
	}
	ids, err := s.Sessions()
	if err != nil || len(ids) != 1 || ids[0] != young {
		t.Errorf("left: %v, %v", ids, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of the old one: %v", err)
	}
}

func TestCursor(t *testing.T) {
	s, id := open(t, t.TempDir()), uuid.NewString()
	for _, name := range []string{"", "../x", "a/b", ".x"} {
		if _, err := s.Cursor(name); err == nil {
			t.Errorf("cursor name %q was accepted", name)
		}
	}
	c, err := s.Cursor("trace")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Save(id, 3); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Load(id); err != nil || got != 0 {
		t.Errorf("a session in memory has cursor %d, %v", got, err)
	}
	if err := s.Append(t.Context(), id, 0, journaltest.Events(id, 1, 9)); err != nil {
		t.Fatal(err)
	}
	for _, seq := range []int64{3, 9} {
		if err := c.Save(id, seq); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Load(id); err != nil || got != seq {
			t.Errorf("cursor is %d, %v; want %d", got, err, seq)
		}
	}
	path, _ := s.JournalPath(id)
	if names, _ := os.ReadDir(filepath.Join(filepath.Dir(path), "cursors")); len(names) != 1 {
		t.Errorf("files beside the cursor: %v", names)
	}
}

// big is a journal of 10,000 events as a session leaves it.
func big(b *testing.B) (root, id string) {
	root, id = b.TempDir(), uuid.NewString()
	s := open(b, root)
	if err := s.Append(b.Context(), id, 0, journaltest.Events(id, 1, 10_000)); err != nil {
		b.Fatal(err)
	}
	if err := s.Release(id); err != nil {
		b.Fatal(err)
	}
	return root, id
}

// BenchmarkRead10000 has a goal of 100 ms.
func BenchmarkRead10000(b *testing.B) {
	root, id := big(b)
	s := open(b, root)
	for b.Loop() {
		if got, err := s.Read(b.Context(), id, 0, 0); err != nil || len(got) != 10_000 {
			b.Fatal(len(got), err)
		}
	}
}

// BenchmarkOpen10000 is taking the session and following it from the start.
func BenchmarkOpen10000(b *testing.B) {
	root, id := big(b)
	for b.Loop() {
		s := open(b, root)
		j, err := journal.Open(b.Context(), journal.Options{Store: s, SessionID: id})
		if err != nil {
			b.Fatal(err)
		}
		j.Close()
		n := 0
		for _, err := range j.Follow(b.Context(), 0) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 10_000 {
			b.Fatal(n)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	s, id := open(b, b.TempDir()), uuid.NewString()
	if err := s.Append(b.Context(), id, 0, journaltest.Events(id, 1, 1)); err != nil {
		b.Fatal(err)
	}
	seq := int64(1)
	for b.Loop() {
		seq++
		if err := s.Append(b.Context(), id, 0, journaltest.Events(id, seq, 1)); err != nil {
			b.Fatal(err)
		}
	}
}
