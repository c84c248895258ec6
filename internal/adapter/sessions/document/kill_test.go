package document_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

const sessionID = "a1b2c3d4-0000-4000-8000-000000000001"

// saveEnv makes the test program save a session again and again to this path.
const saveEnv = "SESSIONS_TEST_SAVE"

func TestMain(m *testing.M) {
	if path := os.Getenv(saveEnv); path != "" {
		d := document.Document{SessionID: sessionID, Messages: []llm.Message{{Role: llm.User, Text: strings.Repeat("long ", 200_000)}}}
		for {
			if err := d.Save(path, time.Now()); err != nil {
				fmt.Println(err)
				return
			}
		}
	}
	os.Exit(m.Run())
}

// Acceptance check 23 of the command line: the process is killed only once it
// is known to be saving, again and again, so that no machine is too slow for
// the kill to meet a save.
func TestCheck23_KilledInTheMiddle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.json")
	first := document.Document{SessionID: sessionID, Messages: []llm.Message{{Role: llm.User, Text: "x"}}}
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
		if d, err := document.Read(path); err != nil || d.SessionID != sessionID || len(d.Messages) != 1 || len(d.Messages[0].Text) < 1000 {
			t.Fatalf("after kill %d: %v", i, err)
		}
	}
}

// Acceptance check 23 of the command line: a process killed while it saves
// leaves the previous file.
func TestCheck23_KilledWhileSaving(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.json")
	if err := (document.Document{SessionID: sessionID, Messages: []llm.Message{{Role: llm.User, Text: "x"}}}).Save(path, time.Now()); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(40+i*17)*time.Millisecond)
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), saveEnv+"="+path)
		_ = cmd.Run() // it is killed
		cancel()
		if d, err := document.Read(path); err != nil || d.SessionID != sessionID || len(d.Messages) != 1 {
			t.Fatalf("after a kill: %v", err)
		}
	}
}
