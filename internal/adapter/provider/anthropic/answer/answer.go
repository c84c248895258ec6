// Package answer reads what the Messages API answers, streamed or whole, into
// chunks and a stored message, and records in which order the model produced
// the blocks of it. It knows no requests and does no I/O.
package answer

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/fault"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/sse"
)

// Provider is the provider's name in faults and origins.
const Provider = "anthropic"

// Decoder turns the events of one stream into chunks.
type Decoder struct {
	model     string // the user's id
	requestID string
	names     transcript.Names

	begun  bool
	spoken bool // visible text has been handed out
	done   bool
	answer
}

// answer is what a stream has said since its last message_start.
type answer struct {
	blocks  []*open // in the order of their appearance
	text    strings.Builder
	usage   *usage
	stop    string
	details *stopDetails
}

// open is a block that is being received.
type open struct {
	index    int
	kind     string
	start    *block
	stopped  bool
	from, to int    // where its text is in answer.text
	thinking []byte // the inside of a JSON string, as received
	sign     []byte
	input    strings.Builder
}

// NewDecoder returns a decoder for the answer to req; requestID is the one of
// the response's header.
func NewDecoder(req llm.Request, requestID string) *Decoder {
	return &Decoder{model: req.Model, requestID: requestID, names: transcript.NewNames(req.Tools)}
}

// Spoken reports whether visible text has been handed out.
func (d *Decoder) Spoken() bool { return d.spoken }

// Finished reports whether the answer is complete.
func (d *Decoder) Finished() bool { return d.done }

// Event reads one event and returns what it adds. An error ends the stream.
func (d *Decoder) Event(raw sse.Event) ([]llm.Chunk, error) {
	var ev event
	err := json.Unmarshal(raw.Data, &ev)
	if err != nil && raw.Name == "ping" {
		return nil, nil
	}
	if err != nil || raw.Name == "error" || ev.Type == "error" {
		return nil, d.fault(raw.Data)
	}
	switch ev.Type {
	case "message_start":
		return d.begin(ev.Message), nil
	case "content_block_start":
		if ev.Block != nil {
			return d.open(ev.Index, ev.Block), nil
		}
	case "content_block_delta":
		return d.delta(ev.Index, ev.Delta), nil
	case "content_block_stop":
		if o := d.at(ev.Index); o != nil {
			o.stopped = true
		}
	case "message_delta":
		d.finish(ev.Delta.StopReason, ev.Delta.StopDetails, ev.Usage)
	case "message_stop":
		d.done = true
		return []llm.Chunk{d.result()}, nil
	}
	return nil, nil // pings, and what the API may add
}

func (d *Decoder) fault(raw []byte) *llm.Fault {
	f := fault.FromStream(Provider, d.model, raw, d.spoken)
	if f.RequestID == "" {
		f.RequestID = d.requestID
	}
	return f
}

// begin starts an answer. The second start of a stream makes the first void.
func (d *Decoder) begin(m *message) []llm.Chunk {
	var chunks []llm.Chunk
	if d.begun {
		chunks = append(chunks, llm.Restart{})
	}
	d.begun, d.spoken, d.answer = true, false, answer{}
	begun := llm.Begun{RequestID: d.requestID}
	if m != nil {
		begun.Model = m.Model
		d.finish("", nil, m.Usage)
		begun.Usage = d.tokens()
	}
	return append(chunks, begun)
}

func (d *Decoder) finish(stop string, details *stopDetails, u *usage) {
	if stop != "" {
		d.stop = stop
	}
	if details != nil {
		d.details = details
	}
	if u == nil {
		return
	}
	if d.usage == nil {
		d.usage = &usage{}
	}
	d.usage.merge(u)
}

func (d *Decoder) at(index int) *open {
	for _, o := range slices.Backward(d.blocks) {
		if o.index == index {
			return o
		}
	}
	return nil
}

// open starts a block. What it holds already counts like a delta.
func (d *Decoder) open(index int, b *block) []llm.Chunk {
	o := &open{index: index, kind: b.Type, start: b, from: -1}
	d.blocks = append(d.blocks, o)
	switch b.Type {
	case KindText:
		return d.say(o, b.Text)
	case KindThinking:
		o.sign = slices.Clone(inside(b.Signature))
		return d.think(o, b.Thinking)
	}
	return nil
}

