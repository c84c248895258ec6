package sandboxes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
)

// asProgram makes the test binary the program itself.
const asProgram = "ML_INTERN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	run := func() { os.Exit(command.Main(context.Background(), command.System())) }
	// As the tool server it runs in sandboxes, where there is no such variable.
	if os.Getenv(asProgram) != "" || len(os.Args) > 1 && os.Args[1] == "toolserver" {
		run()
	}
	testscript.Main(m, map[string]func(){"ml-intern": run})
}

// model answers model calls from a script, one line an answer.
type model struct {
	*httptest.Server
	script string

	mu    sync.Mutex
	turns int
}

func newModel(t testing.TB, script string) *model {
	m := &model{script: script}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":[{"id":"m","max_model_len":400000}]}`)
	})
	mux.HandleFunc("POST /v1/chat/completions", m.chat)
	m.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		m.CloseClientConnections()
		m.Close()
	})
	return m
}

type object = map[string]any

func (m *model) chat(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	var turn struct {
		Text  string `json:"text"`
		Hang  bool   `json:"hang"`
		Calls []struct {
			Name string `json:"name"`
			Args object `json:"args"`
		} `json:"calls"`
	}
	m.mu.Lock()
	raw, err := os.ReadFile(m.script)
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	line := lines[min(m.turns, len(lines)-1)]
	m.turns++
	turnNumber := m.turns
	m.mu.Unlock()
	if err == nil {
		err = json.Unmarshal([]byte(line), &turn)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(v any) {
		raw, _ := json.Marshal(v)
		fmt.Fprintf(w, "data: %s\n\n", raw)
		_ = http.NewResponseController(w).Flush()
	}
	if turn.Text != "" {
		send(object{"model": "m", "choices": []object{{"index": 0, "delta": object{"content": turn.Text}}}})
	}
	if turn.Hang {
		<-r.Context().Done()
		return
	}
	finish := "stop"
	for i, c := range turn.Calls {
		args, _ := json.Marshal(c.Args)
		finish = "tool_calls"
		send(object{"choices": []object{{"index": 0, "delta": object{"tool_calls": []object{{
			"index": i, "id": fmt.Sprintf("call_%d_%d", turnNumber, i), "type": "function",
			"function": object{"name": c.Name, "arguments": string(args)},
		}}}}}})
	}
	send(object{
		"choices": []object{{"index": 0, "delta": object{}, "finish_reason": finish}},
		"usage":   object{"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
	})
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// simulate starts a simulated Hub whose time began some time ago.
func simulate(t testing.TB, ago time.Duration) *hubsim.Hub {
	return hubsimtest.Start(t, hubsim.Options{
		Exec: hubsim.Local, Clock: clock.Options{Scale: 1, Start: time.Now().Add(-ago)}, SpaceBuild: 1, SpaceStart: 1,
	})
}

// environment is what the program gets.
func environment(t testing.TB, sim *hubsim.Hub, m *model, home string) []string {
	vars, err := sim.Env("bob")
	if err != nil {
		t.Fatal(err)
	}
	return append(vars, "HOME="+home, "PATH="+os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC", "VLLM_BASE_URL="+m.URL)
}

// ask sends a request to the Hub as bob.
func ask(t testing.TB, sim *hubsim.Hub, method, path, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, sim.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer hf_bob_write")
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	if res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s", method, path, res.Status, raw)
	}
	return string(raw)
}

// TestScripts runs the commands as people type them, against a simulated Hub
// whose sandboxes are two days old: one of a session that is gone, and one
// that only has the name of one.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			tb := env.T().(testing.TB)
			sim := simulate(tb, 50*time.Hour)
			home := filepath.Join(env.WorkDir, "home")
			if err := os.MkdirAll(home, 0o755); err != nil {
				return err
			}
			for _, entry := range environment(tb, sim, newModel(tb, filepath.Join(env.WorkDir, "model.jsonl")), home) {
				name, value, _ := strings.Cut(entry, "=")
				if name != "PATH" {
					env.Setenv(name, value)
				}
			}
			for name, mark := range map[string]string{"sandbox-0a1b2c3d": "1", "sandbox-deadbeef": ""} {
				ask(tb, sim, "POST", "/api/repos/create", `{"type":"space","name":"`+name+`","sdk":"docker","visibility":"private",
				 "variables":[{"key":"ML_INTERN_SANDBOX","value":"`+mark+`"},{"key":"ML_INTERN_SESSION","value":"11111111-2222-4333-8444-555555555555"}]}`)
			}
			ask(tb, sim, "POST", "/api/repos/create", `{"type":"space","name":"mine","sdk":"docker"}`)
			job := ask(tb, sim, "POST", "/api/jobs/bob", `{"dockerImage":"x","command":["sleep","600"],"arguments":[],"environment":{},"flavor":"cpu-basic",
			 "timeoutSeconds":86400,"labels":{"ml-intern-sandbox":"1","ml-intern-session":"11111111-2222-4333-8444-555555555555"}}`)
			var made struct{ ID string }
			if err := json.Unmarshal([]byte(job), &made); err != nil {
				return err
			}
			env.Setenv("JOB", made.ID)
			return nil
		},
	})
}
