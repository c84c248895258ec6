//go:build linux

package endtoend_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/bench/modelserver"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
)

// foreigner is a server that is no Hub: it takes everything and remembers it.
type foreigner struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newForeigner(t *testing.T) *foreigner {
	f := &foreigner{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what came of it is enough
		var head strings.Builder
		_ = r.Header.Write(&head)
		f.mu.Lock()
		f.seen = append(f.seen, r.Method+" "+r.URL.String()+"\n"+head.String()+string(body))
		f.mu.Unlock()
		w.Header().Set("ETag", `"x"`)
		fmt.Fprint(w, "[]")
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *foreigner) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

// steering is what a hostile text tries on a terminal: the clipboard, the
// title, a hidden link, the order of the characters.
const steering = "\x1b]52;c;ZXZpbA==\a\x1b]0;evil title\a\x1b]8;;https://evil.example/\x1b\\click\x1b]8;;\x1b\\\u202eevil\u202c\u2066x\u2069\u009b31m\x1b[2J"

// hostile is a simulated Hub that is against its user.
type hostile struct {
	*planted
	sim     *hubsim.Hub
	foreign *foreigner
	site    *site
	models  *desk
	named   string // passed to jobs as $NAME; its name does not tell a secret
	literal string // passed to jobs as it is
	open    string // a token that the model puts into env
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	_, rng := chance(t)
	v := &vault{rng: rng}
	h := &hostile{planted: &planted{vault: v}, foreign: newForeigner(t), models: newDesk()}
	t.Cleanup(h.models.server.Close)
	h.hub = v.hold("HF_TOKEN", v.hf())
	h.named = v.hold("an allowed variable", "Zq7-"+v.chars(20, lower))
	h.literal = v.hold("a literal secret of a job", "lit/"+v.chars(18, alnum))
	h.open = v.hold("a token in env", v.ant())
	h.sim = hubsimtest.Start(t, hubsim.Options{Clock: clock.Options{Scale: 1}, Exec: hubsim.Scripted, Scripts: h.scripts(), AllowUnserved: true})
	h.sim.Accounts().PutToken(account.Token{Value: h.hub, Owner: "bob", Role: "write"})
	h.site = mustSite(t, "HF_TOKEN="+h.hub, "HF_ENDPOINT="+h.sim.URL(), "BLOOM="+h.named)
	h.site.configure(t, `{"job_secret_allow":["BLOOM"],"artifact_hooks":false}`)
	return h
}

// scripts are jobs that print what they were given.
func (h *hostile) scripts() []exec.Script {
	var lines []string
	for _, s := range h.all {
		for _, form := range s.forms() {
			lines = append(lines, "got "+form+" here")
		}
	}
	lines = append(lines, steering, "secret="+h.hub+steering, strings.Repeat("x", 3980)+" "+h.hub, strings.Repeat("y", 3990)+h.literal,
		h.hub[:9]+"\x1b[31m"+h.hub[9:], h.literal[:5]+"\x1b]0;x\a"+h.literal[5:])
	code := 1
	return []exec.Script{
		{Command: `print-and-fail`, Steps: []exec.Step{{AfterMs: 10, Lines: lines}, {Message: "died of " + h.hub + steering, Exit: &code}}},
		{Steps: []exec.Step{{AfterMs: 10, Lines: lines}}},
	}
}

// run lets a model make calls one after another and returns their results.
func (h *hostile) run(t *testing.T, calls []modelserver.Call, args ...string) (ended, []string) {
	t.Helper()
	name := strings.ReplaceAll(t.Name(), "/", "_")
	base := h.models.add(name, func(r modelserver.Request) modelserver.Answer {
		done := 0
		for _, m := range r.Messages {
			if m.Role == "tool" {
				done++
			}
		}
		if done >= len(calls) {
			return modelserver.Answer{Text: []string{"Goodbye."}}
		}
		return modelserver.Answer{Calls: []modelserver.IDCall{{ID: fmt.Sprintf("call_%d", done), Call: calls[done]}}}
	})
	h.site.env = append(h.site.env, "VLLM_BASE_URL="+base)
	stop := h.watch(t)
	e := h.site.mustRun(t, append([]string{"--model", "vllm/m", "--max-cost", "0", "--verbose"}, append(args, "do it")...)...)
	stop()
	var results []string
	if all := h.models.requests(name); len(all) > 0 {
		for _, m := range all[len(all)-1].Messages {
			if m.Role == "tool" {
				results = append(results, m.Text())
			}
		}
	}
	if len(results) != len(calls) {
		t.Fatalf("%d results of %d calls: %v", len(results), len(calls), e)
	}
	return e, results
}

// watch looks at the arguments of the site's processes until stop is called.
func (h *hostile) watch(t *testing.T) (stop func()) {
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, path := range paths {
				if cwd, err := os.Readlink(filepath.Join(filepath.Dir(path), "cwd")); err != nil || !strings.HasPrefix(cwd, filepath.Dir(h.site.dir)) {
					continue
				}
				raw, _ := os.ReadFile(path) // the process may be gone
				if found := h.leaks(string(raw)); len(found) > 0 {
					t.Errorf("the arguments of a process hold %s", found)
				}
			}
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() { close(done); <-over }
}

// nothing checks everything that is left of a run, and what others have seen.
func (h *hostile) nothing(t *testing.T, e ended) {
	t.Helper()
	for name, text := range map[string]string{"standard output": e.stdout, "standard error": e.stderr} {
		h.clean(t, name, text)
		noControls(t, name, text)
		if !strings.HasPrefix(text, "{") { // not for a terminal
			harmless(t, name, text)
		}
	}
	h.stored(t, h.site)
	err := filepath.WalkDir(filepath.Dir(h.site.dir), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(path, h.site.home) || strings.HasPrefix(path, h.site.dir) {
			return err
		}
		raw, err := os.ReadFile(path)
		h.clean(t, path, string(raw))
		return err
	})
	if err != nil {
		t.Error(err)
	}
	log, err := json.Marshal(h.sim.Requests())
	if err != nil {
		t.Fatal(err)
	}
	h.clean(t, "the request log", string(log))
	for _, r := range h.foreign.requests() {
		h.clean(t, "a request to the foreign host", r)
		if strings.Contains(r, "Authorization") {
			t.Errorf("the foreign host was sent an Authorization: %s", r)
		}
	}
	id := filepath.Base(filepath.Dir(h.site.journals()[0]))
	for _, args := range [][]string{{"sessions", "show", id}, {"sessions", "export", id}, {"sessions", "export", id, "--format", "claude_code"}} {
		e := h.site.mustRun(t, args...)
		h.clean(t, strings.Join(args[:2], " "), e.stdout+e.stderr)
		if args[1] == "show" {
			harmless(t, "sessions show", e.stdout+e.stderr)
		}
	}
}

