// Package simulation puts a simulated Hub in the place of the real one for one
// run: what the run is told of its surroundings, what may leave the machine, in
// which trouble the Hub is, and the bill that the run would have caused. It
// knows nothing of agents.
package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// User is who the run is on the simulated Hub, Model the scripted model that
// its router serves.
const (
	User  = "bob"
	Model = "sim/scripted"
)

// Scenario is the trouble the simulated Hub is in.
type Scenario struct {
	Name string
	// Means is what goes wrong, in a few words.
	Means   string
	credits bool // none are left
	rules   []fault.Rule
	scripts []exec.Script
}

// Scenarios are all of them, the one without trouble first.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "calm", Means: "everything works"},
		{Name: "no-credits", Means: "nobody has credits: jobs and inference want to be paid for", credits: true},
		{Name: "rate-limited", Means: "some requests are told to wait", rules: rateLimited()},
		{Name: "job-oom", Means: "jobs that run Python run out of GPU memory", scripts: outOfMemory()},
		{Name: "log-cut", Means: "the logs of jobs break off again and again", rules: logCut()},
		{Name: "flaky-storage", Means: "uploads and downloads fail and are cut", rules: flakyStorage()},
	}
}

// Find looks a scenario up by its name.
func Find(name string) (Scenario, error) {
	all := Scenarios()
	i := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		return Scenario{}, fmt.Errorf("there is no scenario %q: choose one of %s", name, strings.Join(names, ", "))
	}
	return all[i], nil
}

// rateLimited refuses a few requests of each kind, with a short wait.
func rateLimited() []fault.Rule {
	var rules []fault.Rule
	for _, skip := range []int{2, 5, 9, 14} {
		rules = append(rules, fault.Rule{
			Match: fault.Match{Host: fault.Hub, Path: "^/(api|datasets|spaces|[^_/]+/[^/]+/resolve)", Skip: skip, Count: 1},
			Do: fault.Do{
				Status: 429, Headers: map[string]string{"RateLimit": `"api";r=0;t=1`, "RateLimit-Policy": `"fixed window";"api";q=500;w=300`},
				Body: json.RawMessage(`{"error":"We had to rate limit you. Slow down."}`),
			},
		})
	}
	return rules
}

func logCut() []fault.Rule {
	var rules []fault.Rule
	for _, after := range []int{2, 5, 9} {
		rules = append(rules, fault.Rule{
			Match: fault.Match{Method: "GET", Path: `^/api/jobs/[^/]+/[^/]+/logs$`, Count: 1},
			Do:    fault.Do{SSECloseAfter: &after},
		})
	}
	return rules
}

func flakyStorage() []fault.Rule {
	cut := int64(300_000)
	return []fault.Rule{
		{Match: fault.Match{Host: fault.CDN, Method: "PUT", Count: 1}, Do: fault.Do{Status: 403}},
		{Match: fault.Match{Host: fault.CDN, Method: "PUT", Skip: 1, Count: 1}, Do: fault.Do{Status: 503, Headers: map[string]string{"Retry-After": "1"}}},
		{Match: fault.Match{Host: fault.CDN, Method: "GET", Count: 3}, Do: fault.Do{DropAfterBytes: &cut}},
		{Match: fault.Match{Host: fault.Hub, Method: "POST", Path: "/commit/", Count: 1}, Do: fault.Do{Status: 503, Headers: map[string]string{"Retry-After": "1"}}},
		{Match: fault.Match{Host: fault.Hub, Method: "POST", Path: "/preupload/", Count: 1}, Do: fault.Do{Status: 500}},
	}
}

// outOfMemory plays, for jobs that run Python, one that dies in its first step.
func outOfMemory() []exec.Script {
	code := 1
	return []exec.Script{{
		Command: `\b(uv run|python3?)\b`,
		Steps: []exec.Step{
			{AfterMs: 200, Lines: []string{"Loading checkpoint shards: 100%", "{'loss': 2.41, 'learning_rate': 2e-05, 'epoch': 0.01}"}},
			{AfterMs: 300, Lines: []string{
				"Traceback (most recent call last):", `  File "train.py", line 57, in <module>`, "    trainer.train()",
				"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.32 GiB.",
			}},
			{Exit: &code},
		},
	}}
}

// Simulation is a simulated Hub for one run.
type Simulation struct {
	Scenario Scenario
	Guard    *Guard
	hub      *hubsim.Hub
}

// Options of a simulation.
type Options struct {
	// Fence is how commands of jobs are fenced in, see [exec.Options].
	Fence proc.Mode
	// Say is told what a person should know; nil is nobody.
	Say func(string)
}

