//go:build linux

package endtoend_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ml-intern/ml-intern/bench/modelserver"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// oneCall makes a model that calls one tool and then answers.
func oneCall(models *desk, s *site, tool string, args map[string]any) {
	base := models.add("one", func(r modelserver.Request) modelserver.Answer {
		if calls, _ := last(r.Messages); calls == nil {
			return modelserver.Answer{Text: []string{"Let me look. "}, Calls: []modelserver.IDCall{call("call_1", tool, args)}}
		}
		return modelserver.Answer{Text: []string{"Seen."}}
	})
	s.env = append(s.env, "VLLM_BASE_URL="+base)
}

// A command that prints 20 MB costs neither the journal nor the memory much.
func TestBigOutputStaysSmall(t *testing.T) {
	s, models := mustSite(t), newDesk()
	defer models.server.Close()
	oneCall(models, s, "bash", map[string]any{"command": "yes 'a line of a log that never seems to end, of eighty characters or so, all told.' | head -c 20000000"})
	e := s.mustMeasure(t, "--model", "vllm/m", "print a lot")
	if e.code != 0 {
		t.Fatal(e)
	}
	raw, events := s.mustJournal(t)
	if len(raw) > 500_000 {
		t.Errorf("the journal has %d bytes", len(raw))
	}
	for line := range bytes.Lines(raw) {
		if len(line) > 300_000 {
			t.Errorf("a line of the journal has %d bytes: %.100s", len(line), line)
		}
	}
	outputs := decoded[event.ToolOutput](events)
	if len(outputs) != 1 || len(outputs[0].Output) > 26_000 || len(outputs[0].Output) < 20_000 {
		t.Errorf("%d results, the first of %d bytes", len(outputs), len(outputs[0].Output))
	}
	const most = 100 << 20
	if e.peak > most {
		t.Errorf("the program took %d MB of memory, at most %d allowed", e.peak>>20, most>>20)
	}
	spill := mustGlob(t, filepath.Join(filepath.Dir(s.journals()[0]), "spill", "*.txt"))
	var whole int64
	for _, path := range spill {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		whole += info.Size()
	}
	if whole != 20_000_000 {
		t.Errorf("%d spill files hold %d bytes, want the whole output once", len(spill), whole)
	}
	for _, m := range models.requests("one") {
		if len(m.Body) > 200_000 {
			t.Errorf("a request has %d bytes", len(m.Body))
		}
	}
	if len(e.stderr) > 600_000 {
		t.Errorf("standard error has %d bytes", len(e.stderr))
	}
	t.Logf("journal %d kB, peak memory %d MB, stderr %d kB", len(raw)/1000, e.peak>>20, len(e.stderr)/1000)
}

// A command that prints without end for a while is told in a bounded number of
// lines.
func TestLongOutputStaysSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 3 s")
	}
	s, models := mustSite(t), newDesk()
	defer models.server.Close()
	oneCall(models, s, "bash", map[string]any{"command": "for i in $(seq 100); do yes 'step 17 of many: loss 0.123, learning rate 2e-5, all is well so far, going on' | head -c 100000; sleep 0.03; done"})
	e := s.mustRun(t, "--model", "vllm/m", "train")
	if e.code != 0 {
		t.Fatal(e)
	}
	raw, events := s.mustJournal(t)
	told := 0
	for _, l := range decoded[event.ToolLog](events) {
		told += len(l.Log)
	}
	if len(raw) > 500_000 || told > 300_000 || told == 0 {
		t.Errorf("the journal has %d bytes, of which %d are progress", len(raw), told)
	}
	t.Logf("journal %d kB, progress %d kB, peak memory %d MB", len(raw)/1000, told/1000, e.peak>>20)
}

// A big file that is read stays within what a tool may return.
func TestBigReadStaysSmall(t *testing.T) {
	s, models := mustSite(t), newDesk()
	defer models.server.Close()
	s.write(t, "big.txt", strings.Repeat(strings.Repeat("x", 3000)+"\n", 10_000))
	oneCall(models, s, "read", map[string]any{"path": "big.txt"})
	e := s.mustMeasure(t, "--model", "vllm/m", "read it")
	if e.code != 0 {
		t.Fatal(e)
	}
	raw, _ := s.mustJournal(t)
	if len(raw) > 300_000 {
		t.Errorf("the journal has %d bytes", len(raw))
	}
	if e.peak > 160<<20 {
		t.Errorf("the program took %d MB of memory", e.peak>>20)
	}
}