// noControls checks that a text has no characters that steer a terminal.
func noControls(t *testing.T, where, text string) {
	t.Helper()
	none(t, where, text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 })
}

// harmless checks besides that no text reads as what it is not.
func harmless(t *testing.T, where, text string) {
	t.Helper()
	noControls(t, where, text)
	none(t, where, text, func(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 })
}

func none(t *testing.T, where, text string, bad func(rune) bool) {
	t.Helper()
	if at := strings.IndexFunc(text, bad); at >= 0 {
		t.Errorf("%s holds a character that steers terminals: %q", where, text[max(0, at-60):min(len(text), at+60)])
	}
}

func (h *hostile) fault(t *testing.T, rule fault.Rule) {
	t.Helper()
	if err := h.sim.Faults.Add(rule); err != nil {
		t.Fatal(err)
	}
}

func jsonOf(t *testing.T, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func jobs(args map[string]any) modelserver.Call {
	return modelserver.Call{Name: "hf_jobs", Args: args}
}

// Jobs that get secrets and print them, plain and in other spellings, among
// characters that steer terminals: nothing of it leaves the job's own machine.
func TestJobSecretsStayInside(t *testing.T) {
	for _, format := range []string{"text", "json", "stream-json"} {
		t.Run(format, func(t *testing.T) {
			h := newHostile(t)
			given := map[string]any{"PASSED": "$BLOOM", "LITERAL": h.literal}
			e, results := h.run(t, []modelserver.Call{
				jobs(map[string]any{"operation": "run", "command": []string{"print-it"}, "secrets": given, "env": map[string]any{"OTHER": h.open, "PLAIN": "1"}}),
				jobs(map[string]any{"operation": "run", "script": "print-and-fail = 1\nprint(1)\n", "secrets": given}),
				jobs(map[string]any{"operation": "ps", "all": true}),
			}, "--output-format", format)
			if e.code != 0 {
				t.Fatal(e)
			}
			if !strings.Contains(results[0], "**Final Status:** COMPLETED") {
				t.Errorf("the job did not run: %s", results[0])
			}
			h.nothing(t, e)
			logs, _ := filepath.Glob(filepath.Join(h.site.home, "state", "sessions", "*", "jobs", "*.log"))
			if len(logs) != 2 {
				t.Errorf("%d logs are kept: they were not looked at", len(logs))
			}
			for _, path := range logs {
				if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v %v", path, info.Mode(), err)
				}
			}
			_, events := h.site.mustJournal(t)
			for _, out := range decoded[event.ToolOutput](events) {
				noControls(t, "a result in the journal", out.Output)
			}
			for _, l := range decoded[event.ToolLog](events) {
				noControls(t, "a log line in the journal", l.Log)
			}
		})
	}
}

