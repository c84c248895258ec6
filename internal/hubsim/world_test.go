package hubsim_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
)

const bob, alice = "hf_bob_write", "hf_alice_write"

// commitBody is one text file as a commit.
func commitBody(path, text string) string {
	return `{"key":"header","value":{"summary":"Upload ` + path + `"}}` + "\n" +
		`{"key":"file","value":{"path":"` + path + `","content":"` + text + `","encoding":"utf-8"}}` + "\n"
}

const ndjson = "Content-Type: application/x-ndjson"

func TestLimitsAreEnforcedOnTheClock(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{Limits: true})
	who := h.URL() + "/api/agent-harnesses"
	c := client(t)
	var last reply
	for range 500 {
		r, err := send(t, c, "GET", who, "", "")
		if err != nil || r.status != 200 {
			t.Fatal(r.status, err)
		}
		last = r
	}
	if got := last.header.Get("RateLimit"); got != `"api";r=0;t=300` {
		t.Errorf("RateLimit %q", got)
	}
	r := must(t, 429, "GET", who, "", "")
	if r.header.Get("RateLimit") != `"api";r=0;t=300` || r.header.Get("RateLimit-Policy") != `"fixed window";"api";q=500;w=300` {
		t.Errorf("%v", r.header)
	}
	must(t, 200, "GET", who, alice, "") // an account counts by itself
	h.Advance(299 * time.Second)
	if got := must(t, 429, "GET", who, "", "").header.Get("RateLimit"); got != `"api";r=0;t=1` {
		t.Errorf("RateLimit %q", got)
	}
	h.Advance(time.Second)
	must(t, 200, "GET", who, "", "")
}

func TestLimitsByPlanAndBucket(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{AllowUnserved: true, WhoamiLimit: 2})
	for _, c := range []struct{ token, path, want string }{
		{"", "/api/models/x/y/refs", `"fixed window";"api";q=500;w=300`},
		{"", "/x/y/resolve/main/f", `"fixed window";"resolvers";q=3000;w=300`},
		{"", "/x/y", `"fixed window";"pages";q=100;w=300`},
		{bob, "/api/papers/search?q=x", `"fixed window";"search";q=50;w=300`},
		{alice, "/x/y", `"fixed window";"pages";q=400;w=300`}, // a member of a team
	} {
		r, err := send(t, client(t), "GET", h.URL()+c.path, c.token, "")
		if got := r.header.Get("RateLimit-Policy"); err != nil || got != c.want {
			t.Errorf("%s: %q, %v", c.path, got, err)
		}
	}
	// The services beside the Hub have no limits of the Hub's.
	if r, _ := send(t, client(t), "GET", h.URL()+"/router/v1/models", bob, ""); r.header.Get("RateLimit") != "" {
		t.Errorf("%v", r.header)
	}
	must(t, 200, "GET", h.URL()+"/api/whoami-v2", bob, "")
	must(t, 200, "GET", h.URL()+"/api/whoami-v2", bob, "")
	// The strict limit is not the one the header tells of.
	if r := must(t, 429, "GET", h.URL()+"/api/whoami-v2", bob, ""); strings.Contains(r.header.Get("RateLimit"), "r=0") {
		t.Errorf("%v", r.header)
	}
	must(t, 200, "GET", h.URL()+"/api/whoami-v2", alice, "")
}

