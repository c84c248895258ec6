package answer

import (
	"encoding/json"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Reasons to stop that mean more than one thing.
const (
	stopLimit  = "max_tokens"
	stopWindow = "model_context_window_exceeded"
	stopPause  = "pause_turn"
)

// result builds the finished answer.
func (d *Decoder) result() llm.Done {
	limited := d.stop == stopLimit || d.stop == stopWindow
	msg := llm.Message{Role: llm.Assistant, Text: d.text.String()}
	msg.SetOrigin(llm.Origin{Provider: Provider, Model: d.model})
	done := llm.Done{RawFinish: d.stop, Usage: d.tokens(), RequestID: d.requestID}
	var pieces []Piece
	for _, o := range d.blocks {
		switch o.kind {
		case KindText:
			if o.from >= 0 && strings.TrimSpace(msg.Text[o.from:o.to]) != "" {
				pieces = append(pieces, Piece{KindText, o.from, o.to})
			}
		case KindThinking, kindRedacted:
			if raw, ok := o.stored(); ok {
				msg.ThinkingBlocks = append(msg.ThinkingBlocks, raw)
				pieces = append(pieces, Piece{Kind: KindThinking})
			}
		case KindTool:
			name := d.names.Own(o.start.Name)
			args, complete := o.arguments(limited)
			if !complete {
				done.Cut = append(done.Cut, name)
				continue
			}
			msg.ToolCalls = append(msg.ToolCalls, llm.ToolCall{ID: o.start.ID, Name: name, Arguments: args})
			pieces = append(pieces, Piece{Kind: KindTool})
		}
	}
	if len(msg.ThinkingBlocks) > 0 && !usual(pieces) {
		keep(&msg, FieldOrder, pieces)
	}
	if d.stop == stopPause {
		keep(&msg, FieldPaused, true)
	}
	done.Message = msg
	done.Finish = finish(d.stop, len(msg.ToolCalls) > 0)
	done.Overflow = d.stop == stopWindow && msg.Empty()
	if done.Finish == llm.FinishFiltered && d.details != nil {
		if done.Explanation = d.details.Explanation; done.Explanation == "" {
			done.Explanation = d.details.Category
		}
	}
	return done
}

// keep stores a value of ours in a message.
func keep(m *llm.Message, key string, value any) {
	raw, err := json.Marshal(value)
	if err != nil { // our own plain types always marshal
		return
	}
	m.ProviderFields[key] = raw // SetOrigin has made the map
}

// finish translates the API's reason to stop.
func finish(stop string, calls bool) llm.Finish {
	switch stop {
	case stopLimit, stopWindow:
		return llm.FinishLength
	case "refusal":
		return llm.FinishFiltered
	case stopPause:
		return llm.FinishPause
	}
	if calls {
		return llm.FinishTools
	}
	return llm.FinishStop
}
