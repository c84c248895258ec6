//go:build unix

package offer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/offer"
	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

const waitForGo = "touch begun; while [ ! -e go ]; do sleep 0.01; done; echo gone on"

// account is what a run tells programs.
type account struct {
	SessionID  string  `json:"session_id"`
	ExitCode   int     `json:"exit_code"`
	Status     string  `json:"status"`
	Result     string  `json:"result"`
	CostUSD    float64 `json:"total_cost_usd"`
	ModelCalls int     `json:"model_calls"`
}

// told is the account of a run. It fits what the tool promises.
func told(t *testing.T, o *offer.Offer, r mcpserver.Result) account {
	t.Helper()
	var schema jsonschema.Schema
	if err := json.Unmarshal(find(t, o, "run").Output, &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	var a account
	if err := json.Unmarshal(r.Structured, &value); err != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	if err := resolved.Validate(value); err != nil {
		t.Errorf("%s: %v", r.Structured, err)
	}
	if err := json.Unmarshal(r.Structured, &a); err != nil {
		t.Fatal(err)
	}
	if r.Failed != (a.ExitCode != 0) {
		t.Errorf("failed %v with exit code %d: %s", r.Failed, a.ExitCode, r.Text)
	}
	return a
}

func TestRun(t *testing.T) {
	s := newSite(t, call("c1", "echo one > file; pwd; echo "+secret), say("It is done."))
	o := s.open(nil)
	var l lines
	r, err := find(t, o, "run").Call(t.Context(), json.RawMessage(`{"prompt":"do it with `+secret+`","cwd":"sub"}`), l.add)
	if err != nil {
		t.Fatal(err)
	}
	a := told(t, o, r)
	if a.Result != "It is done." || a.Status != "success" || a.ExitCode != 0 || a.ModelCalls != 2 || len(a.SessionID) != 36 {
		t.Errorf("%+v", a)
	}
	if !strings.HasPrefix(r.Text, "It is done.\n\n[session "+a.SessionID+": success, exit code 0, 2 model calls, ") {
		t.Errorf("%s", r.Text)
	}
	text := l.text()
	for _, want := range []string{
		"session " + a.SessionID + " (ml-intern attach ", "turn_1 begins with replay/", "model call 1, 0.0000 USD so far",
		`bash {"command":"echo one`, "bash: " + filepath.Join(s.dir, "sub"), "bash is done", "model call 2,",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told:\n%s", want, text)
		}
	}
	if strings.Contains(text+r.Text, secret) {
		t.Errorf("it tells the token:\n%s", text)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "sub", "file")); err != nil {
		t.Error(err)
	}
	s.ended()
}

