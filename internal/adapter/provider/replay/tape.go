package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// maxDelay bounds delay_ms: a recording is no place to wait longer.
const maxDelay = 10 * time.Minute

// tape is a loaded recording: the assistant's messages by kind of call.
type tape struct {
	lines map[llm.Kind][]line
}

// line is one recorded message.
type line struct {
	message llm.Message
	delay   time.Duration
}

// parse reads a script, a saved session or a journal. The first two are an
// object with "messages"; a message may say "kind" (main by default) and
// "delay_ms". A journal is lines of events, whose history_message events
// count: those of a sub-agent are of kind research.
func parse(data []byte) (*tape, error) {
	var session struct {
		Messages []json.RawMessage `json:"messages"`
	}
	t := &tape{lines: map[llm.Kind][]line{}}
	if json.Unmarshal(data, &session) == nil && session.Messages != nil {
		for i, raw := range session.Messages {
			if err := t.addRaw(raw); err != nil {
				return nil, fmt.Errorf("messages[%d]: %w", i, err)
			}
		}
		return t, t.check()
	}
	if err := t.addJournal(data); err != nil {
		return nil, err
	}
	return t, t.check()
}

// check refuses a recording without any answer.
func (t *tape) check() error {
	if len(t.lines) == 0 {
		return errors.New("it holds no assistant message; wanted a session with \"messages\" or a journal with history_message events")
	}
	return nil
}

func (t *tape) addRaw(raw json.RawMessage) error {
	var extra struct {
		Role    llm.Role `json:"role"`
		Kind    llm.Kind `json:"kind"`
		DelayMS float64  `json:"delay_ms"`
	}
	if json.Unmarshal(raw, &extra) != nil || extra.Role != llm.Assistant {
		return nil // other roles come from the run itself
	}
	var message llm.Message
	if err := json.Unmarshal(raw, &message); err != nil {
		return err
	}
	delay := time.Duration(extra.DelayMS * float64(time.Millisecond))
	if delay < 0 || delay > maxDelay {
		return fmt.Errorf("delay_ms is %v, want 0 to %d", extra.DelayMS, maxDelay.Milliseconds())
	}
	switch extra.Kind {
	case "":
		extra.Kind = llm.KindMain
	case llm.KindMain, llm.KindResearch, llm.KindCompaction, llm.KindEffortProbe, llm.KindRestore:
	default:
		return fmt.Errorf("kind is %q, want main, research, compaction, effort_probe or restore", extra.Kind)
	}
	return t.add(extra.Kind, message, delay)
}

func (t *tape) addJournal(data []byte) error {
	for n, raw := range bytes.Split(data, []byte("\n")) {
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		var ev event.Event
		if err := json.Unmarshal(raw, &ev); err != nil {
			if n > 0 && n == bytes.Count(data, []byte("\n")) {
				return nil // a killed process may leave half a line at the end
			}
			return fmt.Errorf("line %d: %w", n+1, err)
		}
		if ev.Type != event.HistoryMessage.Type(event.HistoryMessage{}) {
			continue
		}
		entry, err := event.Decode[event.HistoryMessage](ev)
		if err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
		kind := llm.KindMain
		if entry.AgentID != "" {
			kind = llm.KindResearch
		}
		if err := t.add(kind, entry.Message, 0); err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return nil
}

func (t *tape) add(kind llm.Kind, message llm.Message, delay time.Duration) error {
	if message.Role != llm.Assistant || message.Synthetic {
		return nil
	}
	spoken := llm.Message{
		Role: llm.Assistant, Text: message.PlainText(), ReasoningContent: message.ReasoningContent,
	}
	for _, call := range message.ToolCalls {
		call.Extra = nil
		spoken.ToolCalls = append(spoken.ToolCalls, call)
	}
	if spoken.Empty() {
		return nil // nothing was said
	}
	if err := checkBlanks(spoken); err != nil {
		return err
	}
	t.lines[kind] = append(t.lines[kind], line{spoken, delay})
	return nil
}

// spoken returns the message to hand out: with blanks filled in, its origin
// and its index.
func (l line) spoken(req llm.Request, index int) llm.Message {
	message := l.message.Clone()
	message.Text = fill(message.Text, req.Messages)
	message.ReasoningContent = fill(message.ReasoningContent, req.Messages)
	for i := range message.ToolCalls {
		message.ToolCalls[i].Arguments = fillJSON(message.ToolCalls[i].Arguments, req.Messages)
	}
	message.SetOrigin(llm.Origin{Provider: modelid.Replay, Model: req.Model})
	message.ProviderFields[fieldIndex] = json.RawMessage(fmt.Sprint(index))
	return message
}
