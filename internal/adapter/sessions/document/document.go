// Package document is a session as one JSON object: how it is built from events,
// written and read. It knows neither where sessions lie nor how they are shown.
package document

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Document is a session as one JSON object, in the shape of the Python
// original with a few keys added. It is derived: the journal is the truth
// where there is one.
type Document struct {
	SessionID  string
	UserID     *string
	HFUsername *string
	StartTime  string // RFC 3339
	EndTime    string // of the save; empty while not saved
	Model      string
	Messages   []llm.Message
	Events     []event.Event     // without those that Messages repeat
	Tools      []json.RawMessage // OpenAI function specs

	// Ours.
	Cwd        string
	GitBranch  string
	Title      string
	AppVersion string

	// Plan is the plan in force where it is known (PlanKnown).
	Plan      []event.PlanItem
	PlanKnown bool
	// CostUSD is what the file said it had cost, nil for nothing; with
	// CostIncomplete it was more.
	CostUSD        *float64
	CostIncomplete bool
	// Dropped counts entries of messages that were not valid.
	Dropped int
	// Program is the other program that the session was held in, empty for ours
	// and the original's; Notes say in sentences what of it was left out.
	Program string
	Notes   []string
	// Unowned says that the file does not tell whose session it is.
	Unowned bool
	// Journal is every event of the session, nil where there is only a file; it
	// is not saved.
	Journal []event.Event
	// Uploads is what became of the session's uploads; it is only written.
	Uploads Uploads
	// Said tells what was typed for the messages of people, in order; it is not
	// saved.
	Said []event.Said
	// index holds the place of each message in the file when some were dropped.
	index []int
}

// Place returns the place that a message had in the file it was read from, where
// entries that are no messages count too.
func (d Document) Place(i int) int {
	if d.index == nil {
		return i
	}
	return d.index[i]
}

// Updated is when the session was saved or, where that is unknown, begun; zero
// when neither is known.
func (d Document) Updated() time.Time {
	for _, text := range []string{d.EndTime, d.StartTime} {
		if at, ok := readTime(text); ok {
			return at
		}
	}
	return time.Time{}
}

// Evidence lists what the session has looked up, in order. Entries that cannot
// be read are left out.
func (d Document) Evidence() []event.Evidence {
	var out []event.Evidence
	for _, ev := range d.Events {
		if ev.Type != event.TypeEvidence {
			continue
		}
		if e, err := event.Decode[event.Evidence](ev); err == nil && e.ID != "" {
			out = append(out, e)
		}
	}
	return out
}

// About is what a document says of a session and its events do not.
type About struct {
	UserID, HFUsername         *string
	Cwd, GitBranch, AppVersion string
	Tools                      []json.RawMessage
	// Model is used while no turn has named one.
	Model string
}

// Build makes the document of a session from its state and its events, of
// which it leaves out those that the messages repeat.
func Build(s *history.State, events []event.Event, about About) Document {
	d := Document{
		SessionID: s.SessionID, UserID: about.UserID, HFUsername: about.HFUsername, StartTime: s.Started,
		Model: s.Model, Messages: s.Messages, Tools: about.Tools, Cwd: s.Cwd,
		GitBranch: about.GitBranch, Title: s.Name(), AppVersion: about.AppVersion, Plan: s.Plan, PlanKnown: true, Said: s.Said, Journal: events,
	}
	if d.Model == "" {
		d.Model = about.Model
	}
	if about.Cwd != "" {
		d.Cwd = about.Cwd
	}
	for _, ev := range events {
		if !ev.Type.Bulk() {
			d.Events = append(d.Events, ev)
		}
	}
	return d
}

// ToolSpec returns the saved form of a tool.
func ToolSpec(spec llm.ToolSpec) (json.RawMessage, error) {
	type function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters,omitempty"`
	}
	raw, err := event.Encode(struct {
		Type     string   `json:"type"`
		Function function `json:"function"`
	}{"function", function{spec.Name, spec.Description, spec.Parameters}})
	if err != nil {
		return nil, fmt.Errorf("encode tool %s: %w", spec.Name, err)
	}
	return raw, nil
}

// ToolSpecs are tools as a session file lists them.
func ToolSpecs(tools []tool.Tool) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, 0, len(tools))
	for _, t := range tools {
		spec := t.Spec()
		raw, err := ToolSpec(llm.ToolSpec{Name: spec.Name, Description: spec.Description, Parameters: spec.Parameters})
		if err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, nil
}
