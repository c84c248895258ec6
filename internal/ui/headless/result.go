package headless

import (
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// result is the last object of json and stream-json.
type result struct {
	Type           string     `json:"type"`
	Subtype        string     `json:"subtype"`
	IsError        bool       `json:"is_error"`
	Result         string     `json:"result"`
	SessionID      string     `json:"session_id"`
	NumTurns       int        `json:"num_turns"`
	NumIterations  int        `json:"num_iterations"`
	DurationMS     int64      `json:"duration_ms"`
	TotalCostUSD   float64    `json:"total_cost_usd"`
	CostIncomplete bool       `json:"cost_incomplete,omitempty"`
	Usage          usage      `json:"usage"`
	Jobs           []job      `json:"jobs"`
	Artifacts      []artifact `json:"artifacts"`
	Error          *failure   `json:"error,omitempty"`
	ExitCode       int        `json:"exit_code"`

	ending  string // event type that ended the turn
	history int    // messages in the history
	stopped string // why the run was ended from outside
	log     string // where the session is saved, empty for nowhere
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
	case event.TypeJobSubmit:
		if j, err := event.Decode[event.JobSubmit](ev); err == nil {
			r.Jobs = append(r.Jobs, job{ID: j.JobID, Flavor: j.Flavor, Status: "SUBMITTED", URL: j.JobURL})
		}
	case event.TypeJobComplete:
		if j, err := event.Decode[event.JobComplete](ev); err == nil {
			for i := range r.Jobs {
				if r.Jobs[i].ID == j.JobID {
					r.Jobs[i].Status = j.FinalStatus
				}
			}
		}
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
