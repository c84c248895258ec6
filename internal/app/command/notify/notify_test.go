package notify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/slack"
)

// world is a model that answers from a list, and Slack, as the simulated Hub has
// it.
type world struct {
	t     *testing.T
	home  string
	model *httptest.Server
	slack *slack.Slack
	api   *httptest.Server
	// screen is what the program has printed.
	screen *screen
	// arrived is what had been printed when each post came.
	mu      sync.Mutex
	arrived []string
	tokens  []string
	down    bool
}

// screen is a buffer for two goroutines.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func newWorld(t *testing.T, answers ...map[string]any) *world {
	w := &world{t: t, home: t.TempDir(), slack: slack.New(clock.New(clock.Options{})), screen: &screen{}}
	next := 0
	w.model = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/models":
			_, _ = io.WriteString(rw, `{"object":"list","data":[{"id":"m","object":"model","max_model_len":400000}]}`)
		case r.URL.Path == "/v1/chat/completions":
			w.mu.Lock()
			answer := answers[min(next, len(answers)-1)]
			next++
			w.mu.Unlock()
			finish := "stop"
			if answer["tool_calls"] != nil {
				finish = "tool_calls"
			}
			_ = json.NewEncoder(rw).Encode(map[string]any{"id": "x", "object": "chat.completion", "choices": []any{map[string]any{
				"index": 0, "message": answer, "finish_reason": finish,
			}}})
		default:
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(w.model.Close)
	mux := http.NewServeMux()
	w.slack.Pages(mux)
	w.api = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.arrived, w.tokens = append(w.arrived, w.screen.String()), append(w.tokens, r.Header.Get("Authorization"))
		down := w.down
		w.mu.Unlock()
		if down {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.api.Close)
	return w
}

// run runs the program with Slack in its environment.
func (w *world) run(environ []string, args ...string) (code int, errs string) {
	w.t.Helper()
	in, err := os.Open(os.DevNull)
	if err != nil {
		w.t.Fatal(err)
	}
	defer in.Close()
	var stderr bytes.Buffer
	code = command.Main(w.t.Context(), console.Streams{
		Args: append([]string{"-m", "vllm/m", "--no-stream"}, args...), Dir: w.home, In: in, Out: w.screen, Err: &stderr,
		Environ: append([]string{
			"HOME=" + w.home, "XDG_CONFIG_HOME=" + filepath.Join(w.home, "c"), "PATH=" + os.Getenv("PATH"), "VLLM_BASE_URL=" + w.model.URL,
			"HF_ENDPOINT=" + w.model.URL + "/hub", "SLACK_BOT_TOKEN=xoxb-1", "SLACK_CHANNEL_ID=C1", "ML_INTERN_SLACK_API_URL=" + w.api.URL + "/slack",
		}, environ...),
	})
	return code, stderr.String()
}

func say(text string) map[string]any { return map[string]any{"role": "assistant", "content": text} }

func call(args map[string]any) map[string]any {
	raw, _ := json.Marshal(args)
	return map[string]any{"role": "assistant", "content": "", "tool_calls": []any{
		map[string]any{"id": "c1", "type": "function", "function": map[string]any{"name": "notify", "arguments": string(raw)}},
	}}
}

