package realservers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/platform/npmtest"
)

const release = "2026.8.31"

// official are the options of one of the protocol's own servers.
func official(t *testing.T, name string, args ...string) server.Options {
	t.Helper()
	modules := npmtest.Install(t, "@modelcontextprotocol/server-everything@"+release, "@modelcontextprotocol/server-filesystem@"+release, "@modelcontextprotocol/server-memory@"+release)
	program := filepath.Join(modules, "@modelcontextprotocol", "server-"+name, "dist", "index.js")
	return server.Options{
		Name: name, Argv: append([]string{npmtest.Node(t, 20), program}, args...), Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()},
		Log: func(line string) { t.Log(line) },
	}
}

// connect connects to a server.
func connect(t *testing.T, o server.Options) (*server.Server, catalog.Catalog) {
	t.Helper()
	s, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.Start()
	<-s.Settled()
	st := s.Status()
	if st.State != server.Ready {
		t.Fatalf("%s: %v", st.State, st.Err)
	}
	if len(st.Catalog.Notes) > 0 {
		t.Errorf("left out: %q", st.Catalog.Notes)
	}
	return s, st.Catalog
}

// says calls a tool, whose answer must hold some texts.
func says(t *testing.T, s *server.Server, tool, args string, parts ...string) {
	t.Helper()
	got, err := s.Call(t.Context(), tool, json.RawMessage(args), nil)
	if err != nil || !got.OK {
		t.Errorf("%s: %+v, %v", tool, got, err)
	}
	for _, p := range parts {
		if !strings.Contains(got.Text, p) {
			t.Errorf("%s lacks %q:\n%s", tool, p, got.Text)
		}
	}
}

// onTheWeb starts the server of everything as one on the web.
func onTheWeb(t *testing.T, form string) server.Options {
	t.Helper()
	o := official(t, "everything", form)
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := at.Addr().(*net.TCPAddr).Port
	if err := at.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(o.Argv[0], o.Argv[1:]...)
	cmd.Env = append(o.Env, fmt.Sprintf("PORT=%d", port))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // until it listens
	}
	path := map[string]string{"streamableHttp": "/mcp", "sse": "/sse"}[form]
	u, err := url.Parse(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return server.Options{Name: "everything", URL: u, SSE: form == "sse", HTTP: transport, Log: o.Log}
}

func TestEverything(t *testing.T) {
	for form, options := range map[string]func(t *testing.T) server.Options{
		"stdio":          func(t *testing.T) server.Options { return official(t, "everything") },
		"streamableHttp": func(t *testing.T) server.Options { return onTheWeb(t, "streamableHttp") },
		"sse":            func(t *testing.T) server.Options { return onTheWeb(t, "sse") },
	} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			changed := make(chan struct{}, 16)
			o.Changed = func() {
				select {
				case changed <- struct{}{}:
				default:
				}
			}
			o.Roots = []string{"/srv/work"}
			s, c := connect(t, o)
			if len(c.Tools) < 10 || len(c.Resources) < 3 || len(c.Templates) != 2 || len(c.Prompts) != 4 {
				t.Errorf("%d tools, %d resources, %d patterns, %d prompts", len(c.Tools), len(c.Resources), len(c.Templates), len(c.Prompts))
			}
			says(t, s, "echo", `{"message":"hello"}`, "hello")
			says(t, s, "get-sum", `{"a":2,"b":3}`, "5")
			says(t, s, "get-tiny-image", `{}`, "[Image: image/png]")
			says(t, s, "get-structured-content", `{"location":"Chicago"}`, `"temperature"`)
			says(t, s, "get-resource-links", `{"count":2}`, "[Resource: demo://resource/dynamic/")
			if got, err := s.Read(t.Context(), c.Resources[0].URI); err != nil || !strings.Contains(got.Text, "#") {
				t.Errorf("%+v, %v", got, err)
			}
			if got, err := s.Read(t.Context(), "demo://resource/dynamic/blob/1"); err != nil || !strings.HasPrefix(got.Text, "[Binary data: ") {
				t.Errorf("%+v, %v", got, err)
			}
			if got, err := s.Prompt(t.Context(), "args-prompt", map[string]string{"city": "Oslo"}); err != nil || !strings.Contains(got, "Oslo") {
				t.Errorf("%q, %v", got, err)
			}
			progress(t, s)
			cancelled(t, s)
			hasTool := func() bool {
				return slices.ContainsFunc(s.Status().Catalog.Tools, func(tool catalog.Tool) bool { return tool.Name == "get-roots-list" })
			}
			// The tools are others as soon as the server knows the roots.
			for late := time.After(15 * time.Second); !hasTool(); {
				select {
				case <-changed:
				case <-late:
					t.Fatal("the change of the tools was not noticed")
				}
			}
			says(t, s, "get-roots-list", `{}`, "file:///srv/work")
		})
	}
}

