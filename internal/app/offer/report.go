package offer

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

const (
	// resultLength bounds the final message, in characters, and sourcesShown what
	// it cites.
	resultLength = 100_000
	sourcesShown = 100
)

// report is what programs are told of a run: of the result of a headless run,
// what another agent can use.
type report struct {
	SessionID      string          `json:"session_id"`
	ExitCode       int             `json:"exit_code"`
	Status         string          `json:"status"`
	Result         string          `json:"result"`
	CostUSD        float64         `json:"total_cost_usd"`
	CostIncomplete bool            `json:"cost_incomplete"`
	ModelCalls     int             `json:"model_calls"`
	DurationMS     int64           `json:"duration_ms"`
	Jobs           json.RawMessage `json:"jobs"`
	Artifacts      json.RawMessage `json:"artifacts"`
	Sources        []source        `json:"sources"`
	Unverified     []string        `json:"unverified,omitempty"`
	Error          json.RawMessage `json:"error,omitempty"`
}

// source is one thing that the result cites.
type source struct {
	ID    string `json:"id"`
	URL   string `json:"url"`
	Title string `json:"title,omitempty"`
}

// result is what a headless run has printed, for another agent.
func result(raw []byte) mcpserver.Result {
	var in struct {
		report
		Subtype string           `json:"subtype"`
		Calls   int              `json:"num_iterations"`
		Sources []event.Evidence `json:"sources"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return mcpserver.Fail("internal", "the end of the run cannot be read: "+err.Error())
	}
	out := in.report
	out.Status, out.ModelCalls, out.Sources = in.Subtype, in.Calls, []source{}
	for _, e := range evidence.Cited(out.Result, in.Sources) {
		if len(out.Sources) < sourcesShown {
			out.Sources = append(out.Sources, source{e.ID, e.URL, e.Title})
		}
	}
	if head := excerpt.Head(out.Result, resultLength); head != out.Result {
		out.Result = head + "\n… (cut; ml-intern sessions show " + out.SessionID + " has all of it)"
	}
	structured, err := event.Encode(out)
	if err != nil {
		return mcpserver.Fail("internal", "the end of the run cannot be told: "+err.Error())
	}
	return mcpserver.Result{Text: out.text(), Failed: out.ExitCode != headless.ExitOK, Structured: structured}
}

// text is the report for models and people.
func (r report) text() string {
	var parts []string
	if r.Result != "" {
		parts = append(parts, r.Result)
	}
	var failure struct{ Message, Hint string }
	if json.Unmarshal(r.Error, &failure) == nil && failure.Message != "" {
		parts = append(parts, strings.TrimSpace("Error: "+failure.Message+"\n"+failure.Hint))
	}
	cost := strconv.FormatFloat(r.CostUSD, 'f', 4, 64) + " USD"
	if r.CostIncomplete {
		cost += " and what has no known price"
	}
	parts = append(parts, fmt.Sprintf("[session %s: %s, exit code %d, %d model calls, %s; run with this session_id goes on]",
		r.SessionID, r.Status, r.ExitCode, r.ModelCalls, cost))
	return strings.Join(parts, "\n\n")
}

// past is the last turn of a session that is over, to be followed like one that
// goes on.
type past []event.Event

// lastTurn is that of a journal; nil where there is none, or it has not ended.
func lastTurn(journal []event.Event) past {
	var turn past
	ended := false
	for _, ev := range journal {
		switch ev.Type {
		case event.TypeTurnStarted:
			turn, ended = past{}, false
		case event.TypeTurnComplete, event.TypeInterrupted:
			ended = true
		case event.TypeError:
			ended = ended || ev.TurnID != ""
		}
		if turn != nil {
			turn = append(turn, ev)
		}
	}
	if !ended {
		return nil
	}
	return turn
}

// Follow yields the events of the turn.
func (p past) Follow(context.Context, int64) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, ev := range p {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// Submit, Interrupt and Err are those of a session that is over.
func (past) Submit(context.Context, event.Submission) error { return nil }
func (past) Interrupt()                                     {}
func (past) Err() error                                     { return nil }
