//go:build linux

package endtoend_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/bench/modelserver"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Acceptance checks of the spending cap: a gate is open again after a kill, and
// a higher cap runs the calls that waited in it without another model call.
func TestKilledAtOpenGate(t *testing.T) {
	s, models := mustSite(t), newDesk()
	defer models.server.Close()
	s.configure(t, `{"model_prices":{"openai/house":{"input":5,"output":30}},"model_context_tokens":{"openai/house":400000}}`)
	base := models.add("gate", func(r modelserver.Request) modelserver.Answer {
		if calls, _ := last(r.Messages); calls == nil {
			return modelserver.Answer{ // costs 5 USD, which the cap does not hold
				PromptTokens: 1_000_000,
				Calls: []modelserver.IDCall{
					call("call_1", "bash", map[string]any{"command": "echo one >> effects.log"}),
					call("call_2", "bash", map[string]any{"command": "echo two >> effects.log"}),
				},
			}
		}
		return modelserver.Answer{Text: []string{"Both commands ran."}}
	})
	s.env = append(s.env, "OPENAI_BASE_URL="+base, "OPENAI_API_MODE=chat", "OPENAI_API_KEY=sk-test")

	stdout := s.killAtGate(t, "--model", "openai/house", "--max-cost", "2", "--output-format", "stream-json", "run both commands")
	before, events := s.mustJournal(t)
	gate := onlyGate(t, events)
	if n := len(models.requests("gate")); n != 1 {
		t.Fatalf("%d model calls before the gate, want 1", n)
	}
	s.noEffects(t)
	if strings.Contains(stdout, `"type":"result"`) {
		t.Error("the run had ended before it was killed")
	}

	// Gone on with under the same cap, the gate is open again.
	e := s.mustRun(t, "--continue", "--max-cost", "2", "--output-format", "json")
	if e.code != 5 || !strings.Contains(e.stdout, `"subtype":"budget_exceeded"`) {
		t.Fatalf("want exit 5, got %v", e)
	}
	// So it is for one that is killed again at the gate.
	s.killAtGate(t, "--continue", "--max-cost", "2.5", "--output-format", "stream-json")
	raw, events := s.mustJournal(t)
	if !strings.HasPrefix(string(raw), string(whole(before))) {
		t.Error("events before the kill have changed")
	}
	gates := decoded[event.ApprovalRequired](events)
	if len(gates) < 3 || gates[len(gates)-1].ApprovalID != gate.ApprovalID {
		t.Errorf("the gate is told %d times, with the ids of %+v", len(gates), gates)
	}
	if n := len(models.requests("gate")); n != 1 {
		t.Fatalf("%d model calls with the gate open, want 1", n)
	}
	s.noEffects(t)

	// A higher cap lets the calls go, without asking the model again.
	e = s.mustRun(t, "--continue", "--max-cost", "50", "--output-format", "json")
	if e.code != 0 || !strings.Contains(e.stdout, "Both commands ran.") {
		t.Fatalf("want exit 0 and the answer, got %v", e)
	}
	_, events = s.mustJournal(t)
	var order []string
	for _, ev := range events[len(strings.Split(strings.TrimSpace(string(raw)), "\n")):] {
		switch ev.Type {
		case event.TypeToolStarted, event.TypeLLMCall:
			order = append(order, string(ev.Type))
		}
	}
	if got := strings.Join(order, " "); got != "tool_started tool_started llm_call" {
		t.Errorf("after the cap was raised came %q", got)
	}
	requests := models.requests("gate")
	if len(requests) != 2 {
		t.Fatalf("%d model calls, want 2", len(requests))
	}
	if err := valid(requests[1].Messages); err != nil {
		t.Error(err)
	}
	if raw, err := os.ReadFile(filepath.Join(s.dir, "effects.log")); err != nil || len(strings.Fields(string(raw))) != 2 {
		t.Errorf("effects: %q, %v", raw, err)
	}
	st, events, err := state(func() []byte { raw, _ := s.mustJournal(t); return raw }())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := onePerCall(st, events); err != nil {
		t.Error(err)
	}
}

// killAtGate runs the program until its journal holds an approval more than at
// the start, and kills it. Nobody reads its standard output, which the smallest
// pipe holds back: so it cannot come to its end before.
func (s *site) killAtGate(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	gates := func() int {
		raw, err := s.journal()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(whole(raw)), `"event_type":"approval_required"`)
	}
	had := gates()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const setPipeSize = 1031 // F_SETPIPE_SZ
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, w.Fd(), setPipeSize, 4096); errno != 0 {
		t.Fatal(errno)
	}
	if _, err := w.Write([]byte(strings.Repeat(" ", 3300))); err != nil { // room for the first line alone
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = w, &errs, time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for begun := time.Now(); gates() == had; time.Sleep(time.Millisecond) {
		if time.Since(begun) > runLimit {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			raw, _ := s.journal()
			t.Fatalf("the gate did not open: %s%s", errs.String(), tail(string(raw), 3000))
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the program ended before it could be killed: %v", cmd.ProcessState)
	}
	if err := s.settle(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8192)
	n, _ := r.Read(buf)
	return string(buf[:n])
}

func onlyGate(t *testing.T, events []event.Event) event.ApprovalRequired {
	t.Helper()
	gates := decoded[event.ApprovalRequired](events)
	if len(gates) != 1 || !gates[0].YoloBudget {
		t.Fatalf("want one gate of the spending cap, got %+v", gates)
	}
	return gates[0]
}

func (s *site) noEffects(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(s.dir, "effects.log")); err == nil {
		t.Fatal("a call ran that waits for the gate")
	}
}

// An input is safe from the moment it is told as accepted, also when the
// program dies before anything else of the turn is on disk.
func TestKilledRightAfterTheInput(t *testing.T) {
	s, models := mustSite(t), newDesk()
	defer models.server.Close()
	base := models.add("m", func(modelserver.Request) modelserver.Answer {
		return modelserver.Answer{Text: []string{"Here is your answer."}}
	})
	s.env = append(s.env, "VLLM_BASE_URL="+base)
	if e := s.mustRun(t, "--model", "vllm/m", "the only question"); e.code != 0 {
		t.Fatal(e)
	}
	raw, _ := s.mustJournal(t)
	lines := strings.SplitAfter(string(raw), "\n")
	for n := range lines {
		if strings.Contains(lines[n], `"event_type":"input_accepted"`) {
			// What the disk holds after a power cut: the synced lines, and half of
			// the next one.
			left := strings.Join(lines[:n+1], "") + lines[n+1][:len(lines[n+1])/2]
			if err := os.WriteFile(s.journals()[0], []byte(left), 0o600); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	for _, path := range mustGlob(t, filepath.Join(s.home, "state", "sessions", "session_*.json")) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	e := s.mustRun(t, "--continue", "--model", "vllm/m")
	if e.code != 0 || e.stdout != "Here is your answer.\n" {
		t.Errorf("--continue: %v", e)
	}
	requests := models.requests("m")
	final := requests[len(requests)-1].Messages
	if got := final[len(final)-1].Text(); len(requests) != 2 || got != "the only question" {
		t.Errorf("%d requests, the last one asks %q", len(requests), got)
	}
}

func mustGlob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
