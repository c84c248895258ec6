package tune_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/app/live/tune"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// world is what a change is made in: models that answer as they are told to,
// and what was remembered of them.
type world struct {
	refuses  error // by Check
	warnings []string
	window   int
	unfit    error
	probe    inference.Probe
	fault    error
	asked    []llm.Effort
	known    map[string]llm.Effort
}

func (w *world) Check(_ context.Context, id string) (provider.Report, error) {
	if w.refuses != nil {
		return provider.Report{}, w.refuses
	}
	parsed, err := modelid.Parse(id)
	if err != nil {
		return provider.Report{}, err
	}
	r := provider.Report{Route: modelid.Route{ID: parsed}, Warnings: w.warnings}
	r.Info.Window, r.Info.WindowKnown, r.Info.Local = w.window, w.window > 0, parsed.Local()
	if !parsed.Local() {
		price := 0.3
		r.Routing = "auto (fastest)"
		r.Offers = []catalog.Offer{{Provider: "novita", Live: true, Input: &price, Context: 131072, Tools: true}, {Provider: "together", Live: true}}
	}
	return r, nil
}

func (w *world) Probe(_ context.Context, _, _ string, level llm.Effort, obs inference.Observer) (inference.Probe, error) {
	w.asked = append(w.asked, level)
	if w.fault == nil {
		obs.Billed(inference.Reply{Kind: llm.KindEffortProbe})
	}
	return w.probe, w.fault
}

func (w *world) SetEffort(model string, level llm.Effort) { w.known[model] = level }
func (w *world) ForgetEffort(model string)                { delete(w.known, model) }

const yoloCap = 25_000_000

func (w *world) tuner() *tune.Tuner {
	w.known = map[string]llm.Effort{"a/b": llm.EffortLow}
	return tune.New(tune.Options{
		Models: w, Caller: w, YoloCapMicroUSD: yoloCap,
		Fits: func(context.Context, agent.Settings) ([]string, error) { return []string{"it is old"}, w.unfit },
	})
}

func session() tune.Session {
	return tune.Session{
		ID: "s", Mode: policy.ModeAsk, Tokens: 50_000,
		Set: agent.Settings{Model: "old/model", Effort: llm.EffortHigh},
	}
}

func ptr[T any](v T) *T { return &v }

// A switch looks the model up, asks it what effort it takes, and says what a
// person should know; what fails for good keeps the present model.
func TestModel(t *testing.T) {
	for name, tt := range map[string]struct {
		world  world
		id     string
		effort llm.Effort
		err    string
		notes  []string // each a part of one
		asked  int
		known  string // level of the model afterwards, "-" for none
	}{
		"taken": {
			world: world{probe: inference.Probe{Effort: llm.EffortMedium, Note: "high is not accepted; using medium", Elapsed: 120 * time.Millisecond}},
			id:    "a/b", effort: llm.EffortHigh, asked: 1, known: "medium",
			notes: []string{
				"routing: auto (fastest)", "novita: $0.3 in, n/a out per million tokens, context 131,072, tools", "together: n/a in, n/a out per million tokens, context n/a, no tools",
				"warning: it is old", "effort resolved to medium (120 ms): high is not accepted",
			},
		},
		"does not think": {
			world: world{probe: inference.Probe{Note: "the model does not think; effort is off"}}, id: "a/b", effort: llm.EffortHigh,
			asked: 1, known: "", notes: []string{"effort resolved to off"},
		},
		"cannot be asked": {
			world: world{probe: inference.Probe{Effort: llm.EffortHigh, Inconclusive: true}}, id: "a/b", effort: llm.EffortHigh,
			asked: 1, known: "-", notes: []string{"warning: a/b could not be asked just now; effort high is tried with the first message"},
		},
		"refused": {
			world: world{fault: &llm.Fault{Class: llm.ClassAuth, Text: "the key is refused"}}, id: "a/b", effort: llm.EffortHigh,
			asked: 1, err: "the key is refused",
		},
		"effort off":  {world: world{}, id: "a/b", known: "-"},
		"local":       {world: world{}, id: "ollama/m", effort: llm.EffortHigh, known: ""},
		"recorded":    {world: world{}, id: "replay/demo", effort: llm.EffortHigh, known: ""},
		"no id":       {world: world{}, id: "nonsense", effort: llm.EffortHigh, err: "nonsense"},
		"dead server": {world: world{refuses: errors.New("connection refused")}, id: "ollama/m", err: "connection refused"},
		"too small":   {world: world{unfit: errors.New("it holds 100 tokens")}, id: "a/b", effort: llm.EffortHigh, err: "100 tokens"},
		"smaller than the conversation": {
			world: world{window: 32_768, warnings: []string{"no provider serves a/b"}}, id: "a/b",
			known: "-", notes: []string{"warning: no provider serves a/b", "the conversation has about 50,000 tokens, a/b holds 32,768: it is condensed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := tt.world
			s := session()
			s.Set.Effort = tt.effort
			billed := 0
			c, err := w.tuner().Plan(t.Context(), s, event.Configure{Model: &tt.id}, func(inference.Reply) { billed++ })
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("%v, want %q", err, tt.err)
				}
				if _, kept := w.known["a/b"]; !kept {
					t.Error("a refused switch was remembered")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if *c.Model != tt.id || len(w.asked) != tt.asked || billed != tt.asked {
				t.Errorf("%s, asked %v, billed %d", *c.Model, w.asked, billed)
			}
			for _, note := range tt.notes {
				if !slices.ContainsFunc(c.Notes, func(n string) bool { return strings.Contains(n, note) }) {
					t.Errorf("%q is not in %q", note, c.Notes)
				}
			}
			c.Settle()
			level, known := w.known[tt.id]
			if tt.known == "-" && known || tt.known != "-" && (!known || string(level) != tt.known) {
				t.Errorf("known: %q, %v; want %q", level, known, tt.known)
			}
		})
	}
}

