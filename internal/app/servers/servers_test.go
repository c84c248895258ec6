package servers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/app/servers"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a user with settings, whose requests go where the test says.
type desk struct {
	*testing.T
	o    servers.Options
	home string

	mu    sync.Mutex
	token string
	told  []string
}

// newDesk loads settings: the user's, the project's (in a trusted folder) and
// variables.
func newDesk(t *testing.T, user, project string, env ...string) *desk {
	t.Helper()
	d := &desk{T: t, home: t.TempDir()}
	dir := t.TempDir()
	write := func(path, text string) {
		if text == "" {
			return
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(d.home, ".config", "ml-intern", "cli_agent_config.json"), user)
	write(filepath.Join(dir, ".ml-intern", "config.json"), project)
	l, err := config.Load(t.Context(), config.Options{Dir: dir, Environ: append([]string{"HOME=" + d.home, "PATH=" + os.Getenv("PATH"), "HF_TOKEN=hf_envsecret", "MY_API_KEY=keysecret"}, env...), Trust: true})
	if err != nil {
		t.Fatal(err)
	}
	d.o = servers.Options{
		Loaded: l, HTTP: &http.Client{Transport: http.DefaultTransport}, Version: "1.2.3", Tools: []string{"bash", "read"},
		Token: func(context.Context) string {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.token
		},
		Hold:  func(...string) {},
		Debug: func(line string) { t.Log(line) },
		Tell: func(line string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.told = append(d.told, line)
		},
	}
	return d
}

func (d *desk) login(token string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.token = token
}

func (d *desk) lines() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.told)
}

// trip answers requests without a network.
type trip func(req *http.Request) (*http.Response, error)

func (f trip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// tools offers tools of these names.
func offering(names ...string) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	for _, name := range names {
		add(s, name)
	}
	return s
}

func add(s *mcp.Server, name string) {
	mcp.AddTool(s, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done " + name}}}, nil, nil
	})
}

// serve serves a server on the web, and gives its address.
func serve(t *testing.T, s *mcp.Server) string {
	t.Helper()
	web := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{Stateless: true}))
	t.Cleanup(web.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return web.URL
}

func open(d *desk) *servers.Set {
	s := servers.Open(d.o)
	d.Cleanup(s.Close)
	s.Start()
	return s
}

func names(all []tool.Tool) []string {
	var out []string
	for _, t := range all {
		out = append(out, t.Spec().Name)
	}
	return out
}