func TestTokensAtTheDoor(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{})
	for path, want := range map[string]string{
		"/api/whoami-v2":                      "Invalid user token.",
		"/api/models/acme/x/refs":             "Invalid credentials in Authorization header",
		"/acme/x/resolve/main/config.json":    "Invalid credentials in Authorization header",
		"/datasets-server/is-valid?dataset=x": "Invalid credentials in Authorization header",
	} {
		r := must(t, 401, "GET", h.URL()+path, "hf_wrong", "")
		if !strings.Contains(string(r.body), want) || r.header.Get("X-Error-Message") != want {
			t.Errorf("%s: %s", path, r.body)
		}
	}
	// A token for somebody else is not the Hub's to judge.
	if r, _ := send(t, client(t), "GET", h.URL()+"/.well-known/openid-configuration", "", ""); r.status != 200 {
		t.Error(r.status)
	}
	must(t, 401, "GET", h.URL()+"/oauth/userinfo", "foreign", "")
	if w := must(t, 200, "GET", h.URL()+"/api/agent-harnesses", "", "").header.Get("X-HF-Warning"); !strings.HasPrefix(w, "unauthenticated; ") {
		t.Errorf("warning %q", w)
	}
	// Acceptance check 38, the Hub's side: a token that expires stays expired.
	if err := h.Faults.Add(fault.Rule{Match: fault.Match{Token: "bob", Count: 1, Skip: 1}, Do: fault.Do{ExpireToken: true}}); err != nil {
		t.Fatal(err)
	}
	must(t, 200, "GET", h.URL()+"/api/whoami-v2", bob, "")
	must(t, 401, "GET", h.URL()+"/api/whoami-v2", bob, "")
	must(t, 401, "GET", h.URL()+"/api/whoami-v2", bob, "")
	must(t, 200, "GET", h.URL()+"/api/whoami-v2", "hf_bob_fine", "")
}

func TestPagesOfThisMachineMayRead(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{})
	r := must(t, 204, "OPTIONS", h.URL()+"/api/whoami-v2", "", "", "Origin: http://localhost:3000", "Access-Control-Request-Method: GET",
		"Access-Control-Request-Headers: authorization")
	if r.header.Get("Access-Control-Allow-Origin") != "http://localhost:3000" || r.header.Get("Access-Control-Allow-Headers") != "authorization" {
		t.Errorf("%v", r.header)
	}
}

// A browser sends requests here for every page it shows, and the tokens are
// known: no page of others gets an answer, and none on the simulator itself
// starts a job.
func TestPagesOfOthersAreKeptOut(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{Control: true, AllowUnserved: true})
	job := `{"dockerImage":"x","command":["echo","hi"],"flavor":"cpu-basic"}`
	for name, c := range map[string]struct {
		status             int
		method, path, host string
		header             string
	}{
		"a program":                         {200, "POST", "/api/jobs/bob", "", ""},
		"a program that says localhost":     {200, "POST", "/api/jobs/bob", "LocalHost:7870", ""},
		"an app of this machine":            {200, "POST", "/api/jobs/bob", "", "Origin: http://localhost:3000"},
		"a page of others":                  {403, "POST", "/api/jobs/bob", "", "Origin: https://evil.test"},
		"a page of others that asks first":  {403, "OPTIONS", "/api/jobs/bob", "", "Origin: https://evil.test"},
		"a page without an origin":          {403, "POST", "/api/jobs/bob", "", "Origin: null"},
		"a page of others that reads":       {403, "GET", "/api/whoami-v2", "", "Origin: https://evil.test"},
		"a picture on a page of others":     {403, "GET", "/__spaces/acme-demo/", "", "Sec-Fetch-Site: cross-site"},
		"a name bent to this address":       {403, "POST", "/api/jobs/bob", "evil.test:7870", ""},
		"a bent name, its own page":         {403, "POST", "/api/jobs/bob", "evil.test:7870", "Origin: http://evil.test:7870"},
		"a file of a user shown as a page":  {403, "POST", "/api/jobs/bob", "", "Origin: " + h.URL()},
		"the same under another name":       {403, "POST", "/api/jobs/bob", "", "Origin: " + strings.Replace(h.URL(), "127.0.0.1", "localhost", 1)},
		"an app that asks itself":           {404, "POST", "/__spaces/bob-none/x", "", "Origin: " + h.URL()},
		"an app that steers the simulator":  {404, "POST", "/__hubsim/reset", "", "Origin: http://localhost:3000"},
		"an app that looks at the state":    {404, "GET", "/__hubsim/state", "", "Sec-Fetch-Site: same-origin"},
		"a person who looks at the state":   {200, "GET", "/__hubsim/state", "", "Sec-Fetch-Site: none"},
		"a person who follows a link there": {404, "GET", "/__hubsim/state", "", "Sec-Fetch-Site: cross-site"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, h.URL()+c.path, strings.NewReader(job))
		if err != nil {
			t.Fatal(err)
		}
		if r.Host = cmp.Or(c.host, r.Host); c.method == "OPTIONS" {
			r.Header.Set("Access-Control-Request-Method", "POST")
		}
		r.Header.Set("Authorization", "Bearer "+bob)
		if key, value, ok := strings.Cut(c.header, ": "); ok {
			r.Header.Set(key, value)
		}
		if strings.HasPrefix(name, "a person") {
			r.Header.Set("Sec-Fetch-Mode", "navigate")
		}
		res, err := client(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.status || c.status == 403 && res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d, want %d; %v", name, res.StatusCode, c.status, res.Header)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", h.CDNURL()+"/lfs-get/x", nil)
	r.Host = "evil.test"
	if res, err := client(t).Do(r); err != nil || res.StatusCode != 403 || res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("the content host: %v, %v", res, err)
	} else {
		res.Body.Close()
	}
}

