//go:build linux

package endtoend_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/npmtest"
)

// conformanceSuite brings the official client library along.
const conformanceSuite = "@modelcontextprotocol/conformance@0.2.0-alpha.12"

// The official client library works with the program, over both transports.
func TestOtherAgents(t *testing.T) {
	modules := npmtest.Install(t, conformanceSuite)
	for _, over := range []string{"stdio", "http"} {
		t.Run(over, func(t *testing.T) {
			s, models := mustSite(t), newDesk()
			defer models.server.Close()
			s.edited(t, models)
			args := []string{filepath.Join("testdata", "mcp.mjs"), binary, s.dir}
			end := func(*testing.T) {}
			if over == "http" {
				w := s.serveMCP(t)
				args, end = append(args, w.url, w.token), w.end
			}
			cmd := exec.Command(npmtest.Node(t, 18), args...)
			cmd.Env = append(s.env, "NODE_PATH="+modules)
			timer := time.AfterFunc(runLimit, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
			out, err := cmd.CombinedOutput()
			end(t)
			if err != nil || !bytes.Contains(out, []byte("ok ")) {
				log, _ := os.ReadFile(filepath.Join(s.home, "state", "debug.log"))
				t.Fatalf("%v\n%s\n%s", err, out, tail(string(log), 4000))
			}
			if err := s.settle(); err != nil {
				t.Error(err)
			}
		})
	}
}

// served is the program as a server over HTTP.
type served struct {
	cmd        *exec.Cmd
	url, token string
	stderr     *lockedBuffer
	stdout     bytes.Buffer
	done       chan error
}

// lockedBuffer is written while it is read.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (s *site) serveMCP(t *testing.T, args ...string) *served {
	t.Helper()
	w := &served{cmd: s.command(append([]string{"mcp", "serve", "--http", "127.0.0.1:0"}, args...)...), stderr: &lockedBuffer{}, done: make(chan error, 1)}
	w.cmd.Stdout, w.cmd.Stderr = &w.stdout, w.stderr
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.done <- w.cmd.Wait() }()
	where := regexp.MustCompile(`serving MCP on (http://\S+)\n`)
	for begun := time.Now(); where.FindStringSubmatch(w.stderr.String()) == nil; time.Sleep(2 * time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			_ = w.cmd.Process.Kill()
			t.Fatalf("it does not serve: %s", w.stderr)
		}
	}
	w.url = where.FindStringSubmatch(w.stderr.String())[1]
	eventually(t, "the token", func() bool { return len(args) > 0 || strings.Contains(w.stderr.String(), "token: ") })
	if m := regexp.MustCompile(`token: (\S+)\n`).FindStringSubmatch(w.stderr.String()); m != nil {
		w.token = m[1]
	}
	return w
}

// end asks the server to end, which it does in good order.
func (w *served) end(t *testing.T) {
	t.Helper()
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-w.done:
		if err != nil {
			t.Errorf("%v: %s", err, w.stderr)
		}
	case <-time.After(10 * time.Second):
		_ = w.cmd.Process.Kill()
		t.Error("it does not end")
	}
	if w.stdout.Len() > 0 {
		t.Errorf("standard output has %q", w.stdout.String())
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("it did not come to that: %s", what)
		}
	}
}

