package sessions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/claude"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/markdown"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/simple"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/webpage"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Load returns a session as a document. What the events of a journal do not
// say, its tools and its user, comes from the newest JSON file of the session.
func (l *Library) Load(ctx context.Context, e Entry) (document.Document, error) {
	if !e.Journal {
		return Read(e.Path)
	}
	events, err := l.opts.Journals.Read(ctx, e.SessionID, 0, 0)
	if err != nil {
		return document.Document{}, err
	}
	s, err := history.Load(events)
	if err != nil {
		return document.Document{}, fmt.Errorf("load session %s: %w", e.SessionID, err)
	}
	var about document.About
	for _, path := range l.files(e.SessionID) {
		if d, err := document.Read(path); err == nil {
			about = document.About{
				UserID: d.UserID, HFUsername: d.HFUsername, GitBranch: d.GitBranch,
				AppVersion: d.AppVersion, Tools: d.Tools, Model: d.Model,
			}
			break
		}
	}
	return document.Build(s, events, about), nil
}

// Import is a saved session made ready to go on in a new journal.
type Import struct {
	Path string
	// SessionID is the id to go on with; empty for a fork, which gets a new one.
	SessionID  string
	OriginalID *string
	Events     int // in the saved session
	StartTime  string
	Forked     bool
	// Model is the saved model, empty when there was none or InvalidModel names
	// one that has no valid form.
	Model        string
	InvalidModel *string
	// Messages are without the system message.
	Messages []llm.Message
	Dropped  int
	Redacted bool
	Plan     []event.PlanItem
	// MicroUSD is what a continued session has cost so far.
	MicroUSD int64
	// Evidence is what was looked up: marks in the messages mean it.
	Evidence []event.Evidence
	// Title is what somebody called the session, empty for none; Cwd the folder
	// it was held in.
	Title, Cwd string
	// Program is the other program that it was held in, empty for none; Notes
	// say what of it was left out.
	Program string
	Notes   []string
	// Shown is what was typed for the messages of people, in order.
	Shown []event.Said
}

// Import reads the session e for going on as user, nil for nobody. It goes on
// under its own id when it is the same user's; otherwise, or with fork, it
// becomes the beginning of another.
func (l *Library) Import(ctx context.Context, e Entry, user *string, fork bool) (Import, error) {
	d, err := l.Load(ctx, e)
	if err != nil {
		return Import{}, err
	}
	in := Import{
		Path: e.Path, Events: len(d.Events), Dropped: d.Dropped,
		Forked: fork || !d.Unowned && !same(d.UserID, user) || !isID(d.SessionID),
	}
	if d.SessionID != "" {
		in.OriginalID = &d.SessionID
	}
	in.Messages = slices.DeleteFunc(slices.Clone(d.Messages), func(m llm.Message) bool { return m.Role == llm.System })
	if len(in.Messages) == 0 {
		return Import{}, fmt.Errorf("session %s has no message to go on from", e.Path)
	}
	if !in.Forked {
		in.SessionID, in.StartTime = d.SessionID, d.StartTime
		if d.CostUSD != nil {
			in.MicroUSD = microUSD(*d.CostUSD)
		}
	}
	for _, said := range d.Said { // its turns are those of the other session
		in.Shown = append(in.Shown, event.Said{Shown: said.Shown})
	}
	in.Cwd, in.Program, in.Notes = cmp.Or(d.Cwd, e.Cwd), d.Program, d.Notes
	if document.Given(d.Title, d.First()) {
		in.Title = d.Title
	}
	if d.Model != "" && d.Program == "" { // the ids of others are others
		if model, ok := l.opts.Model(d.Model); ok {
			in.Model = model
		} else {
			in.InvalidModel = &d.Model
		}
	}
	in.Redacted, in.Evidence = history.Redacted(in.Messages), d.Evidence()
	if in.Plan = d.Plan; !d.PlanKnown {
		in.Plan, _ = history.PlanIn(in.Messages) // none leaves it empty
	}
	return in, nil
}

// Name is what the session is called.
func (in Import) Name() string {
	return cmp.Or(in.Title, document.Document{Messages: in.Messages, Said: in.Shown}.Name())
}

