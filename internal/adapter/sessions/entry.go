package sessions

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Entry is one session in a list.
type Entry struct {
	SessionID string `json:"session_id"`
	// Title is what a person called it, or the beginning of what was said first.
	Title string `json:"title"`
	Cwd   string `json:"cwd"`
	Model string `json:"model"`
	// UpdatedAt is zero when unknown.
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	// Messages counts all but the system message, Turns those of people.
	Messages int `json:"messages"`
	Turns    int `json:"turns"`
	// CostUSD is what was spent, nil when nothing is known of it. Incomplete
	// says that the price of something was not known: it is more than that.
	CostUSD    *float64 `json:"cost_usd"`
	Incomplete bool     `json:"cost_incomplete,omitempty"`
	// Preview is the beginning of the first thing a person said, on one line.
	Preview string `json:"preview"`
	// Problem says why the session cannot be opened; empty for most.
	Problem string `json:"problem,omitempty"`
	// Running says that a process works on it now, which PID names where that
	// is known.
	Running bool `json:"running"`
	PID     int  `json:"pid,omitempty"`

	// Path is the journal or the JSON file; Journal tells which.
	Path    string `json:"path"`
	Journal bool   `json:"journal"`
	// Next is the session the conversation went on in, if a person began anew.
	Next string `json:"next,omitempty"`

	// First and Last are the beginnings of the first thing a person said and of
	// the last message.
	First string `json:"-"`
	Last  string `json:"-"`

	order time.Time // the newest comes first
}

// Name is the session's id, or its file where it has none.
func (e Entry) Name() string { return cmp.Or(e.SessionID, filepath.Base(e.Path)) }

// Line is the one line that says what the session is about: its title where
// that says more than the first message.
func (e Entry) Line() string {
	if document.Given(e.Title, e.Preview) {
		return e.Title
	}
	return e.Preview
}

// record is what is remembered of a file: an entry with what its JSON leaves
// out. None says that the file is no session.
type record struct {
	Entry Entry     `json:"entry"`
	First string    `json:"first,omitempty"`
	Last  string    `json:"last,omitempty"`
	Order time.Time `json:"order"`
	None  bool      `json:"none,omitempty"`
}

// recordVersion changes with what a record holds or how it is found.
const recordVersion = 1

// entry returns the entry of a record.
func (r record) entry() (Entry, bool) {
	e := r.Entry
	e.First, e.Last, e.order = r.First, r.Last, r.Order
	return e, !r.None
}

// ofJournal describes the session of a journal.
func ofJournal(s *history.State, c candidate) record {
	e := Entry{
		SessionID: c.id, Path: c.path, Journal: true, Title: s.Name(), Preview: document.Shorten(s.First()),
		Cwd: s.Cwd, Model: s.Model, Next: s.Next, UpdatedAt: s.Time, Turns: s.Turns,
	}
	if e.UpdatedAt.IsZero() {
		e.UpdatedAt = c.info.ModTime().UTC()
	}
	if len(s.Spend) > 0 {
		spent, complete := s.Spent()
		usd := float64(spent) / 1e6
		e.CostUSD, e.Incomplete = &usd, !complete
	}
	r := record{Entry: e, First: s.First(), Order: e.UpdatedAt}
	r.count(s.Messages)
	return r
}

// ofFile describes a session JSON file.
func ofFile(d document.Document, c candidate) record {
	e := Entry{
		SessionID: d.SessionID, Title: cmp.Or(d.Title, d.Name()), Cwd: d.Cwd, Model: d.Model,
		Preview: document.Shorten(d.First()), Path: c.path, UpdatedAt: d.Updated(), CostUSD: d.CostUSD, Incomplete: d.CostIncomplete,
	}
	if e.Cwd == "" && filepath.Base(filepath.Dir(c.path)) == originalDir {
		// The original kept its files below the folder it was started in.
		if dir, err := filepath.Abs(filepath.Dir(filepath.Dir(c.path))); err == nil {
			e.Cwd = dir
		}
	}
	r := record{Entry: e, First: d.First(), Order: c.info.ModTime()}
	r.count(d.Messages)
	return r
}

// originalDir is where the Python original puts its files.
const originalDir = "session_logs"

// lastLength is how many characters are kept of the last message.
const lastLength = 200

// count notes what the messages say.
func (r *record) count(messages []llm.Message) {
	people := 0
	for _, m := range messages {
		if m.Role == llm.System {
			continue
		}
		r.Entry.Messages++
		if history.FromPerson(m) {
			people++
		}
		if text := m.PlainText(); text != "" && m.Role != llm.ToolRole && !m.Synthetic {
			r.Last = text
		}
	}
	r.Entry.Turns = max(r.Entry.Turns, people)
	r.Last = history.Cut(history.Line(r.Last[:min(len(r.Last), 64*lastLength)]), lastLength)
}

// merge keeps one entry a session, the journal or else the newest file, and
// sorts them.
func merge(entries []Entry) []Entry {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		if a.Journal != b.Journal {
			return map[bool]int{true: -1, false: 1}[a.Journal]
		}
		return b.order.Compare(a.order)
	})
	seen := map[string]bool{}
	entries = slices.DeleteFunc(entries, func(e Entry) bool {
		id := cmp.Or(e.SessionID, e.Path)
		twice := seen[id]
		seen[id] = true
		return twice
	})
	slices.SortStableFunc(entries, func(a, b Entry) int { return b.order.Compare(a.order) })
	return entries
}
