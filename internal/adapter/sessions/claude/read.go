package claude

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/foreign"
)

// Program is whose files these are.
const Program = "Claude Code"

// line is what a row of a file may say. Rows of other types lead from one
// message to the next and say nothing themselves.
type line struct {
	Type      string          `json:"type"`
	Subtype   string          `json:"subtype"`
	UUID      string          `json:"uuid"`
	Parent    *string         `json:"parentUuid"`
	Message   json.RawMessage `json:"message"`
	SessionID string          `json:"sessionId"`
	Timestamp string          `json:"timestamp"`
	Cwd       string          `json:"cwd"`
	GitBranch string          `json:"gitBranch"`
	Sidechain bool            `json:"isSidechain"`
	Meta      bool            `json:"isMeta"`
	Compact   bool            `json:"isCompactSummary"`
	APIError  bool            `json:"isApiErrorMessage"`

	Summary     string `json:"summary"`
	CustomTitle string `json:"customTitle"`
	AITitle     string `json:"aiTitle"`
}

// message is the message of a row, in the form of Anthropic's API.
type message struct {
	ID      string          `json:"id"`
	Role    string          `json:"role"`
	Model   string          `json:"model"`
	Content json.RawMessage `json:"content"`
}

// block is one piece of content.
type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	Content   json.RawMessage `json:"content"`
	Source    struct {
		Type      string `json:"type"`
		MediaType string `json:"media_type"`
		Data      string `json:"data"`
	} `json:"source"`
}

// said is a row with its message.
type said struct {
	line
	message
	blocks []block
}

// Is reports whether a row's type is one of this program's.
func Is(kind string) bool {
	switch kind {
	case "user", "assistant", "system", "summary", "file-history-snapshot", "queue-operation", "attachment",
		"custom-title", "ai-title", "agent-name", "last-prompt", "mode", "progress":
		return true
	}
	return false
}

// Read reads a session. What is in force is what the program itself would go on
// from: the branch of the last message, from the last compaction on. Work of
// sub-agents and thinking, which only its own model takes back, are left out.
func Read(r io.Reader) (document.Document, error) {
	f := file{parents: map[string]*string{}}
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
	rows    []*said
	parents map[string]*string // of every row with an id
	about   document.Document
	titles  struct{ custom, summary, ai string }
	bad     int

	sidechain, abandoned, earlier, thinking, others int
}

// take takes in one row.
func (f *file) take(raw []byte) {
	s := &said{}
	if json.Unmarshal(raw, &s.line) != nil || s.Type == "" {
		f.bad++
		return
	}
	if s.CustomTitle != "" {
		f.titles.custom = s.CustomTitle
	}
	if s.Type == "summary" && s.Summary != "" {
		f.titles.summary = s.Summary
	}
	if s.AITitle != "" {
		f.titles.ai = s.AITitle
	}
	if s.UUID != "" {
		f.parents[s.UUID] = s.Parent
	}
	if s.Type != "user" && s.Type != "assistant" {
		return
	}
	if s.Sidechain {
		f.sidechain++
		return
	}
	if json.Unmarshal(s.line.Message, &s.message) != nil {
		f.bad++
		return
	}
	s.line.Message = nil
	f.meet(s)
	if s.blocks = blocks(s.Content); s.blocks == nil {
		f.bad++
		return
	}
	f.rows = append(f.rows, s)
}

// meet notes what a row says of the session.
func (f *file) meet(s *said) {
	first := func(to *string, value string) {
		if *to == "" {
			*to = value
		}
	}
	first(&f.about.SessionID, s.SessionID)
	first(&f.about.StartTime, s.Timestamp)
	for to, value := range map[*string]string{&f.about.EndTime: s.Timestamp, &f.about.Cwd: s.Cwd, &f.about.GitBranch: s.GitBranch} {
		if value != "" {
			*to = value
		}
	}
	if s.Model != "" && s.Model != synthetic {
		f.about.Model = s.Model
	}
}

// synthetic is the model of what the program said itself.
const synthetic = "<synthetic>"

// blocks are the pieces of a message's content; nil for what is none.
func blocks(raw json.RawMessage) []block {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []block{{Type: "text", Text: text}}
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return nil
	}
	out := make([]block, 0, len(list))
	for _, one := range list {
		var b block
		if json.Unmarshal(one, &b) == nil {
			out = append(out, b)
		}
	}
	return out
}

