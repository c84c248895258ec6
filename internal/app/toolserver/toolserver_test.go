//go:build unix

package toolserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/app/toolserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

// rig is a tool server with its folder.
type rig struct {
	t      *testing.T
	dir    string
	server *toolserver.Server
	url    string
}

func newRig(t *testing.T, change func(*toolserver.Options)) *rig {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := toolserver.Options{
		Token: token, Dir: dir, Temp: dir + "-temp", Version: "1.2.3", Environ: []string{"PATH=" + os.Getenv("PATH")},
	}
	if change != nil {
		change(&o)
	}
	s, err := toolserver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(s)
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{t, dir, s, front.URL}
}

// answer is what came back.
type answer struct {
	status int
	head   http.Header
	body   string
}

// send sends a request with any headers, "Name: value".
func (r *rig) send(method, path, body string, headers ...string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(data)}
}

// auth is the header that lets in.
const auth = "X-Sandbox-Authorization: Bearer " + token

// result is an answer of the first version.
type result struct {
	Success bool   `json:"success"`
	Output  string `json:"output"`
	Error   string `json:"error"`
}

// call calls a route of the first version.
func (r *rig) call(path, body string, headers ...string) result {
	r.t.Helper()
	a := r.send(http.MethodPost, path, body, append(headers, auth)...)
	var out result
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != http.StatusOK {
		r.t.Fatalf("%s %s: %d %s", path, body, a.status, a.body)
	}
	return out
}

func (r *rig) put(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) has(name, want string) {
	r.t.Helper()
	if got, err := os.ReadFile(filepath.Join(r.dir, name)); err != nil || string(got) != want {
		r.t.Errorf("%s is %q (%v), want %q", name, got, err, want)
	}
}

// Acceptance check 16 of the acting tools, what is said over HTTP; what children
// see is tested with the process itself.
func TestCheck16_WhoGetsIn(t *testing.T) {
	closed := newRig(t, func(o *toolserver.Options) { o.Token = "" })
	open := newRig(t, nil)
	everywhere := map[string]string{
		"/api/bash": "POST", "/api/read": "POST", "/api/write": "POST", "/api/edit": "POST", "/api/exists": "POST", "/api/kill": "POST",
		"/api/v2/exec": "POST", "/api/v2/processes": "GET", "/api/v2/files": "GET", "/api/v2/stat": "GET", "/api/v2/list": "GET",
		"/api/v2/archive": "GET", "/api/v2/python": "POST", "/api/v2/stats": "GET", "/docs": "GET", "/openapi.json": "GET", "/": "GET",
	}
	for path, method := range everywhere {
		if a := closed.send(method, path, `{"command":"touch ran"}`, auth); a.status != 503 || a.body != `{"detail":"Sandbox API token not configured"}`+"\n" {
			t.Errorf("no token configured, %s: %d %s", path, a.status, a.body)
		}
		for name, header := range map[string]string{
			"none": "X-Nothing: x", "only the gateway's": "Authorization: Bearer " + token, "wrong": auth + "x", "short": auth[:len(auth)-1],
			"empty": "X-Sandbox-Authorization: Bearer ", "other scheme": "X-Sandbox-Authorization: Basic " + token,
			"bare": "X-Sandbox-Authorization: " + token, "not ASCII": "X-Sandbox-Authorization: Bearer tökén-" + token,
		} {
			a := open.send(method, path, `{"command":"touch ran"}`, header)
			if a.status != 401 || a.body != `{"detail":"Invalid bearer token"}`+"\n" {
				t.Errorf("%s, %s: %d %s", name, path, a.status, a.body)
			}
		}
	}
	for _, r := range []*rig{closed, open} {
		if a := r.send("GET", "/api/health", ""); a.status != 200 || a.body != `{"status":"ok"}`+"\n" {
			t.Errorf("health: %d %s", a.status, a.body)
		}
	}
	if got := open.call("/api/bash", `{"command":"echo $((6*7))"}`); !got.Success || got.Output != "42\n" {
		t.Errorf("the right token: %+v", got)
	}
	if a := open.send("GET", "/docs", "", auth); a.status != 404 {
		t.Errorf("there are documents: %d %s", a.status, a.body)
	}
	a := open.send("OPTIONS", "/api/bash", "", auth, "Origin: https://evil.example", "Access-Control-Request-Method: POST")
	for name := range a.head {
		if strings.HasPrefix(name, "Access-Control") {
			t.Errorf("another site may ask: %s", name)
		}
	}
	if _, err := os.Stat(filepath.Join(open.dir, "ran")); err == nil {
		t.Error("a command ran without the token")
	}
}

