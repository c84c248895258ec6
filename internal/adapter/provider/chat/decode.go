package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

type chunkJSON struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Model   string          `json:"model"`
	Choices []choiceJSON    `json:"choices"`
	Usage   json.RawMessage `json:"usage"`
	Error   json.RawMessage `json:"error"`
}

type choiceJSON struct {
	Index   int             `json:"index"`
	Delta   *deltaJSON      `json:"delta"`
	Message *deltaJSON      `json:"message"` // of an answer that is not streamed
	Finish  string          `json:"finish_reason"`
	Error   json.RawMessage `json:"error"`
}

type deltaJSON struct {
	Content          json.RawMessage   `json:"content"`
	Refusal          string            `json:"refusal"`
	ReasoningContent string            `json:"reasoning_content"`
	Reasoning        string            `json:"reasoning"`
	ReasoningDetails []json.RawMessage `json:"reasoning_details"`
	ToolCalls        []callDelta       `json:"tool_calls"`
	FunctionCall     *functionDelta    `json:"function_call"` // before there were tool calls
}

// decoder turns the events of one answer into chunks.
type decoder struct {
	origin    llm.Origin
	names     transcript.Names
	requestID string

	out     []llm.Chunk // not yet handed on
	begun   bool        // something was decoded
	visible bool        // text was produced

	id          string
	split       splitter
	text        strings.Builder
	thinking    strings.Builder
	calls       assembler
	details     details
	raw         string // the finish reason as given
	usage       *llm.Usage
	cost        *float64
	explanation string
}