// document puts the session together.
func (f *file) document() (document.Document, error) {
	d := f.about
	d.Program, d.Unowned, d.Dropped = Program, true, f.bad
	for _, title := range []string{f.titles.ai, f.titles.summary, f.titles.custom} { // the last counts most
		if title := foreign.Title(title); title != "" {
			d.Title = title
		}
	}
	c := foreign.NewConversation()
	for _, s := range f.inForce() {
		f.say(c, s)
	}
	if err := c.Err(); err != nil {
		return document.Document{}, fmt.Errorf("read the session of %s: %w", Program, err)
	}
	messages := c.Messages()
	if len(messages) > 0 {
		d.Messages = append(d.Messages, foreign.Opening(Program))
		d.Messages = append(d.Messages, messages...)
	}
	note := func(n int, one, many string) { d.Notes = foreign.Note(d.Notes, n, one, many) }
	note(f.bad, "1 line of the file was not valid and is left out", "%d lines of the file were not valid and are left out")
	note(f.earlier, "1 message before the last compaction is left out; its summary is kept", "%d messages before the last compaction are left out; their summary is kept")
	note(f.abandoned, "1 message that was taken back is left out", "%d messages that were taken back are left out")
	note(f.sidechain, "1 message of sub-agents is left out", "%d messages of sub-agents are left out")
	note(f.thinking, "1 block of thinking is left out", "%d blocks of thinking are left out")
	note(c.Images, "1 image is left out", "%d images are left out")
	note(f.others, "1 piece of another kind is left out", "%d pieces of other kinds are left out")
	note(c.Orphans, "1 result without a call is left out", "%d results without a call are left out")
	note(c.Unanswered, "1 call has no result: it is marked so", "%d calls have no result: they are marked so")
	return d, nil
}

// say adds a row to the conversation.
func (f *file) say(c *foreign.Conversation, s *said) {
	if s.APIError || s.Model == synthetic {
		return
	}
	if s.Type == "assistant" {
		f.answer(c, s)
		return
	}
	var texts []string
	var images []foreign.Image
	results := 0
	for _, b := range s.blocks {
		switch b.Type {
		case "tool_result":
			results++
			c.Result(b.ToolUseID, f.result(c, b), s.Timestamp)
		case "text":
			texts = append(texts, b.Text)
		case "image":
			images = append(images, foreign.Image{URL: b.address()})
		default:
			f.others++
		}
	}
	text := strings.Join(texts, "\n")
	if boilerplate(text) && len(images) == 0 {
		return
	}
	// Beside a result it is the program that speaks.
	byProgram := s.Meta || s.Compact || results > 0 || markup(text)
	c.Person(text, images, byProgram, s.Timestamp)
}

func (b block) address() string {
	if b.Source.Type != "base64" {
		return ""
	}
	return "data:" + b.Source.MediaType + ";base64," + b.Source.Data
}

// result is the text of a tool's result.
func (f *file) result(c *foreign.Conversation, b block) string {
	if len(b.Content) == 0 || string(b.Content) == "null" {
		return ""
	}
	pieces := blocks(b.Content)
	if pieces == nil {
		return string(b.Content)
	}
	var texts []string
	for _, piece := range pieces {
		switch piece.Type {
		case "text":
			texts = append(texts, piece.Text)
		case "image":
			c.Images++
			texts = append(texts, "[an image is left out]")
		default:
			f.others++
		}
	}
	return strings.Join(texts, "\n")
}

// answer adds what a model wrote.
func (f *file) answer(c *foreign.Conversation, s *said) {
	for _, b := range s.blocks {
		switch b.Type {
		case "text":
			c.Answer(b.Text, s.Timestamp)
		case "tool_use":
			c.Call(b.ID, b.Name, string(b.Input), s.Timestamp)
		case "thinking", "redacted_thinking":
			f.thinking++
		default:
			f.others++
		}
	}
}

// boilerplate reports whether a text only explains the program's own markup.
func boilerplate(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, "Caveat: The messages below were generated by the user while running local commands") ||
		strings.HasPrefix(text, "<local-command-caveat>")
}

// markup reports whether a text is the program's word for what a person did,
// not what a person wrote.
func markup(text string) bool {
	text = strings.TrimSpace(text)
	for _, begin := range []string{
		"<command-name>", "<command-message>", "<local-command-stdout>", "<local-command-stderr>", "<bash-input>", "<bash-stdout>", "<bash-stderr>",
		"<system-reminder>", "<task-notification>", "[Request interrupted by user",
	} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return false
}