// Acceptance check 39, the simulator's side: what no route serves is an error
// in JSON and is remembered with method and path.
func TestCheck39_UnservedRoutes(t *testing.T) {
	h, err := hubsim.New(hubsim.Options{Seed: "empty"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r := must(t, 404, "PATCH", h.URL()+"/api/no/such%2Froute?x=1", "", "{}")
		if r.json(t)["error"] == "" {
			t.Errorf("%s", r.body)
		}
	}
	must(t, 404, "DELETE", h.URL()+"/api/whoami-v2", "", "")
	if d := gocmp.Diff([]string{"PATCH /api/no/such%2Froute", "DELETE /api/whoami-v2"}, h.Unserved()); d != "" {
		t.Error(d)
	}
	watched := &watcher{TB: t}
	hubsimtest.Served(watched, h)
	if len(watched.errors) != 2 || !strings.Contains(watched.errors[0], "PATCH /api/no/such%2Froute") {
		t.Errorf("%q", watched.errors)
	}
}

// watcher sees the errors a helper would report.
type watcher struct {
	testing.TB
	errors []string
}

func (w *watcher) Errorf(format string, args ...any) {
	w.errors = append(w.errors, fmt.Sprintf(format, args...))
}

func TestRequestLog(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{})
	if err := h.Faults.Add(fault.Rule{Match: fault.Match{Method: "POST"}, Do: fault.Do{Status: 503, LatencyMs: 1}}); err != nil {
		t.Fatal(err)
	}
	must(t, 503, "POST", h.URL()+"/api/repos/create?x=1", bob, `{"name":"m"}`)
	must(t, 400, "GET", h.CDNURL()+"/lfs-get/abc?Expires=1&Signature=verysecret", bob, "") // it takes no token
	got := h.Requests()
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	post := got[0]
	if post.Host != "hub" || post.Method != "POST" || post.Path != "/api/repos/create" || post.Query != "x=1" || post.User != "bob" ||
		post.Authorization != "Bearer" || post.Status != 503 || !slices.Equal(post.Faults, []string{"latencyMs", "status"}) {
		t.Errorf("%+v", post)
	}
	if cdn := got[1]; cdn.Host != "cdn" || cdn.Query != "Expires=1&Signature=[hidden]" || cdn.Authorization != "Bearer" || cdn.Status != 400 {
		t.Errorf("%+v", cdn)
	}
	if size := int64(len(`{"name":"m"}`)); post.BodySize != 0 && post.BodySize != size { // the fault read nothing of it
		t.Errorf("%d bytes", post.BodySize)
	}
	h.ClearRequests()
	h.Faults.Clear()
	must(t, 200, "POST", h.URL()+"/api/repos/create", bob, `{"name":"m"}`)
	if got := h.Requests(); len(got) != 1 || got[0].BodySize != 12 || len(got[0].BodySHA256) != 64 || got[0].Header["Content-Type"] != "" {
		t.Errorf("%+v", got)
	}
}