// Checks 8, 31, 37 and 38 with the whole program.
func TestCheck38_ARunTellsSlack(t *testing.T) {
	long := "The plan <!channel>:\n" + strings.Repeat("```python\n"+strings.Repeat("loss = model(batch)  # a line of code\n", 20)+"```\n", 65) + "the very end"
	if len(long) < 50_000 {
		t.Fatalf("the reply has %d characters", len(long))
	}
	w := newWorld(t,
		call(map[string]any{"destinations": []string{"slack.default", " slack.default"}, "message": "**from** the agent, with hf_abcdefghijklmnopqrstuvwxyz012345", "title": "Hi"}),
		say(long))
	if code, errs := w.run(nil, "train it"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	posts := w.slack.Messages()
	if len(posts) != 2 {
		t.Fatalf("%d posts: %+v", len(posts), posts)
	}
	session := regexp.MustCompile(`session_id: ([0-9a-f-]{36})`).FindStringSubmatch(posts[0].Text)
	if want := "[INFO] Hi\n*from* the agent, with [REDACTED_HF_TOKEN]\nsession_id: "; !strings.HasPrefix(posts[0].Text, want) || session == nil {
		t.Fatalf("the agent's post: %q", posts[0].Text)
	}
	done := posts[1].Text
	if n := utf8.RuneCountInString(done); n > 3500 || n < 3000 || strings.Count(done, "```")%2 != 0 {
		t.Errorf("the post has %d characters and %d fences", n, strings.Count(done, "```"))
	}
	for _, want := range []string{
		"[SUCCESS] Agent task complete\nSession " + session[1] + " completed.\nThe plan &lt;!channel&gt;:\n```python\nloss = model(batch)  # a line of code\n",
		"\n… (truncated, full reply in session " + session[1] + ")\n",
		"\nprompt: train it\n", "\nsession_id: " + session[1] + "\nmodel: vllm/m\nevent_type: turn_complete",
	} {
		if !strings.Contains(done, want) {
			t.Errorf("the post lacks %q:\n%s", want, done)
		}
	}
	if !strings.Contains(w.arrived[1], "the very end") {
		t.Error("the post came before the reply was on the screen")
	}
	if w.tokens[0] != "Bearer xoxb-1" || posts[0].Channel != "C1" {
		t.Errorf("token %q, channel %q", w.tokens[0], posts[0].Channel)
	}
}

func TestCheck38_OnlyErrors(t *testing.T) {
	w := newWorld(t, say("done"))
	if code, errs := w.run([]string{"ML_INTERN_SLACK_AUTO_EVENTS=error"}, "hi"); code != 0 || len(w.slack.Messages()) != 0 {
		t.Errorf("exit code %d, posts %+v\n%s", code, w.slack.Messages(), errs)
	}
}

// Check 36 with the whole program: it ends in time, and the next start delivers.
func TestCheck36_ADeadSlackIsToldLater(t *testing.T) {
	w := newWorld(t, say("done"))
	w.down = true
	start := time.Now()
	code, errs := w.run(nil, "hi")
	if took := time.Since(start); code != 0 || took > 5500*time.Millisecond {
		t.Errorf("exit code %d after %s", code, took)
	}
	if !strings.Contains(errs, "1 notification to slack.default could not be delivered yet: the next start tries again") {
		t.Errorf("standard error: %s", errs)
	}
	w.mu.Lock()
	w.down = false
	w.mu.Unlock()
	if code, errs := w.run(nil, "again"); code != 0 {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	var prompts []string
	for _, m := range w.slack.Messages() {
		prompts = append(prompts, regexp.MustCompile(`prompt: (.*)`).FindStringSubmatch(m.Text)[1])
	}
	if fmt.Sprint(prompts) != "[hi again]" {
		t.Errorf("posts about %q", prompts)
	}
}

func TestNothingIsKeptOnDiskWhereNoSessionIs(t *testing.T) {
	w := newWorld(t, say("done"))
	w.down = true
	if err := os.MkdirAll(filepath.Join(w.home, "c", "ml-intern"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.home, "c", "ml-intern", "cli_agent_config.json"), []byte(`{"save_sessions":false}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, errs := w.run(nil, "hi"); code != 0 || !strings.Contains(errs, "1 notification to slack.default could not be delivered\n") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(w.home, ".local/state/ml-intern/outbox")); err == nil {
		t.Error("there is an outbox")
	}
}

func TestASimulationTellsNobody(t *testing.T) {
	w := newWorld(t, say("done"))
	if code, errs := w.run(nil, "--simulate", "hi"); code != 0 || len(w.arrived) != 0 {
		t.Errorf("exit code %d, %d requests\n%s", code, len(w.arrived), errs)
	}
}
