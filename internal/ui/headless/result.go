package headless

import (
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// result is the last object of json and stream-json.
type result struct {
	Type    string `json:"type"`
	Subtype string `json:"subtype"`
	IsError bool   `json:"is_error"`
	Result  string `json:"result"`
	// ID is what the other program calls the message that was answered.
	ID             string     `json:"id,omitempty"`
	SessionID      string     `json:"session_id"`
	NumTurns       int        `json:"num_turns"`
	NumIterations  int        `json:"num_iterations"`
	DurationMS     int64      `json:"duration_ms"`
	TotalCostUSD   float64    `json:"total_cost_usd"`
	CostIncomplete bool       `json:"cost_incomplete,omitempty"`
	Usage          usage      `json:"usage"`
	Jobs           []job      `json:"jobs"`
	Artifacts      []artifact `json:"artifacts"`
	// Unverified are the references of the result that nothing the session has
	// looked up stands behind; Sources is what was looked up in this run, and
	// what the result cites from earlier ones.
	Unverified []string         `json:"unverified,omitempty"`
	Sources    []event.Evidence `json:"sources,omitempty"`
	Error      *failure         `json:"error,omitempty"`
	ExitCode   int              `json:"exit_code"`

	ending  string             // event type that ended the turn
	history int                // messages in the history
	stopped string             // why the run was ended from outside
	log     string             // where the session is saved, empty for nowhere
	spent   map[string]float64 // USD of jobs and sandboxes, by ledger id
	earlier []event.Evidence   // what earlier runs of the session have looked up
}

// maxSources bounds the sources of the result.
const maxSources = 1000

// cited is what the result cites of everything the session has looked up.
func (r *result) cited() []event.Evidence {
	return evidence.Cited(r.Result, append(slices.Clone(r.earlier), r.Sources...))
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	CacheRead  int `json:"cache_read_tokens"`
}

type job struct {
	ID     string `json:"id"`
	Flavor string `json:"flavor"`
	Status string `json:"status"`
	URL    string `json:"url"`
}

type artifact struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type failure struct {
	Code    string `json:"code"`
	Class   string `json:"class,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// count adds one event to the accounts.
func (r *result) count(ev event.Event) {
	r.measure(ev)
	switch ev.Type {
	case event.TypeTurnStarted:
		r.NumTurns++
	case event.TypeLLMCall:
		c, err := event.Decode[event.LLMCall](ev)
		if err != nil {
			return
		}
		if c.Kind == llm.KindMain {
			r.NumIterations++
		}
		r.Usage.Prompt += c.Prompt
		r.Usage.Completion += c.Completion
		r.Usage.CacheRead += c.CacheRead
		if c.CostUSD == nil {
			r.CostIncomplete = true
			return
		}
		r.TotalCostUSD += *c.CostUSD
	case event.TypeEvidence:
		if e, err := event.Decode[event.Evidence](ev); err == nil && e.ID != "" && len(r.Sources) < maxSources {
			r.Sources = append(r.Sources, e)
		}
	default:
		r.hands(ev)
	}
}

// hands adds what was made and run outside: jobs, repositories, and what they
// cost.
func (r *result) hands(ev event.Event) {
	switch ev.Type {
	case event.TypeSpend:
		if s, err := event.Decode[event.Spend](ev); err == nil && s.Kind != event.SpendLLM {
			r.spend(s)
		}
	case event.TypeToolEffect:
		if e, err := event.Decode[event.ToolEffect](ev); err == nil {
			r.made(e)
		}
	case event.TypeToolStateChange:
		if c, err := event.Decode[event.ToolStateChange](ev); err == nil && c.State == "running" && c.JobURL != "" {
			for i := range r.Jobs {
				if r.Jobs[i].URL == c.JobURL {
					r.Jobs[i].Status = "RUNNING"
				}
			}
		}
	case event.TypeJobSubmit:
		if j, err := event.Decode[event.JobSubmit](ev); err == nil {
			r.Jobs = append(r.Jobs, job{ID: j.JobID, Flavor: j.Flavor, Status: "SUBMITTED", URL: j.JobURL})
		}
	case event.TypeJobComplete:
		if j, err := event.Decode[event.JobComplete](ev); err == nil {
			i := slices.IndexFunc(r.Jobs, func(known job) bool { return known.ID == j.JobID })
			if i < 0 { // an earlier run has submitted it
				r.Jobs = append(r.Jobs, job{ID: j.JobID, Flavor: j.Flavor})
				i = len(r.Jobs) - 1
			}
			r.Jobs[i].Status = j.FinalStatus
		}
	}
}

// spend keeps the newest entry of a job or a sandbox in the total.
func (r *result) spend(s event.Spend) {
	if r.spent == nil {
		r.spent = map[string]float64{}
	}
	usd := 0.0
	switch {
	case s.State != event.SpendSettled:
	case s.MicroUSD == nil:
		r.CostIncomplete = true
	default:
		usd = float64(*s.MicroUSD) / 1e6
	}
	r.TotalCostUSD += usd - r.spent[s.ID]
	r.spent[s.ID] = usd
}

// made lists a repository that was made or written to, once.
func (r *result) made(e event.ToolEffect) {
	repo, ok := e.Repo()
	kind, id, _ := strings.Cut(repo, "/")
	if a := (artifact{Type: kind, ID: id}); ok && !slices.Contains(r.Artifacts, a) {
		r.Artifacts = append(r.Artifacts, a)
	}
}

// measure keeps the size of the history for turns that end without telling it.
func (r *result) measure(ev event.Event) {
	if ev.AgentID() != "" {
		return
	}
	switch ev.Type {
	case event.TypeHistoryMessage, event.TypeToolOutput:
		r.history++
	case event.TypeHistoryRewritten:
		if h, err := event.Decode[event.HistoryRewritten](ev); err == nil {
			r.history = len(h.Messages)
		}
	case event.TypeResumeComplete:
		if c, err := event.Decode[event.ResumeComplete](ev); err == nil {
			r.history = c.RestoredCount + 1 // the system message
		}
	}
}

// seal fills in what follows from the rest.
func (r *result) seal() {
	r.Type = "result"
	if r.Jobs == nil {
		r.Jobs = []job{}
	}
	if r.Artifacts == nil {
		r.Artifacts = []artifact{}
	}
	r.Sources = append(evidence.Cited(r.Result, r.earlier), r.Sources...)
	r.IsError = r.ExitCode != ExitOK
	r.Subtype = map[int]string{
		ExitOK: "success", ExitIterations: "max_iterations", ExitBudget: "budget_exceeded",
		ExitApproval: "approval_required", ExitTimeout: "timeout", ExitInterrupt: "interrupted",
		ExitTerminated: "interrupted",
	}[r.ExitCode]
	if r.Subtype == "" {
		r.Subtype = "error"
	}
}

// Failed is the result object of a run that could not begin.
func Failed(code int, name, message string) any {
	r := &result{ExitCode: code, Error: &failure{Code: name, Message: message}}
	r.seal()
	return r
}