// progress checks that a long call tells how far it is. The last step may come too
// late: the answer does not wait for it.
func progress(t *testing.T, s *server.Server) {
	t.Helper()
	var mu sync.Mutex
	var lines []string
	got, err := s.Call(t.Context(), "trigger-long-running-operation", json.RawMessage(`{"duration":1.2,"steps":2}`), func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	})
	mu.Lock()
	defer mu.Unlock()
	if err != nil || !got.OK || len(lines) == 0 || lines[0] != "1/2" {
		t.Errorf("%+v, %v, progress %q", got, err, lines)
	}
}

// cancelled checks that a call that is given up ends at once, and the server goes on.
func cancelled(t *testing.T, s *server.Server) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	var at time.Time
	_, err := s.Call(ctx, "trigger-long-running-operation", json.RawMessage(`{"duration":60,"steps":600}`), func(string) {
		if at.IsZero() {
			at = time.Now()
			cancel(enough)
		}
	})
	if took := time.Since(at); !errors.Is(err, enough) || took > time.Second {
		t.Errorf("%v, after %s", err, took)
	}
	says(t, s, "echo", `{"message":"still there"}`, "still there")
}

// A program sees no secret of ours.
func TestEnvironment(t *testing.T) {
	s, _ := connect(t, official(t, "everything"))
	got, err := s.Call(t.Context(), "get-env", nil, nil)
	var env map[string]string
	if err != nil || json.Unmarshal([]byte(got.Text), &env) != nil || env["PWD"] == "" {
		t.Fatalf("%+v, %v", got, err)
	}
	for name := range env {
		if !slices.Contains([]string{"PATH", "HOME", "PWD"}, name) {
			t.Errorf("it sees %s", name)
		}
	}
}

func TestFilesystem(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s, c := connect(t, official(t, "filesystem", dir))
	for _, tool := range c.Tools {
		if reads := tool.Name == "read_text_file"; tool.Name == "write_file" && tool.ReadOnly || reads && !tool.ReadOnly {
			t.Errorf("%s: only reads is %v", tool.Name, tool.ReadOnly)
		}
	}
	file := filepath.Join(dir, "note.txt")
	says(t, s, "write_file", fmt.Sprintf(`{"path":%q,"content":"kept"}`, file), "Successfully wrote")
	says(t, s, "read_text_file", fmt.Sprintf(`{"path":%q}`, file), "kept")
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "kept" {
		t.Errorf("%q, %v", raw, err)
	}
	got, err := s.Call(t.Context(), "write_file", fmt.Appendf(nil, `{"path":%q,"content":"x"}`, filepath.Join(outside, "x")), nil)
	if err != nil || got.OK || !strings.Contains(got.Text, "denied") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMemory(t *testing.T) {
	o := official(t, "memory")
	o.Env = append(o.Env, "MEMORY_FILE_PATH="+filepath.Join(t.TempDir(), "memory.json"))
	s, _ := connect(t, o)
	says(t, s, "create_entities", `{"entities":[{"name":"ml-intern","entityType":"program","observations":["it trains models"]}]}`, "ml-intern")
	says(t, s, "read_graph", `{}`, "it trains models")
	if got, err := s.Read(t.Context(), "memory://knowledge-graph"); err != nil || !strings.Contains(got.Text, "it trains models") {
		t.Errorf("%+v, %v", got, err)
	}
}
