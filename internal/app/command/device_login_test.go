package command_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ml-intern/ml-intern/internal/app/command/scripttest"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/hubsim/identity"
)

// lobby is a simulated Hub that gives logins out, and a home folder.
type lobby struct {
	testing.TB
	hub   *hubsim.Hub
	world *world // its models answer
	home  string
	dir   string

	seen  map[string]bool // every secret it has given
	asked int             // requests for tokens, told before

	mu     sync.Mutex
	before func(request int) // a model call is answered
}

func newLobby(t testing.TB, dir string, script ...string) *lobby {
	t.Helper()
	l := &lobby{TB: t, home: filepath.Join(dir, "home"), dir: dir, seen: map[string]bool{}}
	file := filepath.Join(dir, "model.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(script, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(l.home, 0o755); err != nil {
		t.Fatal(err)
	}
	l.world = newWorld(t, file)
	l.hub = hubsimtest.Start(t, hubsim.Options{Router: http.HandlerFunc(l.model), AllowUnserved: true})
	return l
}

// model is the router, for those whose token the Hub knows.
func (l *lobby) model(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/models") {
		l.world.routerModels(w, r)
		return
	}
	l.mu.Lock()
	before := l.before
	l.mu.Unlock()
	if before != nil {
		before(len(l.world.calls()))
	}
	l.world.chat(w, r)
}

func (l *lobby) environment() []string {
	env := []string{
		"HOME=" + l.home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "LC_ALL=C.UTF-8", "TZ=UTC",
		"ML_INTERN_OAUTH_CLIENT_ID=client-1",
	}
	return append(env, hubsim.BaseEnv(l.hub.URL())...)
}

// run runs the program and returns its exit code and outputs.
func (l *lobby) run(args ...string) (int, string, string) {
	l.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir, cmd.Env = l.dir, append(l.environment(), asProgram+"=1")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the exit code tells
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func (l *lobby) logIn(scopes string) {
	l.Helper()
	if code, out, errs := l.run("login", "--device", "--scope", scopes); code != 0 {
		l.Fatalf("exit code %d: %s%s", code, out, errs)
	}
}

// record is the program's private file.
func (l *lobby) record() map[string]any {
	l.Helper()
	raw, err := os.ReadFile(l.private())
	if err != nil {
		l.Fatal(err)
	}
	r := map[string]any{}
	if err := json.Unmarshal(raw, &r); err != nil {
		l.Fatal(err)
	}
	return r
}

func (l *lobby) private() string { return filepath.Join(l.home, ".local/state/ml-intern/oauth.json") }

// ages makes the token one that was given so long ago, and ends so soon.
func (l *lobby) ages(given, left time.Duration) {
	l.Helper()
	r := l.record()
	r["at"], r["expires_at"] = time.Now().Add(-given), time.Now().Add(left)
	raw, err := json.Marshal(r)
	if err != nil {
		l.Fatal(err)
	}
	if err := os.WriteFile(l.private(), raw, 0o600); err != nil {
		l.Fatal(err)
	}
}

// tokenRequests counts the requests for tokens since the last time.
func (l *lobby) tokenRequests() int {
	n := 0
	for _, r := range l.hub.Requests() {
		if r.Method == "POST" && r.Path == "/oauth/token" {
			n++
		}
	}
	more := n - l.asked
	l.asked = n
	return more
}

// secrets are all tokens that the Hub has given out.
func (l *lobby) secrets() []string {
	l.Helper()
	for _, t := range l.hub.Accounts().Tokens("bob") {
		if t.OAuthScopes != nil {
			l.seen[t.Value] = true
		}
	}
	raw, err := l.hub.Identity().Save()
	if err != nil {
		l.Fatal(err)
	}
	var state struct {
		Refresh map[string]any `json:"refresh"`
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		l.Fatal(err)
	}
	for value := range state.Refresh {
		l.seen[value] = true
	}
	if len(l.seen) == 0 {
		l.Fatal("the Hub has given no token out")
	}
	var all []string
	for value := range l.seen {
		all = append(all, value)
	}
	return all
}

// only checks which files below the home folder hold a token, and that none
// holds one that was replaced.
func (l *lobby) only(names ...string) {
	l.Helper()
	var found []string
	secrets := append(l.secrets(), "hf_bob_write")
	err := filepath.WalkDir(l.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		held := slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(string(raw), s) })
		if held || strings.Contains(string(raw), "hf_oauth_") {
			found = append(found, filepath.Base(path))
		}
		return nil
	})
	if err != nil {
		l.Fatal(err)
	}
	slices.Sort(found)
	slices.Sort(names)
	if !slices.Equal(found, names) {
		l.Errorf("tokens are in %q, want them in %q", found, names)
	}
}