func TestControl(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{Control: true})
	at := h.URL() + "/__hubsim/"
	rule := `[{"match":{"path":"^/api/whoami"},"do":{"status":500}}]`
	if r := must(t, 200, "POST", at+"faults", "", rule); !strings.Contains(string(r.body), `"hits":0`) {
		t.Errorf("%s", r.body)
	}
	must(t, 500, "GET", h.URL()+"/api/whoami-v2", bob, "")
	must(t, 400, "POST", at+"faults", "", `{"do":{"x":1}}`)
	must(t, 200, "DELETE", at+"faults", "", "")
	must(t, 200, "GET", h.URL()+"/api/whoami-v2", bob, "")

	if r := must(t, 200, "POST", at+"clock", "", `{"advance":"90s"}`); !strings.Contains(string(r.body), `"2026-01-01T00:01:30.`) {
		t.Errorf("%s", r.body)
	}
	must(t, 200, "POST", at+"clock", "", `{"advanceMs":1}`)
	for _, bad := range []string{`{"advance":"soon"}`, `{"advance":"-1s"}`, `{}`, `{`} {
		must(t, 400, "POST", at+"clock", "", bad)
	}
	if r := must(t, 200, "GET", at+"clock", "", ""); r.json(t)["clock"] != "manual" {
		t.Errorf("%s", r.body)
	}
	r := must(t, 200, "GET", at+"requests?path=whoami", "", "").json(t)
	if all := r["requests"].([]any); len(all) != 2 {
		t.Errorf("%v", all)
	}
	must(t, 200, "DELETE", at+"requests", "", "")
	if len(h.Requests()) != 0 {
		t.Error("the log is not empty")
	}

	must(t, 200, "POST", h.URL()+"/api/repos/create", bob, `{"name":"m"}`)
	if r := must(t, 200, "GET", at+"state", "", ""); !strings.Contains(string(r.body), `"bob/m"`) {
		t.Errorf("%.300s", r.body)
	}
	must(t, 200, "POST", at+"reset", "", "")
	must(t, 200, "GET", at+"state", "", "")
	must(t, 404, "GET", h.URL()+"/api/models/bob/m/refs", bob, "")
	if !h.Clock().Now().Before(clock.Start.Add(time.Minute)) {
		t.Errorf("the clock is at %v", h.Clock().Now())
	}
	must(t, 400, "POST", at+"seed", "", `{"seed":"no such seed"}`)
	must(t, 404, "GET", at+"nothing", "", "")
}

// Only programs of this machine steer the simulator, and only when they may.
func TestControlIsClosedToOthers(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{Control: true})
	at := h.URL() + "/__hubsim/state"
	must(t, 403, "GET", at, "", "", "Origin: http://evil.test")
	r, err := http.NewRequestWithContext(t.Context(), "GET", at, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.test:80" // a name that was bent to this address
	res, err := client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 403 {
		t.Error(res.StatusCode)
	}
	closed := hubsimtest.Start(t, hubsim.Options{})
	must(t, 404, "GET", closed.URL()+"/__hubsim/state", "", "")
}