// A Hub whose answers repeat the token, send the client elsewhere and steer the
// terminal: the token goes nowhere and nothing is shown of it.
func TestHostileAnswers(t *testing.T) {
	h := newHostile(t)
	said := "you sent Bearer " + h.hub + ", base64 " + base64.StdEncoding.EncodeToString([]byte(h.hub)) + ", " + url.QueryEscape(h.named) + steering
	headers := map[string]string{
		"X-Error-Message": "header " + h.hub, "X-Error-Code": "Code-" + h.hub, "X-Request-Id": "Root=" + h.hub,
		"X-HF-Warning": "topic" + h.hub + "; upgrade now " + h.hub + "\u202eevil",
	}
	away := func(path string) fault.Rule {
		return fault.Rule{Match: fault.Match{Path: path, Count: 1}, Do: fault.Do{Status: 302, Headers: map[string]string{"Location": h.foreign.URL + "/took?x=1"}}}
	}
	h.fault(t, fault.Rule{Match: fault.Match{Method: "POST", Path: "^/api/jobs/bob$", Count: 1}, Do: fault.Do{Status: 402, Headers: headers, Body: jsonOf(t, map[string]string{"error": "Payment required: " + said})}})
	h.fault(t, fault.Rule{Match: fault.Match{Method: "POST", Path: "^/api/jobs/bob$", Count: 1}, Do: fault.Do{Status: 400, Headers: headers, Body: jsonOf(t, map[string]string{"error": said})}})
	h.fault(t, away("^/api/models/acme/.*/refs"))
	h.fault(t, away("^/api/scheduled-jobs/bob$"))
	h.fault(t, fault.Rule{Match: fault.Match{Path: "/tree/", Count: 1}, Do: fault.Do{Status: 200, Headers: map[string]string{"Link": "<" + h.foreign.URL + `/next>; rel="next"`}, Body: json.RawMessage(`[]`)}})
	h.fault(t, fault.Rule{Match: fault.Match{Path: "^/api/jobs/bob/.*metrics", Count: 1}, Do: fault.Do{Status: 500, Headers: headers, Body: jsonOf(t, said)}})
	h.fault(t, fault.Rule{Match: fault.Match{Path: "^/api/jobs/bob/aaaa$"}, Do: fault.Do{Status: 200, Headers: headers, Body: jsonOf(t, map[string]any{
		"id": "x/../../" + steering, "status": map[string]any{"stage": "ERROR" + steering, "message": said}, "owner": map[string]any{"name": steering},
		"command": []string{steering, h.hub}, "flavor": steering,
	})}})
	e, results := h.run(t, []modelserver.Call{
		jobs(map[string]any{"operation": "run", "command": []string{"print-it"}}),
		jobs(map[string]any{"operation": "run", "command": []string{"print-it"}}),
		jobs(map[string]any{"operation": "scheduled ps"}),
		{Name: "hf_repo_git", Args: map[string]any{"operation": "list_refs", "repo_id": "acme/tiny-base"}},
		{Name: "hf_repo_files", Args: map[string]any{"operation": "list", "repo_id": "acme/tiny-base"}},
		jobs(map[string]any{"operation": "inspect", "job_id": []string{"aaaa"}}),
		jobs(map[string]any{"operation": "logs", "job_id": []string{"aaaa"}}),
		jobs(map[string]any{"operation": "metrics", "job_id": []string{"aaaa"}}),
	})
	for i, r := range results {
		t.Logf("result %d: %.300q", i, r)
		noControls(t, fmt.Sprintf("result %d", i), r)
	}
	if !strings.Contains(results[4], "not followed") {
		t.Errorf("the foreign page: %s", results[4])
	}
	h.nothing(t, e)
	for _, r := range h.foreign.requests() {
		if strings.HasPrefix(r, "GET /next") {
			t.Error("a page on a foreign host was asked for")
		}
	}
}