// Logins with a code, as people type them.
func TestDeviceLoginScripts(t *testing.T) {
	lobbyOf := func(ts *testscript.TestScript) *lobby { return ts.Value("lobby").(*lobby) }
	testscript.Run(t, testscript.Params{
		Dir: "testdata/account", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			l := newLobby(env.T().(testing.TB), env.WorkDir)
			for _, entry := range l.environment() {
				if name, value, _ := strings.Cut(entry, "="); name != "PATH" && name != "ML_INTERN_OAUTH_CLIENT_ID" {
					env.Setenv(name, value)
				}
			}
			env.Setenv("STATE", filepath.Dir(l.private()))
			env.Values["lobby"] = l
			return nil
		},
		Cmds: scripttest.With(scripttest.Words{
			"mode": mode,
			// consent JSON: how the person at the browser answers
			"consent": func(ts *testscript.TestScript, _ bool, args []string) {
				var c identity.Consent
				ts.Check(json.Unmarshal([]byte(args[0]), &c))
				lobbyOf(ts).hub.Identity().SetConsent(c)
			},
			// asked N: how often tokens were asked for since the last time
			"asked": func(ts *testscript.TestScript, _ bool, args []string) {
				if n := fmt.Sprint(lobbyOf(ts).tokenRequests()); n != args[0] {
					ts.Fatalf("%s requests for tokens, want %s", n, args[0])
				}
			},
			// due: the token is near its end
			"due": func(ts *testscript.TestScript, _ bool, _ []string) {
				lobbyOf(ts).ages(7*time.Hour+59*time.Minute, time.Minute)
				lobbyOf(ts).tokenRequests()
			},
			// scopes LIST: what the login may do
			"scopes": func(ts *testscript.TestScript, _ bool, args []string) {
				if got := lobbyOf(ts).record()["scope"]; got != args[0] {
					ts.Fatalf("the login has %v, want %s", got, args[0])
				}
			},
			// only NAMES...: which files hold tokens
			"only": func(ts *testscript.TestScript, _ bool, args []string) { lobbyOf(ts).only(args...) },
		}),
	})
}