func TestStateSurvives(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	o := hubsim.Options{StateDir: dir, Exec: hubsim.Scripted, Scripts: []exec.Script{{Command: "sleep", Steps: []exec.Step{{AfterMs: 1 << 30}}}}}
	h, err := hubsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := hubsim.New(o); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("two simulators share a state: %v", err)
	}
	must(t, 200, "POST", h.URL()+"/api/repos/create", bob, `{"name":"m","private":true}`)
	must(t, 200, "POST", h.URL()+"/api/models/bob/m/commit/main", bob, commitBody("a.txt", "kept"), ndjson)
	job := must(t, 200, "POST", h.URL()+"/api/jobs/bob", bob, `{"dockerImage":"x","command":["sleep","9"],"flavor":"cpu-basic"}`).json(t)
	h.Advance(10 * time.Minute)
	before, _ := json.Marshal(must(t, 200, "GET", h.URL()+"/api/models/bob/m/refs", bob, "").json(t))
	now := h.Clock().Now()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil { // again does nothing
		t.Fatal(err)
	}

	h = hubsimtest.Start(t, o)
	if d := h.Clock().Now().Sub(now); d < 0 || d > time.Second {
		t.Errorf("the clock is at %v, it was at %v", h.Clock().Now(), now)
	}
	after, _ := json.Marshal(must(t, 200, "GET", h.URL()+"/api/models/bob/m/refs", bob, "").json(t))
	if d := gocmp.Diff(string(before), string(after)); d != "" {
		t.Error(d)
	}
	if r := must(t, 200, "GET", h.URL()+"/bob/m/raw/main/a.txt", bob, ""); string(r.body) != "kept" {
		t.Errorf("%s", r.body)
	}
	got := must(t, 200, "GET", fmt.Sprint(h.URL(), "/api/jobs/bob/", job["id"]), bob, "").json(t)
	status, _ := got["status"].(map[string]any)
	if status["stage"] != "ERROR" || status["message"] != "simulator restarted" {
		t.Errorf("the running job is %v", status)
	}
	info, err := os.Stat(filepath.Join(dir, "state.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestStateIsSavedWhileRunning(t *testing.T) {
	dir := t.TempDir()
	h := hubsimtest.Start(t, hubsim.Options{StateDir: dir})
	must(t, 200, "POST", h.URL()+"/api/repos/create", bob, `{"name":"early"}`)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		raw, err := os.ReadFile(filepath.Join(dir, "state.json"))
		if err == nil && json.Valid(raw) && bytes.Contains(raw, []byte("bob/early")) {
			return
		}
		if err == nil && !json.Valid(raw) {
			t.Fatal("a half-written state was seen")
		}
		if time.Now().After(end) {
			t.Fatal("the state was not saved")
		}
	}
}

func TestBrokenStateIsRefused(t *testing.T) {
	for text, want := range map[string]string{"{": "state.json", `{"version":99}`: "version 99", `{"version":1,"areas":{"accounts":3}}`: "accounts"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the lock is let go
			if _, err := hubsim.New(hubsim.Options{StateDir: dir}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

func TestBadOptions(t *testing.T) {
	for want, o := range map[string]hubsim.Options{
		"exec":                       {Exec: "docker"},
		"clock scale":                {Clock: clock.Options{Scale: -1}},
		"seed":                       {Seed: "nowhere"},
		"is not a loopback address":  {Exec: hubsim.Local, Listen: "0.0.0.0:0"},
		`":0" is not a loopback`:     {Exec: hubsim.Local, CDNListen: ":0"},
		`listen address "nonsense":`: {Exec: hubsim.Local, Listen: "nonsense"},
	} {
		if _, err := hubsim.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	h := hubsimtest.Start(t, hubsim.Options{Listen: "localhost:0", Exec: hubsim.Local})
	if err := h.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
}

func TestEnv(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{})
	env, err := h.Env("")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"HF_ENDPOINT=" + h.URL(), "HF_TOKEN=hf_bob_write", "ML_INTERN_SLACK_API_URL=" + h.URL() + "/slack"} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing in %q", want, env)
		}
	}
	if env, err = h.Env("alice"); err != nil || !slices.Contains(env, "HF_TOKEN=hf_alice_write") {
		t.Errorf("%q, %v", env, err)
	}
	if _, err := h.Env("nobody"); err == nil {
		t.Error("a stranger has an environment")
	}
}