func TestShortTokensAreRefused(t *testing.T) {
	_, err := toolserver.New(toolserver.Options{Token: "short", Dir: t.TempDir(), Temp: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "token") || strings.Contains(err.Error(), "short") {
		t.Errorf("error %v", err)
	}
}

// The first version's answers.
func TestFirstVersion(t *testing.T) {
	r := newRig(t, nil)
	r.put("a.txt", "one\ntwo\nthree\n")
	for _, c := range []struct {
		path, body string
		want       result
	}{
		{"/api/bash", `{"command":"echo a; echo b >&2"}`, result{true, "a\nb\n", ""}},
		{"/api/bash", `{"command":"echo a; exit 3"}`, result{false, "a\n", "Exit code 3"}},
		{"/api/bash", `{"command":"true"}`, result{true, "", ""}},
		{"/api/bash", `{"command":"kill -9 $$"}`, result{false, "", "Killed by signal SIGKILL"}},
		{"/api/bash", `{"command":"echo x; sleep 60","timeout":1}`, result{false, "x\n", "Timeout after 1s"}},
		{"/api/bash", `{"command":" "}`, result{false, "", "command is empty: give the command line to run"}},
		{"/api/bash", `{"command":"pwd","work_dir":"` + r.dir + `"}`, result{true, r.dir + "\n", ""}},
		{"/api/read", `{"path":"a.txt","offset":null,"limit":2000}`, result{true, "     1\tone\n     2\ttwo\n     3\tthree", ""}},
		{"/api/read", `{"path":"` + r.dir + `/a.txt","offset":2,"limit":1}`, result{true, "     2\ttwo\n\n(lines 2-2 of 3; continue at offset 3)", ""}},
		{"/api/read", `{"path":"none"}`, result{false, "", "file not found: none"}},
		{"/api/write", `{"path":"new.txt","content":"x\n"}`, result{true, "Wrote 2 bytes to new.txt\n\n--- new.txt\n+++ new.txt\n@@ -0,0 +1,1 @@\n+x", ""}},
		{"/api/write", `{"path":"a.txt"}`, result{false, "", "write: content is required (string)"}},
		{"/api/exists", `{"path":"new.txt"}`, result{true, "true", ""}},
		{"/api/exists", `{"path":"none"}`, result{true, "false", ""}},
	} {
		if got := r.call(c.path, c.body); got != c.want {
			t.Errorf("%s %s: %s", c.path, c.body, cmp.Diff(c.want, got))
		}
	}
	if got := r.call("/api/edit", `{"path":"a.txt","old_str":"two","new_str":"2","replace_all":false,"mode":"replace"}`); !got.Success {
		t.Errorf("edit: %+v", got)
	}
	r.has("a.txt", "one\n2\nthree\n")
	if got := r.call("/api/edit", `{"path":"a.txt","old_str":"four","new_str":"4"}`); got.Success || !strings.Contains(got.Error, "not found") {
		t.Errorf("edit of what is not there: %+v", got)
	}
	if got := r.call("/api/write", `{"path":"t.py","content":"SFTConfig()\n"}`); !strings.Contains(got.Output, "SFTConfig without push_to_hub") {
		t.Errorf("warnings: %+v", got)
	}
}

func TestFirstVersionKill(t *testing.T) {
	r := newRig(t, nil)
	for _, body := range []string{`{}`, `{"request_id":"one"}`} {
		done := make(chan result)
		go func() {
			done <- r.call("/api/bash", `{"command":"echo $$ > pid; sleep 60"}`, "X-Request-Id: one")
		}()
		for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			if data, err := os.ReadFile(filepath.Join(r.dir, "pid")); err == nil && len(data) > 0 {
				break
			}
			if time.Since(began) > 10*time.Second {
				t.Fatal("the command does not start")
			}
		}
		if got := r.call("/api/kill", body); !got.Success {
			t.Errorf("kill %s: %+v", body, got)
		}
		if got := <-done; got.Success || got.Error != "Killed by signal SIGTERM" {
			t.Errorf("killed by %s: %+v", body, got)
		}
		if err := os.Remove(filepath.Join(r.dir, "pid")); err != nil {
			t.Fatal(err)
		}
		r = newRig(t, nil) // an id is used once
	}
}

