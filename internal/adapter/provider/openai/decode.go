package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

type eventJSON struct {
	Type     string          `json:"type"`
	Index    int             `json:"output_index"`
	ItemID   string          `json:"item_id"`
	Delta    string          `json:"delta"`
	Args     string          `json:"arguments"`
	Item     json.RawMessage `json:"item"`
	Response json.RawMessage `json:"response"`

	// Of an error event: nested, or flat.
	Error   json.RawMessage `json:"error"`
	Code    json.RawMessage `json:"code"`
	Message string          `json:"message"`
	Param   json.RawMessage `json:"param"`
}

type responseJSON struct {
	ID         string                  `json:"id"`
	Model      string                  `json:"model"`
	Status     string                  `json:"status"`
	Error      json.RawMessage         `json:"error"`
	Incomplete struct{ Reason string } `json:"incomplete_details"`
	Output     []json.RawMessage       `json:"output"`
	Usage      json.RawMessage         `json:"usage"`
}

type itemJSON struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	CallID  string `json:"call_id"`
	Name    string `json:"name"`
	Args    string `json:"arguments"`
	Status  string `json:"status"`
	Content []struct {
		Type    string `json:"type"`
		Text    string `json:"text"`
		Refusal string `json:"refusal"`
	} `json:"content"`
}

// item is an output item as far as it has arrived.
type item struct {
	index int
	raw   json.RawMessage // authoritative, nil until the item is done
	itemJSON
	args  strings.Builder
	shown bool // text was streamed
}

// arguments are the final ones, or what has arrived of them.
func (it *item) arguments() string {
	if it.Args != "" {
		return it.Args
	}
	return it.args.String()
}

// decoder turns the events of one answer into chunks.
type decoder struct {
	origin    llm.Origin
	names     transcript.Names
	tools     []llm.ToolSpec
	requestID string

	out     []llm.Chunk // not yet handed on
	begun   bool
	visible bool // text was produced
	ended   bool // the final response has arrived

	items    []*item // in order of output_index
	text     strings.Builder
	speaker  *item // the item whose text came last
	thinking bool  // reasoning was streamed
	refusal  strings.Builder
	status   string
	reason   string // why the answer is incomplete
	usage    *llm.Usage
	cost     *float64
}

func newDecoder(origin llm.Origin, names transcript.Names, tools []llm.ToolSpec) *decoder {
	return &decoder{origin: origin, names: names, tools: tools}
}

// flush hands on what was decoded; it reports whether more is wanted.
func (d *decoder) flush(yield func(llm.Chunk, error) bool) bool {
	out := d.out
	d.out = nil
	for _, c := range out {
		if !yield(c, nil) {
			return false
		}
	}
	return true
}

// decode is json.Unmarshal that passes over members of an unexpected type.
func decode(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return nil
	}
	return err
}

func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// event decodes one event. A problem is an error object, or data that is no
// JSON.
func (d *decoder) event(name string, data []byte) (problem []byte) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || string(data) == "[DONE]" {
		return nil
	}
	var ev eventJSON
	if err := decode(data, &ev); err != nil {
		return data
	}
	if ev.Type == "" {
		ev.Type = name
	}
	switch ev.Type {
	case "response.created", "response.in_progress", "response.queued":
		d.begin(ev.Response)
	case "response.output_item.added":
		d.setItem(ev.Index, ev.Item, false)
	case "response.output_item.done":
		d.setItem(ev.Index, ev.Item, true)
	case "response.output_text.delta":
		d.addText(d.item(ev), ev.Delta)
	case "response.refusal.delta":
		d.refusal.WriteString(ev.Delta)
		d.addText(d.item(ev), ev.Delta)
	case "response.reasoning_summary_part.added":
		if d.thinking {
			d.addThinking("\n\n")
		}
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		d.addThinking(ev.Delta)
	case "response.function_call_arguments.delta":
		d.item(ev).args.WriteString(ev.Delta)
	case "response.function_call_arguments.done":
		d.item(ev).Args = ev.Args
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
		return d.end(ev.Response, data)
	case "error":
		return flatError(ev, data)
	}
	return nil
}