func newDecoder(origin llm.Origin, req llm.Request, names transcript.Names) *decoder {
	return &decoder{origin: origin, names: names, calls: newAssembler(req.Messages)}
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

// done recognises the end marker.
func (d *decoder) done(data []byte) bool { return string(bytes.TrimSpace(data)) == "[DONE]" }

// ended reports whether the model has said why it stopped.
func (d *decoder) ended() bool { return d.raw != "" }

// excused reports whether an error may be passed over: some gateways report
// that the output limit was reached as an error after they have said so.
func (d *decoder) excused(problem []byte) bool {
	return finishOf(d.raw) == llm.FinishLength && json.Valid(problem)
}

// event decodes one event. A problem is an error object, or data that is no
// JSON.
func (d *decoder) event(name string, data []byte) (problem []byte) {
	var in chunkJSON
	if data = bytes.TrimSpace(data); len(data) == 0 {
		return nil
	}
	if err := decode(data, &in); err != nil {
		return data
	}
	d.begin(in)
	for _, choice := range in.Choices {
		if choice.Index != 0 {
			continue // we ask for one answer
		}
		switch {
		case choice.Delta != nil:
			d.delta(*choice.Delta)
		case choice.Message != nil && d.text.Len() == 0 && len(d.calls.calls) == 0:
			d.delta(choice.Message.whole())
		}
		if choice.Finish != "" {
			d.raw = choice.Finish
		}
		if present(choice.Error) && !present(in.Error) {
			in.Error = choice.Error
			data = append(append([]byte(`{"error":`), choice.Error...), '}')
		}
	}
	if usage, cost := wire.ParseUsage(in.Usage); usage != nil {
		d.usage, d.cost = usage, cost
	}
	if present(in.Error) || name == "error" || in.Object == "error" {
		d.explanation = errorText(in.Error)
		return data
	}
	return nil
}

// document decodes a whole answer that was not streamed.
func (d *decoder) document(data []byte) (problem []byte) {
	var in struct {
		Choices json.RawMessage `json:"choices"`
	}
	if err := decode(data, &in); err != nil || !present(in.Choices) {
		return data
	}
	return d.event("", data)
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

func present(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", "{}", `""`, "[]", "false":
		return false
	}
	return true
}

func errorText(raw json.RawMessage) string {
	var in struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(raw, &in) != nil {
		_ = json.Unmarshal(raw, &in.Message) // a plain string, or nothing to show
	}
	return in.Message
}

func (d *decoder) begin(in chunkJSON) {
	if d.begun {
		return
	}
	d.begun = true
	d.id = in.ID
	if d.requestID == "" {
		d.requestID = in.ID
	}
	d.out = append(d.out, llm.Begun{Model: in.Model, RequestID: d.requestID})
}

func (d *decoder) delta(in deltaJSON) {
	reasoning, detailed := in.ReasoningContent, ""
	if in.Reasoning != reasoning {
		reasoning += in.Reasoning
	}
	for _, raw := range in.ReasoningDetails {
		detailed += d.details.add(raw)
	}
	if reasoning == "" {
		reasoning = detailed
	}
	d.addThinking(reasoning)
	text, thought := contentText(in.Content)
	d.addThinking(thought)
	d.add(d.split.write(text))
	d.addText(in.Refusal)
	for _, call := range in.ToolCalls {
		d.calls.add(call)
	}
	if in.FunctionCall != nil {
		d.calls.add(callDelta{Function: *in.FunctionCall})
	}
}

// whole numbers the calls of an answer that is not streamed: there each entry
// is a call of its own.
func (in *deltaJSON) whole() deltaJSON {
	out := *in
	out.ToolCalls = nil
	for i, call := range in.ToolCalls {
		call.Index = &i
		out.ToolCalls = append(out.ToolCalls, call)
	}
	return out
}

// contentText reads content that is a string, or an array of parts as some
// services send it: text, and reasoning in parts of type "thinking".
func contentText(raw json.RawMessage) (text, thinking string) {
	if len(raw) == 0 {
		return "", ""
	}
	switch raw[0] {
	case '"':
		_ = json.Unmarshal(raw, &text) // valid, as part of a decoded chunk
	case '[':
		var parts []struct {
			Type     string          `json:"type"`
			Text     string          `json:"text"`
			Thinking json.RawMessage `json:"thinking"`
		}
		_ = decode(raw, &parts) // parts of another shape hold no text
		for _, p := range parts {
			if p.Type == "thinking" {
				inner, _ := contentText(p.Thinking)
				thinking += inner
				continue
			}
			text += p.Text
		}
	}
	return text, thinking
}

func (d *decoder) add(text, thinking string) {
	d.addThinking(thinking)
	d.addText(text)
}

func (d *decoder) addText(s string) {
	if s != "" {
		d.visible = true
		d.text.WriteString(s)
		d.out = append(d.out, llm.Text{Delta: s})
	}
}

func (d *decoder) addThinking(s string) {
	if s != "" {
		d.thinking.WriteString(s)
		d.out = append(d.out, llm.Thinking{Delta: s})
	}
}

// finish produces the last chunk.
func (d *decoder) finish() {
	d.add(d.split.end())
	msg := llm.Message{Role: llm.Assistant, Text: d.text.String(), ReasoningContent: d.thinking.String()}
	msg.SetOrigin(d.origin)
	if raw := d.details.json(); raw != nil {
		msg.ProviderFields[llm.FieldReasoningDetails] = raw
	}
	done := llm.Done{
		Finish: finishOf(d.raw), RawFinish: d.raw, Explanation: d.explanation,
		Usage: d.usage, CostUSD: d.cost, RequestID: d.requestID,
	}
	msg.ToolCalls, done.Cut = d.calls.result(done.Finish == llm.FinishLength, d.names)
	if len(msg.ToolCalls) > 0 && done.Finish == llm.FinishStop {
		done.Finish = llm.FinishTools
	}
	done.Overflow = d.raw == "model_context_window_exceeded" && msg.Empty()
	done.Message = msg
	if !d.begun {
		d.out = append(d.out, llm.Begun{RequestID: d.requestID})
	}
	d.out = append(d.out, done)
}

func finishOf(raw string) llm.Finish {
	switch raw {
	case "length", "max_tokens", "model_length", "model_context_window_exceeded":
		return llm.FinishLength
	case "tool_calls", "function_call":
		return llm.FinishTools
	case "content_filter":
		return llm.FinishFiltered
	}
	return llm.FinishStop
}