// Nothing is done twice for one request id, and everybody gets the one answer.
func TestRequestIDs(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct{ path, body, id string }{
		{"/api/bash", `{"command":"echo x >> count; sleep 0.3; cat count"}`, "a"},
		{"/api/write", `{"path":"w.txt","content":"1"}`, "b"},
		{"/api/edit", `{"path":"w.txt","old_str":"1","new_str":"11"}`, "c"},
	} {
		var all [4]result
		var wait sync.WaitGroup
		for i := range all { // at the same time
			wait.Go(func() { all[i] = r.call(c.path, c.body, "X-Request-Id: "+c.id) })
		}
		wait.Wait()
		again := r.call(c.path, c.body, "X-Request-Id: "+c.id)
		for _, got := range all {
			if got != again || !got.Success {
				t.Errorf("%s: %+v and %+v", c.path, got, again)
			}
		}
	}
	r.has("count", "x\n")
	r.has("w.txt", "11")
	if got := r.call("/api/bash", `{"command":"echo x >> count; cat count"}`, "X-Request-Id: d"); got.Output != "x\nx\n" {
		t.Errorf("another id: %+v", got)
	}
	for _, c := range []struct {
		headers []string
		want    int
	}{
		{[]string{"X-Request-Id: a b"}, 400},
		{[]string{"X-Request-Id: " + strings.Repeat("a", 200)}, 400},
		{[]string{"X-Request-Id: new", "X-Request-Replay: only"}, 404},
		{[]string{"X-Request-Id: b"}, 400}, // it was a write
	} {
		if a := r.send("POST", "/api/bash", `{"command":"echo x >> count"}`, append(c.headers, auth)...); a.status != c.want {
			t.Errorf("%v: %d %s", c.headers, a.status, a.body)
		}
	}
	r.has("count", "x\nx\n")
}

// A client that is gone before its answer gets it later.
func TestRequestOutlivesItsConnection(t *testing.T) {
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", r.url+"/api/bash", strings.NewReader(`{"command":"echo x >> count; sleep 0.5; cat count"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(wire.Authorization, "Bearer "+token)
	req.Header.Set(wire.RequestID, "a")
	time.AfterFunc(200*time.Millisecond, cancel)
	if res, err := http.DefaultTransport.RoundTrip(req); err == nil {
		res.Body.Close()
		t.Fatal("it was answered")
	}
	if got := r.call("/api/bash", `{}`, "X-Request-Id: a", "X-Request-Replay: only"); got.Output != "x\n" {
		t.Errorf("%+v", got)
	}
}

func TestReplaysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := toolserver.NewReplays()
		do := func(id string, want bool) {
			t.Helper()
			if first, err := r.Do(id, "x"); err != nil || first != want {
				t.Errorf("%s: first %v, %v", id, first, err)
			}
		}
		for i := range toolserver.KeptReplays {
			do(strconv.Itoa(i), true)
		}
		do("0", false)
		do("one more", true)
		do("1", false)
		do("0", true) // the oldest was forgotten
		time.Sleep(toolserver.KeptFor - time.Second)
		do("200", false)
		time.Sleep(2 * time.Second)
		do("200", true)
		if _, err := r.Do("200", "y"); err == nil {
			t.Error("one id for two things")
		}
	})
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 30 * time.Minute
		began := time.Now()
		u := toolserver.NewUsage()
		busy := func() bool { return time.Since(began) < time.Hour }
		time.AfterFunc(80*time.Minute, func() {
			done := u.Begin()
			time.AfterFunc(10*time.Minute, done)
		})
		u.Watch(t.Context(), limit, busy)
		if took := time.Since(began); took < 2*time.Hour || took > 2*time.Hour+time.Minute {
			t.Errorf("ended after %v, want 30 minutes after the last use at 1h30", took)
		}
		ctx, stop := context.WithTimeout(t.Context(), 1000*time.Hour)
		defer stop()
		u.Watch(ctx, -1, func() bool { return false })
		if ctx.Err() == nil {
			t.Error("a server without limit has ended")
		}
	})
}

