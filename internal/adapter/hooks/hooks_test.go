//go:build unix

package hooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/hooks"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a runner in a folder of its own.
type bench struct {
	*hooks.Runner
	t   testing.TB
	dir string

	mu   sync.Mutex
	said []string
}

func with(t testing.TB, list ...hooks.Hook) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	r, err := hooks.New(hooks.Options{
		Hooks: list, Dir: b.dir, Environ: append(os.Environ(), "ML_INTERN_PROJECT_DIR="+b.dir),
		Transcript: func(session string) string { return "/state/" + session + "/journal.jsonl" },
		Warn: func(line string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.said = append(b.said, line)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Runner = r
	t.Cleanup(r.Close)
	return b
}

// pre is a hook before calls.
func pre(command string) hooks.Hook { return hooks.Hook{Moment: hook.PreToolUse, Command: command} }

func call(name, args string) hook.Input {
	return hook.Input{
		Moment: hook.PreToolUse, SessionID: "s1", Cwd: "/work", Mode: "ask", Model: "m", Tool: name, ToolCallID: "c1", Arguments: json.RawMessage(args),
	}
}

func (b *bench) read(name string) string {
	b.t.Helper()
	raw, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(raw)
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// Each moment is one line of JSON on standard input, with the names of cli.md and
// those that scripts written for Claude Code look for.
func TestWhatACommandIsTold(t *testing.T) {
	exit := 3
	for name, c := range map[string]struct {
		in   hook.Input
		want string
	}{
		"PreToolUse": {
			call("bash", `{"command":"ls <a>"}`),
			`"model":"m","permission_mode":"ask","tool_call_id":"c1","tool_input":{"command":"ls <a>"},"tool_name":"bash","tool_use_id":"c1"`,
		},
		"PostToolUse": {
			hook.Input{Moment: hook.PostToolUse, Tool: "search", Alias: "mcp__docs__search", ToolCallID: "c", Arguments: json.RawMessage(`{}`), Output: "out", OK: true, AgentID: "a1"},
			`"agent_id":"a1","tool_alias":"mcp__docs__search","tool_call_id":"c","tool_input":{},"tool_name":"search","tool_response":{"output":"out","success":true},"tool_use_id":"c"`,
		},
		"UserPromptSubmit": {hook.Input{Moment: hook.UserPromptSubmit, Prompt: "hi"}, `"prompt":"hi"`},
		"SessionStart":     {hook.Input{Moment: hook.SessionStart, Kind: hook.Startup}, `"source":"startup"`},
		"SessionEnd":       {hook.Input{Moment: hook.SessionEnd, Kind: hook.Exit}, `"reason":"exit"`},
		"Stop":             {hook.Input{Moment: hook.Stop, Text: "done"}, `"last_assistant_message":"done","stop_hook_active":false`},
		"Notification":     {hook.Input{Moment: hook.Notification, Kind: "error", Text: "it failed"}, `"message":"it failed","notification_type":"error"`},
		"PreCompact":       {hook.Input{Moment: hook.PreCompact, Kind: hook.Auto}, `"custom_instructions":"","trigger":"auto"`},
		"JobFinished": {
			hook.Input{Moment: hook.JobFinished, Kind: "ERROR", Job: &hook.Job{ID: "bg1", Where: "local", Status: "ERROR", Exit: &exit, Command: "make"}},
			`"job":{"command":"make","exit_code":3,"id":"bg1","status":"ERROR","where":"local"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := with(t, hooks.Hook{Moment: hook.Moment(name), Command: "cat > told; pwd > where; printf '%s' \"$ML_INTERN_PROJECT_DIR\" > project"})
			if c.in.SessionID == "" {
				c.in.SessionID, c.in.Cwd = "s1", "/work"
			}
			if a := b.Ask(t.Context(), c.in); a.Decided() || len(a.Warnings) > 0 {
				t.Fatalf("%+v", a)
			}
			var told map[string]any
			if raw := b.read("told"); strings.Count(raw, "\n") != 1 || json.Unmarshal([]byte(raw), &told) != nil {
				t.Fatalf("it is told %q", raw)
			}
			var want map[string]any
			err := json.Unmarshal(fmt.Appendf(nil, `{"event":%q,"hook_event_name":%q,"session_id":"s1","transcript_path":"/state/s1/journal.jsonl","cwd":"/work",%s}`, name, name, c.want), &want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, told); diff != "" {
				t.Error(diff)
			}
			if where, _ := filepath.EvalSymlinks(b.dir); strings.TrimSpace(b.read("where")) != where || b.read("project") != b.dir {
				t.Errorf("it runs in %s for %s", b.read("where"), b.read("project"))
			}
		})
	}
}

// Exit codes and output, as they come from a real shell.
func TestWhatACommandAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		moment  hook.Moment
		command string
		want    hook.Answer
		warns   string
	}{
		"nothing":          {hook.PreToolUse, "true", hook.Answer{}, ""},
		"text":             {hook.PreToolUse, "echo looks good", hook.Answer{}, ""},
		"blocks":           {hook.PreToolUse, "echo no pip >&2; exit 2", hook.Answer{Decision: hook.Deny, Reason: "no pip"}, ""},
		"blocks mutely":    {hook.PreToolUse, "exit 2", hook.Answer{Decision: hook.Deny}, ""},
		"blocks on stdout": {hook.PreToolUse, "echo no; exit 2", hook.Answer{Decision: hook.Deny, Reason: "no"}, ""},
		"fails":            {hook.PreToolUse, "echo '{\"decision\":\"deny\"}'; echo oops >&2; exit 1", hook.Answer{}, "ended with exit code 1: oops"},
		"fails at length":  {hook.PreToolUse, "yes frame | head -c 9000 >&2; echo no module ruff >&2; exit 1", hook.Answer{}, "frame no module ruff"},
		"not found":        {hook.PreToolUse, "no-such-program-here", hook.Answer{}, "exit code 127"},
		"killed":           {hook.PreToolUse, "kill -9 $$", hook.Answer{}, "was ended by SIGKILL"},
		"allows":           {hook.PreToolUse, `echo '{"decision":"allow","reason":"safe"}'`, hook.Answer{Decision: hook.Allow, Reason: "safe"}, ""},
		"approves":         {hook.PreToolUse, `echo '{"decision":"approve"}'`, hook.Answer{Decision: hook.Allow}, ""},
		"denies":           {hook.PreToolUse, `echo '{"decision":"deny","reason":"no","context":"try uv","updated_input":{"a":1}}'`, hook.Answer{Decision: hook.Deny, Reason: "no", Context: "try uv"}, ""},
		"changes":          {hook.PreToolUse, `echo '{"updated_input": {"command": "uv add x"}}'`, hook.Answer{UpdatedInput: json.RawMessage(`{"command": "uv add x"}`)}, ""},
		"changes badly":    {hook.PreToolUse, `echo '{"updated_input": [1]}'`, hook.Answer{}, "no JSON object"},
		"Claude's names":   {hook.PreToolUse, `echo '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"never","additionalContext":"x"}}'`, hook.Answer{Decision: hook.Deny, Reason: "never", Context: "x"}, ""},
		"Claude's ask":     {hook.PreToolUse, `echo '{"hookSpecificOutput":{"permissionDecision":"ask","updatedInput":{"b":2}}}'`, hook.Answer{Decision: hook.Ask, UpdatedInput: json.RawMessage(`{"b":2}`)}, ""},
		"an end":           {hook.PreToolUse, `echo '{"continue":false,"stopReason":"enough"}'`, hook.Answer{Decision: hook.Deny, Reason: "enough"}, ""},
		"a strange word":   {hook.PreToolUse, `echo '{"decision":"perhaps","context":"hm"}'`, hook.Answer{Context: "hm"}, `decided "perhaps"`},
		"broken JSON":      {hook.PreToolUse, `echo '{"decision":'`, hook.Answer{}, "JSON that cannot be read"},
		"wrong types":      {hook.PreToolUse, `echo '{"decision":7}'`, hook.Answer{}, "JSON that cannot be read"},
		"says":             {hook.PreToolUse, `echo '{"systemMessage":"slow today"}'`, hook.Answer{}, "says: slow today"},
		"after: blocks":    {hook.PostToolUse, "echo lint >&2; exit 2", hook.Answer{Decision: hook.Deny, Reason: "lint"}, ""},
		"after: allows":    {hook.PostToolUse, `echo '{"decision":"allow","updated_input":{},"context":"c"}'`, hook.Answer{Context: "c"}, ""},
		"prompt: text":     {hook.UserPromptSubmit, "date=1; echo \"  it is late  \"", hook.Answer{Context: "it is late"}, ""},
		"prompt: blocks":   {hook.UserPromptSubmit, `echo '{"decision":"block","reason":"secret"}'`, hook.Answer{Decision: hook.Deny, Reason: "secret"}, ""},
		"start: text":      {hook.SessionStart, "printf 'branch\\033[31m main'", hook.Answer{Context: "branch main"}, ""},
		"start: blocks":    {hook.SessionStart, "echo no >&2; exit 2", hook.Answer{}, "exit code 2: no"},
		"stop: on":         {hook.Stop, `echo '{"decision":"block","reason":"tests"}'`, hook.Answer{Decision: hook.Deny, Reason: "tests"}, ""},
		"stop: an end":     {hook.Stop, `echo '{"decision":"block","continue":false}'`, hook.Answer{}, ""},
		"compact: text":    {hook.PreCompact, "echo keep the seeds", hook.Answer{Context: "keep the seeds"}, ""},
		"note: denies":     {hook.Notification, `echo '{"decision":"deny"}'`, hook.Answer{}, ""},
		"job: fails":       {hook.JobFinished, "exit 4", hook.Answer{}, "exit code 4"},
	} {
		t.Run(name, func(t *testing.T) {
			b := with(t, hooks.Hook{Moment: c.moment, Command: c.command})
			in := call("bash", `{}`)
			in.Moment = c.moment
			a := b.Ask(t.Context(), in)
			warned := strings.Join(a.Warnings, "\n")
			if c.warns == "" && warned != "" || !strings.Contains(warned, c.warns) {
				t.Errorf("warned %q, want %q", warned, c.warns)
			}
			a.Warnings, a.By = nil, ""
			if diff := cmp.Diff(c.want, a); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A failure is a warning once a command.
func TestAFailureIsSaidOnce(t *testing.T) {
	b := with(t, pre("exit 1"), pre("exit 3"))
	if a := b.Ask(t.Context(), call("bash", `{}`)); len(a.Warnings) != 2 {
		t.Errorf("%q", a.Warnings)
	}
	if a := b.Ask(t.Context(), call("bash", `{}`)); len(a.Warnings) != 0 {
		t.Errorf("%q", a.Warnings)
	}
}

// Commands run side by side; what they decide is put together in their order.
func TestSeveralCommands(t *testing.T) {
	rendezvous := func(me, other string) string { // ends only when both run
		return fmt.Sprintf("touch %s; while [ ! -e %s ]; do sleep 0.01; done; ", me, other)
	}
	allow := rendezvous("a", "b") + `sleep 0.2; echo '{"decision":"allow","reason":"fine","context":"one","updated_input":{"n":1}}'`
	ask := rendezvous("b", "a") + `echo '{"decision":"ask","reason":"unsure","context":"two","updated_input":{"n":2}}'`
	b := with(t, pre(allow), pre(ask), pre(allow))
	a := b.Ask(t.Context(), call("bash", `{}`))
	if a.Decision != hook.Ask || a.Reason != "unsure" || a.Context != "one\ntwo" || string(a.UpdatedInput) != `{"n":2}` {
		t.Errorf("%+v", a)
	}
	if len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "two PreToolUse hooks change the arguments") {
		t.Errorf("%q", a.Warnings)
	}
	b = with(t, pre(`echo '{"decision":"allow","updated_input":{}}'`), pre("echo first >&2; exit 2"), pre("echo second >&2; exit 2"))
	if a := b.Ask(t.Context(), call("bash", `{}`)); a.Decision != hook.Deny || a.Reason != "first\nsecond" || a.UpdatedInput != nil || a.By != "echo first >&2; exit 2" {
		t.Errorf("deny does not win: %+v", a)
	}
}

func TestMatchers(t *testing.T) {
	for _, c := range []struct {
		matcher string
		in      hook.Input
		want    bool
	}{
		{"", call("bash", "{}"), true},
		{"*", call("bash", "{}"), true},
		{"bash", call("bash", "{}"), true},
		{"Bash", call("bash", "{}"), true},
		{"bash", call("bash_jobs", "{}"), false},
		{"bash.*", call("bash_jobs", "{}"), true},
		{"edit|write", call("write", "{}"), true},
		{"edit|write", call("rewrite", "{}"), false},
		{"Edit|MultiEdit|Write", call("edit", "{}"), true},
		{"mcp__docs__.*", hook.Input{Moment: hook.PreToolUse, Tool: "search", Alias: "mcp__docs__search"}, true},
		{"search", hook.Input{Moment: hook.PreToolUse, Tool: "search", Alias: "mcp__docs__search"}, true},
		{"mcp__.*", call("bash", "{}"), false},
		{"resume", hook.Input{Moment: hook.SessionStart, Kind: hook.Resume}, true},
		{"resume", hook.Input{Moment: hook.SessionStart, Kind: hook.Startup}, false},
		{"anything", hook.Input{Moment: hook.Stop}, true},
		{"anything", hook.Input{Moment: hook.UserPromptSubmit, Prompt: "x"}, true},
		{"permission_prompt", hook.Input{Moment: hook.Notification, Kind: "approval_required", Kinds: []string{"permission_prompt"}}, true},
		{"error", hook.Input{Moment: hook.JobFinished, Kind: "ERROR", Job: &hook.Job{}}, true},
	} {
		b := with(t, hooks.Hook{Moment: c.in.Moment, Matcher: c.matcher, Command: "touch ran"})
		b.Ask(t.Context(), c.in)
		if _, err := os.Stat(filepath.Join(b.dir, "ran")); (err == nil) != c.want {
			t.Errorf("%q on %+v: ran %v", c.matcher, c.in, err == nil)
		}
		other := c.in
		other.Moment = hook.SessionEnd
		if a := b.Ask(t.Context(), other); a.Decided() {
			t.Errorf("%q runs beside another moment", c.matcher)
		}
	}
	if _, err := hooks.New(hooks.Options{Dir: "/", Hooks: []hooks.Hook{{Moment: hook.Stop, Matcher: "(", Command: "x"}}}); err == nil {
		t.Error("a broken matcher was taken")
	}
	if _, err := hooks.New(hooks.Options{Dir: "here"}); err == nil {
		t.Error("a relative folder was taken")
	}
}

// running finds the processes that a command has noted in a file of pids.
func (b *bench) running(name string) bool {
	for _, pid := range strings.Fields(b.read(name)) {
		var n int
		if _, err := fmt.Sscan(pid, &n); err == nil && syscall.Kill(n, 0) == nil {
			state, err := os.ReadFile("/proc/" + pid + "/stat")
			if err != nil || !bytes.Contains(state, []byte(") Z ")) {
				return true
			}
		}
	}
	return false
}

// A command that does not end in time is ended with everything it has started,
// also when it does not listen; nobody waits for that.
func TestTimeouts(t *testing.T) {
	for name, command := range map[string]string{
		"sleeps":       "echo $$ > pids; sleep 300",
		"deaf":         "trap '' TERM; echo $$ > pids; while :; do sleep 300; done",
		"children":     "sleep 300 & echo $$ $! > pids; wait",
		"own groups":   "set -m; sleep 300 & echo $$ $! > pids; wait",
		"endless talk": "echo $$ > pids; while :; do echo talk; done",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := with(t, hooks.Hook{Moment: hook.PreToolUse, Command: command, Timeout: time.Second})
			began := time.Now()
			a := b.Ask(t.Context(), call("bash", `{}`))
			if took := time.Since(began); took < time.Second || took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if a.Decided() || len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "did not end within 1 s and was ended") {
				t.Errorf("%+v", a)
			}
			eventually(t, "its processes end", func() bool { return !b.running("pids") })
		})
	}
}

// Whoever interrupts waits for nothing; what was begun is ended behind.
func TestInterrupt(t *testing.T) {
	b := with(t, pre("trap '' TERM; echo $$ > pids; while :; do sleep 300; done"), pre("sleep 300"))
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan hook.Answer)
	go func() { answered <- b.Ask(ctx, call("bash", `{}`)) }()
	eventually(t, "the hook runs", func() bool {
		_, err := os.Stat(filepath.Join(b.dir, "pids"))
		return !errors.Is(err, fs.ErrNotExist)
	})
	began := time.Now()
	cancel()
	if a := <-answered; a.Decided() || len(a.Warnings) > 0 || time.Since(began) > time.Second {
		t.Errorf("%+v after %v", a, time.Since(began))
	}
	eventually(t, "its processes end", func() bool { return b.read("pids") != "" && !b.running("pids") })
	if a := b.Ask(ctx, call("bash", `{}`)); a.Decided() || len(a.Warnings) > 0 {
		t.Errorf("asked too late: %+v", a)
	}
}

// A child that is left behind with the output open does not hold anybody up; one
// that has let go of it may stay.
func TestChildrenThatStay(t *testing.T) {
	b := with(t, pre("sleep 300 & echo $! > pids; echo '{\"decision\":\"deny\",\"reason\":\"no\"}'"))
	began := time.Now()
	if a := b.Ask(t.Context(), call("bash", `{}`)); a.Decision != hook.Deny || time.Since(began) > 5*time.Second {
		t.Errorf("%+v after %v", a, time.Since(began))
	}
	eventually(t, "the child ends", func() bool { return !b.running("pids") })

	b = with(t, pre("sleep 300 >/dev/null 2>&1 </dev/null & echo $! > pids; exit 2"))
	if a := b.Ask(t.Context(), call("bash", `{}`)); a.Decision != hook.Deny {
		t.Errorf("%+v", a)
	}
	if !b.running("pids") {
		t.Error("the child was ended")
	}
	var pid int
	if _, err := fmt.Sscan(b.read("pids"), &pid); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// Output has bounds: what is beyond them is read by nobody and holds nobody up.
func TestHugeOutput(t *testing.T) {
	b := with(t, pre("head -c 20000000 /dev/zero | tr '\\0' x; head -c 20000000 /dev/zero | tr '\\0' y >&2; exit 2"))
	a := b.Ask(t.Context(), call("bash", `{}`))
	if n := len(a.Reason); a.Decision != hook.Deny || n < 1000 || n > 5000 || !strings.HasSuffix(a.Reason, "(cut)") {
		t.Errorf("%d bytes of a reason", n)
	}
	b = with(t, hooks.Hook{Moment: hook.SessionStart, Command: "yes word | head -c 5000000"})
	if a := b.Ask(t.Context(), hook.Input{Moment: hook.SessionStart}); len(a.Context) > 11_000 || !strings.HasSuffix(a.Context, "(cut)") {
		t.Errorf("%d bytes of context", len(a.Context))
	}
	b = with(t, pre(`printf '{"context":"'; head -c 2000000 /dev/zero | tr '\0' x; printf '"}'`))
	if a := b.Ask(t.Context(), call("bash", `{}`)); a.Decided() || len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "more JSON than is read") {
		t.Errorf("%+v", a)
	}
	// A large call is read whole, or not at all.
	large := fmt.Sprintf(`{"content":%q}`, strings.Repeat("0123456789", 300_000))
	b = with(t, pre("wc -c > size"), pre("true"))
	b.Ask(t.Context(), call("write", large))
	if size := strings.TrimSpace(b.read("size")); len(size) != 7 {
		t.Errorf("it has read %s bytes", size)
	}
}

// Commands that nobody waits for run beside; what they say counts for nothing, what
// goes wrong is said, and at the end they have a moment.
func TestAsync(t *testing.T) {
	slow := hooks.Hook{Moment: hook.PreToolUse, Command: "sleep 0.3; touch slow; exit 2", Async: true}
	never := hooks.Hook{Moment: hook.PreToolUse, Command: "echo $$ > pids; sleep 300", Async: true}
	b := with(t, slow, never)
	began := time.Now()
	if a := b.Ask(t.Context(), call("bash", `{}`)); a.Decided() || time.Since(began) > 250*time.Millisecond {
		t.Errorf("%+v after %v", a, time.Since(began))
	}
	eventually(t, "it runs", func() bool { _, err := os.Stat(filepath.Join(b.dir, "pids")); return err == nil })
	b.Close()
	b.read("slow")
	if b.running("pids") || time.Since(began) > 10*time.Second {
		t.Errorf("it runs on, %v after the end", time.Since(began))
	}
	b.Ask(t.Context(), call("bash", `{}`))
	b = with(t, hooks.Hook{Moment: hook.PreToolUse, Command: "exit 5", Async: true})
	b.Ask(t.Context(), call("bash", `{}`))
	b.Ask(t.Context(), call("bash", `{}`))
	b.Close()
	if len(b.said) != 1 || !strings.Contains(b.said[0], "exit code 5") {
		t.Errorf("said %q", b.said)
	}
}

// Trying tells of each command what it did.
func TestTry(t *testing.T) {
	b := with(t, pre("echo '{\"context\":\"x\"}'; echo why >&2"), hooks.Hook{Moment: hook.PreToolUse, Command: "exit 3", Async: true}, hooks.Hook{Moment: hook.PreToolUse, Matcher: "other", Command: "exit 4"})
	ran, a, err := b.Try(t.Context(), call("bash", `{}`))
	if err != nil || len(ran) != 2 || a.Context != "x" || len(a.Warnings) != 1 {
		t.Fatalf("%+v %+v %v", ran, a, err)
	}
	if ran[0].Output != "{\"context\":\"x\"}\n" || ran[0].Errors != "why\n" || ran[0].Exit != 0 || ran[1].Exit != 3 || ran[1].Problem == "" {
		t.Errorf("%+v", ran)
	}
	if _, _, err := b.Try(t.Context(), call("bash", `{`)); err == nil {
		t.Error("arguments that are no JSON were told")
	}
}

// Many calls at once start no more commands than the machine bears.
func TestManyAtOnce(t *testing.T) {
	b := with(t, pre("echo $$ >> started; sleep 0.05"))
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if a := b.Ask(t.Context(), call("bash", `{}`)); len(a.Warnings) > 0 {
				t.Errorf("%q", a.Warnings)
			}
		})
	}
	all.Wait()
	if n := strings.Count(b.read("started"), "\n"); n != 40 {
		t.Errorf("%d ran", n)
	}
}

// Commands that nobody waits for take no place from those that are waited for.
func TestAsyncTakesNoPlaces(t *testing.T) {
	slow := hooks.Hook{Moment: hook.PreToolUse, Matcher: "slow", Command: "echo $$ >> pids; sleep 300", Async: true}
	b := with(t, slow, hooks.Hook{Moment: hook.PreToolUse, Matcher: "quick", Command: "exit 2", Timeout: 20 * time.Second})
	for range 20 {
		b.Ask(t.Context(), call("slow", `{}`))
	}
	eventually(t, "they run", func() bool {
		raw, err := os.ReadFile(filepath.Join(b.dir, "pids"))
		return err == nil && strings.Count(string(raw), "\n") == 16
	})
	if a := b.Ask(t.Context(), call("quick", `{}`)); a.Decision != hook.Deny {
		t.Errorf("%+v", a)
	}
}

func BenchmarkNoneFits(b *testing.B) {
	runner := with(b, hooks.Hook{Moment: hook.Stop, Command: "true"}, hooks.Hook{Moment: hook.PreToolUse, Matcher: "bash", Command: "true"})
	in := call("read", `{"path":"a"}`)
	for b.Loop() {
		runner.Ask(b.Context(), in)
	}
}