// Start starts a simulated Hub in a scenario.
func Start(ctx context.Context, s Scenario, o Options) (*Simulation, error) {
	h, err := hubsim.New(hubsim.Options{
		Seed: "acme", Clock: clock.Options{Scale: 1}, Exec: hubsim.Local, Scripts: s.scripts, Say: o.Say, Fence: o.Fence,
		AllowUnserved: true,
	})
	if err != nil {
		return nil, fmt.Errorf("make the simulated Hub: %w", err)
	}
	if err := h.Start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the simulated Hub: %w", err), h.Close())
	}
	sim := &Simulation{Scenario: s, Guard: &Guard{inside: h.Inside}, hub: h}
	if s.credits {
		for _, e := range h.Accounts().Entities() {
			poor := *e
			poor.CreditMicroUSD = 0
			h.Accounts().Put(poor)
		}
	}
	for _, r := range s.rules {
		if err := h.Faults.Add(r); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return sim, nil
}

// Environ is the environment of the run: the user's own, in which the Hub and
// its neighbours are the simulated ones and nobody is logged in to a real one.
func (s *Simulation) Environ(own []string) ([]string, error) {
	ours, err := s.hub.Env(User)
	if err != nil {
		return nil, err
	}
	replaced := map[string]bool{}
	for _, entry := range ours {
		name, _, _ := strings.Cut(entry, "=")
		replaced[name] = true
	}
	out := slices.DeleteFunc(slices.Clone(own), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return replaced[name] || isHub(name) || isProxy(name)
	})
	return append(append(out, ours...), nowhere()...), nil
}

// nowhere are the variables that keep commands which heed them on this machine:
// their proxy is a port on which nobody listens.
func nowhere() []string {
	var out []string
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY"} {
		out = append(out, name+"=http://127.0.0.1:9", strings.ToLower(name)+"=http://127.0.0.1:9")
	}
	return append(out, "NO_PROXY=localhost,127.0.0.1,::1", "no_proxy=localhost,127.0.0.1,::1")
}

// isProxy reports whether a variable names a proxy, or what needs none.
func isProxy(name string) bool {
	return strings.HasSuffix(strings.ToUpper(name), "_PROXY")
}

// isHub reports whether a variable is about the real Hub, or about services
// that the simulated one stands for.
func isHub(name string) bool {
	switch name {
	case "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN", "ML_INTERN_JOB_TOKEN", "GH_TOKEN",
		"SLACK_BOT_TOKEN", "BRAVE_API_KEY", "TAVILY_API_KEY", "CLAWD_WEB_SEARCH_BASE_URL":
		return true
	}
	if strings.HasPrefix(name, "HF_") {
		return true
	}
	return slices.ContainsFunc(environ.BaseURLs, func(b environ.BaseURL) bool {
		return !b.Local && !slices.Contains(modelURLs, b.Variable) && (b.Variable == name || slices.Contains(b.Aliases, name))
	})
}

// modelURLs are the addresses of hosted models that are nobody's neighbours.
var modelURLs = []string{"ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OPENROUTER_BASE_URL"}

// URL is the simulated Hub's address.
func (s *Simulation) URL() string { return s.hub.URL() }

// Close ends everything that runs on the simulated Hub.
func (s *Simulation) Close() error { return s.hub.Close() }

// Bill is what the run would have cost on the real Hub, a line for each thing.
type Bill struct {
	Lines    []Line
	TotalUSD float64
}

// Line is one thing on a bill.
type Line struct {
	Entity, Product, Ref, Flavor string
	Minutes                      int64
	USD                          float64
}

// Bill adds up what was charged.
func (s *Simulation) Bill() Bill {
	var b Bill
	for _, e := range s.hub.Accounts().Entities() {
		for _, c := range s.hub.Accounts().Charges(e.Name) {
			usd := float64(c.NanoUSD) / 1e9
			b.Lines = append(b.Lines, Line{Entity: e.Name, Product: c.Product, Ref: c.Ref, Flavor: c.Flavor, Minutes: c.Minutes, USD: usd})
			b.TotalUSD += usd
		}
	}
	return b
}

// String is the bill for a person.
func (b Bill) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "Simulated bill: %.4f USD would have been charged; nothing was paid.", b.TotalUSD)
	for _, l := range b.Lines {
		what := l.Product
		if l.Flavor != "" {
			what += " " + l.Flavor
		}
		if l.Minutes > 0 {
			what += fmt.Sprintf(", %d min", l.Minutes)
		}
		fmt.Fprintf(&out, "\n  %.4f USD  %s (%s, %s)", l.USD, what, l.Entity, l.Ref)
	}
	return out.String()
}