// Large files go to the store that the Hub names, without the token.
func TestStoreElsewhere(t *testing.T) {
	h := newHostile(t)
	content := strings.Repeat("\x00\x01weights", 1000)
	h.site.write(t, "model.safetensors", content)
	sum := sha256.Sum256([]byte(content))
	h.fault(t, fault.Rule{Match: fault.Match{Path: "objects/batch$", Count: 1}, Do: fault.Do{Status: 200, Body: jsonOf(t, map[string]any{
		"transfer": "basic", "objects": []any{map[string]any{"oid": hex.EncodeToString(sum[:]), "size": len(content), "actions": map[string]any{
			"upload": map[string]any{"href": h.foreign.URL + "/put", "header": map[string]string{"Authorization": "Basic x", "X-Mine": "1"}},
			"verify": map[string]any{"href": h.foreign.URL + "/verify"},
		}}},
	})}})
	h.fault(t, fault.Rule{Match: fault.Match{Path: "objects/batch$", Skip: 1, Count: 1}, Do: fault.Do{Status: 200, Body: jsonOf(t, map[string]any{
		"objects": []any{map[string]any{"oid": hex.EncodeToString(sum[:]), "error": map[string]any{"code": 422, "message": "no " + h.hub + steering + strings.Repeat("long ", 100_000)}}},
	})}})
	upload := modelserver.Call{Name: "hf_repo_files", Args: map[string]any{"operation": "upload", "repo_id": "bob/mine", "local_path": "model.safetensors", "path": "m.safetensors"}}
	e, results := h.run(t, []modelserver.Call{
		{Name: "hf_repo_git", Args: map[string]any{"operation": "create_repo", "repo_id": "bob/mine"}}, upload, upload,
	})
	t.Logf("%.300q\n%.300q", results[1], results[2])
	if len(h.foreign.requests()) == 0 {
		t.Errorf("nothing was sent to the store: %v", results)
	}
	if len(results[2]) > 2000 {
		t.Errorf("an error of the store has %d bytes", len(results[2]))
	}
	noControls(t, "the error", results[2])
	h.nothing(t, e)
}

