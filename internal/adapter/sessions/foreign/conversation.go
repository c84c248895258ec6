package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Bounds of a conversation: what no model's context holds by far.
const (
	mostMessages = 200_000
	mostText     = 128 << 20
	// mostResult is what is kept of one result, in bytes, and mostImage of one
	// image in base64.
	mostResult = 200_000
	mostImage  = 8 << 20
)

// NoResult stands for the result of a call that has none: whether it was done
// is not known.
const NoResult = "No result was recorded: whether this call was executed is not known."

// Conversation is put together message by message. Results find their calls by
// id, wherever they stand; ids that were used before become new ones.
type Conversation struct {
	turns []*turn
	// open are the calls by the id they had, the newest last.
	open map[string][]*call
	ids  map[string]bool
	size int
	err  error

	// Orphans counts results without a call, Images those that were left out,
	// Unanswered the calls without a result.
	Orphans, Images, Unanswered int
}

// turn is a message with the calls that it makes.
type turn struct {
	message llm.Message
	calls   []*call
}

type call struct {
	id, name, arguments string
	result              string
	at                  string // when the result came
	answered            bool
}

// NewConversation returns an empty one.
func NewConversation() *Conversation {
	return &Conversation{open: map[string][]*call{}, ids: map[string]bool{}}
}

// Err is why nothing more is taken in.
func (c *Conversation) Err() error { return c.err }

func (c *Conversation) room(bytes int) bool {
	if c.err != nil {
		return false
	}
	if c.size += bytes + 64; c.size > mostText || len(c.turns) >= mostMessages {
		c.err = fmt.Errorf("%w: the conversation has more than %d MB or %d messages", ErrTooLarge, mostText>>20, mostMessages)
		return false
	}
	return true
}

// Image is a picture in a message, as a data: URL or another address.
type Image struct{ URL string }

// Person adds what a person said. Synthetic says that a program said it in a
// person's place.
func (c *Conversation) Person(text string, images []Image, synthetic bool, at string) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	kept := c.images(images)
	if strings.TrimSpace(text) == "" && len(kept) == 0 || !c.room(len(text)) {
		return
	}
	m := llm.Message{Role: llm.User, Text: text, Synthetic: synthetic, Timestamp: at}
	if len(kept) > 0 {
		m.Parts, m.Text = kept, ""
		if strings.TrimSpace(text) != "" {
			m.Parts = append([]json.RawMessage{part(map[string]any{"type": "text", "text": text})}, kept...)
		}
	}
	c.turns = append(c.turns, &turn{message: m})
}

// images are the parts of those that can be sent on.
func (c *Conversation) images(images []Image) []json.RawMessage {
	var parts []json.RawMessage
	for _, image := range images {
		if !Sendable(image.URL) || len(image.URL) > mostImage || !c.room(len(image.URL)) {
			c.Images++
			continue
		}
		parts = append(parts, part(map[string]any{"type": "image_url", "image_url": map[string]any{"url": image.URL}}))
	}
	return parts
}

// Sendable reports whether an address is a picture that lies in the message
// itself, in a form that models take.
func Sendable(url string) bool {
	head, data, ok := strings.Cut(url, ",")
	if !ok || data == "" || strings.Trim(data, base64Letters) != "" {
		return false
	}
	switch head {
	case "data:image/png;base64", "data:image/jpeg;base64", "data:image/gif;base64", "data:image/webp;base64":
		return true
	}
	return false
}

const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

func part(v map[string]any) json.RawMessage {
	raw, err := event.Encode(v)
	if err != nil { // texts always encode
		return json.RawMessage(`{"type":"text","text":""}`)
	}
	return raw
}

// Answer adds text that a model wrote; directly behind its text it joins it.
func (c *Conversation) Answer(text, at string) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if strings.TrimSpace(text) == "" || !c.room(len(text)) {
		return
	}
	if last := c.answering(); last != nil && len(last.calls) == 0 {
		last.message.Text += "\n\n" + text
		return
	}
	c.turns = append(c.turns, &turn{message: llm.Message{Role: llm.Assistant, Text: text, Timestamp: at}})
}

// answering is the model's message at the end, or nil.
func (c *Conversation) answering() *turn {
	if len(c.turns) == 0 || c.turns[len(c.turns)-1].message.Role != llm.Assistant {
		return nil
	}
	return c.turns[len(c.turns)-1]
}