func same(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// microUSD returns dollars in millionths; what is no amount is nothing.
func microUSD(usd float64) int64 {
	if !(usd > 0) || usd > 1e9 {
		return 0
	}
	return int64(math.Round(usd * 1e6))
}

// importSpend is the ledger's entry for what a session cost before its journal.
const importSpend = "imported"

// Payloads are the first events of the new journal: where it comes from, the
// history behind the given messages (the system prompt, or none), its title,
// what was spent and looked up. Behind them stands Complete.
func (in Import) Payloads(front ...llm.Message) []event.Payload {
	messages := slices.Concat(front, in.Messages)
	out := []event.Payload{
		event.ResumedFrom{
			Path: in.Path, OriginalSessionID: in.OriginalID, OriginalEventCount: in.Events,
			Forked: in.Forked, SessionStartTime: in.StartTime, Cwd: in.Cwd,
		},
		event.HistoryRewritten{Reason: "resume", Messages: messages, Plan: in.Plan, Said: in.Shown},
	}
	if in.Title != "" {
		out = append(out, event.Renamed{Title: in.Title, By: "user"})
	}
	if in.MicroUSD > 0 {
		out = append(out, event.Spend{
			ID: importSpend, Kind: event.SpendLLM, State: event.SpendSettled, MicroUSD: &in.MicroUSD, PriceSource: "measured",
		})
	}
	for _, e := range in.Evidence {
		out = append(out, e)
	}
	for _, note := range in.Notes {
		out = append(out, event.ToolLog{Tool: "system", Log: "brought over from " + in.Program + ": " + note})
	}
	return out
}

// Complete is the end of the resume; model is the one it goes on with.
func (in Import) Complete(model string) event.ResumeComplete {
	return event.ResumeComplete{
		Path: in.Path, RestoredCount: len(in.Messages), DroppedCount: in.Dropped, ModelName: model,
		InvalidSavedModel: in.InvalidModel, Forked: in.Forked, HadRedactedContent: in.Redacted,
	}
}

// Formats of an export.
const (
	FormatJSON     = "json"
	FormatJSONL    = "jsonl"
	FormatClaude   = "claude_code"
	FormatSimple   = "sts"
	FormatMarkdown = "markdown"
	FormatHTML     = "html"
)

// Formats lists them.
func Formats() []string {
	return []string{FormatJSON, FormatJSONL, FormatClaude, FormatSimple, FormatMarkdown, FormatHTML}
}

// Format returns the format that a name or a file's ending stands for.
func Format(name string) (format string, ok bool) {
	switch name {
	case "md":
		return FormatMarkdown, true
	case "htm":
		return FormatHTML, true
	}
	return name, slices.Contains(Formats(), name)
}

// Export writes the session to w: as a session JSON, as the bytes of its
// journal, in a form that trace viewers read (that of Claude Code's session
// files, or the Session Trace Simple Format), or to be read by people as Markdown
// or as a web page, both with what was looked up as footnotes.
func (l *Library) Export(ctx context.Context, e Entry, format string, w io.Writer) error {
	if format == FormatJSONL {
		if !e.Journal {
			return fmt.Errorf("session %s has no journal: export it as %s or %s", e.Name(), FormatJSON, FormatClaude)
		}
		return copyFile(e.Path, w)
	}
	d, err := l.Load(ctx, e)
	if err != nil {
		return err
	}
	return Write(w, d, format)
}

// Write writes a document in any format but FormatJSONL, which is one of events.
func Write(w io.Writer, d document.Document, format string) error {
	switch format {
	case FormatJSON:
		return d.Write(w, time.Now())
	case FormatClaude:
		return claude.Write(w, d)
	case FormatSimple:
		return simple.Write(w, d)
	case FormatMarkdown:
		return markdown.Write(w, d)
	case FormatHTML:
		return webpage.Write(w, d, time.Now())
	}
	return fmt.Errorf("export format %q is none of %s", format, strings.Join(Formats(), ", "))
}

// WriteEvents writes events as a journal holds them.
func WriteEvents(w io.Writer, events []event.Event) error {
	for _, ev := range events {
		if _, err := w.Write(append(ev.AppendJSON(nil, false), '\n')); err != nil {
			return fmt.Errorf("export session: %w", err)
		}
	}
	return nil
}

func copyFile(path string, w io.Writer) error {
	in, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("export session: %w", err)
	}
	_, err = io.Copy(w, in)
	if err = errors.Join(err, in.Close()); err != nil {
		return fmt.Errorf("export session: %w", err)
	}
	return nil
}
