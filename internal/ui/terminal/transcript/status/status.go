// Package status keeps the values of a session that stand in a terminal's
// status line: the model, how full its context is, money, jobs, time. It folds
// them from the events and shows them in one line.
package status

import (
	"math"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/usage"
	"github.com/ml-intern/ml-intern/internal/ui/sentence"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
)

// Status are the values of the moment.
type Status struct {
	Title, Model, Effort, Mode, Runtime, Cwd string
	// Tools is how many the agent has.
	Tools int
	// ContextTokens is the size of the last request and its answer, Window what
	// the model can hold; 0 is unknown.
	ContextTokens, Window int
	// CostMicroUSD is what models and sandboxes have cost; Incomplete says that
	// the price of something is unknown.
	CostMicroUSD   int64
	CostIncomplete bool
	// JobsMicroUSD is the same for jobs; Estimated says that running ones are
	// in it, by their time.
	JobsMicroUSD                  int64
	JobsIncomplete, JobsEstimated bool
	JobsRunning                   int
	CapUSD                        *float64 // nil is unlimited
	// Tokens and Calls are those of all models.
	Tokens int64
	Calls  int
	// Busy says that a turn runs, Elapsed how long, Tool which call of it has
	// run longest.
	Busy    bool
	Elapsed time.Duration
	Tool    string
	// Queue is how many texts wait.
	Queue int
}

// Percent is how full the context is; ok is false when that is not known.
func (s Status) Percent() (percent int, ok bool) {
	if s.Window <= 0 || s.ContextTokens <= 0 {
		return 0, false
	}
	return int(math.Round(100 * float64(s.ContextTokens) / float64(s.Window))), true
}

// Cost and Jobs are the amounts in words.
func (s Status) Cost() string { return money(s.CostMicroUSD, s.CostIncomplete, false) }

// Jobs is the amount for jobs in words.
func (s Status) Jobs() string { return money(s.JobsMicroUSD, s.JobsIncomplete, s.JobsEstimated) }

// money is an amount: ~ for an estimate, +? where something is missing.
func money(micro int64, incomplete, estimated bool) string {
	text := amount.Dollars(micro)
	if incomplete && micro == 0 {
		return "unknown"
	}
	if estimated {
		text = "~" + text
	}
	if incomplete {
		text += "+?"
	}
	return text
}

// Line joins the values by dot; what does not fit is dropped from the right.
func (s Status) Line(dot string, width int) string {
	line := ""
	for _, part := range s.parts() {
		next := part
		if line != "" {
			next = line + dot + part
		}
		if ansi.StringWidth(next) > width {
			break
		}
		line = next
	}
	return line
}