func (d *Decoder) delta(index int, v delta) []llm.Chunk {
	o := d.at(index)
	if o == nil { // some gateways leave out the start of a text
		if v.Type != "text_delta" {
			return nil
		}
		o = &open{index: index, kind: KindText, from: -1}
		d.blocks = append(d.blocks, o)
	}
	switch {
	case v.Type == "text_delta" && o.kind == KindText:
		return d.say(o, v.Text)
	case v.Type == "thinking_delta" && o.kind == KindThinking:
		return d.think(o, v.Thinking)
	case v.Type == "signature_delta" && o.kind == KindThinking:
		o.sign = append(o.sign, inside(v.Signature)...)
	case v.Type == "input_json_delta" && o.kind == KindTool:
		o.input.WriteString(v.PartialJSON)
	}
	return nil
}

// say adds visible text. Texts with something between them are paragraphs.
func (d *Decoder) say(o *open, text string) []llm.Chunk {
	if text == "" {
		return nil
	}
	gap := ""
	if o.from < 0 {
		if d.apart(o) {
			gap = "\n\n"
		}
		o.from = d.text.Len() + len(gap)
	}
	d.text.WriteString(gap)
	d.text.WriteString(text)
	o.to = d.text.Len()
	d.spoken = true
	return []llm.Chunk{llm.Text{Delta: gap + text}}
}

// apart reports whether text stands before the block o, but not next to it.
func (d *Decoder) apart(o *open) bool {
	if d.text.Len() == 0 {
		return false
	}
	before := ""
	for _, other := range d.blocks {
		if other == o {
			break
		}
		before = other.kind
	}
	return before != KindText
}

func (d *Decoder) think(o *open, raw json.RawMessage) []llm.Chunk {
	piece := inside(raw)
	if len(piece) == 0 {
		return nil
	}
	o.thinking = append(o.thinking, piece...)
	var text string
	if json.Unmarshal(raw, &text) != nil || text == "" {
		return nil
	}
	return []llm.Chunk{llm.Thinking{Delta: text}}
}

// inside returns a JSON string without its quotes, or nil for null.
func inside(raw json.RawMessage) []byte {
	if len(raw) < 2 || raw[0] != '"' {
		return nil
	}
	return raw[1 : len(raw)-1]
}

// Document reads an answer that is one JSON document: an error, or the answer
// of a server that does not stream.
func (d *Decoder) Document(raw []byte) ([]llm.Chunk, error) {
	var m message
	if json.Unmarshal(raw, &m) != nil || m.Type != "message" {
		return nil, d.fault(raw)
	}
	chunks := d.begin(&m)
	for i, content := range m.Content {
		b := &block{}
		if err := json.Unmarshal(content, b); err != nil {
			return nil, d.fault(raw)
		}
		chunks = append(chunks, d.open(i, b)...)
		d.blocks[i].stopped = true
	}
	d.finish(m.StopReason, m.StopDetails, m.Usage)
	return append(chunks, d.result()), nil
}

// tokens returns the usage so far, or nil when none was reported.
func (a *answer) tokens() *llm.Usage {
	if a.usage == nil {
		return nil
	}
	n := func(p *int) int {
		if p == nil {
			return 0
		}
		return max(0, *p)
	}
	u := &llm.Usage{
		CacheRead: n(a.usage.CacheRead), CacheWrite: n(a.usage.CacheWrite), Completion: n(a.usage.Output),
	}
	u.Prompt = n(a.usage.Input) + u.CacheRead + u.CacheWrite
	u.Total = u.Prompt + u.Completion
	if a.usage.Details != nil {
		u.Reasoning = n(a.usage.Details.Thinking)
	}
	return u
}

// arguments returns the input of a call as the model wrote it, and whether it
// is complete.
func (o *open) arguments(limited bool) (string, bool) {
	args := o.input.String()
	if strings.TrimSpace(args) == "" {
		args = "{}"
		if input := bytes.TrimSpace(o.start.Input); len(input) > 2 && input[0] == '{' {
			args = string(input)
		}
		return args, o.stopped
	}
	// Some gateways close a block that the limit has cut.
	return args, o.stopped && !(limited && !json.Valid([]byte(args)))
}

// stored returns the thinking block as it goes back to the API; false for one
// that was cut before its signature.
func (o *open) stored() (json.RawMessage, bool) {
	if o.kind == kindRedacted {
		return o.start.raw, true
	}
	if len(o.sign) == 0 {
		return nil, false
	}
	raw := append([]byte(`{"type":"thinking","thinking":"`), o.thinking...)
	raw = append(raw, `","signature":"`...)
	raw = append(raw, o.sign...)
	return append(raw, `"}`...), true
}