// A simulated run knows neither the real token nor the proxy, jobs on it see
// nothing of the user's environment, and what commands start is told of no way
// out.
func TestSimulationStaysHere(t *testing.T) {
	_, rng := chance(t)
	v := &vault{rng: rng}
	p := &planted{vault: v}
	proxy, models := newForeigner(t), newDesk()
	defer models.server.Close()
	s := mustSite(t, "HF_TOKEN="+v.hold("HF_TOKEN", v.hf()), "OPENAI_API_KEY="+v.hold("OPENAI_API_KEY", v.openai()),
		"PROD_DB_PASSWORD="+v.hold("PROD_DB_PASSWORD", v.chars(14, alnum)), "ML_INTERN_JOB_TOKEN="+v.hold("ML_INTERN_JOB_TOKEN", v.hf()),
		"HTTPS_PROXY="+proxy.URL, "HTTP_PROXY="+proxy.URL, "ALL_PROXY="+proxy.URL, "http_proxy="+proxy.URL)
	calls := []modelserver.Call{
		{Name: "bash", Args: map[string]any{"command": "env > env.txt; curl -sS -m 5 http://huggingface.co/ 2>&1 | head -c 300; true"}},
		jobs(map[string]any{"operation": "run", "command": []string{"sh", "-c", "env; cat /proc/$PPID/environ | tr '\\0' '\\n'"}}),
		jobs(map[string]any{"operation": "run", "script": "import urllib.request\ntry:\n    urllib.request.urlopen('http://huggingface.co/', timeout=5)\n    print('REACHED')\nexcept Exception as e:\n    print('kept in')\n"}),
	}
	var results []string
	base := models.add(t.Name(), func(r modelserver.Request) modelserver.Answer {
		results = nil
		for _, m := range r.Messages {
			if m.Role == "tool" {
				results = append(results, m.Text())
			}
		}
		if len(results) >= len(calls) {
			return modelserver.Answer{Text: []string{"Goodbye."}}
		}
		return modelserver.Answer{Calls: []modelserver.IDCall{{ID: fmt.Sprint("call_", len(results)), Call: calls[len(results)]}}}
	})
	s.env = append(s.env, "VLLM_BASE_URL="+base)
	e := s.mustRun(t, "--simulate", "--model", "vllm/m", "--verbose", "look around")
	if e.code != 0 || len(results) != len(calls) {
		t.Fatal(e)
	}
	if !strings.Contains(results[1], "COMPLETED") || strings.Contains(results[2], "REACHED") {
		t.Errorf("%q\n%q", results[1], results[2])
	}
	if asked := proxy.requests(); len(asked) > 0 {
		t.Errorf("the proxy was asked %q", asked)
	}
	raw, err := os.ReadFile(filepath.Join(s.dir, "env.txt"))
	if err != nil || strings.Contains(string(raw), proxy.URL) || !strings.Contains(string(raw), "HTTPS_PROXY=") {
		t.Errorf("commands see %q, %v", raw, err)
	}
	for name, text := range map[string]string{
		"a command's environment": string(raw), "the job": results[1], "standard error": e.stderr, "standard output": e.stdout,
	} {
		p.clean(t, name, text)
	}
	p.stored(t, s)
}

// A file of a folder that nobody trusts does not choose where the token goes.
func TestFoldersDoNotRedirectTheToken(t *testing.T) {
	t.Parallel()
	_, rng := chance(t)
	v := &vault{rng: rng}
	p := &planted{vault: v}
	foreign, proxy := newForeigner(t), newForeigner(t)
	s := mustSite(t, "HF_TOKEN="+v.hold("HF_TOKEN", v.hf()), "HTTPS_PROXY="+proxy.URL, "HTTP_PROXY="+proxy.URL)
	s.write(t, ".env", "HF_ENDPOINT="+foreign.URL+"\nHF_ROUTER_BASE_URL="+foreign.URL+"\nOPENID_PROVIDER_URL="+foreign.URL+
		"\nML_INTERN_JOB_HOST_TEMPLATE="+foreign.URL+"/{job_id}\nVLLM_BASE_URL="+foreign.URL+"\nHTTPS_PROXY="+foreign.URL+"\nHF_HUB_DISABLE_IMPLICIT_TOKEN=0\n")
	for _, args := range [][]string{
		{"whoami"}, {"tools", "call", "hf_jobs", `{"operation":"ps"}`}, {"--model", "Qwen/Qwen3-0.6B", "--max-cost", "0", "hello"},
	} {
		e, err := s.run(4*time.Second, args...) // it would ask for long: nobody answers
		if err != nil {
			t.Fatal(err)
		}
		p.clean(t, args[0], e.stdout+e.stderr)
	}
	if asked := foreign.requests(); len(asked) > 0 {
		t.Errorf("a .env of an untrusted folder led the program to %q", asked)
	}
	for _, asked := range proxy.requests() {
		p.clean(t, "the proxy", asked)
	}
	if len(proxy.requests()) == 0 {
		t.Error("the real Hub was not asked for: the test shows nothing")
	}
	// Trusted, the same file counts.
	s.mustRun(t, "--trust", "--model", "vllm/m", "hello")
	if len(foreign.requests()) == 0 {
		t.Error("the file of a trusted folder was not read: the test shows nothing")
	}
}

