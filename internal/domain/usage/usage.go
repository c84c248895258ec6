// Package usage sums up what a session has used, as a pure function of its
// events: the usage_metrics object (version 1) that session files, rows of the
// shared data set and exports hold. It counts model calls and their tokens by
// kind and model, ends of turns, Hub jobs (the newest snapshot of each job has
// its money and time), sandboxes (each end paired with the last open beginning
// of its id), and how many events had what the sums need. It knows no prices:
// it adds what the events say, and says CostIncomplete where they do not.
//
// [Metrics] sums up events at hand, a [Meter] events as they come, [Parse] reads
// a Summary that was stored, and [Summary.Scalars] are the numbers that stand
// alone in a table row.
package usage

import (
	"encoding/json"
	"math"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Version of the Summary's shape.
const Version = 1

// The values of Summary.TotalUSDSource.
const (
	SourceBilling = "hf_billing_plus_sandbox_estimate"
	SourceApp     = "app_telemetry_fallback"
)

// Summary is the usage_metrics object of a session. Amounts are US dollars,
// rounded to six decimals.
type Summary struct {
	Version        int      `json:"version"`
	SessionID      string   `json:"session_id"`
	BillingScope   string   `json:"billing_scope"`
	TotalUSD       float64  `json:"total_usd"`
	TotalUSDSource string   `json:"total_usd_source"`
	AppTotalUSD    float64  `json:"app_total_usd"`
	BillingUSD     *float64 `json:"hf_billing_total_usd"`
	// CostIncomplete says that the price of something was not known: the sums
	// are then a lower bound.
	CostIncomplete bool      `json:"cost_incomplete,omitempty"`
	App            App       `json:"app_telemetry"`
	Billing        *Billing  `json:"hf_billing"`
	LLM            LLM       `json:"llm"`
	Turns          Turns     `json:"turns"`
	Jobs           Jobs      `json:"hf_jobs"`
	Sandboxes      Sandboxes `json:"sandboxes"`
	Quality        Quality   `json:"data_quality"`
}

type (
	// App is what the program itself has counted.
	App struct {
		SessionID      string  `json:"session_id"`
		TotalUSD       float64 `json:"total_usd"`
		InferenceUSD   float64 `json:"inference_usd"`
		JobsUSD        float64 `json:"hf_jobs_estimated_usd"`
		SandboxUSD     float64 `json:"sandbox_estimated_usd"`
		LLMCalls       int     `json:"llm_calls"`
		Jobs           int     `json:"hf_jobs_count"`
		Sandboxes      int     `json:"sandbox_count"`
		Prompt         int64   `json:"prompt_tokens"`
		Completion     int64   `json:"completion_tokens"`
		CacheRead      int64   `json:"cache_read_tokens"`
		CacheCreation  int64   `json:"cache_creation_tokens"`
		Total          int64   `json:"total_tokens"`
		JobsSeconds    float64 `json:"hf_jobs_billable_seconds_estimate"`
		SandboxSeconds float64 `json:"sandbox_billable_seconds_estimate"`
	}
	// Billing is what the Hub says about the session's time window. The
	// account's totals and limits are never part of it.
	Billing struct {
		Source    string  `json:"source"`
		Available bool    `json:"available"`
		Error     *string `json:"error"`
		Session   *Window `json:"current_session"`
	}
	// Window is the bill of one span of time.
	Window struct {
		Start         string  `json:"window_start"`
		End           string  `json:"window_end"`
		Timezone      string  `json:"timezone"`
		TotalUSD      float64 `json:"total_usd"`
		InferenceUSD  float64 `json:"inference_providers_usd"`
		JobsUSD       float64 `json:"hf_jobs_usd"`
		InferenceReqs int64   `json:"inference_provider_requests"`
		JobsMinutes   float64 `json:"hf_jobs_minutes"`
	}
	// LLM counts model calls. Cached tokens are part of the prompt and counted
	// once in the total.
	LLM struct {
		Calls         int            `json:"calls"`
		ByKind        map[string]int `json:"calls_by_kind"`
		ByModel       map[string]int `json:"calls_by_model"`
		Prompt        int64          `json:"prompt_tokens"`
		Completion    int64          `json:"completion_tokens"`
		CacheRead     int64          `json:"cache_read_tokens"`
		CacheCreation int64          `json:"cache_creation_tokens"`
		Total         int64          `json:"total_tokens"`
	}
	// Turns counts ends of turns and of answers.
	Turns struct {
		Complete   int `json:"turn_complete_count"`
		StreamEnds int `json:"assistant_stream_end_count"`
	}
	// Jobs counts Hub jobs. A job may report more than once: its newest
	// snapshot has the money and the time.
	Jobs struct {
		Submits          int            `json:"submits"`
		Snapshots        int            `json:"status_snapshots"`
		Statuses         map[string]int `json:"statuses"`
		Flavors          map[string]int `json:"flavors"` // one a job
		SubmitFlavors    map[string]int `json:"submit_flavors"`
		SnapshotFlavors  map[string]int `json:"status_snapshot_flavors"`
		EstimatedUSD     float64        `json:"estimated_usd"`
		BillableSeconds  float64        `json:"billable_seconds_estimate"`
		WithCost         int            `json:"snapshots_with_estimated_cost"`
		WithCostNotZero  int            `json:"snapshots_with_nonzero_estimated_cost"`
		missingCost      int
		incompleteAmount bool
	}
	// Sandboxes counts sandboxes.
	Sandboxes struct {
		Creates          int            `json:"creates"`
		Destroys         int            `json:"destroys"`
		Pairs            int            `json:"matched_pairs"`
		UnpairedCreates  int            `json:"unpaired_creates"`
		UnpairedDestroys int            `json:"unpaired_destroys"`
		Hardware         map[string]int `json:"hardware"`
		EstimatedUSD     float64        `json:"estimated_usd"`
		BillableSeconds  float64        `json:"billable_seconds_estimate"`
		incompleteAmount bool
	}
	// Quality says how much the sums can be trusted.
	Quality struct {
		Events            int `json:"event_count"`
		WithoutTime       int `json:"events_without_timestamp"`
		CallsWithCost     int `json:"llm_calls_with_cost_usd"`
		CallsCostNotZero  int `json:"llm_calls_with_nonzero_cost_usd"`
		JobsWithCost      int `json:"job_snapshots_with_estimated_cost"`
		JobsMissingAmount int `json:"job_snapshots_missing_estimated_cost"`
	}
)

// Metrics sums up a session. It takes events of any program version: what is
// missing or no number counts as nothing.
func Metrics(sessionID string, events []event.Event) Summary {
	var m Meter
	for _, ev := range events {
		m.Add(ev)
	}
	return m.Summary(sessionID)
}

// Parse reads a stored Summary. ok is false for anything but an object of this
// version: the sums are then to be made from the events.
func Parse(raw []byte) (s Summary, ok bool) {
	if json.Unmarshal(raw, &s) != nil || s.Version != Version {
		return Summary{}, false
	}
	return s, true
}

// addCall counts one model call and returns what it cost.
func (s *Summary) addCall(f event.Fields) float64 {
	s.LLM.Calls++
	s.LLM.ByKind[f.Label("kind", "unknown")]++
	s.LLM.ByModel[f.Label("model", "unknown")]++
	prompt, completion := f.Count("prompt_tokens"), f.Count("completion_tokens")
	s.LLM.Prompt += prompt
	s.LLM.Completion += completion
	s.LLM.CacheRead += f.Count("cache_read_tokens")
	s.LLM.CacheCreation += f.Count("cache_creation_tokens")
	if total := f.Count("total_tokens"); total > 0 {
		s.LLM.Total += total
	} else {
		s.LLM.Total += prompt + completion
	}
	cost, ok := f.Number("cost_usd")
	if !ok {
		s.CostIncomplete = true
		return 0
	}
	s.Quality.CallsWithCost++
	if cost != 0 {
		s.Quality.CallsCostNotZero++
	}
	return cost
}

// total fills what is computed from the parts.
func (s *Summary) total(inference float64) {
	s.App = App{
		SessionID: s.SessionID, InferenceUSD: round(inference), JobsUSD: s.Jobs.EstimatedUSD, SandboxUSD: s.Sandboxes.EstimatedUSD,
		TotalUSD: round(inference + s.Jobs.EstimatedUSD + s.Sandboxes.EstimatedUSD),
		LLMCalls: s.LLM.Calls, Jobs: s.Jobs.Submits, Sandboxes: s.Sandboxes.Creates,
		Prompt: s.LLM.Prompt, Completion: s.LLM.Completion, CacheRead: s.LLM.CacheRead,
		CacheCreation: s.LLM.CacheCreation, Total: s.LLM.Total,
		JobsSeconds: s.Jobs.BillableSeconds, SandboxSeconds: s.Sandboxes.BillableSeconds,
	}
	s.AppTotalUSD, s.TotalUSD = s.App.TotalUSD, s.App.TotalUSD
	s.Quality.JobsWithCost, s.Quality.JobsMissingAmount = s.Jobs.WithCost, s.Jobs.missingCost
	s.CostIncomplete = s.CostIncomplete || s.Jobs.incompleteAmount || s.Sandboxes.incompleteAmount
}

// WithBilling returns s with the Hub's bill, whose total takes the place of
// the program's own for all but sandboxes when it is available.
func (s Summary) WithBilling(b Billing) Summary {
	s.Billing = &b
	if !b.Available || b.Session == nil {
		return s
	}
	total := round(b.Session.TotalUSD)
	s.BillingUSD = &total
	s.TotalUSD = round(total + s.Sandboxes.EstimatedUSD)
	s.TotalUSDSource = SourceBilling
	return s
}

// Scalars are the numbers of a Summary that stand alone in a table row.
type Scalars struct {
	TotalUSD       float64  `json:"usage_total_usd"`
	TotalUSDSource string   `json:"usage_total_usd_source"`
	AppTotalUSD    float64  `json:"usage_app_total_usd"`
	BillingUSD     *float64 `json:"usage_hf_billing_total_usd"`
	LLMCalls       int      `json:"usage_llm_calls"`
	TotalTokens    int64    `json:"usage_total_tokens"`
	JobSubmits     int      `json:"usage_hf_job_submits"`
	JobSnapshots   int      `json:"usage_hf_job_status_snapshots"`
	SandboxCreates int      `json:"usage_sandbox_creates"`
	SandboxPairs   int      `json:"usage_sandbox_pairs"`
}

// Scalars returns the numbers that stand alone in a table row.
func (s Summary) Scalars() Scalars {
	return Scalars{
		s.TotalUSD, s.TotalUSDSource, s.AppTotalUSD, s.BillingUSD, s.LLM.Calls, s.LLM.Total,
		s.Jobs.Submits, s.Jobs.Snapshots, s.Sandboxes.Creates, s.Sandboxes.Pairs,
	}
}

// round keeps six decimals; what is no number is nothing.
func round(usd float64) float64 {
	if math.IsNaN(usd) || math.IsInf(usd, 0) {
		return 0
	}
	return math.Round(usd*1e6) / 1e6
}
