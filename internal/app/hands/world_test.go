package hands_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/app/hands"
	"github.com/ml-intern/ml-intern/internal/app/hubtools"
	"github.com/ml-intern/ml-intern/internal/app/toolserver/host"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// TestMain makes the test binary the tool server that its tests put into
// sandboxes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "toolserver" {
		dir := "/app"
		for i, arg := range os.Args {
			if arg == "--dir" {
				dir = os.Args[i+1]
			}
		}
		if err := host.Run(context.Background(), host.Options{Environ: os.Environ(), Dir: dir, Version: "test", Log: os.Stderr}); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

const session = "11111111-2222-4333-8444-555555555555"

// world is a user of a simulated Hub, whose Spaces and jobs are processes.
type world struct {
	*testing.T
	hub    *hubsim.Hub
	client *hub.Client
	fleet  *hands.Fleet
	home   string
	seen   tooltest.Session
	calls  int
	setup  setup
	next   string // run of the program
}

type setup struct {
	user     string
	settings map[string][]string
	environ  []string
	sim      hubsim.Options
}

func newWorld(t *testing.T, change ...func(*setup)) *world {
	t.Helper()
	s := setup{user: "bob", settings: map[string][]string{"tool_runtime": {"sandbox"}, "sandbox_prefetch": {"off"}}}
	s.sim = hubsim.Options{
		Exec: hubsim.Local, Clock: clock.Options{Scale: 1}, SpaceBuild: 1, SpaceStart: 1,
	}
	for _, c := range change {
		c(&s)
	}
	w := &world{T: t, hub: hubsimtest.Start(t, s.sim), home: t.TempDir(), setup: s}
	w.seen.SessionID = session
	vars, err := w.hub.Env(s.user)
	if err != nil {
		t.Fatal(err)
	}
	w.open(vars)
	return w
}

// as makes it the world of another user.
func (w *world) as(token string) {
	w.Helper()
	vars, err := w.hub.Env("bob")
	if err != nil {
		w.Fatal(err)
	}
	w.open(append([]string{"HF_TOKEN=" + token}, vars...))
}

// open makes a new run of the program.
func (w *world) open(vars []string) {
	w.Helper()
	t, s := w.T, w.setup
	loaded, err := config.Load(t.Context(), config.Options{
		Dir: w.home, Environ: append(append(vars, "HOME="+w.home, "PATH="+os.Getenv("PATH")), s.environ...), Flags: s.settings,
	})
	if err != nil {
		t.Fatal(err)
	}
	web, err := httpx.New(httpx.Options{Version: "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.CloseIdleConnections)
	token, _ := loaded.HFToken()
	cache := account.NewCache()
	t.Cleanup(cache.Close)
	if w.client, err = hub.New(hub.Options{HTTP: web, Endpoint: loaded.URL("HF_ENDPOINT").Value, Token: token, Identities: cache}); err != nil {
		t.Fatal(err)
	}
	prices := hubtools.NewPrices(w.client, filepath.Join(w.home, "prices"))
	own := func() string { return token }
	w.fleet = hands.NewFleet(hands.Options{
		Loaded: loaded, Client: w.client, Jobs: prices.Jobs, Spaces: prices.Spaces, Token: own, JobToken: own, OwnToken: true,
		HTTP: web, Version: "1.0",
	})
}

func (w *world) dir() string { return filepath.Join(w.home, "session"+w.next) }

// hands are the tools of the session, attached.
func (w *world) hands() *hands.Hands {
	w.Helper()
	h, err := w.fleet.Hands(session, w.dir())
	if err != nil {
		w.Fatal(err)
	}
	h.Create.(tool.Companion).Attach(&w.seen)
	w.Cleanup(func() { w.close(h) })
	return h
}

func (w *world) close(h *hands.Hands) {
	w.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if err := h.Create.(tool.Closer).Close(ctx); err != nil {
		w.Errorf("close: %v", err)
	}
}

// run makes one call.
func (w *world) run(tl tool.Tool, args string) (tool.Result, *tooltest.Env) {
	w.Helper()
	w.calls++
	env := &tooltest.Env{Session: session, Call: "call_" + string(rune('a'+w.calls))}
	if cost := tl.Risk(json.RawMessage(args)).Cost; cost != nil {
		if err := w.seen.Reserve(env.Call, "", *cost); err != nil {
			return tool.Failed(err.Error()), env
		}
	}
	r, err := tl.Run(w.Context(), env, json.RawMessage(args))
	if err != nil {
		w.Fatalf("%s %s: %v", tl.Spec().Name, args, err)
	}
	switch { // as the engine does
	case r.Holding != "":
	case !r.OK && r.ActualMicroUSD == nil:
		w.seen.Release(env.Call)
	default:
		w.seen.Settle(env.Call, r.ActualMicroUSD)
	}
	return r, env
}

// good makes a call that must succeed.
func (w *world) good(tl tool.Tool, args string) string {
	w.Helper()
	r, env := w.run(tl, args)
	if !r.OK {
		w.Fatalf("%s %s: %s\n%s", tl.Spec().Name, args, r.Output, strings.Join(env.Logs(), "\n"))
	}
	return r.Output
}

func (w *world) fault(rules string) {
	w.Helper()
	parsed, err := fault.Parse([]byte(rules))
	if err != nil {
		w.Fatal(err)
	}
	if err := w.hub.Faults.Add(parsed...); err != nil {
		w.Fatal(err)
	}
}

// count counts requests.
func (w *world) count(method, path string) int {
	n := 0
	for _, r := range w.hub.Requests() {
		if r.Method == method && strings.Contains(r.Path, path) {
			n++
		}
	}
	return n
}

// left lists the sandboxes that exist.
func (w *world) left(owner string) []string {
	w.Helper()
	all, err := w.fleet.Census(func(context.Context, string) bool { return false }).Take(context.Background(), owner, true)
	if err != nil {
		w.Fatal(err)
	}
	var ids []string
	for _, e := range all {
		ids = append(ids, e.ID)
	}
	return ids
}

// records are what the session remembers.
func (w *world) records() []sandbox.Record {
	w.Helper()
	r, err := sandbox.OpenRecords(filepath.Join(w.dir(), sandbox.FileName))
	if err != nil {
		w.Fatal(err)
	}
	return r.All()
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// noSecrets checks that the token of a sandbox is shown nowhere.
func (w *world) noSecrets(token string, texts ...string) {
	w.Helper()
	events, err := json.Marshal(w.seen.Emitted())
	if err != nil {
		w.Fatal(err)
	}
	for _, text := range append(texts, string(events)) {
		if bytes.Contains([]byte(text), []byte(token)) {
			w.Errorf("the sandbox's token is in %.200s", text)
		}
	}
}
