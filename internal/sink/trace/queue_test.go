package trace_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

// The variables that make the test program another process.
const (
	markEnv = "TRACE_TEST_MARK" // marks sessions in this queue
	killEnv = "TRACE_TEST_KILL" // sends from this queue and is killed before it can note that
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(markEnv) != "":
		markMany(os.Getenv(markEnv))
		return
	case os.Getenv(killEnv) != "":
		sendAndDie(os.Getenv(killEnv))
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	marks   = 40
	writers = 3
)

// markMany marks sessions that others mark too, each event once.
func markMany(dir string) {
	q := trace.OpenQueue(dir)
	from, _ := strconv.Atoi(os.Getenv("TRACE_TEST_FROM"))
	for i := range marks {
		session := fmt.Sprint("s", i%4)
		if err := q.Mark(context.Background(), session, trace.Wanted{Kind: trace.Personal, User: "ann"}, int64(from+i*writers)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// Several processes change the same entries, and none loses what another has
// noted.
func TestSeveralProcesses(t *testing.T) {
	dir := t.TempDir()
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), markEnv+"="+dir, "TRACE_TEST_FROM="+strconv.Itoa(i+1))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wait.Wait()
	q := trace.OpenQueue(dir)
	for i := range 4 {
		record, ok, err := q.Load(fmt.Sprint("s", i))
		want := int64(writers + (marks-4+i)*writers)
		if err != nil || !ok || record.Items[trace.Personal].Want != want {
			t.Errorf("%+v, want %d, %v", record, want, err)
		}
	}
	if due, err := q.Due(); err != nil || len(due) != 4 {
		t.Errorf("%v %v", due, err)
	}
	left, err := filepath.Glob(dir + "/.*.tmp")
	if err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
}

// sendAndDie sends a session to a file and is gone before that is noted.
func sendAndDie(dir string) {
	w := worldIn(&testing.T{}, dir)
	w.turn(id, "hi", "hello")
	w.fail = func(int) error {
		if err := os.WriteFile(dir+"/hub", []byte("sent"), 0o600); err != nil {
			fmt.Println(err)
		}
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		fmt.Println(err)
		select {}
	}
	u := w.open()
	if err := u.Queue().Mark(context.Background(), id, trace.Wanted{Kind: trace.Personal, User: "ann"}, 3); err != nil {
		fmt.Println(err)
		return
	}
	u.Send(context.Background(), id, false)
}

// A process that is killed between the commit and the note of it leaves the
// session due: the next start looks at it again, and holds no lock of the dead.
func TestKilledBeforeTheNote(t *testing.T) {
	w := newWorld(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+w.dir)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || len(out) > 0 {
		t.Fatalf("it was not killed: %v %s", err, out)
	}
	if _, err := os.Stat(w.dir + "/hub"); err != nil {
		t.Fatal(err)
	}
	if w.due() != id || w.item().Done != 0 {
		t.Fatalf("due %q, %+v", w.due(), w.item())
	}
	w.turn(id, "hi", "hello")
	if err := w.open().Finish(t.Context()); err != nil || len(w.puts()) != 1 || w.due() != "" {
		t.Errorf("%+v, due %q, %v", w.puts(), w.due(), err)
	}
}

// However marks and uploads mix, an upload that began earlier never takes what
// came later for done, and in the end everything is sent.
func TestStaleUploadsNeverWin(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		u := w.open()
		turns := 0
		say := func() {
			turns++
			w.turn(id, fmt.Sprint("question ", turns, "."), "answer")
			if err := u.Queue().Mark(context.Background(), id, trace.Wanted{Kind: trace.Personal, User: "ann"}, int64(len(w.logs[id]))); err != nil {
				rt.Fatal(err)
			}
		}
		w.fail = func(int) error { // while it is being sent, more happens
			for range rapid.IntRange(0, 2).Draw(rt, "meanwhile") {
				say()
			}
			if rapid.Bool().Draw(rt, "fails") {
				return errors.New("no luck")
			}
			return nil
		}
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "say") {
				say()
			}
			u.Send(context.Background(), id, true)
			sent := w.puts()
			if i := w.item(); i.Done >= int64(len(w.logs[id])) && turns > 0 && (len(sent) == 0 || !strings.Contains(sent[len(sent)-1].text, fmt.Sprint("question ", turns, "."))) {
				rt.Fatalf("done up to %d, but the last question was not sent", i.Done)
			}
		}
		w.fail = nil
		u.Send(context.Background(), id, true)
		if turns > 0 && (w.due() != "" || !strings.Contains(w.sent[len(w.sent)-1].text, fmt.Sprint("question ", turns, "."))) {
			rt.Fatalf("due %q, %+v", w.due(), w.item())
		}
	})
}

// A spoiled file is made anew.
func TestSpoiledFiles(t *testing.T) {
	w := newWorld(t)
	w.turn(id, "hi", "hello")
	u := w.open()
	if err := u.Queue().Mark(t.Context(), id, trace.Wanted{Kind: trace.Personal, User: "ann"}, 3); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{id + ".upload.json", "places.json"} {
		if err := os.WriteFile(filepath.Join(w.dir, "uploads", name), []byte(`{"uplo`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.Queue().Mark(t.Context(), id, trace.Wanted{Kind: trace.Personal, User: "ann"}, 5); err != nil {
		t.Fatal(err)
	}
	if out := u.Send(t.Context(), id, false)[0]; !out.Sent || w.item().Done == 0 {
		t.Errorf("%+v", out)
	}
}

func TestFilesAreForTheirOwner(t *testing.T) {
	w := newWorld(t)
	w.turn(id, "hi", "hello")
	u := w.open()
	if err := u.Queue().Mark(t.Context(), id, trace.Wanted{Kind: trace.Personal, User: "ann"}, 3); err != nil {
		t.Fatal(err)
	}
	u.Send(t.Context(), id, false)
	err := filepath.Walk(w.dir+"/uploads", func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Hold lets one at a time write a session's file, and waits for nobody where
// nothing is known of the session.
func TestHold(t *testing.T) {
	q := trace.OpenQueue(t.TempDir())
	q.Hold(id)() // there is nothing to hold
	if err := q.Mark(t.Context(), id, trace.Wanted{Kind: trace.Personal, User: ""}, 1); err != nil {
		t.Fatal(err)
	}
	release := q.Hold(id)
	got := make(chan time.Time)
	go func() {
		q.Hold(id)()
		got <- time.Now()
	}()
	time.Sleep(20 * time.Millisecond)
	let := time.Now()
	release()
	if at := <-got; at.Before(let) {
		t.Error("two had it")
	}
}