// Fault headMoves: another commit lands just before the client's.
func TestHeadMoves(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{})
	must(t, 200, "POST", h.URL()+"/api/repos/create", bob, `{"name":"m"}`)
	head := func() string {
		refs := must(t, 200, "GET", h.URL()+"/api/models/bob/m/refs", bob, "").json(t)
		return refs["branches"].([]any)[0].(map[string]any)["targetCommit"].(string)
	}
	before := head()
	if err := h.Faults.Add(fault.Rule{Match: fault.Match{Path: "/commit/", Count: 1}, Do: fault.Do{HeadMoves: fault.Switch{On: true, Text: "other.txt"}}}); err != nil {
		t.Fatal(err)
	}
	body := strings.Replace(commitBody("a.txt", "mine"), `"summary"`, `"parentCommit":"`+before+`","summary"`, 1)
	must(t, 412, "POST", h.URL()+"/api/models/bob/m/commit/main", bob, body, ndjson)
	if head() == before {
		t.Error("the head has not moved")
	}
	tree := must(t, 200, "GET", h.URL()+"/api/models/bob/m/tree/main", bob, "")
	if !bytes.Contains(tree.body, []byte("other.txt")) || bytes.Contains(tree.body, []byte("a.txt")) {
		t.Errorf("%s", tree.body)
	}
}

// Acceptance check 27, the accounts' side: without credit there is no job, and
// one that uses the credit up is cancelled.
func TestCheck27_NoCredit(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{Scripts: []exec.Script{{Steps: []exec.Step{{AfterMs: 1 << 31}}}}})
	entity, _ := h.Accounts().Find("bob")
	poor := *entity
	poor.CreditMicroUSD = 0
	h.Accounts().Put(poor)
	spec := `{"dockerImage":"python:3.12","command":["train"],"flavor":"a100-large","timeout":"10h"}`
	r := must(t, 402, "POST", h.URL()+"/api/jobs/bob", bob, spec)
	if want := "Pre-paid credit balance is insufficient"; !strings.Contains(string(r.body), want) {
		t.Errorf("%s", r.body)
	}
	poor.CreditMicroUSD = 100_000 // two minutes or so
	h.Accounts().Put(poor)
	job := must(t, 200, "POST", h.URL()+"/api/jobs/bob", bob, spec).json(t)
	h.Advance(30 * time.Minute)
	got := must(t, 200, "GET", fmt.Sprint(h.URL(), "/api/jobs/bob/", job["id"]), bob, "")
	if !bytes.Contains(got.body, []byte(`"CANCELED"`)) || !bytes.Contains(got.body, []byte("NO_CREDITS")) {
		t.Errorf("%s", got.body)
	}
	bill := must(t, 200, "GET", h.URL()+"/api/settings/billing/usage/jobs", bob, "").json(t)["usage"].(map[string]any)
	if used := bill["usedMicroUsd"].(float64); used <= 0 || used > 200_000 {
		t.Errorf("the bill says %v", used)
	}
	if left, _ := h.Accounts().Find("bob"); left.CreditMicroUSD > 0 {
		t.Errorf("%d left", left.CreditMicroUSD)
	}
}

// step is a request of a script; {id} in its path is the id in the answer
// before.
type step struct{ method, path, token, body, header string }