// Check 11, decision 60: the Hub token goes to the Hub, and nowhere else; a header of
// the user's own is his own.
func TestCheck11_WhereTheTokenGoes(t *testing.T) {
	const other = "HF_ENDPOINT=https://hub.corp.example"
	for name, test := range map[string]struct {
		user, project, env string
		want               string // the Authorization of all requests
	}{
		"shipped":               {want: "Bearer hf_hub"},
		"foreign":               {user: `{"url":"https://other.example/mcp"}`, want: ""},
		"foreign, own header":   {user: `{"url":"https://other.example/mcp","headers":{"authorization":"Bearer own"}}`, want: "Bearer own"},
		"foreign, bearer":       {user: `{"url":"https://other.example/mcp","auth":"ownbearer"}`, want: "Bearer ownbearer"},
		"Hub":                   {user: `{"url":"https://huggingface.co/mcp?login"}`, want: "Bearer hf_hub"},
		"Hub, own header":       {user: `{"url":"https://huggingface.co/mcp","headers":{"Authorization":"Bearer own"}}`, want: "Bearer own"},
		"below the Hub":         {user: `{"url":"https://api.hf.co/mcp"}`, want: "Bearer hf_hub"},
		"looks like the Hub":    {user: `{"url":"https://huggingface.co.evil.example/mcp"}`, want: ""},
		"looks like it, too":    {user: `{"url":"https://nothuggingface.co/mcp"}`, want: ""},
		"a Space":               {user: `{"url":"https://mallory-tool.hf.space/mcp"}`, want: ""},
		"Hub without TLS":       {user: `{"url":"http://huggingface.co/mcp"}`, want: ""},
		"Hub, another port":     {user: `{"url":"https://huggingface.co:8443/mcp"}`, want: ""},
		"other Hub, shipped":    {env: other, want: "Bearer hf_hub"},
		"other Hub, by hand":    {env: other, user: `{"url":"https://huggingface.co/mcp"}`, want: "Bearer hf_hub"},
		"other Hub, by project": {env: other, project: `{"url":"https://huggingface.co/mcp"}`, want: ""},
		"other Hub's name only": {env: other, user: `{"url":"https://mcp.hub.corp.example/mcp"}`, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			entry := func(text string) string {
				if text == "" {
					return ""
				}
				return `{"mcpServers":{"hf-mcp-server":null,"x":` + text + `}}`
			}
			d := newDesk(t, entry(test.user), entry(test.project), append([]string{}, strings.Fields(test.env)...)...)
			d.login("hf_hub")
			var mu sync.Mutex
			var sent []string
			d.o.HTTP = &http.Client{Transport: trip(func(req *http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				sent = append(sent, req.Header.Get("Authorization"))
				if req.URL.Query().Has("login") && test.want == "Bearer hf_hub" {
					t.Errorf("a login is asked for at %s", req.URL)
				}
				return nil, errors.New("no network")
			})}
			s := open(d)
			s.Joining(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if len(sent) == 0 {
				t.Fatal("nothing was sent")
			}
			for _, got := range sent {
				if got != test.want {
					t.Errorf("sent %q, want %q", got, test.want)
				}
			}
		})
	}
}

// The shipped entry does nothing without a login at the Hub, says nothing, and is
// there as soon as the user has one.
func TestShippedEntry(t *testing.T) {
	d := newDesk(t, "", "", "HF_ENDPOINT="+serve(t, offering("hub_search", "hf_whoami")))
	s := open(d)
	if got := s.Joining(t.Context()); len(got) > 0 {
		t.Errorf("got %q", names(got))
	}
	e := s.Entries()
	if len(e) != 1 || e[0].State != server.NeedsLogin || !strings.Contains(e[0].Problem, "ml-intern login") {
		t.Errorf("%+v", e)
	}
	d.login("hf_hub")
	for deadline := time.Now().Add(20 * time.Second); !slices.Equal(names(s.Joining(t.Context())), []string{"hub_search"}); {
		if time.Now().After(deadline) {
			t.Fatalf("got %q", names(s.Joining(t.Context())))
		}
		time.Sleep(5 * time.Millisecond) // until it is connected
	}
	if told := d.lines(); len(told) > 0 {
		t.Errorf("told %q", told)
	}
}

// A server that is slow or dead costs its own tools, and three seconds once.
func TestSlowAndDeadServersDelayNothing(t *testing.T) {
	user := `{"mcpServers":{"hf-mcp-server":null,"slow":{"url":"https://slow.example/mcp"},"dead":{"url":"https://dead.example/mcp"},"sleepy":{"url":"https://sleepy.example/mcp","transport":"sse"}}}`
	d := newDesk(t, user, "")
	synctest.Test(t, func(t *testing.T) {
		d.o.HTTP = &http.Client{Transport: trip(func(req *http.Request) (*http.Response, error) {
			if req.URL.Host == "dead.example" {
				return nil, errors.New("connection refused")
			}
			<-req.Context().Done()
			return nil, context.Cause(req.Context())
		})}
		d.o.Debug = func(string) {}
		began := time.Now()
		s := servers.Open(d.o)
		s.Start()
		if took := time.Since(began); took > 0 {
			t.Errorf("starting took %s", took)
		}
		for i, most := range []time.Duration{3 * time.Second, 0, 0} {
			began := time.Now()
			if got := s.Joining(t.Context()); len(got) > 0 {
				t.Errorf("got %q", names(got))
			}
			if took := time.Since(began); took > most {
				t.Errorf("message %d waits %s", i+1, took)
			}
		}
		time.Sleep(12 * time.Second) // of the bubble: until the slow ones are given up
		for _, e := range s.Entries() {
			if e.State == server.Ready || e.Problem == "" {
				t.Errorf("%s: %s %q", e.Name, e.State, e.Problem)
			}
		}
		told := d.lines()
		if len(told) != 3 || !strings.Contains(strings.Join(told, "\n"), "MCP server slow: it did not answer within 10s; /mcp shows it") {
			t.Errorf("told %q", told)
		}
		began = time.Now()
		s.Close()
		if took := time.Since(began); took > time.Second {
			t.Errorf("closing took %s", took)
		}
	})
}