// flatError turns an error event, nested or flat, into an error object.
func flatError(ev eventJSON, data []byte) []byte {
	if present(ev.Error) {
		return data
	}
	out := transcript.AppendString([]byte(`{"error":{"message":`), ev.Message)
	for _, m := range []struct {
		name string
		raw  json.RawMessage
	}{{"code", ev.Code}, {"param", ev.Param}} {
		if present(m.raw) {
			out = append(append(out, `,"`+m.name+`":`...), m.raw...)
		}
	}
	return append(out, "}}"...)
}

// document decodes a whole answer that was not streamed.
func (d *decoder) document(data []byte) (problem []byte) {
	var in struct {
		Output json.RawMessage `json:"output"`
		Status string          `json:"status"`
	}
	if err := decode(data, &in); err != nil || in.Output == nil && in.Status == "" {
		return data
	}
	return d.end(data, data)
}

func (d *decoder) begin(raw json.RawMessage) {
	if d.begun {
		return
	}
	d.begun = true
	var r responseJSON
	_ = decode(raw, &r) // a missing response names no model
	if d.requestID == "" {
		d.requestID = r.ID
	}
	d.out = append(d.out, llm.Begun{Model: r.Model, RequestID: d.requestID})
}

// end applies the final response.
func (d *decoder) end(raw json.RawMessage, data []byte) (problem []byte) {
	d.begin(raw)
	d.ended = true
	var r responseJSON
	if !present(raw) || decode(raw, &r) != nil {
		return data
	}
	if r.Status == "failed" || r.Status == "cancelled" {
		if present(r.Error) {
			return append(append([]byte(`{"error":`), r.Error...), '}')
		}
		return []byte(`{"error":{"message":"the response was ` + r.Status + `","code":"server_error"}}`)
	}
	d.status, d.reason = r.Status, r.Incomplete.Reason
	d.usage, d.cost = wire.ParseUsage(r.Usage)
	for i, item := range r.Output {
		if it := d.at(i); it.raw == nil {
			d.setItem(i, item, true)
		}
	}
	return nil
}

// at returns the item with an output index, which need not have been announced.
func (d *decoder) at(index int) *item {
	i, found := slices.BinarySearchFunc(d.items, index, func(it *item, n int) int { return it.index - n })
	if !found {
		d.items = slices.Insert(d.items, i, &item{index: index})
	}
	return d.items[i]
}

// item returns the item that an event is about.
func (d *decoder) item(ev eventJSON) *item {
	if it := d.at(ev.Index); ev.ItemID == "" || it.ID == "" || it.ID == ev.ItemID {
		return it
	}
	for _, it := range d.items {
		if it.ID == ev.ItemID {
			return it
		}
	}
	return d.at(ev.Index)
}

func (d *decoder) setItem(index int, raw json.RawMessage, done bool) {
	it := d.at(index)
	if !present(raw) || decode(raw, &it.itemJSON) != nil || !done {
		return
	}
	it.raw = slices.Clone(raw)
	if it.Type != "message" || it.shown {
		return
	}
	for _, part := range it.Content { // a server that streams whole items only
		d.refusal.WriteString(part.Refusal)
		d.addText(it, part.Text+part.Refusal)
	}
}

// addText adds a piece of the answer; the texts of two items are set apart.
func (d *decoder) addText(from *item, s string) {
	if s == "" {
		return
	}
	if d.speaker != nil && d.speaker != from && d.text.Len() > 0 {
		s = "\n\n" + s
	}
	d.speaker, from.shown, d.visible = from, true, true
	d.text.WriteString(s)
	d.out = append(d.out, llm.Text{Delta: s})
}

func (d *decoder) addThinking(s string) {
	if s != "" {
		d.thinking = true
		d.out = append(d.out, llm.Thinking{Delta: s})
	}
}
