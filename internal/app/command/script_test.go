package command_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/app/command/scripttest"
)

var update = flag.Bool("update", false, "write the golden parts of the scripts anew")

// asProgram makes the test binary the program itself.
const asProgram = "ML_INTERN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	run := func() {
		if fenced, code := command.Child(os.Args); fenced {
			os.Exit(code)
		}
		os.Exit(command.Main(context.Background(), command.System()))
	}
	if os.Getenv(asProgram) != "" {
		run()
	}
	testscript.Main(m, map[string]func(){"ml-intern": run})
}

// TestScripts runs the commands as people type them. Each script has a world
// of its own; the models answer from its file model.jsonl.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup:               setup,
		Cmds: scripttest.With(scripttest.Words{
			"requests": requests, "sent": sent, "asked": asked, "normal": normal,
			"id": sessionID, "mode": mode,
		}),
	})
}

func setup(env *testscript.Env) error {
	w := newWorld(env.T().(testing.TB), filepath.Join(env.WorkDir, "model.jsonl"))
	env.Values["world"] = w
	home := filepath.Join(env.WorkDir, "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	for _, entry := range w.environment(home) {
		name, value, _ := strings.Cut(entry, "=")
		if name != "PATH" {
			env.Setenv(name, value)
		}
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	env.Setenv("PROGRAM", program)
	env.Setenv("GOOD_TOKEN", goodToken)
	env.Setenv("STATE", filepath.Join(home, ".local/state/ml-intern"))
	return nil
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

// requests checks how many model calls there were.
func requests(ts *testscript.TestScript, _ bool, args []string) {
	if got := strconv.Itoa(len(worldOf(ts).calls())); got != args[0] {
		ts.Fatalf("%s model calls, want %s", got, args[0])
	}
}

// sent checks the last model call against a pattern: sent PATTERN
func sent(ts *testscript.TestScript, neg bool, args []string) {
	calls := worldOf(ts).calls()
	if len(calls) == 0 {
		ts.Fatalf("there was no model call")
	}
	if regexp.MustCompile(args[0]).Match(calls[len(calls)-1]) == neg {
		ts.Fatalf("the last model call: %s", calls[len(calls)-1])
	}
}

// asked checks whether a path was requested: asked 'GET /path'
func asked(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	w.mu.Lock()
	defer w.mu.Unlock()
	found := false
	for _, path := range w.asked {
		found = found || path == args[0]
	}
	if found == neg {
		ts.Fatalf("requested: %q", w.asked)
	}
}

// What changes from run to run.
var changing = []struct {
	pattern *regexp.Regexp
	mark    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "SESSION"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?`), "TIME"},
	{regexp.MustCompile(`\d{8}_\d{6}`), "STAMP"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d`), "DATE"},
	{regexp.MustCompile(`"(duration_ms|latency_ms|ttft_ms)":\d+`), `"$1":0`},
	{regexp.MustCompile(`ml-intern-v?\d[^" ]*`), "VERSION"},
	{regexp.MustCompile(`"(version|app_version)":"[^"]*"`), `"$1":"VERSION"`},
	{regexp.MustCompile(`"text":"You are [^"]*(\\.[^"]*)*"`), `"text":"SYSTEM PROMPT"`},
	{regexp.MustCompile(`"content":"(You|# )(?:[^"\\]|\\.){400,}"`), `"content":"SYSTEM PROMPT"`},
	// The start of the agent and the acceptance of the prompt race.
	{regexp.MustCompile(`(?m)^.*"event_type":"ready".*\n`), ""},
	{regexp.MustCompile(`"seq":\d+`), `"seq":0`},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST"},
}

// normal writes an output to a file, without what changes from run to run, to
// be compared: normal stdout FILE
func normal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: normal stdout|stderr FILE")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[0]), ts.Getenv("WORK"), "WORK")
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.mark)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// sessionID puts the id of the newest session into a variable: id NAME
func sessionID(ts *testscript.TestScript, _ bool, args []string) {
	paths, err := filepath.Glob(filepath.Join(ts.Getenv("STATE"), "sessions", "*", "journal.jsonl"))
	ts.Check(err)
	newest, id := int64(0), ""
	for _, path := range paths {
		info, err := os.Stat(path)
		ts.Check(err)
		if at := info.ModTime().UnixNano(); at > newest {
			newest, id = at, filepath.Base(filepath.Dir(path))
		}
	}
	if id == "" {
		ts.Fatalf("there is no session")
	}
	ts.Setenv(args[0], id)
}

// mode checks the permission bits of files: mode 0600 GLOB
func mode(ts *testscript.TestScript, _ bool, args []string) {
	paths, err := filepath.Glob(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(paths) == 0 {
		ts.Fatalf("no file matches %s", args[1])
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", path, got, args[0])
		}
	}
}
