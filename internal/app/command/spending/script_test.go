package spending_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/app/command/scripttest"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	simexec "github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ml-intern": func() { os.Exit(command.Main(context.Background(), command.System())) }})
}

// scripts are the jobs of the scripts, by the first word of their command.
func scripts() []simexec.Script {
	three := 3
	return []simexec.Script{
		{Command: "^quick", Steps: []simexec.Step{{Lines: []string{"{'loss': 4.0, 'epoch': 1}", "\x1b]0;title\x07plain", "10%\r20%"}}, {AfterMs: 300, Lines: []string{"{'loss': 2.0, 'epoch': 2}"}}}},
		{Command: "^breaks", Steps: []simexec.Step{{Lines: []string{"{'loss': 4.0, 'epoch': 1}", "{'loss': nan, 'epoch': 2}"}}}},
		{Command: "^fails", Steps: []simexec.Step{{AfterMs: 100, Lines: []string{"ValueError: no"}}, {Exit: &three}}},
		{Command: "^slow", Steps: []simexec.Step{{Lines: []string{"started"}}, {AfterMs: 3_600_000}}},
	}
}

// TestScripts runs the commands as people type them, each script on a simulated
// Hub of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, Setup: setup,
		Cmds: scripttest.With(scripttest.Words{"submit": submit, "ended": ended, "append": appendLine, "until": until, "left": left, "end": endLeft}),
	})
}

func setup(env *testscript.Env) error {
	t := env.T().(testing.TB)
	sim := hubsimtest.Start(t, hubsim.Options{Clock: clock.Options{Scale: 1}, Scripts: scripts()})
	web, err := httpx.New(httpx.Options{Version: "test"})
	if err != nil {
		return err
	}
	c, err := hub.New(hub.Options{HTTP: web, Endpoint: sim.URL(), Token: "hf_bob_write"})
	if err != nil {
		return err
	}
	env.Defer(func() { c.Close(); web.CloseIdleConnections() })
	env.Values["hub"] = c
	home := filepath.Join(env.WorkDir, "home")
	for name, value := range map[string]string{
		"HOME": home, "HF_ENDPOINT": sim.URL(), "HF_TOKEN": "hf_bob_write", "TZ": "UTC", "LC_ALL": "C.UTF-8", "XDG_STATE_HOME": "", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": "",
		"STATE": filepath.Join(home, ".local/state/ml-intern"),
	} {
		env.Setenv(name, value)
	}
	return os.MkdirAll(home, 0o755)
}

// submit starts a job: submit VARIABLE NAMESPACE FLAVOR COMMAND
func submit(ts *testscript.TestScript, _ bool, args []string) {
	c := ts.Value("hub").(*hub.Client)
	j, err := c.Jobs.Run(context.Background(), args[1], job.Spec{
		DockerImage: "python:3.12", Command: args[3:], Flavor: args[2], Labels: map[string]string{"name": "my-run", "ml-intern-call": args[0]},
	}, "ml-intern-call")
	ts.Check(err)
	ts.Setenv(args[0], j.ID)
}

// appendLine adds a line to a file: append FILE LINE
func appendLine(ts *testscript.TestScript, _ bool, args []string) {
	file, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = file.WriteString(args[1] + "\n")
	ts.Check(errors.Join(err, file.Close()))
}

// until waits until a file holds a text: until FILE PATTERN
func until(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + args[1])
	var data []byte
	for begun := time.Now(); time.Since(begun) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		if data, _ = os.ReadFile(ts.MkAbs(args[0])); pattern.Match(data) {
			return
		}
	}
	ts.Fatalf("no %s in %s", args[1], data)
}

type nowhere struct{ io.Writer }

func (nowhere) Close() error { return nil }

// left starts a command as a session does that leaves it running: left VARIABLE LOG
func left(ts *testscript.TestScript, _ bool, args []string) {
	p, err := proc.Start(proc.Command{Path: "/bin/sh", Args: []string{"-c", "sleep 60"}, Dir: ts.MkAbs("."), Output: nowhere{io.Discard}})
	ts.Check(err)
	ts.Defer(func() { p.Group().Kill(); p.Wait() })
	const session = "11111111-2222-4333-8444-555555555555"
	var journal []byte
	for i, payload := range []event.Payload{
		event.ToolCall{Tool: "bash", ToolCallID: "c", Arguments: []byte(`{"command":"python train.py","background":true}`)},
		event.ToolEffect{ToolCallID: "c", ExternalRef: p.Group().String()},
		event.ToolOutput{Tool: "bash", ToolCallID: "c", Output: "id: bg1\nlog: " + ts.MkAbs(args[1]) + "\n", Success: true},
	} {
		ev, err := event.New(session, "turn_1", time.Now(), payload)
		ts.Check(err)
		ev.Seq = int64(i + 1)
		journal = append(ev.AppendJSON(journal, false), '\n')
	}
	dir := filepath.Join(ts.Getenv("STATE"), "sessions", session)
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(os.WriteFile(filepath.Join(dir, "journal.jsonl"), journal, 0o600))
	ts.Setenv(args[0], strconv.Itoa(p.Group().ID))
}

// endLeft ends what left has started.
func endLeft(ts *testscript.TestScript, _ bool, _ []string) {
	id, err := strconv.Atoi(ts.Getenv("LEFT"))
	ts.Check(err)
	proc.GroupOf(id).Kill()
}

// ended waits until a job is over: ended NAMESPACE ID
func ended(ts *testscript.TestScript, _ bool, args []string) {
	c := ts.Value("hub").(*hub.Client)
	for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		j, err := c.Jobs.Find(context.Background(), args[0], args[1])
		ts.Check(err)
		if j.Status.Stage.Over() {
			return
		}
	}
	ts.Fatalf("job %s does not end", args[1])
}
