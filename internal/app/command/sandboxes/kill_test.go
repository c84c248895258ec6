package sandboxes_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim"
)

// program is the program in a world of its own.
type program struct {
	*testing.T
	dir   string
	sim   *hubsim.Hub
	model *model
	env   []string
}

func newProgram(t *testing.T, script ...string) *program {
	t.Helper()
	p := &program{T: t, dir: t.TempDir(), sim: simulate(t, 0)}
	p.model = newModel(t, filepath.Join(p.dir, "model.jsonl"))
	p.script(script...)
	home := filepath.Join(p.dir, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	p.env = append(environment(t, p.sim, p.model, home), asProgram+"=1")
	return p
}

// script replaces what the model answers from now on.
func (p *program) script(lines ...string) {
	p.Helper()
	p.model.mu.Lock()
	defer p.model.mu.Unlock()
	p.model.turns = 0
	if err := os.WriteFile(p.model.script, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		p.Fatal(err)
	}
}

func (p *program) start(args ...string) (*exec.Cmd, *bytes.Buffer) {
	p.Helper()
	out := &bytes.Buffer{}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, out, out
	if err := cmd.Start(); err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, out
}

func (p *program) run(args ...string) string {
	p.Helper()
	cmd, out := p.start(args...)
	if err := cmd.Wait(); err != nil {
		p.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out.String()
}

// sandboxes are those that exist, by their ids.
func (p *program) sandboxes() []string {
	p.Helper()
	var all []struct {
		ID   string `json:"sandbox_id"`
		Live bool   `json:"session_live"`
	}
	if err := json.Unmarshal([]byte(p.run("sandbox", "list", "--json")), &all); err != nil {
		p.Fatal(err)
	}
	ids := []string{}
	for _, s := range all {
		id := s.ID
		if s.Live {
			id += " live"
		}
		ids = append(ids, id)
	}
	return ids
}

// journal is all that the sessions have written.
func (p *program) journal() string {
	paths, _ := filepath.Glob(filepath.Join(p.dir, "home/.local/state/ml-intern/sessions/*/journal.jsonl"))
	all := ""
	for _, path := range paths {
		raw, _ := os.ReadFile(path)
		all += string(raw)
	}
	return all
}

func (p *program) until(what string, f func() bool) {
	p.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.Fatalf("%s: not within 30 s\n%s", what, p.journal())
		}
	}
}

// Killed in the middle of its work, the program goes on in the same sandbox,
// with its files, and removes it in the end; no sweep takes it meanwhile.
func TestKilledAndContinued(t *testing.T) {
	for _, kind := range []string{"space", "jobs"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := newProgram(t,
				`{"calls":[{"name":"sandbox_create","args":{"hardware":"t4-small"}}]}`,
				`{"calls":[{"name":"bash","args":{"command":"echo precious > f.txt"}}]}`,
				`{"text":"this answer never ends","hang":true}`,
			)
			p.run("config", "set", "sandbox_backend", kind)
			cmd, _ := p.start("--sandbox-tools", "-m", "vllm/m", "do it")
			p.until("the file", func() bool { return strings.Contains(p.journal(), "assistant_chunk") })
			ids := p.sandboxes()
			if len(ids) != 1 || !strings.HasSuffix(ids[0], " live") {
				t.Fatalf("while it runs: %v", ids)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			id := strings.TrimSuffix(ids[0], " live")
			if ids := p.sandboxes(); len(ids) != 1 || ids[0] != id {
				t.Fatalf("after the kill: %v", ids)
			}
			if text := p.run("sandbox", "sweep", "--apply"); !strings.Contains(text, "0 can go, 0 removed") {
				t.Errorf("%s", text)
			}
			p.script(`{"calls":[{"name":"bash","args":{"command":"cat f.txt"}}]}`, `{"text":"all done"}`)
			text := p.run("--sandbox-tools", "-m", "vllm/m", "--continue", "--output-format", "stream-json")
			if !strings.Contains(text, `"output":"precious\n"`) || !strings.Contains(text, "Taking up sandbox "+id+" again") {
				t.Errorf("%s", text)
			}
			if ids := p.sandboxes(); len(ids) != 0 {
				t.Errorf("in the end: %v", ids)
			}
			settled(t, p.journal())
		})
	}
}

// settled checks that no reservation is open, and that at most some minutes were
// paid.
func settled(t *testing.T, journal string) {
	t.Helper()
	if n, sum := spent(t, journal); n == 0 || sum <= 0 || sum > 30_000 {
		t.Errorf("%v micro-USD in %d reservations", sum, n)
	}
}

// spent sums what sandboxes have cost, in how many reservations; none may be
// open.
func spent(t *testing.T, journal string) (n int, sum float64) {
	t.Helper()
	newest := map[string]map[string]any{}
	for line := range strings.Lines(journal) {
		var ev struct {
			Type string         `json:"event_type"`
			Data map[string]any `json:"data"`
		}
		if json.Unmarshal([]byte(line), &ev) == nil && ev.Type == "spend" && ev.Data["kind"] == "sandbox" {
			newest[ev.Data["id"].(string)] = ev.Data
		}
	}
	for id, s := range newest {
		if s["state"] == "reserved" {
			t.Errorf("%s is still open: %v", id, s)
		}
		if micro, ok := s["micro_usd"].(float64); ok {
			sum += micro
		}
	}
	return len(newest), sum
}

// An interrupt while the sandbox is being made removes what was made, and the
// money comes back.
func TestInterruptedCreation(t *testing.T) {
	t.Parallel()
	p := newProgram(t, `{"calls":[{"name":"sandbox_create","args":{"hardware":"t4-small"}}]}`, `{"text":"ok"}`)
	cmd, out := p.start("--sandbox-tools", "-m", "vllm/m", "do it")
	p.until("the Space", func() bool { return strings.Contains(p.journal(), "space:bob/sandbox-") })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if ids := p.sandboxes(); len(ids) != 0 {
		t.Errorf("left: %v\n%s", ids, out)
	}
	if n, sum := spent(t, p.journal()); n == 0 || sum > 30_000 {
		t.Errorf("%v micro-USD in %d reservations", sum, n)
	}
}