// A session whose token ends in its middle goes on after one renewal, and no
// token is left anywhere but in the two files.
func TestSessionOutlivesItsToken(t *testing.T) {
	t.Parallel()
	l := newLobby(t, t.TempDir(),
		`{"text":"I look.","calls":[{"name":"hf_repo_files","args":{"operation":"list","repo_id":"bob/llama-sft"}}]}`,
		`{"text":"And where they are.","calls":[{"name":"bash","args":{"command":"cat \"$HOME/.cache/huggingface/token\" \"$HOME\"/.local/state/ml-intern/oauth.json; env"}}]}`,
		`{"text":"done"}`)
	l.logIn("write-repos")
	first := l.record()["access_token"].(string)
	l.tokenRequests()
	l.hub.ClearRequests()
	l.asked = 0
	l.mu.Lock()
	l.before = func(request int) {
		if request == 0 {
			l.hub.Advance(9 * time.Hour)
		}
	}
	l.mu.Unlock()
	code, out, errs := l.run("-m", "acme/tiny:fast", "--output-format", "stream-json", "hi")
	if code != 0 || !strings.Contains(out, `"result":"done"`) {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	if n := l.tokenRequests(); n != 1 {
		t.Errorf("%d renewals, want 1", n)
	}
	second := l.record()["access_token"].(string)
	if raw, _ := os.ReadFile(filepath.Join(l.home, ".cache/huggingface/token")); second == first || string(raw) != second {
		t.Errorf("the token file holds %q, the record %q", raw, second)
	}
	for _, secret := range append(l.secrets(), first) {
		if strings.Contains(out+errs, secret) {
			t.Errorf("%s is shown:\n%s%s", secret, out, errs)
		}
	}
	l.seen[first] = true
	l.only("token", "oauth.json")
	if !strings.Contains(out, "llama") {
		t.Errorf("the tool had no answer:\n%s", out)
	}
}

// Processes that all find the token near its end renew it once.
func TestProcessesRenewOnce(t *testing.T) {
	t.Parallel()
	l := newLobby(t, t.TempDir())
	l.logIn("all")
	l.ages(7*time.Hour+58*time.Minute, 2*time.Minute)
	l.tokenRequests()
	if err := l.hub.Faults.Add(fault.Rule{Match: fault.Match{Path: "^/oauth/token$"}, Do: fault.Do{LatencyMs: 300}}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if code, out, errs := l.run("whoami"); code != 0 || !strings.HasPrefix(out, "bob ") {
				t.Errorf("exit code %d\n%s%s", code, out, errs)
			}
		})
	}
	wg.Wait()
	if n := l.tokenRequests(); n != 1 {
		t.Errorf("%d renewals, want 1", n)
	}
	for _, r := range l.hub.Requests() {
		if r.Status == http.StatusUnauthorized {
			t.Errorf("%s %s was refused", r.Method, r.Path)
		}
	}
	l.only("token", "oauth.json")
}

// A job gets a token that lasts: what is left of this one is not enough.
func TestJobGetsAFreshToken(t *testing.T) {
	t.Parallel()
	l := newLobby(t, t.TempDir(),
		`{"calls":[{"name":"hf_jobs","args":{"operation":"run","command":["true"],"image":"python:3.12","hardware_flavor":"cpu-basic","timeout":"10m","detach":true}}]}`,
		`{"text":"done"}`)
	l.logIn("all")
	old := l.record()["access_token"].(string)
	l.ages(5*time.Hour, 3*time.Hour)
	l.tokenRequests()
	code, out, errs := l.run("-m", "acme/tiny:fast", "--output-format", "stream-json", "hi")
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	if n := l.tokenRequests(); n != 1 {
		t.Errorf("%d renewals, want 1", n)
	}
	fresh := l.record()["access_token"].(string)
	jobs, err := l.hub.Jobs().Save()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(jobs), old) || !strings.Contains(string(jobs), fresh) {
		t.Errorf("the job has another token:\n%s\n%s", jobs, out)
	}
}

// Acceptance check 38: a login that has ended is one refused request and one
// line that says what to do.
func TestCheck38_EndedLogin(t *testing.T) {
	t.Parallel()
	l := newLobby(t, t.TempDir(), `{"text":"done"}`)
	l.logIn("write-repos")
	if err := l.hub.Reset(); err != nil { // of its tokens the Hub knows nothing now
		t.Fatal(err)
	}
	l.hub.ClearRequests()
	l.asked = 0
	code, out, errs := l.run("whoami")
	if code != 3 || !strings.Contains(errs, "ml-intern login") || strings.Contains(out+errs, "hf_oauth") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	refused := 0
	for _, r := range l.hub.Requests() {
		if r.Path == "/api/whoami-v2" {
			refused++
		}
	}
	if n := l.tokenRequests(); n != 1 || refused != 1 {
		t.Errorf("%d questions and %d renewals:\n%s", refused, n, errs)
	}
}