// Call adds a call that a model made. It joins the message before it unless a
// result of that has come.
func (c *Conversation) Call(id, name, arguments, at string) {
	if name = strings.ToValidUTF8(name, ""); name == "" {
		name = "unknown"
	}
	if !c.room(len(name) + len(arguments)) {
		return
	}
	last := c.answering()
	if last == nil || slices.ContainsFunc(last.calls, func(made *call) bool { return made.answered }) {
		last = &turn{message: llm.Message{Role: llm.Assistant, Timestamp: at}}
		c.turns = append(c.turns, last)
	}
	made := &call{id: c.free(id), name: name, arguments: object(arguments)}
	last.calls = append(last.calls, made)
	c.open[id] = append(c.open[id], made)
}

// free returns an id that no call has yet.
func (c *Conversation) free(id string) string {
	id = strings.ToValidUTF8(id, "_")
	if len(id) > 200 {
		id = strings.ToValidUTF8(id[:200], "")
	}
	if id == "" {
		id = "call"
	}
	for n, base := 2, id; c.ids[id]; n++ {
		id = fmt.Sprintf("%s_%d", base, n)
	}
	c.ids[id] = true
	return id
}

// object returns arguments that every provider takes: a JSON object. Others are
// kept as a text.
func object(arguments string) string {
	var out bytes.Buffer
	if text := strings.TrimSpace(arguments); strings.HasPrefix(text, "{") && json.Compact(&out, []byte(text)) == nil {
		return out.String()
	}
	if text := strings.TrimSpace(arguments); text == "" || text == "null" {
		return "{}"
	}
	return string(part(map[string]any{"_raw": arguments}))
}

// Result adds the result of a call. One that nobody called for is left out.
func (c *Conversation) Result(id, text, at string) {
	calls := c.open[id]
	i := slices.IndexFunc(calls, func(made *call) bool { return !made.answered })
	if i < 0 {
		c.Orphans++
		return
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > mostResult {
		cut := len(text) - mostResult
		head, tail := text[:mostResult/2], text[len(text)-mostResult/2:]
		text = strings.ToValidUTF8(head, "") + fmt.Sprintf("\n[… %d bytes are left out …]\n", cut) + strings.ToValidUTF8(tail, "")
	}
	if !c.room(len(text)) {
		return
	}
	calls[i].result, calls[i].at, calls[i].answered = text, at, true
}

// Reset forgets everything so far and returns how many messages that were: the
// other program has begun anew with a summary.
func (c *Conversation) Reset() int {
	n := len(c.turns)
	c.turns, c.open, c.size = nil, map[string][]*call{}, 0
	return n
}

// Rollback takes the last n turns of a person away.
func (c *Conversation) Rollback(n int) {
	for i := len(c.turns) - 1; i >= 0 && n > 0; i-- {
		if history.FromPerson(c.turns[i].message) {
			n--
			for _, gone := range c.turns[i:] {
				for _, made := range gone.calls {
					made.answered = true // a late result finds no call
				}
			}
			c.turns = c.turns[:i]
		}
	}
}

// Messages are the conversation: every call has its result behind it.
func (c *Conversation) Messages() []llm.Message {
	c.Unanswered = 0
	out := make([]llm.Message, 0, len(c.turns))
	for _, t := range c.turns {
		m := t.message
		for _, made := range t.calls {
			m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: made.id, Name: made.name, Arguments: made.arguments})
		}
		out = append(out, m)
		for _, made := range t.calls {
			text := made.result
			if !made.answered {
				text = NoResult
				c.Unanswered++
			}
			out = append(out, llm.Message{Role: llm.ToolRole, Text: text, ToolCallID: made.id, Name: made.name, Timestamp: made.at})
		}
	}
	return out
}

// Opening is the first message of an imported conversation, which the program
// writes: who held it, and what follows from that.
func Opening(program string) llm.Message {
	return llm.Message{
		Role: llm.User, Synthetic: true,
		Text: llm.SyntheticPrefix + " What follows was said in " + program + " and brought over from there. The tools named in it are those of " +
			program + ": call only tools that you have here, under their own names. Files and jobs may have changed since: look before you rely on what was found then.]",
	}
}

// Title makes a title of what another program called a session.
func Title(text string) string { return history.Cut(history.Line(text), history.MaxTitle) }

// Note says in a sentence what was left out; none of it says nothing.
func Note(notes []string, n int, one, many string) []string {
	switch n {
	case 0:
		return notes
	case 1:
		return append(notes, one)
	}
	return append(notes, fmt.Sprintf(many, n))
}
