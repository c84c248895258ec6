package files_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/files"
)

// restart gives the desk tools that know nothing, as after a crash.
func (d *desk) restart() {
	d.t.Helper()
	f, err := newTools(local.Options{Dir: d.dir, Python: func() string { return "" }, SpillDir: func(string) string { return d.dir }})
	if err != nil {
		d.t.Fatal(err)
	}
	d.files = f
}

func (d *desk) intent(k tool.KeyedTool, args string) json.RawMessage {
	d.t.Helper()
	in, err := k.Intent(d.t.Context(), d.env, json.RawMessage(args))
	if err != nil {
		d.t.Fatal(err)
	}
	return in
}

func (d *desk) recovered(k tool.KeyedTool, args string, in json.RawMessage, want tool.Outcome) tool.Result {
	d.t.Helper()
	got, r, err := k.Recover(d.t.Context(), d.env, json.RawMessage(args), in)
	if err != nil || got != want {
		d.t.Errorf("outcome %v, error %v, want %v", got, err, want)
	}
	return r
}

func TestRecoverEdit(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "one\r\n")
	good(t, d.read("a.txt"))
	const args = `{"path":"a.txt","old_str":"one\n","new_str":"two\nthree\n"}`
	in := d.intent(d.files.Edit(), args)
	d.has("a.txt", "one\r\n") // an intent changes nothing

	d.restart() // before the effect: the call runs, and need not read again
	d.recovered(d.files.Edit(), args, in, tool.NotHappened)
	good(t, d.run(d.files.Edit(), json.RawMessage(args)))
	d.has("a.txt", "two\r\nthree\r\n")

	d.restart() // after it
	good(t, d.recovered(d.files.Edit(), args, in, tool.Happened), "before the program restarted")
	good(t, d.edit("a.txt", "two", "2")) // the session knows the file

	d.restart() // something else happened
	d.recovered(d.files.Edit(), args, in, tool.Unknown)
	bad(t, d.edit("a.txt", "2", "3"), "not read")
}

func TestRecoverWriteOfANewFile(t *testing.T) {
	d := newDesk(t)
	const args = `{"path":"sub/new.txt","content":"x"}`
	in := d.intent(d.files.Write(), args)
	d.restart()
	d.recovered(d.files.Write(), args, in, tool.NotHappened)
	good(t, d.run(d.files.Write(), json.RawMessage(args)))
	d.restart()
	d.recovered(d.files.Write(), args, in, tool.Happened)
	if err := os.Remove(d.path("sub/new.txt")); err != nil {
		t.Fatal(err)
	}
	d.put("sub/new.txt", "other")
	d.restart()
	d.recovered(d.files.Write(), args, in, tool.Unknown)
}

// A call that was going to be refused may run again: it is refused again.
func TestRecoverRefusedCall(t *testing.T) {
	d := newDesk(t)
	d.put("a.txt", "one\n")
	const args = `{"path":"a.txt","content":"x"}`
	in := d.intent(d.files.Write(), args)
	d.restart()
	d.recovered(d.files.Write(), args, in, tool.NotHappened)
	bad(t, d.run(d.files.Write(), json.RawMessage(args)), "not read")
}

const (
	crashSize = 1 << 20
	crashVar  = "FILES_TEST_CRASH_DIR"
)

// TestMain lets TestKilledWriter start this program as the writer it kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashVar); dir != "" {
		if err := writeForever(dir); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// writeForever replaces a.txt again and again, each time by one other letter,
// and prints a byte when it has begun.
func writeForever(dir string) error {
	f, err := newTools(local.Options{Dir: dir, SpillDir: func(string) string { return dir }})
	if err != nil {
		return err
	}
	env := &tooltest.Env{}
	for i := 0; ; i++ {
		if i == 1 {
			fmt.Print("!")
		}
		if _, err := f.Read().Run(context.Background(), env, json.RawMessage(`{"path":"a.txt"}`)); err != nil {
			return err
		}
		args := encode(files.WriteParams{Path: "a.txt", Content: strings.Repeat(string(rune('a'+i%26)), crashSize)})
		if r, err := f.Write().Run(context.Background(), env, args); err != nil || !r.OK {
			return fmt.Errorf("write: %v, %w", r, err)
		}
	}
}

// However a writer is killed, the file is whole, and the next write removes
// what the dead one left.
func TestKilledWriter(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a kill is not sudden here")
	}
	d := newDesk(t)
	d.put("a.txt", strings.Repeat("A", crashSize))
	d.put("bystander.tmp", "stays")
	leftovers := 0
	for i := range 10 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
		cmd.Env = append(os.Environ(), crashVar+"="+d.dir)
		begun, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := begun.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond) // the kill comes at any moment
		} else { // or in the middle of a write
			for wait := time.Now().Add(time.Second); len(d.temporary()) == 0 && time.Now().Before(wait); {
				runtime.Gosched()
			}
		}
		_ = cmd.Process.Kill() // it may have failed by itself; Wait tells
		_ = cmd.Wait()
		data, err := os.ReadFile(d.path("a.txt"))
		if err != nil || len(data) != crashSize || strings.Count(string(data), string(data[:1])) != crashSize {
			t.Fatalf("the file is torn: %d bytes, %v", len(data), err)
		}
		leftovers += len(d.temporary())
	}
	// One more for certain, named as the child names its own.
	name := sha256.Sum256([]byte("a.txt"))
	d.put(fmt.Sprintf(".ml-intern-%x-ANOTHER0-12345678.tmp", name[:6]), "left")
	good(t, d.read("a.txt"))
	good(t, d.write("a.txt", "new\n"))
	if left := d.temporary(); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	d.has("bystander.tmp", "stays")
	t.Logf("%d leftovers seen", leftovers)
}

func (d *desk) temporary() []string {
	d.t.Helper()
	names, err := filepath.Glob(d.path(".ml-intern-*"))
	if err != nil {
		d.t.Fatal(err)
	}
	return names
}