// The token of a sandbox is in the session's own file, for as long as the sandbox
// lives, and nowhere else: not in what the program says and keeps, not in
// arguments, not among the commands in the sandbox, not in what the Hub writes
// down.
func TestSandboxTokenStaysInside(t *testing.T) {
	for _, backend := range []string{"space", "jobs"} {
		t.Run(backend, func(t *testing.T) {
			h := newHostile(t)
			h.sim = hubsimtest.Start(t, hubsim.Options{Clock: clock.Options{Scale: 1}, Exec: hubsim.Local, SpaceBuild: 1, SpaceStart: 1, AllowUnserved: true})
			h.sim.Accounts().PutToken(account.Token{Value: h.hub, Owner: "bob", Role: "write"})
			h.site.env = append(append(h.site.env, hubsim.BaseEnv(h.sim.URL())...), "ML_INTERN_TOOLSERVER="+binary)
			h.site.configure(t, `{"sandbox_backend":"`+backend+`","artifact_hooks":false}`)
			tokens := h.catch(t)
			bash := func(command string) modelserver.Call {
				return modelserver.Call{Name: "bash", Args: map[string]any{"command": command}}
			}
			e, results := h.run(t, []modelserver.Call{
				{Name: "sandbox_create", Args: map[string]any{}},
				bash("env; cat /proc/$PPID/environ /proc/$PPID/cmdline 2>&1 | tr '\\0' '\\n'; ps ax -o args 2>/dev/null; printf '\\033]52;c;eA==\\007'"),
				bash("echo $HF_TOKEN"),
			}, "--sandbox-tools")
			if e.code != 0 || !strings.Contains(results[1], "PATH=") {
				t.Fatalf("%q\n%v", results, e)
			}
			found := tokens()
			if len(found) == 0 {
				t.Fatal("no token was seen: nothing was looked for")
			}
			for _, token := range found {
				if len(token) < 43 {
					t.Errorf("the token has %d characters, fewer than 256 bits take", len(token))
				}
				h.hold("a sandbox's token", token)
			}
			for i, r := range results[:2] {
				if i == 1 { // commands have the Hub token, and may show it to the model
					r = strings.ReplaceAll(r, h.hub, "")
				}
				h.clean(t, fmt.Sprintf("result %d", i), r)
				noControls(t, fmt.Sprintf("result %d", i), r)
			}
			h.nothing(t, e)
		})
	}
}

// catch reads the tokens of sandboxes from the sessions' files, as long as the
// sandboxes live, until tokens is called.
func (h *hostile) catch(t *testing.T) (tokens func() []string) {
	done, over := make(chan struct{}), make(chan struct{})
	var all []string
	go func() {
		defer close(over)
		for {
			files, _ := filepath.Glob(filepath.Join(h.site.home, "state", "sessions", "*", "sandbox.json"))
			for _, file := range files {
				var known struct {
					Sandboxes []struct{ Token string }
				}
				info, err := os.Stat(file)
				if err == nil && info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v", file, info.Mode())
				}
				if raw, err := os.ReadFile(file); err == nil && json.Unmarshal(raw, &known) == nil {
					for _, s := range known.Sandboxes {
						if s.Token != "" && !slices.Contains(all, s.Token) {
							all = append(all, s.Token)
						}
					}
				}
			}
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() []string { close(done); <-over; return all }
}
