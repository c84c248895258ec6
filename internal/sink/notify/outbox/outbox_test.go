package outbox_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/sink/notify/outbox"
)

var here, there = outbox.Destination{Name: "slack.ops", Key: "1"}, outbox.Destination{Name: "slack.ops", Key: "2"}

func message(n int) messaging.Message {
	return messaging.Message{ID: fmt.Sprintf("m%d", n), Time: time.Now(), Severity: messaging.Info, Text: fmt.Sprintf("text %d", n), Session: "s"}
}

func open(dir string) *outbox.Outbox { return outbox.New(dir, slog.New(slog.DiscardHandler)) }

// drain takes everything for a destination.
func drain(o *outbox.Outbox, to outbox.Destination) (ids []string) {
	for {
		e, _, ok := o.Next(to, true)
		if !ok {
			return ids
		}
		ids = append(ids, e.Message.ID)
		o.Done(e, true)
	}
}

func TestTheNextRunInheritsWhatIsItsOwn(t *testing.T) {
	dir := t.TempDir()
	first := open(dir)
	for n := range 3 {
		first.Put(here, message(n))
		first.Put(there, message(10+n))
	}
	e, _, _ := first.Next(here, false)
	first.Done(e, true)
	e, _, _ = first.Next(here, false)
	e.Message.Posts, e.Message.Thread = 2, "1.2"
	first.Keep(e)
	// A process that runs keeps what it has.
	other := open(dir)
	other.Inherit([]outbox.Destination{here, there})
	if got := drain(other, here); len(got) != 0 {
		t.Errorf("taken from a process that runs: %q", got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(dir)
	second.Inherit([]outbox.Destination{here})
	if n := second.Waiting(there); n != 0 {
		t.Errorf("taken from another destination: %d", n)
	}
	second.Put(here, message(5))
	second.Put(here, message(2)) // it waits already
	e, _, _ = second.Next(here, false)
	if e.Message.Posts != 2 || e.Message.Thread != "1.2" {
		t.Errorf("progress is lost: %+v", e.Message)
	}
	second.Keep(e)
	if diff := cmp.Diff([]string{"m1", "m2", "m5"}, drain(second, here)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	third := open(dir)
	third.Inherit([]outbox.Destination{here, there})
	if diff := cmp.Diff([]string{"m10", "m11", "m12"}, drain(third, there)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestBrokenFilesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "20200101T000000-x")
	if err := os.MkdirAll(run, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"000000000001-a": "{", "000000000002-a": "", ".new-000000000003-a": "{}", "000000000004-a": `{"to":{"Name":"slack.ops","Key":"1"},"message":{"time":"2020-01-01T00:00:00Z"}}`,
	} {
		if err := os.WriteFile(filepath.Join(run, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := open(dir)
	o.Inherit([]outbox.Destination{here})
	if n := o.Waiting(here); n != 0 {
		t.Errorf("taken: %d", n)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestFilesAreTheOwners(t *testing.T) {
	dir := t.TempDir()
	o := open(dir)
	o.Put(here, message(1))
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	for _, f := range append(files, filepath.Dir(files[0])) {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm()&0o077 != 0 && filepath.Base(f) != "lock" {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutDiskNothingIsWritten(t *testing.T) {
	o := open("")
	o.Put(here, message(1))
	o.Inherit([]outbox.Destination{here})
	if got := drain(o, here); !cmp.Equal(got, []string{"m1"}) {
		t.Errorf("got %q", got)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
}

// Many processes begin at once: each message goes to one of them.
func TestOnlyOneInherits(t *testing.T) {
	dir := t.TempDir()
	first := open(dir)
	for n := range 50 {
		first.Put(here, message(n))
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wait sync.WaitGroup
	seen := map[string]int{}
	for range 8 {
		wait.Go(func() {
			o := open(dir)
			o.Inherit([]outbox.Destination{here})
			got := drain(o, here)
			mu.Lock()
			defer mu.Unlock()
			for _, id := range got {
				seen[id]++
			}
			if err := o.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if len(seen) != 50 {
		t.Errorf("%d of 50 messages", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was taken %d times", id, n)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestThreads(t *testing.T) {
	dir := t.TempDir()
	a, b := outbox.NewThreads(dir), outbox.NewThreads(dir)
	if err := a.Begin("s1", here, "1.1"); err != nil {
		t.Fatal(err)
	}
	if err := b.Begin("s1", here, "2.2"); err != nil {
		t.Fatal(err)
	}
	if a.Of("s1", here) != "1.1" || b.Of("s1", here) != "1.1" || b.Of("s1", there) != "" || b.Of("s2", here) != "" {
		t.Errorf("threads: %q %q %q", a.Of("s1", here), b.Of("s1", here), b.Of("s1", there))
	}
	if err := a.Begin("../../x", here, "3.3"); err != nil || a.Of("../../x", here) != "3.3" {
		t.Errorf("an odd id: %v", err)
	}
	files, _ := os.ReadDir(filepath.Join(dir, "threads"))
	if len(files) != 1 {
		t.Errorf("files: %v", files)
	}
	old := time.Now().Add(-40 * 24 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "threads", files[0].Name()), old, old); err != nil {
		t.Fatal(err)
	}
	a.Forget()
	if outbox.NewThreads(dir).Of("s1", here) != "" {
		t.Error("an old thread is remembered")
	}
	m := outbox.NewThreads("")
	if err := m.Begin("s1", here, "1.1"); err != nil || m.Of("s1", here) != "1.1" {
		t.Errorf("in memory: %v", err)
	}
}
