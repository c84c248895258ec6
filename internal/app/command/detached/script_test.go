package detached_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/app/command/scripttest"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

func TestMain(m *testing.M) {
	if handled, code := command.Child(os.Args); handled {
		os.Exit(code)
	}
	testscript.Main(m, map[string]func(){"ml-intern": func() { os.Exit(command.Main(context.Background(), command.System())) }})
}

// TestScripts runs the commands as people type them. A host that a script
// leaves behind is killed, and fails it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, Setup: setup,
		Cmds: scripttest.With(scripttest.Words{"id": id, "state": state}),
	})
}

func setup(env *testscript.Env) error {
	home, err := os.MkdirTemp("", "ds") // short: there is a socket in it
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"HOME": filepath.Join(env.WorkDir, "home"), "ML_INTERN_HOME": home, "DO_NOT_TRACK": "1", "HF_ENDPOINT": "http://127.0.0.1:1",
		"HF_TOKEN": "", "TZ": "UTC", "LC_ALL": "C.UTF-8", "XDG_RUNTIME_DIR": "",
	} {
		env.Setenv(name, value)
	}
	list := registry(home)
	env.Values["list"] = list
	env.Defer(func() {
		entries, _ := list.List()
		for _, e := range entries {
			env.T().Log("session " + e.SessionID + " still runs")
			_ = list.Kill(context.Background(), e)
		}
		_ = os.RemoveAll(home)
		if len(entries) > 0 {
			env.T().Fatal("a script has left sessions running")
		}
	})
	return nil
}

func registry(home string) *detach.Registry {
	return detach.Open(filepath.Join(home, "state"), func(string) (string, bool) { return "", false })
}

// id sets variables to the id that the last command printed, and its beginning:
// id VARIABLE
func id(ts *testscript.TestScript, _ bool, args []string) {
	out := strings.TrimSpace(ts.ReadFile("stdout"))
	if strings.HasPrefix(out, "{") {
		var got struct {
			SessionID string `json:"session_id"`
		}
		ts.Check(json.Unmarshal([]byte(out), &got))
		out = got.SessionID
	}
	if len(out) != 36 {
		ts.Fatalf("%q is no session's id", out)
	}
	ts.Setenv(args[0], out)
	ts.Setenv(args[0]+"_SHORT", out[:8])
}

// state waits until a session is in a state: state ID STATE
func state(ts *testscript.TestScript, _ bool, args []string) {
	list := ts.Value("list").(*detach.Registry)
	var last attach.State
	for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		e, err := list.Find(args[0])
		if err != nil {
			continue
		}
		info, err := e.Look(context.Background(), app.Version())
		if err == nil && string(info.State) == args[1] {
			return
		}
		last = info.State
	}
	ts.Fatalf("session %s is %q, not %q", args[0], last, args[1])
}