// A message that is given up waits for nobody.
func TestGivenUp(t *testing.T) {
	d := newDesk(t, `{"mcpServers":{"hf-mcp-server":null,"slow":{"url":"https://slow.example/mcp"}}}`, "")
	synctest.Test(t, func(t *testing.T) {
		d.o.HTTP = &http.Client{Transport: trip(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, context.Cause(req.Context())
		})}
		d.o.Debug = func(string) {}
		s := servers.Open(d.o)
		defer s.Close()
		s.Start()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if s.Joining(ctx); time.Since(began) != time.Second {
			t.Errorf("after %s", time.Since(began))
		}
	})
}

// The tools of all servers join in the order of their names, and others when a server
// has others; what has changed is told.
func TestJoining(t *testing.T) {
	b := offering("search", "bash")
	d := newDesk(t, fmt.Sprintf(`{"mcpServers":{"hf-mcp-server":null,"a":{"url":%q},"b":{"url":%q,"tools":["search","bash","late"]}}}`, serve(t, offering("search", "find")), serve(t, b)), "")
	s := open(d)
	got := s.Joining(t.Context())
	if want := []string{"find", "search", "mcp__b__bash", "mcp__b__search"}; !slices.Equal(names(got), want) {
		t.Errorf("got %q, want %q", names(got), want)
	}
	r, err := got[2].Run(t.Context(), &tooltest.Env{}, json.RawMessage(`{}`))
	if err != nil || r.Output != "done bash" {
		t.Errorf("%+v, %v", r, err)
	}
	b.RemoveTools("search")
	add(b, "late")
	add(b, "unwanted")
	deadline := time.Now().Add(20 * time.Second)
	for !slices.Contains(names(s.Joining(t.Context())), "late") {
		if time.Now().After(deadline) {
			t.Fatalf("got %q", names(s.Joining(t.Context())))
		}
		time.Sleep(5 * time.Millisecond) // until the server has said so
	}
	for !slices.Contains(d.lines(), "MCP server b has other tools now: +late -search") {
		if time.Now().After(deadline) {
			t.Fatalf("told %q", d.lines())
		}
		time.Sleep(5 * time.Millisecond) // until it is told
	}
	if got, want := names(s.Joining(t.Context())), []string{"find", "search", "mcp__b__bash", "late"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What a project's file brings along is believed nothing, unless it says so in a
// folder that is trusted; nothing of it counts in any other.
func TestProjects(t *testing.T) {
	project := fmt.Sprintf(`{"mcpServers":{"hf-mcp-server":null,"p":{"url":%q}}}`, serve(t, offering("look")))
	d := newDesk(t, "", project)
	got := open(d).Joining(t.Context())
	if len(got) != 1 {
		t.Fatalf("got %q", names(got))
	}
	if r := got[0].Risk(json.RawMessage(`{}`)); r.Gate != tool.Ask || !strings.Contains(r.Reason, "not trusted") {
		t.Errorf("%+v", r)
	}
	l, err := config.Load(t.Context(), config.Options{Dir: d.o.Loaded.Dir, Environ: []string{"HOME=" + d.home}})
	if err != nil {
		t.Fatal(err)
	}
	d.o.Loaded = l
	if got := d.o.Names(); !slices.Equal(got, []string{"hf-mcp-server"}) {
		t.Errorf("without trust: %q", got)
	}
}

// Only the simulated Hub's own server is there in a simulation.
func TestSimulated(t *testing.T) {
	hub := serve(t, offering("hub_search"))
	d := newDesk(t, `{"mcpServers":{"other":{"url":"https://other.example/mcp"},"program":{"command":"true"}}}`, "", "HF_ENDPOINT="+hub)
	d.o.Simulated = true
	d.login("hf_sim")
	if got := names(open(d).Joining(t.Context())); !slices.Equal(got, []string{"hub_search"}) {
		t.Errorf("got %q", got)
	}
	if e := d.o.Visit(t.Context(), "program"); e.State != server.Failed {
		t.Errorf("%+v", e)
	}
}

// A program sees no secret that its entry does not name.
func TestEnvironment(t *testing.T) {
	user := `{"mcpServers":{"hf-mcp-server":null,"p":{"command":"sh","args":["-c","env >&2; exit 1"],"env":{"GIVEN":"${MY_API_KEY}"}}}}`
	d := newDesk(t, user, "")
	var mu sync.Mutex
	var said []string
	d.o.Debug = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, line)
	}
	if e := d.o.Visit(t.Context(), "p"); e.State == server.Ready {
		t.Errorf("%+v", e)
	}
	mu.Lock()
	defer mu.Unlock()
	all := strings.Join(said, "\n")
	if strings.Contains(all, "hf_envsecret") || strings.Contains(all, "MY_API_KEY=") || !strings.Contains(all, "GIVEN=keysecret") || !strings.Contains(all, "HOME=") {
		t.Errorf("it says:\n%s", all)
	}
}

