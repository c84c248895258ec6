package compact

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// placehold replaces single messages that are too long for any history. The
// person's first message keeps as much as it may; the system message is never
// touched.
func (w *work) placehold() {
	limit := min(oversize, w.window/4)
	for i := range w.tail {
		w.shorten(&w.tail[i], func(m llm.Message, tokens int) (llm.Message, bool) {
			if tokens <= limit {
				return m, false
			}
			return w.placeholder(m, tokens), true
		}, StepOversize)
	}
	// Half of what the system message and the tools leave must stay free for
	// the work itself.
	w.cutFirst(min(oversize, (w.target-w.fixed())/2), StepOversize)
}

// fixed is what no step can shorten: overhead and system message.
func (w *work) fixed() int { return w.c.o.Overhead + total(w.head[:w.leading()]) }

// shorten applies change to each message of u, and counts u again.
func (w *work) shorten(u *unit, change func(m llm.Message, tokens int) (llm.Message, bool), step Step) {
	copied := false
	for k := range u.msgs {
		before := w.c.o.Estimate(u.msgs[k])
		m, changed := change(u.msgs[k], before)
		after := 0
		if changed {
			after = w.c.o.Estimate(m)
		}
		if !changed || after >= before {
			continue
		}
		if !copied {
			u.msgs, copied = slices.Clone(u.msgs), true
		}
		u.msgs[k] = m
		u.tokens += after - before
		w.did(step)
	}
}

// placeholder keeps role, ids, names and both ends of the text of a message
// that is too long. Long strings in call arguments are shortened likewise.
func (w *work) placeholder(m llm.Message, tokens int) llm.Message {
	out := shortenArguments(m.Clone())
	if window.Text(out.PlainText()) > 4*keptEnds || images(out) > 0 {
		out.Text = fmt.Sprintf("[This message was about %d tokens long and was removed to make room. "+
			"Only its beginning and end are left.]\n%s", tokens, ends(out.PlainText(), keptEnds))
		out.Parts = nil
	}
	stripOpaque(&out)
	return out
}

// stripOpaque removes what is only valid for the message as the provider wrote
// it. m must be a clone.
func stripOpaque(m *llm.Message) {
	m.ThinkingBlocks, m.ReasoningContent = nil, ""
	maps.DeleteFunc(m.ProviderFields, func(key string, _ json.RawMessage) bool { return key != llm.FieldOrigin })
}

// cutFirst shortens the person's first message to limit tokens.
func (w *work) cutFirst(limit int, step Step) {
	if w.first < 0 {
		return
	}
	w.shorten(&w.head[w.first], func(m llm.Message, tokens int) (llm.Message, bool) {
		if tokens <= limit {
			return m, false
		}
		note := fmt.Sprintf("\n\n[… this message was about %d tokens long; its middle was removed to make room …]\n\n", tokens)
		out := m.Clone()
		text := out.PlainText()
		out.Parts = nil
		for keep := utf8.RuneCountInString(text); keep > 0; keep = keep * 4 / 5 {
			out.Text = headTail(text, keep*2/3, keep-keep*2/3, note)
			if w.c.o.Estimate(out) <= limit {
				return out, true
			}
		}
		out.Text = strings.TrimSpace(note)
		return out, true
	}, step)
}

// elide takes the inside out of tool outputs, images and long call arguments.
func elide(m llm.Message, _ int) (llm.Message, bool) {
	switch m.Role {
	case llm.ToolRole:
		text := m.PlainText()
		if m.Parts == nil && utf8.RuneCountInString(text) <= 2*keptEnds+100 {
			return m, false
		}
		out := m.Clone()
		out.Text, out.Parts = ends(text, keptEnds), nil
		return out, true
	case llm.Assistant:
		if !slices.ContainsFunc(m.ToolCalls, func(c llm.ToolCall) bool { return len(c.Arguments) > 2*keptEnds+100 }) {
			return m, false
		}
		out := shortenArguments(m.Clone())
		stripOpaque(&out)
		return out, true
	case llm.User:
		n := images(m)
		if n == 0 {
			return m, false
		}
		out := m.Clone()
		out.Text, out.Parts = strings.TrimSpace(m.PlainText()+fmt.Sprintf("\n[%d image(s) removed to make room]", n)), nil
		return out, true
	}
	return m, false
}