// failsClean checks a run that cannot keep its session: one clear line, exit 1,
// no stack trace.
func failsClean(t *testing.T, e ended, stdout string) {
	t.Helper()
	if e.code != 1 {
		t.Errorf("exit %d, want 1", e.code)
	}
	if e.stdout != stdout {
		t.Errorf("standard output is %q, want %q", e.stdout, stdout)
	}
	for _, word := range []string{"panic", "goroutine ", "failed inside", ".go:"} {
		if strings.Contains(e.stderr, word) {
			t.Errorf("standard error holds %q", word)
		}
	}
	var said []string
	for line := range strings.Lines(e.stderr) {
		if strings.HasPrefix(line, "ERROR: ") || strings.HasPrefix(line, "Error: ") {
			said = append(said, line)
		}
	}
	if len(said) != 1 {
		t.Errorf("%d lines tell the error, want one: %q", len(said), said)
	}
	t.Log(strings.Join(said, ""))
	if t.Failed() {
		t.Log(e)
	}
}

// A state folder that cannot be made is one clear line and exit 1.
func TestNoPlaceForSessions(t *testing.T) {
	block := map[string]func(*testing.T, *site){
		"a file in place of the state folder": func(t *testing.T, s *site) {
			if err := os.WriteFile(filepath.Join(s.home, "state"), []byte("in the way\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a file in place of the sessions": func(t *testing.T, s *site) {
			if err := os.Mkdir(filepath.Join(s.home, "state"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(s.home, "state", "sessions"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a folder without the right to write": func(t *testing.T, s *site) {
			if os.Geteuid() == 0 {
				t.Skip("root may write everywhere")
			}
			if err := os.Mkdir(filepath.Join(s.home, "state"), 0o500); err != nil {
				t.Fatal(err)
			}
		},
		"a read-only file system": func(t *testing.T, s *site) {
			mount(t, filepath.Join(s.home, "state"), syscall.MS_RDONLY, "size=64k")
		},
		"a full file system": func(t *testing.T, s *site) {
			dir := filepath.Join(s.home, "state")
			mount(t, dir, 0, "size=16k")
			fill(t, dir)
		},
	}
	for name, prepare := range block {
		for _, format := range []string{"text", "json"} {
			t.Run(name+"/"+format, func(t *testing.T) {
				s, models := mustSite(t), newDesk()
				defer models.server.Close()
				oneCall(models, s, "read", map[string]any{"path": "x"})
				prepare(t, s)
				e := s.mustRun(t, "--model", "vllm/m", "--output-format", format, "do something")
				if format == "json" {
					if e.code != 1 || strings.Count(e.stdout, "\n") != 1 || !strings.Contains(e.stdout, `"is_error":true`) ||
						!strings.Contains(e.stdout, `"exit_code":1`) || strings.Contains(e.stderr, "goroutine ") {
						t.Errorf("want one result object and exit 1, got %v", e)
					}
					return
				}
				failsClean(t, e, "")
				if n := len(models.requests("one")); n != 0 {
					t.Errorf("the model was asked %d times for an input that could not be kept", n)
				}
			})
		}
	}
}

// A disk that gets full in the middle of a run ends it with one clear line; what
// was said before stays said, and nothing is done that is not on record.
func TestDiskFullInTheMiddle(t *testing.T) {
	s, models := mustSite(t), newDesk()
	defer models.server.Close()
	mount(t, filepath.Join(s.home, "state"), 0, "size=96k")
	s.write(t, "big.txt", strings.Repeat("a line of the file that fills the disk\n", 1900))
	base := models.add("full", func(r modelserver.Request) modelserver.Answer {
		calls, _ := last(r.Messages)
		if calls == nil {
			return modelserver.Answer{Text: []string{"First the file. "}, Calls: []modelserver.IDCall{call("call_1", "read", map[string]any{"path": "big.txt"})}}
		}
		return modelserver.Answer{Text: []string{"Now the effect."}, Calls: []modelserver.IDCall{
			call(fmt.Sprintf("call_%d", len(r.Messages)), "bash", map[string]any{"command": "echo done >> effects.log"}),
		}}
	})
	s.env = append(s.env, "VLLM_BASE_URL="+base)
	e := s.mustRun(t, "--model", "vllm/m", "--max-iterations", "5", "fill the disk")
	failsClean(t, e, "First the file. \n")
	if !strings.Contains(e.stderr, "no space left on device") {
		t.Error("the reason is not told")
	}
	if _, err := os.Stat(filepath.Join(s.dir, "effects.log")); err == nil {
		t.Error("a command ran that is not on record")
	}
}

// mount puts a small file system into place, or skips the test where that is
// not possible.
func mount(t *testing.T, dir string, flags uintptr, options string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("a file system of its own cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

func fill(t *testing.T, dir string) {
	t.Helper()
	for i := range 64 {
		err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("fill%d", i)), make([]byte, 4096), 0o600)
		if err != nil {
			return
		}
	}
	t.Fatal("the file system does not get full")
}

// modes checks that everything below dir is private.
func modes(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
