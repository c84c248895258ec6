package command_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is the program, running.
type process struct {
	t              testing.TB
	cmd            *exec.Cmd
	home           string
	world          *world
	stdout, stderr bytes.Buffer
}

// start runs the program in a world whose model answers with the given lines.
func start(t testing.TB, script []string, args ...string) *process {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "model.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(script, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, home: filepath.Join(dir, "home"), world: newWorld(t, file)}
	if err := os.Mkdir(p.home, 0o755); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Dir = dir
	p.cmd.Env = append(p.world.environment(p.home), asProgram+"=1")
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// has waits until the session's journal holds an event of a type.
func (p *process) has(kind string) {
	p.t.Helper()
	eventually(p.t, kind, func() bool {
		paths, _ := filepath.Glob(filepath.Join(p.home, ".local/state/ml-intern/sessions/*/journal.jsonl"))
		if len(paths) == 0 {
			return false
		}
		raw, _ := os.ReadFile(paths[0])
		return bytes.Contains(raw, []byte(`"event_type":"`+kind+`"`))
	})
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (p *process) exit() int {
	p.t.Helper()
	err := p.cmd.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		p.t.Fatal(err)
	}
	p.t.Logf("stdout:\n%s\nstderr:\n%s", p.stdout.String(), p.stderr.String())
	return p.cmd.ProcessState.ExitCode()
}

// saved reads the session file.
func (p *process) saved() map[string]any {
	p.t.Helper()
	paths, err := filepath.Glob(filepath.Join(p.home, ".local/state/ml-intern/sessions/session_*.json"))
	if err != nil || len(paths) != 1 {
		p.t.Fatalf("session files: %v, %v", paths, err)
	}
	raw, err := os.ReadFile(paths[0])
	if err != nil {
		p.t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		p.t.Fatal(err)
	}
	return doc
}

const hanging = `{"text":"this answer never","hang":true}`

// Acceptance check 13: SIGINT while the answer streams.
func TestCheck13_Interrupt(t *testing.T) {
	t.Parallel()
	p := start(t, []string{hanging}, "-m", "vllm/m", "hi")
	p.has("assistant_chunk")
	p.signal(syscall.SIGINT)
	if code := p.exit(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	last := ""
	for _, ev := range journal(t, p.home) {
		if kind := ev["event_type"].(string); kind != "shutdown" {
			last = kind
		}
	}
	if last != "interrupted" {
		t.Errorf("the journal ends with %s", last)
	}
	events, _ := json.Marshal(p.saved()["events"])
	if !bytes.Contains(events, []byte(`"event_type":"interrupted"`)) {
		t.Error("the session file has no interrupted event")
	}
}

func TestTerminate(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		p := start(t, []string{hanging}, "-m", "vllm/m", "--output-format", "json", "hi")
		p.has("assistant_chunk")
		p.signal(sig)
		if code := p.exit(); code != 143 || !strings.Contains(p.stdout.String(), `"subtype":"interrupted"`) {
			t.Errorf("%v: exit code %d", sig, code)
		}
		p.saved()
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	p := start(t, []string{hanging}, "-m", "vllm/m", "--timeout", "300ms", "--output-format", "json", "hi")
	if code := p.exit(); code != 124 || !strings.Contains(p.stdout.String(), `"subtype":"timeout"`) {
		t.Errorf("exit code %d", code)
	}
	p.saved()
}

// A second SIGINT ends the process at once, whatever still runs.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	t.Parallel()
	call := `{"calls":[{"name":"bash","args":{"command":"trap '' TERM INT; sleep 20 & sleep 20"}}]}`
	p := start(t, []string{call}, "-m", "vllm/m", "hi")
	p.has("tool_started")
	p.signal(syscall.SIGINT)
	time.Sleep(50 * time.Millisecond) // two signals at once are one
	p.signal(syscall.SIGINT)
	begun := time.Now()
	if code := p.exit(); code != 130 || time.Since(begun) > 5*time.Second { // what still runs would take 20 s
		t.Errorf("exit code %d after %v", code, time.Since(begun))
	}
}

// Acceptance check 16: every line of stream-json is an object, the first is
// init, the last the result, and the events are numbered without a gap.
func TestCheck16_StreamJSON(t *testing.T) {
	t.Parallel()
	p := start(t, []string{
		`{"text":"I look.","calls":[{"name":"bash","args":{"command":"echo x"}},{"name":"read","args":{"path":"none"}}]}`, `{"text":"done"}`,
	}, "-m", "vllm/m", "--output-format", "stream-json", "hi")
	if code := p.exit(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	var lines []map[string]any
	for scan := bufio.NewScanner(&p.stdout); scan.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, scan.Text())
		}
		lines = append(lines, line)
	}
	first, last := lines[0], lines[len(lines)-1]
	if first["type"] != "system" || first["subtype"] != "init" || last["type"] != "result" || last["result"] != "done" {
		t.Errorf("first %v, last %v", first, last)
	}
	known := strings.Fields(`ready processing assistant_chunk assistant_stream_end tool_call tool_output tool_log
		tool_state_change turn_complete shutdown llm_call spend input_accepted turn_started history_message tool_started tool_effect session_update`)
	for i, line := range lines[1 : len(lines)-1] {
		if line["type"] != "event" || line["seq"] != float64(i+1) {
			t.Errorf("line %d: %v", i+1, line)
		}
		if name, _ := line["event_type"].(string); !contains(known, name) {
			t.Errorf("unexpected event %q", name)
		}
	}
}

func contains(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}

// Acceptance check 24: a message without a reply is kept, but a run that was
// refused before it began leaves nothing.
func TestCheck24_NoReply(t *testing.T) {
	t.Parallel()
	p := start(t, []string{`{"text":"","hang":true}`}, "-m", "vllm/m", "hello?")
	p.has("processing")
	eventually(t, "the model call", func() bool { return len(p.world.calls()) == 1 })
	p.signal(syscall.SIGINT)
	p.exit()
	if messages, _ := json.Marshal(p.saved()["messages"]); !bytes.Contains(messages, []byte("hello?")) {
		t.Errorf("messages: %s", messages)
	}
	p = start(t, nil, "-m", "vllm/", "hello?")
	if code := p.exit(); code != 2 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(filepath.Join(p.home, ".local/state/ml-intern/sessions")); err == nil {
		t.Error("a session folder was made")
	}
}

// A run that was killed in the middle of an answer goes on: with a prompt the
// new one is answered and counts, without one the turn is taken up.
func TestContinueAfterKill(t *testing.T) {
	t.Parallel()
	for _, prompt := range []string{"", "something else"} {
		p := start(t, []string{hanging, `{"text":"whole answer"}`}, "-m", "vllm/m", "hi")
		p.has("assistant_chunk")
		p.signal(syscall.SIGKILL)
		_ = p.cmd.Wait()
		again := exec.Command(os.Args[0], "--continue", prompt)
		again.Dir, again.Env = p.cmd.Dir, p.cmd.Env
		out, err := again.Output()
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Logf("stderr:\n%s", failed.Stderr)
		}
		if err != nil || string(out) != "whole answer\n" {
			t.Errorf("prompt %q: %v, %q", prompt, err, out)
		}
		if body := p.world.calls()[1]; strings.Contains(string(body), "something else") != (prompt != "") {
			t.Errorf("prompt %q, request %s", prompt, body)
		}
	}
}