func images(m llm.Message) int {
	n := 0
	for _, raw := range m.Parts {
		var p struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(raw, &p) == nil && strings.Contains(p.Type, "image") {
			n++
		}
	}
	return n
}

// shortenArguments cuts long strings in the arguments of calls, which stay
// JSON objects. m must be a clone.
func shortenArguments(m llm.Message) llm.Message {
	for k := range m.ToolCalls {
		c := &m.ToolCalls[k]
		if len(c.Arguments) <= 2*keptEnds+100 {
			continue
		}
		var value map[string]any
		dec := json.NewDecoder(strings.NewReader(c.Arguments))
		dec.UseNumber()
		if dec.Decode(&value) != nil {
			c.Arguments = "{}"
			continue
		}
		for key, v := range value {
			value[key] = shortenValue(v)
		}
		if raw, err := event.Encode(value); err == nil {
			c.Arguments = string(raw)
		}
	}
	return m
}

// shortenValue cuts long strings anywhere in a JSON value, and long lists.
func shortenValue(v any) any {
	switch v := v.(type) {
	case string:
		return ends(v, keptEnds)
	case []any:
		if len(v) > 20 {
			v = append(v[:20:20], fmt.Sprintf("… %d more", len(v)-20))
		}
		for i := range v {
			v[i] = shortenValue(v[i])
		}
		return v
	case map[string]any:
		for key := range v {
			v[key] = shortenValue(v[key])
		}
	}
	return v
}

// ends keeps the first and last n characters of a text that is longer than
// both and the note together.
func ends(text string, n int) string {
	count := utf8.RuneCountInString(text)
	if count <= 2*n+100 {
		return text
	}
	return headTail(text, n, n, fmt.Sprintf("\n[… %d characters removed to make room …]\n", count-2*n))
}

// headTail keeps up to head characters from the front and tail from the back,
// with note between, or all of a text that is no longer.
func headTail(text string, head, tail int, note string) string {
	count := utf8.RuneCountInString(text)
	if count <= head+tail {
		return text
	}
	return excerpt.Head(text, head) + note + excerpt.Tail(text, tail)
}

// cutTo keeps the beginning and end of a text so that it is at most about
// tokens long.
func cutTo(text string, tokens int) string {
	whole := text
	for keep := utf8.RuneCountInString(text); window.Text(text) > tokens && keep > 0; {
		keep = keep * 4 / 5
		text = headTail(whole, keep*2/3, keep-keep*2/3, "\n[…]\n")
	}
	return text
}

// squeeze makes what is left fit: the inside of old tool outputs goes first,
// then the oldest of the kept messages, then the summary, then the middle of
// the first message.
func (w *work) squeeze() {
	over := w.size() - w.target
	for i := 0; i < len(w.tail) && over > 0; i++ {
		before := w.tail[i].tokens
		w.shorten(&w.tail[i], elide, StepElide)
		over -= before - w.tail[i].tokens
	}
	w.trim()
	if over := w.size() - w.target; over > 0 && w.summary != "" {
		// Estimates of a text and of its message differ by a factor below two.
		w.summary = cutTo(w.summary, max(0, window.Text(w.summary)-2*over))
		if w.size() > w.target {
			w.summary = ""
		}
		w.did(StepTrim)
	}
	if over := w.size() - w.target; over > 0 && w.first >= 0 {
		w.cutFirst(max(0, w.head[w.first].tokens-over), StepFirst)
	}
}

// trim drops the oldest units of the tail. What they said is listed where no
// summary speaks of the past.
func (w *work) trim() {
	dropped := 0
	for size := w.size(); dropped < len(w.tail) && size > w.target; dropped++ {
		size -= w.tail[dropped].tokens
	}
	if dropped == 0 {
		return
	}
	listed := ""
	if w.summary == "" {
		listed = w.mechanical(w.tail[:dropped], "")
	}
	w.tail = w.tail[dropped:]
	w.did(StepTrim)
	if free := w.target - w.size(); listed != "" && free > 200 {
		w.summary = cutTo(listed, min(free/2, w.window/8))
	}
}
