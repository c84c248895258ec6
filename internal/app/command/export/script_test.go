package export_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/app/command/scripttest"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ml-intern": func() { os.Exit(command.Main(context.Background(), command.System())) }})
}

// TestScripts runs the commands as people type them, each script on a simulated Hub of
// its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, Setup: setup,
		Cmds: scripttest.With(scripttest.Words{
			"plant": plant, "show": show, "titles": titles, "fault": addFault, "dated": dated, "asked": asked, "forget": forget, "columns": columns,
		}),
	})
}

func setup(env *testscript.Env) error {
	t := env.T().(testing.TB)
	sim := hubsimtest.Start(t, hubsim.Options{Clock: clock.Options{Scale: 1}})
	web, err := httpx.New(httpx.Options{Version: "test"})
	if err != nil {
		return err
	}
	c, err := hub.New(hub.Options{HTTP: web, Endpoint: sim.URL(), Token: "hf_bob_write"})
	if err != nil {
		return err
	}
	env.Defer(func() { c.Close(); web.CloseIdleConnections() })
	env.Values["hub"], env.Values["sim"] = c, sim
	home := filepath.Join(env.WorkDir, "home", "lovelace")
	for name, value := range map[string]string{
		"HOME": home, "HF_ENDPOINT": sim.URL(), "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "XDG_STATE_HOME": "", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": "",
		"STATE": filepath.Join(home, ".local/state/ml-intern"), "HF_TOKEN": "",
	} {
		env.Setenv(name, value)
	}
	return os.MkdirAll(home, 0o755)
}

func hubOf(ts *testscript.TestScript) *hub.Client { return ts.Value("hub").(*hub.Client) }

// plant puts a file into a data set: plant NS/NAME PATH FILE
func plant(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	_, err := hubOf(ts).Repos.Ensure(ctx, repo.CreateSpec{Ref: repo.Ref{Type: wire.Dataset, ID: args[0]}})
	ts.Check(err)
	_, err = hubOf(ts).Commits.Commit(ctx, commit.Request{
		Target:     commit.Target{Type: wire.Dataset, Repo: args[0]},
		Operations: []commit.Operation{commit.Add{Path: args[1], Data: []byte(ts.ReadFile(args[2]))}}, Summary: "plant",
	})
	ts.Check(err)
}

// show writes a file of a data set to a file: show NS/NAME PATH FILE
func show(ts *testscript.TestScript, _ bool, args []string) {
	text, err := hubOf(ts).Repos.Raw(context.Background(), repo.Ref{Type: wire.Dataset, ID: args[0]}, "main", args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
}

// titles writes the titles of a data set's commits to a file, the newest first:
// titles NS/NAME FILE
func titles(ts *testscript.TestScript, _ bool, args []string) {
	var out strings.Builder
	for c, err := range hubOf(ts).Repos.Commits(context.Background(), repo.Ref{Type: wire.Dataset, ID: args[0]}, "main", 100) {
		ts.Check(err)
		out.WriteString(c.Title + "\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(out.String()), 0o600))
}

// addFault makes the Hub misbehave: fault JSON
func addFault(ts *testscript.TestScript, _ bool, args []string) {
	rules, err := fault.Parse([]byte("[" + args[0] + "]"))
	ts.Check(err)
	ts.Check(ts.Value("sim").(*hubsim.Hub).Faults.Add(rules...))
}

// dated puts the day so many days ago (UTC) in the place of DAY in a file: dated FILE DAYS
func dated(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	day := time.Now().UTC().AddDate(0, 0, -n).Format(time.DateOnly)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(ts.ReadFile(args[0]), "DAY", day)), 0o600))
}

// asked counts requests: asked N METHOD PATTERN
func asked(ts *testscript.TestScript, _ bool, args []string) {
	pattern, n := regexp.MustCompile(args[2]), 0
	for _, r := range ts.Value("sim").(*hubsim.Hub).Requests() {
		if r.Method == args[1] && pattern.MatchString(r.Path) {
			n++
		}
	}
	if strconv.Itoa(n) != args[0] {
		ts.Fatalf("%d requests, want %s", n, args[0])
	}
}

func forget(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Value("sim").(*hubsim.Hub).ClearRequests()
}

// columns checks cells of a CSV file of two lines: columns FILE NAME=VALUE...
func columns(ts *testscript.TestScript, _ bool, args []string) {
	header, line, _ := strings.Cut(strings.TrimSpace(ts.ReadFile(args[0])), "\n")
	names, values := strings.Split(header, ","), strings.Split(line, ",")
	for _, want := range args[1:] {
		name, value, _ := strings.Cut(want, "=")
		for i := range names {
			if names[i] == name && values[i] != value {
				ts.Fatalf("%s is %s, want %s", name, values[i], value)
			}
		}
		if !strings.Contains(","+header+",", ","+name+",") {
			ts.Fatalf("there is no column %s", name)
		}
	}
}