// post sends a message and returns the status.
func (w *served) post(t *testing.T, token string, change func(*http.Request)) int {
	t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	r, err := http.NewRequestWithContext(t.Context(), "POST", w.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + token, "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list",
	} {
		r.Header.Set(name, value)
	}
	if change != nil {
		change(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// Over HTTP nobody gets in without the token, which is said once and kept
// nowhere, and no page does.
func TestMCPOverHTTP(t *testing.T) {
	s := mustSite(t)
	own := filepath.Join(s.home, "token")
	if err := os.WriteFile(own, []byte("a-token-from-a-file\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args  []string
		env   string
		token string // empty for one that is made
		warns bool
	}{
		"made":                {},
		"from a file":         {[]string{"--token-file", own}, "", "a-token-from-a-file", true},
		"from a variable":     {[]string{"--allow-host", "gpu.example"}, "a-token-from-a-variable", "a-token-from-a-variable", false},
		"from a file and not": {[]string{"--token-file", own}, "a-token-from-a-variable", "a-token-from-a-file", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			if tt.env != "" {
				s.env = append(slices.Clone(s.env), "ML_INTERN_MCP_TOKEN="+tt.env)
			}
			w := s.serveMCP(t, tt.args...)
			defer w.end(t)
			if (w.token == "") != (tt.token != "") {
				t.Errorf("the token is told: %s", w.stderr)
			}
			if tt.token != "" {
				w.token = tt.token
			}
			if len(w.token) < 16 || strings.Contains(w.stderr.String(), "chmod") != tt.warns {
				t.Errorf("%q: %s", w.token, w.stderr)
			}
			evil := func(r *http.Request) { r.Host = "evil.example" }
			page := func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }
			known := func(r *http.Request) { r.Host = "gpu.example" }
			for _, tt := range []struct {
				token  string
				change func(*http.Request)
				want   int
			}{
				{w.token, nil, 200},
				{"", nil, 401},
				{w.token + "x", nil, 401},
				{w.token, evil, 403},
				{w.token, page, 403},
				{w.token, known, map[bool]int{true: 200, false: 403}[slices.Contains(tt.args, "gpu.example")]},
			} {
				if got := w.post(t, tt.token, tt.change); got != tt.want {
					t.Errorf("status %d, want %d", got, tt.want)
				}
			}
			if raw, _ := os.ReadFile(filepath.Join(s.home, "state", "debug.log")); bytes.Contains(raw, []byte(w.token)) {
				t.Error("the token is in the log")
			}
		})
	}
	for name, args := range map[string][]string{
		"open to the network": {"--http=0.0.0.0:0"}, "a name": {"--http=gpu.example:1"}, "no port": {"--http=127.0.0.1"}, "a token for nobody": {"--token-file", own},
		"a token that is not there": {"--http=127.0.0.1:0", "--token-file", "nothing"}, "a tool that is not there": {"--tools", "nothing"}, "no folder": {"--cwd", "nothing"},
		"a mode that is none": {"--approval-mode", "free"}, "a cap that is none": {"--max-cost", "much"},
	} {
		if e := s.mustRun(t, append([]string{"mcp", "serve"}, args...)...); e.code != 2 || e.stdout != "" {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// Nothing but messages goes to standard output, whatever the program has to say,
// and the end of standard input is its end. What is looked up has marks.
func TestMCPStdio(t *testing.T) {
	hub := hubsimtest.Start(t, hubsim.Options{})
	env, err := hub.Env("alice")
	if err != nil {
		t.Fatal(err)
	}
	s := mustSite(t, env...)
	s.configure(t, `{"tools":{"disabled":["nothing_of_this_name"]}}`)
	cmd := s.command("mcp", "serve")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs lockedBuffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(runLimit, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	send := func(text string) { fmt.Fprintln(in, text) }
	send(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`)
	send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	send(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"hf_model_inspect","arguments":{"model":"acme/tiny-gpt"}}}`)
	send(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"hub_search","arguments":{"type":"models","query":"tiny"}}}`)
	send(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"hf_repo_files","arguments":{"operation":"delete","repo_id":"acme/tiny-gpt","patterns":["README.md"]}}}`)
	results := map[int]mcp.CallToolResult{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var m struct {
			JSONRPC string
			ID      int
			Result  json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil || m.JSONRPC != "2.0" {
			t.Fatalf("no message: %q", lines.Text())
		}
		if m.ID < 2 {
			continue
		}
		var r mcp.CallToolResult
		if err := json.Unmarshal(m.Result, &r); err != nil {
			t.Fatalf("%v: %s", err, m.Result)
		}
		if results[m.ID] = r; len(results) == 3 {
			_ = in.Close()
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, errs.String())
	}
	said := func(n int) string {
		r := results[n]
		if len(r.Content) == 0 {
			return ""
		}
		c, ok := r.Content[0].(*mcp.TextContent)
		if !ok {
			return ""
		}
		return c.Text
	}
	for _, n := range []int{2, 3} {
		if r := results[n]; r.IsError || !regexp.MustCompile(`\[S\d+\]`).MatchString(said(n)) {
			t.Errorf("%d: %s", n, said(n))
		}
	}
	if r := results[4]; !r.IsError || !strings.Contains(said(4), "--allow-writes") {
		t.Errorf("%s", said(4))
	}
	if !strings.Contains(errs.String(), "nothing_of_this_name") {
		t.Errorf("the warning is not told: %s", errs.String())
	}
}

// A client that is killed leaves no server behind. Its run goes on, and a person
// can look at it.
func TestMCPClientKilled(t *testing.T) {
	s, models := mustSite(t), newDesk()
	defer models.server.Close()
	s.edited(t, models)
	cmd := s.command("mcp", "serve")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(runLimit, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	fmt.Fprintln(in, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`)
	fmt.Fprintln(in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	fmt.Fprintln(in, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"run","arguments":{"prompt":"wait for me"},"_meta":{"progressToken":"p"}}}`)
	session := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := regexp.MustCompile(`session ([0-9a-f-]{36})`).FindStringSubmatch(lines.Text()); m != nil {
			session = m[1]
		}
		if strings.Contains(lines.Text(), "until [ -e go ]") {
			break
		}
	}
	_ = in.Close()
	_ = out.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the server is still there")
	}
	if e := s.mustRun(t, "ps"); !strings.Contains(e.stdout, session[:8]) {
		t.Errorf("the run is not listed: %v", e)
	}
	s.write(t, "go", "")
	eventually(t, "the run goes on", func() bool {
		_, err := os.Stat(filepath.Join(s.dir, "finished"))
		return err == nil
	})
	s.mustRun(t, "stop", session)
	if err := s.settle(); err != nil {
		t.Error(err)
	}
}
