package space_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/job/shelf"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
	"github.com/ml-intern/ml-intern/internal/hubsim/space"
)

type m = map[string]any

// world is Spaces with all they stand on.
type world struct {
	*simtest.Server
	clock  *clock.Clock
	spaces *space.Spaces
	repos  *repo.Store
	runner *exec.Runner
	faults *fault.Set
	bob    context.Context
}

func open(t *testing.T) *world {
	t.Helper()
	c := clock.New(clock.Options{})
	w := &world{clock: c, Server: &simtest.Server{TB: t, Book: simtest.Book(c)}, faults: fault.New(fault.Options{Now: c.Now})}
	w.credit("bob", 10_000_000)
	w.bob = account.With(context.Background(), w.Book.As("bob"))
	store, err := content.New(content.Options{Clock: c, Base: func() string { return "http://cdn.test" }})
	if err != nil {
		t.Fatal(err)
	}
	w.repos, err = repo.New(repo.Options{
		Clock: c, Accounts: w.Book, Content: store, HideNew: func() time.Duration { return 8 * time.Second },
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.runner, err = exec.New(exec.Options{Clock: c}); err != nil {
		t.Fatal(err)
	}
	w.load(nil)
	t.Cleanup(func() {
		_ = w.spaces.Close()
		_ = w.runner.Close()
	})
	return w
}

func (w *world) load(state json.RawMessage) {
	w.Helper()
	spaces, err := space.New(space.Options{
		Clock: w.clock, Accounts: w.Book, Repos: w.repos, Runner: w.runner, Volumes: shelf.Shelf{Repos: w.repos},
		Build: 20 * time.Second, Start: 10 * time.Second,
	})
	if err != nil {
		w.Fatal(err)
	}
	if state != nil {
		if err := spaces.Load(state); err != nil {
			w.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	spaces.Routes(mux)
	// What a commit over HTTP does, as far as Spaces see it.
	mux.HandleFunc("POST /commit/{ns}/{name}", func(_ http.ResponseWriter, r *http.Request) {
		w.commit(r.PathValue("ns")+"/"+r.PathValue("name"), "touched.txt", r.Header.Get("X"))
	})
	w.spaces, w.Handler = spaces, w.faults.Middleware(fault.Hub, spaces.Faults(mux))
}

func (w *world) credit(name string, microUSD int64) {
	e, _ := w.Book.Find(name)
	next := *e
	next.CreditMicroUSD = microUSD
	w.Book.Put(next)
}

// create makes a Space of bob's with one file.
func (w *world) create(name, sdk string, change func(*repo.CreateSpec)) *repo.Repo {
	w.Helper()
	spec := repo.CreateSpec{Type: repo.Space, ID: "bob/" + name, SDK: sdk}
	if change != nil {
		change(&spec)
	}
	r, err := w.repos.Create(w.bob, spec)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *world) commit(id, path, text string) {
	w.Helper()
	r, err := w.repos.Find(w.bob, repo.Space, id)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := r.Commit(w.bob, repo.CommitSpec{Ref: "main", Title: "x", Author: "bob", Changes: []repo.Change{{Path: path, Content: []byte(text)}}}); err != nil {
		w.Fatal(err)
	}
}

func (w *world) runtime(name string) simtest.Reply {
	w.Helper()
	return w.Must(200, simtest.BobWrite, "GET", "/api/spaces/bob/"+name+"/runtime", nil)
}

func (w *world) stage(name, want string) {
	w.Helper()
	if got := w.runtime(name); got.Text("stage") != want {
		w.Errorf("%s is %s, not %s", name, got.Raw, want)
	}
}

func (w *world) post(status int, name, what string, body any) simtest.Reply {
	w.Helper()
	return w.Must(status, simtest.BobWrite, "POST", "/api/spaces/bob/"+name+"/"+what, body)
}

// settle waits until a Space has a stage, in real time.
func (w *world) settle(name, stage string) {
	w.Helper()
	for end := time.Now().Add(20 * time.Second); w.runtime(name).Text("stage") != stage; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("%s is %s, not %s", name, w.runtime(name).Raw, stage)
		}
	}
}

// Acceptance check 30 of the Hub's contract.
func TestCheck30_Stages(t *testing.T) {
	w := open(t)
	w.create("sp", "docker", nil)
	w.stage("sp", "NO_APP_FILE")
	w.commit("bob/sp", "Dockerfile", "FROM python:3.12\nRUN pip install x\nCMD python app.py\n")
	w.stage("sp", "BUILDING")
	w.clock.Advance(20 * time.Second)
	w.stage("sp", "APP_STARTING")
	w.clock.Advance(10 * time.Second)
	w.stage("sp", "RUNNING")
	w.commit("bob/sp", "a.txt", "x")
	w.stage("sp", "BUILDING")
	w.clock.Advance(time.Minute)
	w.stage("sp", "RUNNING")
	rule := func(do string) {
		w.faults.Clear()
		rules, err := fault.Parse([]byte(`{"match":{"method":"POST","count":1},"do":` + do + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.faults.Add(rules...); err != nil {
			t.Fatal(err)
		}
	}
	rule(`{"failStage":"BUILD_ERROR"}`)
	w.Must(200, simtest.BobWrite, "POST", "/commit/bob/sp", nil)
	r := w.runtime("sp")
	w.Equal([]any{r.At("stage"), r.At("errorMessage")}, []any{"BUILD_ERROR", "Job failed with exit code: 1"})
	log := w.Must(200, simtest.BobWrite, "GET", "/api/spaces/bob/sp/logs/build?tail=2", nil)
	if n := strings.Count(string(log.Raw), "data: {"); n != 2 || !strings.Contains(string(log.Raw), "Build failed with exit code: 1") {
		t.Errorf("the last lines of the build: %s", log.Raw)
	}
	rule(`{"stickStage":"BUILDING"}`)
	w.post(200, "sp", "restart?factory=true", nil)
	w.clock.Advance(time.Hour)
	w.stage("sp", "BUILDING")
	rule(`{"stickStage":"APP_STARTING"}`)
	w.post(200, "sp", "restart", nil)
	w.clock.Advance(time.Hour)
	w.stage("sp", "APP_STARTING")
	w.faults.Clear()
	w.post(200, "sp", "restart", nil)
	w.clock.Advance(time.Minute)
	w.stage("sp", "RUNNING")
}

// Acceptance check 31, the server's side: a duplicate appears after a while.
func TestCheck31_ADuplicateAppearsLater(t *testing.T) {
	w := open(t)
	from := w.create("sp", "docker", func(s *repo.CreateSpec) {
		s.Variables = []repo.KeyValue{{Key: "V", Value: "1"}}
		s.Secrets = []repo.KeyValue{{Key: "S", Value: "secret-value"}}
		s.Files = []repo.Change{{Path: "Dockerfile", Content: []byte("FROM x\n")}}
	})
	if _, err := w.repos.Duplicate(w.bob, from, repo.CreateSpec{Type: repo.Space, ID: "bob/copy", SDK: "docker"}, "http://hub.test"); err != nil {
		t.Fatal(err)
	}
	w.Must(404, simtest.BobWrite, "GET", "/api/spaces/bob/copy/runtime", nil)
	w.clock.Advance(8 * time.Second)
	w.stage("copy", "BUILDING")
	w.Equal(w.Must(200, simtest.BobWrite, "GET", "/api/spaces/bob/copy/variables", nil).At("V", "value"), "1")
	w.Equal(w.Must(200, simtest.BobWrite, "GET", "/api/spaces/bob/copy/secrets", nil).Body, m{})
}

func TestRuntimeIsTheRecordedOne(t *testing.T) {
	w := open(t)
	w.create("tmp_test_space", "gradio", nil)
	w.commit("bob/tmp_test_space", "app.py", "")
	want := func(i int) any {
		v := simtest.Fixture(t, "space-runtime.json", "pauseRestart", i, "responseBody").(m)
		v["domains"] = []any{m{"domain": "bob-tmp-test-space.hf.space", "stage": "READY"}}
		return v
	}
	w.Equal(w.runtime("tmp_test_space").Body, want(3))
	w.Equal(w.post(200, "tmp_test_space", "pause", nil).Body, want(4))
	w.Equal(w.post(200, "tmp_test_space", "restart", nil).Body, want(5))
	w.clock.Advance(time.Minute)
	simtest.SameKeys(t, w.runtime("tmp_test_space").Body, simtest.Fixture(t, "space-info.json", "runtime"))
	w.create("page", "static", func(s *repo.CreateSpec) {
		s.Files = []repo.Change{{Path: "index.html", Content: []byte("<p>hello")}, {Path: "a/b.css", Content: []byte("p{}")}}
	})
	w.Equal(w.runtime("page").Body, simtest.Fixture(t, "space-runtime.json", "static"))
	page := w.Must(200, simtest.Anonymous, "GET", "/__spaces/bob-page/", nil)
	if string(page.Raw) != "<p>hello" || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%q %s", page.Raw, page.Header)
	}
	w.Must(200, simtest.Anonymous, "GET", "/__spaces/bob-page/a/b.css", nil)
	w.Must(404, simtest.Anonymous, "GET", "/__spaces/bob-page/none", nil)
}

func TestKeysAreTheRecordedOnes(t *testing.T) {
	w := open(t)
	w.create("tmp_test_space", "gradio", nil)
	replay := func(file string) {
		calls, _ := simtest.Fixture(t, file).([]any)
		times := map[string]any{}
		var plain func(v any) any
		plain = func(v any) any { // times become the order of their change
			if o, ok := v.(m); ok {
				for k, x := range o {
					if k == "updatedAt" {
						if _, err := time.Parse(clock.Layout, x.(string)); err != nil {
							t.Error(err)
						}
						o[k] = times
						continue
					}
					o[k] = plain(x)
				}
			}
			return v
		}
		for i, c := range calls {
			path := strings.Replace(simtest.At(c, "path").(string), "/user/", "/bob/", 1)
			r := w.Must(int(simtest.At(c, "status").(float64)), simtest.BobWrite, simtest.At(c, "method").(string), path, simtest.At(c, "requestJson"))
			if w.Equal(plain(r.Body), plain(simtest.At(c, "responseBody"))); t.Failed() {
				t.Fatalf("%s, call %d", file, i)
			}
		}
	}
	replay("space-secrets.json")
	replay("space-variables.json")
	secrets := w.Must(200, simtest.BobWrite, "GET", "/api/spaces/bob/tmp_test_space/secrets", nil)
	w.Equal(secrets.At("bar", "description"), "This is another secret")
	w.Equal(secrets.At("foo", "key"), "foo")
	w.Equal(w.spaces.Secrets("bob/tmp_test_space"), map[string]string{"foo": "789", "token": "hf_api_123456", "bar": "456"})
	for _, key := range []string{"", "1a", "a-b", "a b"} {
		w.post(400, "tmp_test_space", "secrets", m{"key": key, "value": "x"})
	}
	w.post(400, "tmp_test_space", "variables", m{"key": "a"})
}

const server = `
import http.server, os
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die": os._exit(7)
        body = " ".join([self.path, str(self.headers.get("Authorization")), os.environ["SEC"], os.environ["VAR"], os.environ["BASE"], os.getcwd().split("/")[-1]]).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), H).serve_forever()
`

// app makes a private docker Space whose app runs.
func (w *world) app(name string, change func(*repo.CreateSpec)) {
	w.Helper()
	w.create(name, "docker", func(s *repo.CreateSpec) {
		s.Visibility = repo.Private
		s.Secrets = []repo.KeyValue{{Key: "SEC", Value: "s3cr3t-value"}}
		s.Variables = []repo.KeyValue{{Key: "VAR", Value: "variable"}}
		s.Files = []repo.Change{
			{Path: "Dockerfile", Content: []byte("FROM python:3.12\nENV BASE=image\nWORKDIR /app\nCOPY . .\nCMD [\"python3\", \"/app/server.py\"]\n")},
			{Path: "server.py", Content: []byte(server)},
		}
		if change != nil {
			change(s)
		}
	})
	w.stage(name, "BUILDING")
	w.clock.Advance(20 * time.Second)
	w.clock.Advance(10 * time.Second)
	w.stage(name, "RUNNING")
}

// ask sends a request over a connection.
func (w *world) ask(token, path string) (int, string) {
	w.Helper()
	srv := httptest.NewServer(w.Server)
	defer srv.Close()
	r, _ := http.NewRequest("GET", srv.URL+path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

func TestApp(t *testing.T) {
	w := open(t)
	w.app("sp", nil)
	const base = "/__spaces/bob-sp"
	code, text := w.ask(simtest.BobWrite, base+"/a?b=c")
	if code != 200 || text != "/a?b=c None s3cr3t-value variable image work" {
		t.Errorf("%d %q", code, text)
	}
	if code, _ := w.ask("", base+"/"); code != 401 {
		t.Errorf("anonymous: %d", code)
	}
	if code, _ := w.ask(simtest.AliceWrite, base+"/"); code != 404 {
		t.Errorf("alice: %d", code)
	}
	if code, _ := w.ask("", "/__spaces/nobody-sp/"); code != 404 {
		t.Errorf("unknown: %d", code)
	}
	token := w.Must(200, simtest.BobWrite, "GET", "/api/spaces/bob/sp/jwt", nil).Text("token")
	if code, text := w.ask("", base+"/x?__sign="+token); code != 200 {
		t.Errorf("with a short token: %d %s", code, text)
	}
	w.clock.Advance(time.Hour)
	if code, _ := w.ask("", base+"/x?__sign="+token); code != 401 {
		t.Errorf("with an old token: %d", code)
	}
	_, _ = w.ask(simtest.BobWrite, base+"/die")
	w.settle("sp", "RUNTIME_ERROR")
	if msg := w.runtime("sp").Text("errorMessage"); !strings.Contains(msg, "Exit code: 7") {
		t.Errorf("error %q", msg)
	}
	if code, _ := w.ask(simtest.BobWrite, base+"/"); code != 503 {
		t.Errorf("a dead app: %d", code)
	}
	log := w.Must(200, simtest.BobWrite, "GET", "/api/spaces/bob/sp/logs/run", nil)
	if !strings.Contains(string(log.Raw), "===== Application Startup at ") || !strings.Contains(string(log.Raw), `"serving"`) {
		t.Errorf("log %s", log.Raw)
	}
}

func TestSleepAndWake(t *testing.T) {
	w := open(t)
	sleep := int64(300)
	w.app("sp", func(s *repo.CreateSpec) { s.Hardware, s.SleepTimeSeconds = "t4-small", &sleep })
	w.Equal(w.runtime("sp").At("gcTimeout"), 300.0)
	w.Equal(w.runtime("sp").At("hardware"), m{"current": "t4-small", "requested": "t4-small"})
	w.clock.Advance(200 * time.Second)
	if code, _ := w.ask(simtest.BobWrite, "/__spaces/bob-sp/"); code != 200 {
		t.Fatalf("%d", code)
	}
	w.clock.Advance(299 * time.Second)
	w.stage("sp", "RUNNING")
	w.clock.Advance(2 * time.Second)
	w.stage("sp", "SLEEPING")
	charged := w.Book.Charges("bob")
	if len(charged) != 1 || charged[0].Minutes != 9 || charged[0].NanoUSD != 9*6667*1000 || charged[0].Ref != "bob/sp" || charged[0].Product != "spaces" {
		t.Errorf("charges %+v", charged)
	}
	w.clock.Advance(time.Hour)
	if again := w.Book.Charges("bob"); again[0].Minutes != 9 {
		t.Errorf("a sleeping Space costs: %+v", again)
	}
	if code, text := w.ask(simtest.BobWrite, "/__spaces/bob-sp/"); code != 200 {
		t.Errorf("waking: %d %s", code, text)
	}
	w.stage("sp", "RUNNING")
	if again := w.Book.Charges("bob"); again[0].Minutes != 10 {
		t.Errorf("after waking: %+v", again)
	}
	w.post(200, "sp", "sleeptime", m{"seconds": -1})
	w.Equal(w.runtime("sp").At("gcTimeout"), -1.0)
	w.clock.Advance(10 * time.Hour)
	w.stage("sp", "RUNNING")
}

func TestCreditRunsOut(t *testing.T) {
	w := open(t)
	w.app("sp", func(s *repo.CreateSpec) { s.Hardware = "a100-large" })
	w.credit("bob", 1)
	w.clock.Advance(2 * time.Minute)
	r := w.runtime("sp")
	w.Equal([]any{r.At("stage"), r.At("errorMessage")}, []any{"PAUSED", "Insufficient credits"})
	w.post(402, "sp", "hardware", m{"flavor": "t4-small"})
	w.post(400, "sp", "hardware", m{"flavor": "h200"})
	_, err := w.repos.Create(w.bob, repo.CreateSpec{Type: repo.Space, ID: "bob/paid", SDK: "docker", Hardware: "t4-small"})
	if err == nil || !strings.Contains(err.Error(), "credit balance") {
		t.Errorf("paid hardware without credit: %v", err)
	}
	if _, err := w.repos.Find(w.bob, repo.Space, "bob/paid"); err == nil {
		t.Error("the refused Space was left behind")
	}
}

func TestHardwareFollows(t *testing.T) {
	w := open(t)
	w.app("sp", nil)
	w.Equal(w.runtime("sp").At("gcTimeout"), 172800.0)
	r := w.post(200, "sp", "hardware", m{"flavor": "t4-small", "sleepTimeSeconds": 300})
	w.Equal(r.At("hardware"), m{"current": nil, "requested": "t4-small"})
	w.Equal(r.At("stage"), "BUILDING")
	w.clock.Advance(20 * time.Second)
	w.clock.Advance(10 * time.Second)
	w.Equal(w.runtime("sp").At("hardware"), m{"current": "t4-small", "requested": "t4-small"})
	w.Equal(w.post(200, "sp", "sleeptime", m{"seconds": 600}).At("gcTimeout"), 600.0)
	w.post(400, "sp", "sleeptime", m{"seconds": 0})
	w.post(400, "sp", "sleeptime", m{"seconds": int64(1) << 40})
	w.post(400, "sp", "hardware", m{"flavor": "t4-small", "sleepTimeSeconds": int64(1) << 40})
	w.Equal(w.post(200, "sp", "dev-mode", m{"enabled": true}).At("devMode"), true)
	w.post(200, "sp", "pause", nil)
	w.stage("sp", "PAUSED")
	w.commit("bob/sp", "x", "y")
	w.stage("sp", "PAUSED")
	w.post(200, "sp", "variables", m{"key": "A", "value": "b"})
	w.stage("sp", "PAUSED")
	w.post(200, "sp", "restart", nil)
	w.stage("sp", "BUILDING")
	volumes := m{"volumes": []m{{"type": "space", "source": "bob/sp", "mountPath": "/data"}}}
	set := w.Must(200, simtest.BobWrite, "PUT", "/api/spaces/bob/sp/volumes", volumes)
	w.Equal(set.At("volumes", 0, "readOnly"), true)
	w.Must(422, simtest.BobWrite, "PUT", "/api/spaces/bob/sp/volumes", m{"volumes": []m{{"type": "x"}}})
	w.Equal(w.Must(200, simtest.BobWrite, "DELETE", "/api/spaces/bob/sp/volumes", nil).At("volumes"), nil)
	for _, token := range []string{simtest.AliceWrite, simtest.Anonymous, simtest.BobFine} {
		if r := w.Do(token, "POST", "/api/spaces/bob/sp/pause", nil); r.Status < 401 {
			t.Errorf("%q may pause it: %d", token, r.Status)
		}
	}
}

// Acceptance check 28, as far as Spaces go.
func TestCheck28_SecretsAreNeverShown(t *testing.T) {
	w := open(t)
	w.app("sp", nil)
	for _, path := range []string{"runtime", "secrets", "variables", "logs/build?tail=1", "jwt"} {
		srv := w.Do(simtest.BobWrite, "GET", "/api/spaces/bob/sp/"+path, nil)
		if strings.Contains(string(srv.Raw), "s3cr3t-value") || srv.Status != 200 {
			t.Errorf("%s: %d %s", path, srv.Status, srv.Raw)
		}
	}
	w.post(200, "sp", "pause", nil)
	if r := w.Do(simtest.BobWrite, "GET", "/api/spaces/bob/sp/logs/run", nil); strings.Contains(string(r.Raw), "s3cr3t-value") {
		t.Errorf("run log: %s", r.Raw)
	}
	if r := w.post(200, "sp", "secrets", m{"key": "SEC", "value": "s3cr3t-value"}); string(r.Raw) != "{}" {
		t.Errorf("setting a secret answers %s", r.Raw)
	}
}

func TestRegisteredApp(t *testing.T) {
	w := open(t)
	w.create("sp", "gradio", func(s *repo.CreateSpec) { s.Files = []repo.Change{{Path: "app.py", Content: []byte("x")}} })
	if code, _ := w.ask("", "/__spaces/bob-sp/"); code != 503 {
		t.Errorf("while it is built: %d", code)
	}
	w.spaces.Settle()
	w.stage("sp", "RUNNING")
	if code, _ := w.ask("", "/__spaces/bob-sp/"); code != 503 {
		t.Errorf("without an app: %d", code)
	}
	w.spaces.Register("bob/sp", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, "go:"+r.URL.Path) }))
	if code, text := w.ask("", "/__spaces/bob-sp/x/y"); code != 200 || text != "go:/x/y" {
		t.Errorf("%d %q", code, text)
	}
}

func TestSettledAppsStartWithTheFirstRequest(t *testing.T) {
	w := open(t)
	w.create("sp", "docker", func(s *repo.CreateSpec) {
		s.Secrets = []repo.KeyValue{{Key: "SEC", Value: "a"}}
		s.Variables = []repo.KeyValue{{Key: "VAR", Value: "b"}, {Key: "BASE", Value: "c"}}
		s.Files = []repo.Change{
			{Path: "Dockerfile", Content: []byte("FROM x\nCMD [\"python3\", \"server.py\"]\n")}, {Path: "server.py", Content: []byte(server)},
		}
	})
	w.spaces.Settle()
	w.stage("sp", "RUNNING")
	w.Equal(w.runtime("sp").Text("hardware", "current"), "cpu-basic")
	if code, text := w.ask("", "/__spaces/bob-sp/"); code != 200 || text != "/ None a b c work" {
		t.Errorf("%d %q", code, text)
	}
}

func TestRunLogIsLive(t *testing.T) {
	w := open(t)
	w.app("sp", nil)
	srv := httptest.NewServer(w.Server)
	defer srv.Close()
	r, _ := http.NewRequest("GET", srv.URL+"/api/spaces/bob/sp/logs/run", nil)
	r.Header.Set("Authorization", "Bearer "+simtest.BobWrite)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	scan := bufio.NewScanner(res.Body)
	for scan.Scan() && !strings.Contains(scan.Text(), "serving") {
	}
	if !strings.Contains(scan.Text(), "serving") {
		t.Fatal("the log has ended")
	}
	w.post(200, "sp", "pause", nil)
	for scan.Scan() { // ends with the app
	}
	events := w.Do(simtest.BobWrite, "GET", "/api/spaces/bob/sp/logs/build", nil)
	if events.Status != 200 {
		t.Errorf("%d", events.Status)
	}
}

func TestRestart(t *testing.T) {
	w := open(t)
	w.app("sp", nil)
	w.create("late", "gradio", func(s *repo.CreateSpec) { s.Files = []repo.Change{{Path: "app.py", Content: []byte("x")}} })
	state, err := w.spaces.Save()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.spaces.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.runner.Close(); err != nil {
		t.Fatal(err)
	}
	if w.runner, err = exec.New(exec.Options{Clock: w.clock}); err != nil {
		t.Fatal(err)
	}
	w.load(state)
	w.stage("sp", "RUNNING")
	w.stage("late", "BUILDING")
	if code, text := w.ask(simtest.BobWrite, "/__spaces/bob-sp/"); code != 200 || !strings.Contains(text, "s3cr3t-value variable") {
		t.Errorf("%d %q", code, text)
	}
	w.clock.Advance(time.Minute)
	w.stage("late", "RUNNING")
}

func TestDeletedSpaceHasNoApp(t *testing.T) {
	w := open(t)
	w.app("sp", nil)
	if err := w.repos.Delete(w.bob, repo.Space, "bob/sp"); err != nil {
		t.Fatal(err)
	}
	if code, _ := w.ask(simtest.BobWrite, "/__spaces/bob-sp/"); code != 404 {
		t.Errorf("%d", code)
	}
	w.Must(404, simtest.BobWrite, "GET", "/api/spaces/bob/sp/runtime", nil)
}

func TestGeneralRoutes(t *testing.T) {
	w := open(t)
	list := w.Must(200, simtest.BobWrite, "GET", "/api/spaces/hardware", nil)
	w.Equal(list.At(0, "unitCostMicroUSD"), 0.0)
	w.Equal(list.At(0, "ephemeralStorage"), nil)
	w.Equal(w.Must(200, simtest.BobWrite, "GET", "/api/spaces/zero-gpu/quota", nil).Body, m{"base": 1500.0, "current": 1500.0, "resetsAt": "2026-01-02T00:00:00.000Z"})
	if w.Must(200, simtest.Anonymous, "GET", "/api/spaces/templates", nil).Text("templates", 0, "repoId") == "" {
		t.Error("no templates")
	}
}
