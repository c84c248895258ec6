// Package codex reads the rollout files of Codex: one JSON object a line, each
// with a type and a payload.
package codex

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/foreign"
)

// Program is whose files these are.
const Program = "Codex"

// line is a row. Files of the first versions have neither type nor payload
// around what is now the payload.
type line struct {
	Timestamp string          `json:"timestamp"`
	Type      string          `json:"type"`
	Payload   json.RawMessage `json:"payload"`
}

// meta is the head of a file.
type meta struct {
	ID        string `json:"id"`
	Timestamp string `json:"timestamp"`
	Cwd       string `json:"cwd"`
	Git       struct {
		Branch string `json:"branch"`
	} `json:"git"`
}

// Is reports whether a row's type is one of this program's.
func Is(kind string) bool {
	switch kind {
	case "session_meta", "turn_context", "response_item", "event_msg", "compacted":
		return true
	}
	return false
}

// Read reads a session: the items that the model saw, from the last compaction
// on, without turns that were rolled back. Reasoning, which is encrypted, and
// the program's own context are left out.
func Read(r io.Reader) (document.Document, error) {
	f := file{talk: foreign.NewConversation()}
	for raw, err := range foreign.Lines(r, &f.bad) {
		if err != nil {
			return document.Document{}, fmt.Errorf("read the session of %s: %w", Program, err)
		}
		f.take(raw)
	}
	return f.document()
}

// file is what was read.
type file struct {
	about document.Document
	talk  *foreign.Conversation
	bad   int

	earlier, reasoning, others int
}

// take takes in one row.
func (f *file) take(raw []byte) {
	var row line
	if json.Unmarshal(raw, &row) != nil {
		f.bad++
		return
	}
	if row.Timestamp != "" {
		f.about.EndTime = row.Timestamp
	}
	switch {
	case row.Type == "session_meta":
		f.head(row.Payload)
	case row.Type == "turn_context":
		f.context(row.Payload)
	case row.Type == "response_item":
		f.item(row.Payload, row.Timestamp)
	case row.Type == "compacted":
		f.compacted(row.Payload, row.Timestamp)
	case row.Type == "event_msg":
		f.event(row.Payload)
	case row.Type == "" && f.about.SessionID == "":
		f.head(raw)
	case row.Type != "" && len(row.Payload) == 0:
		f.item(raw, row.Timestamp)
	}
}

// head notes what a session says of itself. A copy holds the heads of those it
// was made from behind its own.
func (f *file) head(raw []byte) {
	var in meta
	if json.Unmarshal(raw, &in) != nil {
		f.bad++
		return
	}
	if f.about.SessionID != "" || in.ID == "" {
		return
	}
	f.about.SessionID, f.about.StartTime = in.ID, in.Timestamp
	f.about.Cwd, f.about.GitBranch = in.Cwd, in.Git.Branch
}

// context notes what the next turn runs with.
func (f *file) context(raw []byte) {
	var in struct {
		Cwd   string `json:"cwd"`
		Model string `json:"model"`
	}
	if json.Unmarshal(raw, &in) != nil {
		f.bad++
		return
	}
	if in.Cwd != "" {
		f.about.Cwd = in.Cwd
	}
	if in.Model != "" {
		f.about.Model = in.Model
	}
}

// compacted begins anew with what the program has kept.
func (f *file) compacted(raw []byte, at string) {
	var in struct {
		Message     string            `json:"message"`
		Replacement []json.RawMessage `json:"replacement_history"`
	}
	if json.Unmarshal(raw, &in) != nil {
		f.bad++
		return
	}
	f.earlier += f.talk.Reset()
	for _, one := range in.Replacement {
		f.item(one, at)
	}
	if len(in.Replacement) == 0 {
		f.talk.Person(in.Message, nil, true, at)
	}
}

// event takes in what is told to a person; most of it repeats the items.
func (f *file) event(raw []byte) {
	var in struct {
		Type  string `json:"type"`
		Turns int    `json:"num_turns"`
		Name  string `json:"thread_name"`
	}
	if json.Unmarshal(raw, &in) != nil {
		f.bad++
		return
	}
	switch in.Type {
	case "thread_rolled_back":
		f.talk.Rollback(in.Turns)
	case "thread_name_updated":
		if title := foreign.Title(in.Name); title != "" {
			f.about.Title = title
		}
	}
}

// document puts the session together.
func (f *file) document() (document.Document, error) {
	if err := f.talk.Err(); err != nil {
		return document.Document{}, fmt.Errorf("read the session of %s: %w", Program, err)
	}
	d := f.about
	d.Program, d.Unowned, d.Dropped = Program, true, f.bad
	if messages := f.talk.Messages(); len(messages) > 0 {
		d.Messages = append(d.Messages, foreign.Opening(Program))
		d.Messages = append(d.Messages, messages...)
	}
	note := func(n int, one, many string) { d.Notes = foreign.Note(d.Notes, n, one, many) }
	note(f.bad, "1 line of the file was not valid and is left out", "%d lines of the file were not valid and are left out")
	note(f.earlier, "1 message before the last compaction is left out", "%d messages before the last compaction are left out")
	note(f.reasoning, "1 piece of reasoning is left out", "%d pieces of reasoning are left out")
	note(f.talk.Images, "1 image is left out", "%d images are left out")
	note(f.others, "1 piece of another kind is left out", "%d pieces of other kinds are left out")
	note(f.talk.Orphans, "1 result without a call is left out", "%d results without a call are left out")
	note(f.talk.Unanswered, "1 call has no result: it is marked so", "%d calls have no result: they are marked so")
	return d, nil
}
