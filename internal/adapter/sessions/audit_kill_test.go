package sessions_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Acceptance check 23 of the command line: the process is killed only once it
// is known to be saving, again and again, so that no machine is too slow for
// the kill to meet a save.
func TestCheck23_KilledInTheMiddle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.json")
	first := sessions.Document{SessionID: idA, Messages: []llm.Message{{Role: llm.User, Text: "x"}}}
	if err := first.Save(path, time.Now()); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), saveEnv+"="+path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		saved := false
		for end := time.Now().Add(20 * time.Second); !saved && time.Now().Before(end); time.Sleep(200 * time.Microsecond) {
			now, err := os.Stat(path)
			saved = err == nil && !os.SameFile(before, now)
		}
		time.Sleep(time.Duration(i) * 60 * time.Millisecond) // into one of the next saves
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if !saved {
			t.Fatal("nothing was saved before the kill")
		}
		if d, err := sessions.ReadDocument(path); err != nil || d.SessionID != idA || len(d.Messages) != 1 || len(d.Messages[0].Text) < 1000 {
			t.Fatalf("after kill %d: %v", i, err)
		}
	}
}