func TestServeEndsWhenIdle(t *testing.T) {
	dir := t.TempDir()
	s, err := toolserver.New(toolserver.Options{Token: token, Dir: dir, Temp: dir + "-temp", Idle: 400 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// Questions from outside are no use.
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		for ctx.Err() == nil {
			if res, err := http.Get("http://" + l.Addr().String() + "/api/v2/health"); err == nil {
				res.Body.Close()
			}
			time.Sleep(10 * time.Millisecond)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	began := time.Now()
	if err := s.Serve(t.Context(), l); err != nil {
		t.Error(err)
	}
	stop()
	wait.Wait()
	if took := time.Since(began); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("ended after %v", took)
	}
}

func TestHealth(t *testing.T) {
	r := newRig(t, nil)
	health := func() (h wire.HealthAnswer) {
		t.Helper()
		a := r.send("GET", wire.Health, "")
		if err := json.Unmarshal([]byte(a.body), &h); err != nil || a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return h
	}
	first := health()
	if first.Status != "ok" || first.BootID == "" || first.Version != "1.2.3" || first.Children != 0 {
		t.Errorf("%+v", first)
	}
	if a := r.send("POST", wire.Exec, `{"command":"sleep 60","background":true}`, auth, "X-Request-Id: a"); a.status != 200 || a.head.Get(wire.BootID) != first.BootID {
		t.Errorf("exec: %d %s", a.status, a.body)
	}
	if h := health(); h.Children != 1 || h.IdleSeconds != 0 || h.BootID != first.BootID {
		t.Errorf("%+v", h)
	}
	if other := newRig(t, nil); other.send("GET", wire.Health, "").head.Get(wire.BootID) == first.BootID {
		t.Error("two servers have one boot id")
	}
}

func TestBodiesAreBounded(t *testing.T) {
	r := newRig(t, nil)
	huge := `{"path":"a.txt","content":"` + strings.Repeat("x", toolserver.MaxBody) + `"}`
	if a := r.send("POST", "/api/write", huge, auth); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "a.txt")); err == nil {
		t.Error("it was written")
	}
	for _, body := range []string{"", "[]", "{", `{"command":7}`} {
		if a := r.send("POST", "/api/bash", body, auth); a.status != 400 {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
}

func TestRequestsAtOnceAreBounded(t *testing.T) {
	r := newRig(t, nil)
	var wait sync.WaitGroup
	for i := range toolserver.MaxRequests {
		wait.Go(func() {
			r.call("/api/bash", `{"command":"touch started-`+strconv.Itoa(i)+`; sleep 60"}`)
		})
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		names, err := filepath.Glob(filepath.Join(r.dir, "started-*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == toolserver.MaxRequests {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%d have started", len(names))
		}
	}
	if a := r.send("POST", "/api/bash", `{"command":"touch ran"}`, auth); a.status != http.StatusTooManyRequests {
		t.Errorf("one more: %d %s", a.status, a.body)
	}
	if a := r.send("POST", "/api/bash", `{}`); a.status != 401 {
		t.Errorf("a stranger: %d %s", a.status, a.body)
	}
	if a := r.send("GET", "/api/health", ""); a.status != 200 {
		t.Errorf("health: %d", a.status)
	}
	if got := r.call("/api/kill", `{}`); !got.Success { // it must get through
		t.Errorf("kill: %+v", got)
	}
	wait.Wait()
}

func TestTheHubToken(t *testing.T) {
	for _, forward := range []bool{true, false} {
		r := newRig(t, func(o *toolserver.Options) {
			o.ForwardHFToken = forward
			o.Environ = append(o.Environ, "HF_TOKEN=hf_secret", "HUGGINGFACE_HUB_TOKEN=hf_secret", "SANDBOX_API_TOKEN="+token, "OPENAI_API_KEY=sk-x")
		})
		got := r.call("/api/bash", `{"command":"env"}`).Output
		if strings.Contains(got, "hf_secret") != forward || strings.Contains(got, token) || strings.Contains(got, "sk-x") {
			t.Errorf("forward %v: a command sees\n%s", forward, got)
		}
	}
}

// events are the lines of a command's stream.
func events(t *testing.T, body string) []wire.Event {
	t.Helper()
	var out []wire.Event
	for line := range strings.Lines(body) {
		var e wire.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		out = append(out, e)
	}
	return out
}

func TestExecStream(t *testing.T) {
	r := newRig(t, nil)
	a := r.send("POST", wire.Exec, `{"command":"echo one; sleep 0.3; echo two >&2; exit 7","timeout":30}`, auth, "X-Request-Id: a")
	if a.status != 200 || a.head.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	all := events(t, a.body)
	var text strings.Builder
	for _, e := range all {
		text.WriteString(e.Data)
	}
	last := all[len(all)-1]
	if all[0].Event != "start" || all[0].Status.ID != "a" || all[0].Status.PID == 0 || text.String() != "one\ntwo\n" || last.Event != "exit" ||
		last.ExitCode != 7 || last.TimedOut || last.DurationMS < 300 || last.ExitEvent.Output.First != "one\ntwo\n" {
		t.Errorf("%s", a.body)
	}
	for _, name := range []string{`"exit_code":7`, `"signal":""`, `"timed_out":false`, `"duration_ms":`} {
		if !strings.Contains(a.body, name) {
			t.Errorf("%s is missing in %s", name, a.body)
		}
	}
	// Coming back: what was seen is not shown again, how it ended is.
	again := events(t, r.send("POST", wire.Exec, `{"command":"echo again","after":4}`, auth, "X-Request-Id: a").body)
	if len(again) != 3 || again[1].Data != "two\n" || again[2].ExitCode != 7 {
		t.Errorf("%+v", again)
	}
	for body, want := range map[string]int{
		`{"command":""}`: 400, `{"command":"true","work_dir":"/none"}`: 400, `{"command":"true","session":"../x"}`: 400,
	} {
		if a := r.send("POST", wire.Exec, body, auth, "X-Request-Id: b"+strconv.Itoa(len(body))); a.status != want || !strings.Contains(a.body, `"fault"`) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := r.send("POST", wire.Exec, `{"command":"true"}`, auth); a.status != 400 {
		t.Errorf("without id: %d %s", a.status, a.body)
	}
}

// A client that takes its output slowly holds up neither the command nor the
// server's memory: it is told what it has missed.
func TestExecSkipsForSlowClients(t *testing.T) {
	r := newRig(t, nil)
	a := r.send("POST", wire.Exec, `{"command":"yes 日本語 | head -c 3000000; echo end","timeout":60}`, auth, "X-Request-Id: a")
	var shown, skipped int64
	for _, e := range events(t, a.body) {
		shown += int64(len(e.Data))
		skipped += e.Skipped
		if strings.Contains(e.Data, "\uFFFD") {
			t.Fatal("a character was torn")
		}
		if e.Event == "exit" && (shown+skipped != e.ExitEvent.Output.Bytes || e.ExitEvent.Output.Saved != e.ExitEvent.Output.Bytes) {
			t.Errorf("%d shown, %d skipped of %+v", shown, skipped, e.ExitEvent.Output.Bytes)
		}
	}
	if shown == 0 {
		t.Error("nothing was shown")
	}
}

// While a command says nothing, the connection is kept alive.
func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		toolserver.Follow(w, httptest.NewRequest("POST", wire.Exec, nil), "hello", 50*time.Second)
		var got []string
		for _, e := range events(t, w.Body.String()) {
			got = append(got, e.Event)
		}
		if d := cmp.Diff([]string{"start", "output", "ping", "ping", "ping", "exit"}, got); d != "" || wire.Ping != 15*time.Second {
			t.Error(d)
		}
	})
}