// life is a script that touches every part of the Hub.
var life = []step{
	{"GET", "/api/whoami-v2", bob, "", ""},
	{"POST", "/api/repos/create", bob, `{"name":"m","private":true}`, ""},
	{"POST", "/api/models/bob/m/commit/main", bob, commitBody("a/b.txt", `hello\n`), ndjson},
	{"GET", "/api/models/bob/m/tree/main?recursive=true&expand=true", bob, "", ""},
	{"GET", "/api/models/bob/m/commits/main", bob, "", ""},
	{"GET", "/api/models/bob/m/refs", "", "", ""},
	{"POST", "/bob/m.git/info/lfs/objects/batch", bob, `{"operation":"upload","transfers":["basic","multipart"],"objects":[{"oid":"` + strings.Repeat("ab", 32) + `","size":3145745}]}`, ""},
	{"POST", "/api/models/bob/m/discussions", bob, `{"title":"Question","description":"Why?"}`, ""},
	{"POST", "/api/models/bob/m/discussions/1/comment", bob, `{"comment":"Because"}`, ""},
	{"GET", "/api/models/bob/m/discussions/1", bob, "", ""},
	{"POST", "/api/collections", bob, `{"title":"Mine","namespace":"bob"}`, ""},
	{"GET", "/api/collections?owner=bob", bob, "", ""},
	{"POST", "/api/buckets/bob/store", bob, `{}`, ""},
	{"GET", "/api/buckets/bob/store", bob, "", ""},
	{"POST", "/api/jobs/bob", bob, `{"dockerImage":"x","command":["echo","hi"],"flavor":"cpu-basic","secrets":{"KEY":"jobsecretvalue"},"labels":{"a":"b"}}`, ""},
	{"GET", "/api/jobs/bob/{id}", bob, "", ""},
	{"GET", "/api/jobs/bob", bob, "", ""},
	{"POST", "/api/repos/create", bob, `{"type":"space","name":"sp","sdk":"gradio","private":false}`, ""},
	{"POST", "/api/spaces/bob/sp/secrets", bob, `{"key":"TOKEN","value":"spacesecretvalue"}`, ""},
	{"GET", "/api/spaces/bob/sp/secrets", bob, "", ""},
	{"POST", "/api/spaces/bob/sp/variables", bob, `{"key":"COLOR","value":"blue"}`, ""},
	{"GET", "/api/spaces/bob/sp/runtime", bob, "", ""},
	{"POST", "/api/settings/webhooks", bob, `{"url":"http://127.0.0.1:9/x","secret":"webhooksecretvalue","watched":[{"type":"user","name":"alice"}],"domains":["repo"]}`, ""},
	{"GET", "/api/settings/webhooks", bob, "", ""},
	{"POST", "/oauth/register", "", `{"redirect_uris":["http://localhost/cb"]}`, ""},
	{"POST", "/oauth/device", "", "client_id=x", "Content-Type: application/x-www-form-urlencoded"},
	{"GET", "/api/settings/billing/usage/jobs", bob, "", ""},
	{"GET", "/oauth/userinfo", bob, "", ""},
	{"GET", "/api/jobs/hardware", "", "", ""},
	{"GET", "/api/models?limit=2&full=true", "", "", ""},
	{"GET", "/api/models/acme/tiny-gpt?blobs=true", bob, "", ""},
	{"GET", "/api/datasets/acme/toy-chat", "", "", ""},
	{"GET", "/api/spaces/acme/demo", "", "", ""},
	{"HEAD", "/acme/tiny-gpt/resolve/main/model.safetensors", bob, "", ""},
	{"GET", "/acme/tiny-gpt/resolve/main/config.json", bob, "", ""},
	{"GET", "/datasets-server/first-rows?dataset=acme/toy-chat&config=default&split=train", bob, "", ""},
	{"GET", "/api/daily_papers", "", "", ""},
	{"GET", "/router/v1/models", bob, "", ""},
	{"POST", "/router/v1/chat/completions", bob, `{"model":"sim/scripted","messages":[{"role":"user","content":"hello"}]}`, ""},
	{"POST", "/mcp", bob, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, ""},
	{"GET", "/api/settings/billing/usage-v2?startDate=1767225600&endDate=1769904000", bob, "", ""},
	{"GET", "/api/models/bob/none/refs", alice, "", ""},
	{"GET", "/api/whoami-v2", "hf_wrong", "", ""},
}

// play runs a script and writes down everything that was answered, with the
// origins replaced.
func play(t *testing.T, h *hubsim.Hub, script []step) (transcript string) {
	t.Helper()
	var out strings.Builder
	var id string
	for i, s := range script {
		path := strings.ReplaceAll(s.path, "{id}", id)
		header := []string{"X-Amzn-Trace-Id: trace-" + fmt.Sprint(i), cmp.Or(s.header, "Content-Type: application/json")}
		r, err := send(t, client(t), s.method, h.URL()+path, s.token, s.body, header...)
		if err != nil {
			t.Fatalf("%s %s: %v", s.method, path, err)
		}
		if r.status >= 500 || (r.status == 404 && !strings.Contains(path, "none")) {
			t.Errorf("%s %s: %d %s", s.method, path, r.status, r.body)
		}
		var made struct{ ID string }
		if json.Unmarshal(r.body, &made) == nil && made.ID != "" {
			id = made.ID
		}
		r.header.Del("Date")
		fmt.Fprintf(&out, "%s %s\n%d\n", s.method, path, r.status)
		for _, name := range slices.Sorted(maps.Keys(r.header)) {
			fmt.Fprintf(&out, "%s: %q\n", name, r.header[name])
		}
		fmt.Fprintf(&out, "%s\n\n", r.body)
		h.Advance(time.Second)
	}
	return origins(h).Replace(out.String())
}