// A run goes on where an earlier one has stopped, with its memory and in its
// folder.
func TestGoOn(t *testing.T) {
	s := newSite(t, say("first"), call("c1", "pwd > where"), say("second"))
	// A server that takes its time to leave holds up the end of the process.
	dir := filepath.Join(s.home, "config")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "cli_agent_config.json"),
		[]byte(`{"mcpServers":{"slow":{"command":"sh","args":["-c","trap '' TERM; while read -r l; do :; done; sleep 0.5"]}}}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	o := s.open(nil)
	first := told(t, o, use(t, o, "run", `{"prompt":"one","cwd":"sub"}`))
	// At once: its process is still about to end.
	second := told(t, o, use(t, o, "run", `{"prompt":"two","session_id":"`+first.SessionID+`"}`))
	if first.Result != "first" || second.Result != "second" || second.SessionID != first.SessionID {
		t.Errorf("%+v and %+v", first, second)
	}
	if raw, err := os.ReadFile(filepath.Join(s.dir, "sub", "where")); err != nil || strings.TrimSpace(string(raw)) != filepath.Join(s.dir, "sub") {
		t.Errorf("%s, %v", raw, err)
	}
	s.ended()
}

// Exit codes are those of a headless run.
func TestEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		script   []map[string]any
		args     string
		settings []string
		code     int
		status   string
	}{
		"refused for want of approval": {[]map[string]any{call("c1", "rm -rf /"), say("I could not.")}, `{"prompt":"x","approval_mode":"ask"}`, nil, 6, "approval_required"},
		"what would ask, and may":      {[]map[string]any{call("c1", "touch ../elsewhere/x"), say("done")}, `{"prompt":"x"}`, nil, 0, "success"},
		"too many model calls":         {[]map[string]any{call("c1", "true"), call("c2", "true"), say("so far")}, `{"prompt":"x"}`, []string{"max_iterations", "1"}, 4, "max_iterations"},
		"the script is at its end":     {[]map[string]any{call("c1", "true")}, `{"prompt":"x"}`, nil, 1, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, tt.script...)
			o := s.open(func(o *offer.Options) { o.Settings = s.settings(tt.settings...) })
			if a := told(t, o, use(t, o, "run", tt.args)); a.ExitCode != tt.code || a.Status != tt.status {
				t.Errorf("%+v", a)
			}
			s.ended()
		})
	}
}

// What the server was started with is the most that a run gets, and nothing is
// run outside its folder.
func TestDenied(t *testing.T) {
	s := newSite(t, say("done"))
	outside := filepath.Join(s.root, "elsewhere")
	if err := os.Mkdir(filepath.Join(outside, "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(s.dir, "link")); err != nil {
		t.Fatal(err)
	}
	s.write("file", "x")
	elsewhere := s.open(func(o *offer.Options) { o.Root = outside })
	theirs := told(t, elsewhere, use(t, elsewhere, "run", `{"prompt":"theirs"}`)).SessionID
	s.ended()
	o := s.open(func(o *offer.Options) { o.Settings = s.settings("permissions.mode", "auto-edit", "max_cost_usd", "3") })
	log := filepath.Join(s.home, "state", "sessions", theirs, "journal.jsonl")
	for name, tt := range map[string]struct{ args, code, says string }{
		"nothing to do":            {`{}`, "invalid_arguments", "prompt is missing"},
		"blanks to do":             {`{"prompt":" \n"}`, "invalid_arguments", "prompt is missing"},
		"a number to do":           {`{"prompt":{"a":1}}`, "invalid_arguments", "prompt"},
		"a mode of no kind":        {`{"prompt":"x","approval_mode":"free"}`, "invalid_arguments", "approval_mode"},
		"a mode above":             {`{"prompt":"x","approval_mode":"upstream"}`, "refused", "--approval-mode"},
		"yolo":                     {`{"prompt":"x","approval_mode":"yolo"}`, "refused", "auto-edit"},
		"a cap above":              {`{"prompt":"x","max_cost_usd":3.01}`, "refused", "--max-cost"},
		"no cap":                   {`{"prompt":"x","max_cost_usd":0}`, "refused", "--max-cost"},
		"less than nothing":        {`{"prompt":"x","max_cost_usd":-1}`, "invalid_arguments", "max_cost_usd"},
		"the folder above":         {`{"prompt":"x","cwd":".."}`, "refused", "--cwd"},
		"above and down":           {`{"prompt":"x","cwd":"sub/../../elsewhere"}`, "refused", "--cwd"},
		"an absolute folder":       {`{"prompt":"x","cwd":"` + outside + `"}`, "refused", "--cwd"},
		"the root":                 {`{"prompt":"x","cwd":"/"}`, "refused", "--cwd"},
		"a link out":               {`{"prompt":"x","cwd":"link"}`, "refused", "--cwd"},
		"a folder behind a link":   {`{"prompt":"x","cwd":"link/deep"}`, "refused", "--cwd"},
		"no folder":                {`{"prompt":"x","cwd":"nothing"}`, "refused", "no such folder"},
		"a file":                   {`{"prompt":"x","cwd":"file"}`, "refused", "no such folder"},
		"a home":                   {`{"prompt":"x","cwd":"~"}`, "refused", "no such folder"},
		"a zero byte":              {`{"prompt":"x","cwd":"sub\u0000"}`, "refused", "no such folder"},
		"a session of elsewhere":   {`{"prompt":"x","session_id":"` + theirs + `"}`, "refused", "another folder"},
		"the beginning of one":     {`{"prompt":"x","session_id":"` + theirs[:8] + `"}`, "invalid_arguments", "the whole id"},
		"the newest session":       {`{"prompt":"x","session_id":"1"}`, "invalid_arguments", "the whole id"},
		"a path of a session":      {`{"prompt":"x","session_id":"` + log + `"}`, "invalid_arguments", "the whole id"},
		"a path in an id":          {`{"prompt":"x","session_id":"../` + theirs + `"}`, "invalid_arguments", "the whole id"},
		"an id in capitals":        {`{"prompt":"x","session_id":"` + strings.ToUpper(theirs) + `"}`, "invalid_arguments", "the whole id"},
		"an id of nobody":          {`{"prompt":"x","session_id":"3f2b8c1e-5d0a-4c7e-9a61-0d4e8f7b2a95"}`, "invalid_arguments", "there is no session"},
		"a model that there isn't": {`{"prompt":"x","model":"nonsense"}`, "failed", "nonsense"},
		"a model without its key":  {`{"prompt":"x","model":"anthropic/claude-opus-4.6"}`, "failed", "exit code 3"},
	} {
		t.Run(name, func(t *testing.T) {
			r := use(t, o, "run", tt.args)
			if code(t, r) != tt.code || !strings.Contains(r.Text, tt.says) {
				t.Errorf("%+v", r)
			}
		})
	}
	if len(s.running()) > 0 {
		t.Errorf("something runs: %+v", s.running())
	}
	if a := told(t, o, use(t, o, "run", `{"prompt":"x","approval_mode":"plan","max_cost_usd":3,"cwd":"`+s.dir+`"}`)); a.ExitCode != 0 {
		t.Errorf("%+v", a)
	}
	s.ended()
}

// background makes a call that the test does not wait for.
func background(ctx context.Context, t *testing.T, o *offer.Offer, args string, l *lines) (done chan mcpserver.Result) {
	t.Helper()
	done = make(chan mcpserver.Result, 1)
	run := find(t, o, "run")
	go func() {
		r, err := run.Call(ctx, json.RawMessage(args), l.add)
		if err != nil {
			r = mcpserver.Result{Text: err.Error(), Failed: true}
		}
		done <- r
	}()
	return done
}

func (s *site) exists(name string) bool {
	_, err := os.Stat(filepath.Join(s.dir, name))
	return err == nil
}

// A cancelled call is over within a second, the run is interrupted and ends, and
// can be gone on with.
func TestCancel(t *testing.T) {
	s := newSite(t, call("c1", waitForGo), say("not wanted"), say("and now it is done"))
	o := s.open(nil)
	ctx, cancel := context.WithCancel(t.Context())
	var l lines
	done := background(ctx, t, o, `{"prompt":"x"}`, &l)
	eventually(t, "the command runs", func() bool { return s.exists("begun") })
	id := s.running()[0].SessionID
	at := time.Now()
	cancel()
	<-done
	if took := time.Since(at); took > time.Second {
		t.Errorf("it took %s", took)
	}
	s.ended()
	if s.exists("go") {
		t.Fatal("the command was not stopped")
	}
	if a := told(t, o, use(t, o, "run", `{"prompt":"go on","session_id":"`+id+`"}`)); a.ExitCode != 0 || a.SessionID != id {
		t.Errorf("%+v", a)
	}
	s.ended()
}

// When the client goes, or this program, the run goes on where the user wants
// that, and whoever comes back gets its end.
func TestLeft(t *testing.T) {
	for name, goesOn := range map[string]bool{"goes on": true, "ends": false} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, call("c1", waitForGo), say("it is done"))
			o := s.open(func(o *offer.Options) { o.Settings = s.settings("detach_on_hangup", fmt.Sprint(goesOn)) })
			ctx, leave := context.WithCancelCause(t.Context())
			var l lines
			done := background(ctx, t, o, `{"prompt":"x"}`, &l)
			eventually(t, "the command runs", func() bool { return s.exists("begun") })
			id := s.running()[0].SessionID
			leave(io.EOF)
			<-done
			if !goesOn {
				s.ended()
				return
			}
			eventually(t, "nobody follows it", func() bool {
				info, err := s.running()[0].Look(t.Context(), app.Version())
				return err == nil && info.Terminals == 0
			})
			again := background(t.Context(), t, o, `{"session_id":"`+id+`"}`, &l)
			if r := use(t, o, "run", `{"prompt":"and more","session_id":"`+id+`"}`); code(t, r) != "refused" || !strings.Contains(r.Text, "session_id alone") {
				t.Errorf("%+v", r)
			}
			eventually(t, "the call follows", func() bool { return strings.Count(l.text(), "ml-intern attach") == 2 })
			if r := use(t, o, "run", `{"session_id":"`+id+`"}`); code(t, r) != "refused" || !strings.Contains(r.Text, "in use") {
				t.Errorf("%+v", r)
			}
			s.write("go", "")
			first := told(t, o, <-again)
			if first.Result != "it is done" || first.SessionID != id || first.ModelCalls != 2 {
				t.Errorf("%+v", first)
			}
			s.ended()
			// Who comes later still gets it, and nothing is done for it.
			if later := told(t, o, use(t, o, "run", `{"session_id":"`+id+`"}`)); later != first {
				t.Errorf("%+v, and before %+v", later, first)
			}
			if len(s.running()) > 0 {
				t.Errorf("something runs: %+v", s.running())
			}
		})
	}
}

// There are no more runs at once than there are places.
func TestAtOnce(t *testing.T) {
	s := newSite(t, call("c1", "while [ ! -e go ]; do sleep 0.01; done"), say("done"))
	o := s.open(nil)
	var l lines
	var all []chan mcpserver.Result
	for range 4 {
		all = append(all, background(t.Context(), t, o, `{"prompt":"x"}`, &l))
	}
	eventually(t, "four runs", func() bool { return len(s.running()) == 4 })
	if r := use(t, o, "run", `{"prompt":"x"}`); code(t, r) != "busy" {
		t.Errorf("%+v", r)
	}
	s.write("go", "")
	for _, done := range all {
		if a := told(t, o, <-done); a.ExitCode != 0 {
			t.Errorf("%+v", a)
		}
	}
	s.ended()
	if a := told(t, o, use(t, o, "run", `{"prompt":"x"}`)); a.ExitCode != 0 {
		t.Errorf("%+v", a)
	}
	s.ended()
}

// A session that is not saved cannot have a process of its own, and says so.
func TestNotSaved(t *testing.T) {
	s := newSite(t, say("done"))
	o := s.open(func(o *offer.Options) { o.Settings = s.settings("save_sessions", "false") })
	if r := use(t, o, "run", `{"prompt":"x"}`); code(t, r) != "failed" || !strings.Contains(r.Text, "save_sessions") {
		t.Errorf("%+v", r)
	}
}

// Closing waits for runs that are left.
func TestClose(t *testing.T) {
	s := newSite(t, call("c1", waitForGo), say("done"))
	o := s.open(func(o *offer.Options) { o.Settings = s.settings("detach_on_hangup", "false") })
	ctx, leave := context.WithCancelCause(t.Context())
	var l lines
	done := background(ctx, t, o, `{"prompt":"x"}`, &l)
	eventually(t, "the command runs", func() bool { return s.exists("begun") })
	leave(mcpserver.ErrStopped)
	<-done
	var wait sync.WaitGroup
	wait.Go(func() { _ = o.Close() })
	wait.Wait()
	s.ended()
}