func TestRawFiles(t *testing.T) {
	r := newRig(t, nil)
	a := r.send("PUT", wire.Files+"?path=bin/x&mode=755", "\x00\xff\x01", auth, "X-Request-Id: a")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := r.send("GET", wire.Files+"?path=bin/x&offset=1&length=1", "", auth); a.body != "\xff" || a.head.Get(wire.FileInfo) == "" {
		t.Errorf("%d %q", a.status, a.body)
	}
	if info, err := os.Stat(filepath.Join(r.dir, "bin/x")); err != nil || info.Mode().Perm()&0o100 == 0 {
		t.Errorf("%v, %v", info, err)
	}
	// The same request again is the same answer, not a conflict.
	if b := r.send("PUT", wire.Files+"?path=bin/x&mode=755", "\x00\xff\x01", auth, "X-Request-Id: a"); b.status != 200 || b.body != a.body {
		t.Errorf("%d %s", b.status, b.body)
	}
	for query, want := range map[string]int{
		"path=bin/x": 409, "path=bin/x&mode=9": 400, "path=bin/x&at=x": 400, "path=": 400, "path=bin": 422,
	} {
		if a := r.send("PUT", wire.Files+"?"+query, "x", auth); a.status != want {
			t.Errorf("PUT %s: %d %s", query, a.status, a.body)
		}
	}
	for query, want := range map[string]int{"path=none": 404, "path=bin/x&offset=-1": 400, "path=/proc/self/environ": 403} {
		if a := r.send("GET", wire.Files+"?"+query, "", auth); a.status != want {
			t.Errorf("GET %s: %d %s", query, a.status, a.body)
		}
	}
	if a := r.send("GET", wire.List+"?path=bin", "", auth); !strings.Contains(a.body, `"entries":[{"path":"`+r.dir+`/bin/x"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A file that is being sent when the connection breaks is not written, and the
// same request may come again.
func TestBrokenUploadIsForgotten(t *testing.T) {
	r := newRig(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PUT %s?path=a.txt HTTP/1.1\r\nHost: x\r\n%s\r\nX-Request-Id: a\r\nContent-Length: 100\r\n\r\nhalf", wire.Files, auth)
	conn.Close()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		a := r.send("PUT", wire.Files+"?path=a.txt", "whole", auth, "X-Request-Id: a")
		if a.status == 200 {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	r.has("a.txt", "whole")
}

func TestStats(t *testing.T) {
	r := newRig(t, nil)
	var got wire.StatsAnswer
	if err := json.Unmarshal([]byte(r.send("GET", wire.Stats, "", auth).body), &got); err != nil {
		t.Fatal(err)
	}
	if got.CPUs < 1 || got.DiskBytes <= 0 || got.DiskFree <= 0 || got.DiskFree > got.DiskBytes {
		t.Errorf("%+v", got)
	}
	gpus := toolserver.ParseGPUs([]byte("0, NVIDIA L4, 23034, 1200, 37\n1, NVIDIA L4, 23034, 0, [N/A]\n"))
	want := []wire.GPU{
		{Index: 0, Name: "NVIDIA L4", MemoryBytes: 23034 << 20, MemoryUsed: 1200 << 20, Utilization: 37},
		{Index: 1, Name: "NVIDIA L4", MemoryBytes: 23034 << 20},
	}
	if d := cmp.Diff(want, gpus); d != "" {
		t.Error(d)
	}
	if toolserver.ParseGPUs([]byte("No devices were found\n")) != nil {
		t.Error("an error text is no accelerator")
	}
}

func TestNoSecretInErrors(t *testing.T) {
	r := newRig(t, nil)
	var all bytes.Buffer
	for _, a := range []answer{
		r.send("GET", "/api/v2/none?"+token, "", auth), r.send("POST", "/api/bash", token, auth), r.send("PUT", wire.Files, "", auth),
	} {
		all.WriteString(a.body)
		for _, values := range a.head {
			all.WriteString(strings.Join(values, " "))
		}
	}
	if strings.Contains(all.String(), token) {
		t.Errorf("an answer holds the token: %s", all.String())
	}
}