// What a person asks for is answered: how things stand, prompts, and why not.
func TestAnswers(t *testing.T) {
	lib := offering("find")
	lib.AddPrompt(&mcp.Prompt{Name: "ask"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "What?"}}}}, nil
	})
	d := newDesk(t, fmt.Sprintf(`{"mcpServers":{"hf-mcp-server":null,"lib":{"url":%q},"gone":{"command":"no-such-program"}}}`, serve(t, lib)), "")
	s := open(d)
	if s.Answers(event.UserInput{}) || !s.Answers(event.Servers{}) || !s.Answers(event.Prompt{}) {
		t.Error("it answers something else")
	}
	states, ok := s.Answer(event.Servers{Retry: "*"}).(event.ServerStates)
	if !ok || len(states.Servers) != 2 || servers.Line(states.Servers[1]) != "ready: 1 tool, 1 prompts" || !strings.HasPrefix(servers.Line(states.Servers[0]), "failed: start the server: there is no program no-such-program") {
		t.Errorf("%+v", states)
	}
	if p := s.Answer(event.Prompt{Server: "lib", Name: "ask"}); p != (event.ServerPrompt{Server: "lib", Name: "ask", Text: "What?"}) {
		t.Errorf("%+v", p)
	}
	for op, want := range map[event.Operation]string{
		event.Servers{Retry: "nobody"}: `there is no MCP server "nobody" here; there are: gone, lib`,
	} {
		if e, ok := s.Answer(op).(event.Error); !ok || e.Error != want {
			t.Errorf("%+v: %+v", op, e)
		}
	}
	if e, ok := s.Answer(event.Prompt{Server: "lib", Name: "none"}).(event.Error); !ok || !strings.Contains(e.Error, "none") {
		t.Errorf("%+v", e)
	}
	if e, ok := s.Answer(event.Prompt{Server: "nobody", Name: "x"}).(event.Error); !ok || !strings.Contains(e.Error, "there is no MCP server") {
		t.Errorf("%+v", e)
	}
}