// Everything else is judged before anything is done; a switch of the model sees
// the effort and the cap that come with it.
func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		op  event.Configure
		set func(*tune.Session)
		err string
		ok  func(c tune.Change, w *world) bool
	}{
		"effort":           {op: event.Configure{Effort: ptr(" LOW ")}, ok: func(c tune.Change, _ *world) bool { return *c.Effort == llm.EffortLow }},
		"effort off":       {op: event.Configure{Effort: ptr("off")}, ok: func(c tune.Change, _ *world) bool { return *c.Effort == llm.EffortOff }},
		"no effort":        {op: event.Configure{Effort: ptr("huge")}, err: "minimal, low, medium, high, xhigh, max or off"},
		"effort and model": {op: event.Configure{Effort: ptr("max"), Model: ptr("a/b")}, ok: func(_ tune.Change, w *world) bool { return slices.Equal(w.asked, []llm.Effort{llm.EffortMax}) }},
		"mode":             {op: event.Configure{ApprovalMode: ptr("Plan")}, ok: func(c tune.Change, _ *world) bool { return c.Mode == policy.ModePlan && c.CapMicroUSD == nil }},
		"no mode":          {op: event.Configure{ApprovalMode: ptr("always")}, err: "plan, ask, auto-edit"},
		"rules":            {op: event.Configure{Allow: []string{"bash(git status*)"}}, ok: func(c tune.Change, _ *world) bool { return len(c.Allow) == 1 && c.Mode == policy.ModeAsk }},
		"no rule":          {op: event.Configure{Allow: []string{"bash(git status*)", "bash("}}, err: "bash("},
		"cap":              {op: event.Configure{MaxCostUSD: ptr(2.5)}, ok: func(c tune.Change, _ *world) bool { return *c.CapMicroUSD == 2_500_000 && c.CapByUser }},
		"unlimited":        {op: event.Configure{MaxCostUSD: ptr(0.0)}, ok: func(c tune.Change, _ *world) bool { return *c.CapMicroUSD == 0 && c.CapByUser }},
		"no cap":           {op: event.Configure{MaxCostUSD: ptr(-1.0)}, err: "0 (unlimited) or more"},
		"yolo has a cap": {op: event.Configure{ApprovalMode: ptr("yolo")}, ok: func(c tune.Change, _ *world) bool {
			return *c.CapMicroUSD == yoloCap && !c.CapByUser && strings.Contains(c.Notes[0], "$25.00")
		}},
		"yolo keeps the user's": {
			op: event.Configure{ApprovalMode: ptr("yolo")}, set: func(s *tune.Session) { s.Set.CapMicroUSD, s.Set.CapByUser = 9, true },
			ok: func(c tune.Change, _ *world) bool { return c.CapMicroUSD == nil },
		},
		"yolo with a cap": {op: event.Configure{ApprovalMode: ptr("yolo"), MaxCostUSD: ptr(3.0)}, ok: func(c tune.Change, _ *world) bool { return *c.CapMicroUSD == 3_000_000 && c.CapByUser }},
		"after yolo there is none": {
			op: event.Configure{ApprovalMode: ptr("ask")}, set: func(s *tune.Session) { s.Mode, s.Set.CapMicroUSD = policy.ModeYolo, yoloCap },
			ok: func(c tune.Change, _ *world) bool { return *c.CapMicroUSD == 0 && !c.CapByUser },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{}
			s := session()
			if tt.set != nil {
				tt.set(&s)
			}
			c, err := w.tuner().Plan(t.Context(), s, tt.op, func(inference.Reply) {})
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v, want %q", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			case !tt.ok(c, w):
				t.Errorf("%+v", c)
			}
		})
	}
}

// A cap that cannot be kept is refused.
func TestCapThatCannotBeKept(t *testing.T) {
	w := &world{unfit: errors.New("the price of old/model is unknown")}
	if _, err := w.tuner().Plan(t.Context(), session(), event.Configure{MaxCostUSD: ptr(1.0)}, nil); !errors.Is(err, w.unfit) {
		t.Errorf("%v", err)
	}
}

// A refusal says what holds on.
func TestRefusal(t *testing.T) {
	f := &llm.Fault{Class: llm.ClassAuth, Text: "the key is refused", Hint: "Set HF_TOKEN.", Status: 401}
	e := tune.Refusal(event.Configure{Model: ptr(" a/b ")}, "old/model", f)
	if e.Code != "auth" || e.HTTPStatus != 401 || e.Error != "the switch to a/b failed: the key is refused" || e.Hint != "Set HF_TOKEN. Going on with old/model." {
		t.Errorf("%+v", e)
	}
	e = tune.Refusal(event.Configure{Effort: ptr("x")}, "old/model", errors.New("no such effort"))
	if e.Error != "no such effort" || e.Hint != "The settings are unchanged." || e.Code != "internal" {
		t.Errorf("%+v", e)
	}
}
