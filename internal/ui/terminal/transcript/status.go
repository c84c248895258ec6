package transcript

import (
	"fmt"
	"math"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Status are the values of the moment.
type Status struct {
	Title, Model, Effort, Mode, Runtime, Cwd string
	// Tools is how many the agent has.
	Tools int
	// ContextTokens is the size of the last request and its answer, Window what
	// the model can hold; 0 is unknown.
	ContextTokens, Window int
	// CostMicroUSD is what models and sandboxes have cost; JobsMicroUSD the same
	// for jobs. Incomplete says that the price of something is unknown, Estimated
	// that running jobs are counted by their time.
	CostMicroUSD                  int64
	CostIncomplete                bool
	JobsMicroUSD                  int64
	JobsIncomplete, JobsEstimated bool
	JobsRunning                   int
	CapUSD                        *float64 // nil is unlimited
	// Tokens and Calls are those of the session's models.
	Tokens int64
	Calls  int
	// Elapsed is the time of the running turn, Tool the call that has run
	// longest in it.
	Elapsed time.Duration
	Tool    string
	Queue   int

	known bool // settings have been told
	stale bool // the sums of the meter have moved
}

// Percent is how full the context is; ok is false when that is not known.
func (s Status) Percent() (percent int, ok bool) {
	if s.Window <= 0 || s.ContextTokens <= 0 {
		return 0, false
	}
	return int(math.Round(100 * float64(s.ContextTokens) / float64(s.Window))), true
}

func (s Status) cap() string { return capText(s.CapUSD) }

func capText(usd *float64) string {
	if usd == nil {
		return "unlimited"
	}
	return dollars(*usd)
}

// Status returns the values of the moment.
func (t *Transcript) Status() Status {
	now := t.opts.Now()
	if t.status.stale {
		sums := t.meter.Summary("")
		t.status.CostMicroUSD = micro(sums.App.InferenceUSD + sums.App.SandboxUSD)
		t.status.JobsMicroUSD = micro(sums.App.JobsUSD)
		t.status.CostIncomplete = sums.LLM.Calls > sums.Quality.CallsWithCost
		t.status.JobsIncomplete = sums.Quality.JobsMissingAmount > 0
		t.status.Tokens, t.status.Calls = sums.LLM.Total, sums.LLM.Calls
		t.status.stale = false
	}
	s := t.status
	running, incomplete := t.jobs.estimate(now)
	s.JobsRunning, s.JobsEstimated = len(t.jobs.running), running > 0
	s.JobsMicroUSD += running
	s.JobsIncomplete = s.JobsIncomplete || incomplete
	s.Queue = len(t.waiting)
	if t.turn.open {
		s.Elapsed = t.turn.took(now)
	}
	for _, c := range t.calls {
		if c.running {
			s.Tool = c.tool
			break
		}
	}
	return s
}

// StatusLine is the line beneath the input; what does not fit is dropped from
// the right.
func (t *Transcript) StatusLine(width int) string {
	line := ""
	for _, part := range t.statusParts(t.Status()) {
		next := part
		if line != "" {
			next = line + t.dot() + part
		}
		if ansi.StringWidth(next) > width {
			break
		}
		line = next
	}
	return t.paint(theme.Dim, line)
}

func (t *Transcript) statusParts(s Status) []string {
	parts := []string{oneLine(s.Model)}
	if s.Effort != "" && s.Effort != "off" {
		parts = append(parts, oneLine(s.Effort))
	}
	if s.Mode != "" {
		parts = append(parts, oneLine(s.Mode))
	}
	if p, ok := s.Percent(); ok {
		parts = append(parts, fmt.Sprintf("ctx %d%%", p))
	} else if s.ContextTokens > 0 {
		parts = append(parts, "ctx "+short(int64(s.ContextTokens)))
	}
	parts = append(parts, moneyOf(s.CostMicroUSD, s.CostIncomplete, false))
	if s.JobsRunning > 0 || s.JobsMicroUSD > 0 || s.JobsIncomplete {
		text := "jobs " + moneyOf(s.JobsMicroUSD, s.JobsIncomplete, s.JobsEstimated)
		if s.JobsRunning > 0 {
			text += " (" + amount.Grouped(s.JobsRunning) + " running)"
		}
		parts = append(parts, text)
	}
	if t.Busy() {
		parts = append(parts, running(s.Elapsed))
	}
	if s.Tool != "" {
		parts = append(parts, oneLine(s.Tool))
	}
	if s.Queue > 0 {
		parts = append(parts, amount.Grouped(s.Queue)+" queued")
	}
	if s.Tokens > 0 {
		parts = append(parts, short(s.Tokens)+" tokens")
	}
	if parts[0] == "" {
		parts = parts[1:]
	}
	return parts
}

// moneyOf is an amount: ~ for an estimate, +? where something is missing.
func moneyOf(micro int64, incomplete, estimated bool) string {
	s := amount.Dollars(micro)
	if incomplete && micro == 0 {
		return "unknown"
	}
	if estimated {
		s = "~" + s
	}
	if incomplete {
		s += "+?"
	}
	return s
}

func micro(usd float64) int64 {
	if math.IsNaN(usd) || math.Abs(usd) > 1e12 {
		return 0
	}
	return int64(math.Round(usd * 1e6))
}

func dollars(usd float64) string { return amount.Dollars(micro(usd)) }

// money is an amount at the end of a line; nothing where it is unknown.
func money(sep string, usd *float64) string {
	if usd == nil {
		return sep + "cost unknown"
	}
	return sep + dollars(*usd)
}

func seconds(s float64) time.Duration {
	if math.IsNaN(s) || s < 0 || s > 1e9 {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}

// jobs are the Hub jobs that run, and what is set aside for them.
type jobs struct {
	running  map[string]bool
	reserved map[string]reservation
}

// reservation is the ledger's entry of a running job.
type reservation struct {
	micro *int64
	rate  *float64
	since time.Time
}

func (j *jobs) submit(id string) {
	if j.running == nil {
		j.running = map[string]bool{}
	}
	j.running[id] = true
}

func (j *jobs) over(id string) { delete(j.running, id) }

func (j *jobs) spend(in event.Spend, at time.Time) {
	if in.Kind != event.SpendJob {
		return
	}
	if in.State != event.SpendReserved {
		delete(j.reserved, in.ID)
		return
	}
	if j.reserved == nil {
		j.reserved = map[string]reservation{}
	}
	r := reservation{in.MicroUSD, in.USDPerHour, at}
	if old, ok := j.reserved[in.ID]; ok {
		r.since = old.since
	}
	j.reserved[in.ID] = r
}

// estimate is what the running jobs have cost by their time so far, at most
// what is set aside for them.
func (j *jobs) estimate(now time.Time) (micro int64, incomplete bool) {
	for _, r := range j.reserved {
		if r.rate == nil {
			incomplete = true
			continue
		}
		cost := int64(max(0, now.Sub(r.since).Hours()) * *r.rate * 1e6)
		if r.micro != nil {
			cost = min(cost, *r.micro)
		}
		micro += cost
	}
	return micro, incomplete && micro == 0 && len(j.running) > 0
}