// origins replaces where the simulator listens, in all spellings.
func origins(h *hubsim.Hub) *strings.Replacer {
	var pairs []string
	for origin, name := range map[string]string{h.URL(): "{E}", h.CDNURL(): "{cdn}"} {
		host := strings.TrimPrefix(origin, "http://")
		pairs = append(pairs, origin, name, url.QueryEscape(origin), name, host, name)
	}
	return strings.NewReplacer(pairs...)
}

// Acceptance check 35: the same seed and the same requests give the same bytes.
func TestCheck35_EqualRunsAnswerEqually(t *testing.T) {
	var runs []string
	for range 2 {
		runs = append(runs, play(t, hubsimtest.Start(t, hubsim.Options{}), life))
	}
	if d := gocmp.Diff(strings.Split(runs[0], "\n"), strings.Split(runs[1], "\n")); d != "" {
		t.Error(d)
	}
	if other := play(t, hubsimtest.Start(t, hubsim.Options{Clock: clock.Options{Seed: 9}}), life); other == runs[0] {
		t.Error("another seed gives the same ids")
	}
}

// Acceptance check 28: no answer and no line of the request log shows a secret,
// but the answer that gives a new token to who asked for it.
func TestCheck28_NoSecretIsShown(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{Control: true})
	said := play(t, h, life)
	log, err := json.Marshal(h.Requests())
	if err != nil {
		t.Fatal(err)
	}
	// A webhook's secret is its owner's to read, as on the Hub.
	secrets := []string{"jobsecretvalue", "spacesecretvalue", bob, alice, "hf_bob_fine", "hf_wrong"}
	for where, text := range map[string]string{"an answer": said, "the request log": string(log)} {
		for _, secret := range secrets {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s shows %s: …%s…", where, secret, text[max(0, i-200):min(len(text), i+100)])
			}
		}
	}
	// The state tells where secrets are, and no value: who has the program's
	// own interface has those.
	state := string(must(t, 200, "GET", h.URL()+"/__hubsim/state", "", "").body)
	for _, secret := range append(secrets, "webhooksecretvalue", "hf_oauth_") {
		if strings.Contains(state, secret) {
			t.Errorf("the state shows %s", secret)
		}
	}
	if n := strings.Count(state, `"[hidden]"`); n < 8 || !strings.Contains(state, `"KEY":"[hidden]"`) || !strings.Contains(state, `"TOKEN":"[hidden]"`) {
		t.Errorf("%d secrets are hidden in %.2000s", n, state)
	}
	if h.Spaces().Secrets("bob/sp")["TOKEN"] != "spacesecretvalue" {
		t.Error("a test cannot read a secret")
	}
	// A signed address carries no token, and the log not its signature.
	i := strings.Index(said, "&Signature=")
	if i < 0 {
		t.Fatal("no signed address was given out")
	}
	must(t, 403, "GET", h.CDNURL()+"/lfs-get/"+strings.Repeat("ab", 32)+"?Expires=1"+said[i:i+40], "", "")
	if log, _ := json.Marshal(h.Requests()); bytes.Contains(log, []byte(said[i+11:i+40])) {
		t.Error("the request log shows a signature")
	}
}

// Close waits for requests that run, event streams among them.
func TestCloseEndsStreams(t *testing.T) {
	h, err := hubsim.New(hubsim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", h.URL()+"/api/settings/billing/usage/live", nil)
	r.Header.Set("Authorization", "Bearer "+bob)
	res, err := client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	start := time.Now()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("it took %v", d)
	}
}