func (s Status) parts() []string {
	parts := []string{s.Model}
	if s.Effort != "off" {
		parts = append(parts, s.Effort)
	}
	parts = append(parts, s.Mode, s.context(), s.Cost(), s.jobs())
	if s.Busy {
		parts = append(parts, amount.Took(s.Elapsed.Truncate(time.Second)), s.Tool)
	}
	if s.Queue > 0 {
		parts = append(parts, amount.Grouped(s.Queue)+" queued")
	}
	if s.Tokens > 0 {
		parts = append(parts, amount.Short(float64(s.Tokens), 3)+" tokens")
	}
	kept := parts[:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

func (s Status) context() string {
	if p, ok := s.Percent(); ok {
		return "ctx " + amount.Grouped(p) + "%"
	}
	if s.ContextTokens > 0 {
		return "ctx " + amount.Short(float64(s.ContextTokens), 3)
	}
	return ""
}

func (s Status) jobs() string {
	if s.JobsRunning == 0 && s.JobsMicroUSD == 0 && !s.JobsIncomplete {
		return ""
	}
	text := "jobs " + s.Jobs()
	if s.JobsRunning > 0 {
		text += " (" + amount.Grouped(s.JobsRunning) + " running)"
	}
	return text
}

// longest is the most characters of a value.
const longest = 500

// Board folds events. The zero Board has seen none.
type Board struct {
	status Status
	known  bool // settings have been told
	meter  usage.Meter
	moved  bool // the meter's sums are to be read again
	jobs   jobs
}

// Apply folds the next event; it returns which settings have changed, in words.
func (b *Board) Apply(ev event.Event, at time.Time) (changes []string) {
	b.meter.Add(ev)
	switch ev.Type {
	case event.TypeLLMCall:
		b.moved = true
		with(ev, b.modelCall)
	case event.TypeSandboxCreate, event.TypeSandboxDestroy:
		b.moved = true
	case event.TypeJobSubmit:
		b.moved = true
		with(ev, func(in event.JobSubmit) { b.jobs.submit(in.JobID) })
	case event.TypeJobComplete:
		b.moved = true
		with(ev, func(in event.JobComplete) { b.jobs.over(in.JobID) })
	case event.TypeSpend:
		with(ev, func(in event.Spend) { b.jobs.spend(in, at) })
	case event.TypeSettings:
		with(ev, func(in event.Settings) { changes = b.Settings(in) })
	case event.TypeCompacted:
		with(ev, func(in event.Compacted) { b.status.ContextTokens = in.NewTokens })
	case event.TypeRenamed:
		with(ev, func(in event.Renamed) { b.status.Title = page.Short(in.Title, longest) })
	case event.TypeReady:
		with(ev, func(in event.Ready) { b.status.Tools = in.ToolCount })
	case event.TypeInputAccepted:
		with(ev, func(in event.InputAccepted) { b.adopt(in.Model, in.Cwd) })
	case event.TypeTurnStarted:
		with(ev, func(in event.TurnStarted) { b.adopt(in.Model, in.Cwd) })
	case event.TypeResumeComplete:
		with(ev, func(in event.ResumeComplete) { b.adopt(in.ModelName, "") })
	case event.TypeSessionUpdate:
		with(ev, func(in event.SessionUpdate) { b.status.CapUSD = in.AutoApproval.CostCapUSD })
	}
	return changes
}

func with[P event.Payload](ev event.Event, do func(P)) {
	if in, err := event.Decode[P](ev); err == nil {
		do(in)
	}
}

// Restart begins a fresh session in the same place: the settings stay.
func (b *Board) Restart() {
	s := b.status
	*b = Board{known: b.known, moved: true}
	b.status = Status{
		Model: s.Model, Effort: s.Effort, Mode: s.Mode, Runtime: s.Runtime, Cwd: s.Cwd, Tools: s.Tools, Window: s.Window, CapUSD: s.CapUSD,
	}
}

func (b *Board) adopt(model, cwd string) {
	if model != "" {
		b.status.Model = page.Short(model, longest)
	}
	if cwd != "" {
		b.status.Cwd = page.Short(cwd, longest)
	}
}

func (b *Board) modelCall(in event.LLMCall) {
	if in.Kind != llm.KindMain || in.AgentID != "" {
		return
	}
	b.adopt(in.Model, "")
	if n := in.Prompt + in.Completion; n > 0 {
		b.status.ContextTokens = n
	}
}

// Settings takes the values over and tells those that have changed since they
// were told the last time.
func (b *Board) Settings(in event.Settings) []string {
	for _, v := range []*string{&in.Model, &in.Effort, &in.ApprovalMode, &in.ToolRuntime} {
		*v = page.Short(*v, longest)
	}
	s := &b.status
	var changes []string
	for _, c := range [...]struct{ name, old, now string }{
		{"model", s.Model, in.Model},
		{"effort", s.Effort, in.Effort},
		{"approval mode", s.Mode, in.ApprovalMode},
		{"spending cap", capText(s.CapUSD), capText(in.MaxCostUSD)},
		{"tool runtime", s.Runtime, in.ToolRuntime},
	} {
		if b.known && c.old != c.now && c.now != "" {
			changes = append(changes, c.name+" "+c.now)
		}
	}
	s.Model, s.Effort, s.Mode, s.CapUSD, s.Runtime = in.Model, in.Effort, in.ApprovalMode, in.MaxCostUSD, in.ToolRuntime
	b.adopt("", in.Cwd)
	s.Window, b.known = in.Window, true
	return changes
}

func capText(usd *float64) string {
	if usd == nil {
		return "unlimited"
	}
	return amount.Dollars(sentence.Micro(*usd))
}

// Values are those that the events tell; what runs is the caller's.
func (b *Board) Values(now time.Time) Status {
	s := &b.status
	if b.moved {
		b.moved = false
		sums := b.meter.Summary("")
		s.CostMicroUSD = sentence.Micro(sums.App.InferenceUSD + sums.App.SandboxUSD)
		s.CostIncomplete = sums.LLM.Calls > sums.Quality.CallsWithCost
		s.JobsMicroUSD = sentence.Micro(sums.Jobs.EstimatedUSD)
		s.JobsIncomplete = sums.Quality.JobsMissingAmount > 0
		s.Tokens, s.Calls = sums.LLM.Total, sums.LLM.Calls
	}
	out := *s
	running, incomplete := b.jobs.estimate(now)
	out.JobsRunning, out.JobsEstimated = len(b.jobs.running), running > 0
	out.JobsMicroUSD += running
	out.JobsIncomplete = out.JobsIncomplete || incomplete
	return out
}
