package window

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// NotExecuted is the result of a call that has none, where nothing better is
// known.
const NotExecuted = "Tool was not executed (interrupted or error)."

// Normalise mends a history so that any provider takes it: every call has
// exactly one result, directly behind its message and in call order; results
// without a call and empty answers are gone; neighbouring text answers are one;
// call ids are unique and arguments are JSON objects. stub gives the result of
// a call that has none; nil means [NotExecuted].
//
// A history in order comes back as it is. Otherwise msgs stays untouched and
// the mended copy is returned. Calls that still wait for an approval count as
// missing their results: do not normalise then.
func Normalise(msgs []llm.Message, stub func(callID string) string) (out []llm.Message, changed bool) {
	return NormaliseFrom(msgs, 0, stub)
}

// NormaliseFrom is Normalise for a history whose first start messages have been
// normalised before: its cost is that of the rest, plus a look at the call ids.
func NormaliseFrom(msgs []llm.Message, start int, stub func(callID string) string) (out []llm.Message, changed bool) {
	start = anchor(msgs, start)
	if sound(msgs, start) {
		return msgs, false
	}
	if stub == nil {
		stub = func(string) string { return NotExecuted }
	}
	r := newRepair(msgs, start, stub)
	r.run()
	return r.out, true
}

// anchor moves start back to the last answer before it, whose results may have
// come since.
func anchor(msgs []llm.Message, start int) int {
	start = min(max(start, 0), len(msgs))
	for i := start - 1; i >= 0; i-- {
		if msgs[i].Role == llm.Assistant {
			return i
		}
	}
	return 0
}

// sound reports whether msgs from start on need no repair.
func sound(msgs []llm.Message, start int) bool {
	ids := map[string]struct{}{}
	for i := start; i < len(msgs); i++ {
		m := &msgs[i]
		switch {
		case m.Role == llm.ToolRole, m.Role == llm.Assistant && m.Empty():
			return false // results in their place are stepped over below
		case m.Role != llm.Assistant:
			continue
		case len(m.ToolCalls) == 0:
			if i+1 < len(msgs) && textOnly(&msgs[i+1]) {
				return false
			}
			continue
		}
		if !answered(msgs, i, ids) {
			return false
		}
		i += len(m.ToolCalls)
	}
	return !anyTaken(msgs[:start], ids)
}

// answered reports whether the calls of message i are well formed, new to ids,
// and followed by their results. It adds their ids.
func answered(msgs []llm.Message, i int, ids map[string]struct{}) bool {
	for k, c := range msgs[i].ToolCalls {
		if _, taken := ids[c.ID]; taken || c.ID == "" || !isObject(c.Arguments) {
			return false
		}
		ids[c.ID] = struct{}{}
		if at := i + 1 + k; at >= len(msgs) || msgs[at].Role != llm.ToolRole || msgs[at].ToolCallID != c.ID {
			return false
		}
	}
	return true
}

func anyTaken(msgs []llm.Message, ids map[string]struct{}) bool {
	if len(ids) == 0 {
		return false
	}
	for i := range msgs {
		for k := range msgs[i].ToolCalls {
			if _, taken := ids[msgs[i].ToolCalls[k].ID]; taken {
				return true
			}
		}
	}
	return false
}

func isObject(arguments string) bool {
	text := strings.TrimLeft(arguments, " \t\r\n")
	return strings.HasPrefix(text, "{") && json.Valid([]byte(text))
}

func textOnly(m *llm.Message) bool { return m.Role == llm.Assistant && len(m.ToolCalls) == 0 }

// callRef names one call: message index and position in it.
type callRef struct{ msg, call int }

// repair builds the mended copy of a history.
type repair struct {
	msgs    []llm.Message
	start   int
	stub    func(string) string
	out     []llm.Message
	results map[callRef]int     // index of the result of each call that has one
	taken   map[string]struct{} // ids of the calls in out
	all     map[string]struct{} // ids of all calls in msgs: no fresh id may be one of them
	fresh   int
}

func newRepair(msgs []llm.Message, start int, stub func(string) string) *repair {
	r := &repair{
		msgs: msgs, start: start, stub: stub, out: slices.Clone(msgs[:start]),
		results: map[callRef]int{}, taken: map[string]struct{}{}, all: map[string]struct{}{},
	}
	for i := range msgs {
		for _, c := range msgs[i].ToolCalls {
			r.all[c.ID] = struct{}{}
			if i < start {
				r.taken[c.ID] = struct{}{}
			}
		}
	}
	return r
}

func (r *repair) run() {
	r.pair()
	for i := r.start; i < len(r.msgs); i++ {
		m := r.msgs[i]
		switch {
		case m.Role == llm.ToolRole, m.Role == llm.Assistant && m.Empty():
		case m.Role == llm.Assistant && len(m.ToolCalls) > 0:
			r.emitCalls(i)
		default:
			r.emit(m)
		}
	}
}

// pair finds the result of each call. A result belongs to the newest message
// before it that has an open call of its id, and there to the first such call.
// One that came before any call of its id may belong to a later call.
func (r *repair) pair() {
	open := map[string][]callRef{} // calls without a result, in order
	seen := maps.Clone(r.taken)
	early := map[string][]int{}
	for i := r.start; i < len(r.msgs); i++ {
		m := &r.msgs[i]
		for k, c := range m.ToolCalls {
			open[c.ID] = append(open[c.ID], callRef{i, k})
			seen[c.ID] = struct{}{}
		}
		if m.Role != llm.ToolRole {
			continue
		}
		refs := open[m.ToolCallID]
		if len(refs) == 0 {
			if _, known := seen[m.ToolCallID]; !known && m.ToolCallID != "" {
				early[m.ToolCallID] = append(early[m.ToolCallID], i)
			}
			continue
		}
		newest := refs[len(refs)-1].msg
		at := slices.IndexFunc(refs, func(c callRef) bool { return c.msg == newest })
		r.results[refs[at]] = i
		open[m.ToolCallID] = slices.Delete(refs, at, at+1)
	}
	for id, found := range early {
		for k := range min(len(found), len(open[id])) {
			r.results[open[id][k]] = found[k]
		}
	}
}

// emit appends a message that is no result and has no calls.
func (r *repair) emit(m llm.Message) {
	if last := len(r.out) - 1; last >= r.start && textOnly(&m) && textOnly(&r.out[last]) {
		r.out[last] = joined(r.out[last], m)
		return
	}
	r.out = append(r.out, m)
}

// joined makes one answer of two. What providers want back verbatim belongs to
// the single answers and is left out; plain text is always accepted.
func joined(a, b llm.Message) llm.Message {
	out := a.Clone()
	out.Text, out.Parts = a.PlainText()+"\n\n"+b.PlainText(), nil
	stripOpaque(&out)
	return out
}

// stripOpaque removes what is only valid for the message as the provider wrote
// it. m must be a clone.
func stripOpaque(m *llm.Message) {
	m.ThinkingBlocks, m.ReasoningContent = nil, ""
	maps.DeleteFunc(m.ProviderFields, func(key string, _ json.RawMessage) bool { return key != llm.FieldOrigin })
}

// emitCalls appends message i with sound calls, and its results.
func (r *repair) emitCalls(i int) {
	m := r.msgs[i].Clone()
	results := make([]llm.Message, len(m.ToolCalls))
	mended := false
	for k := range m.ToolCalls {
		c := &m.ToolCalls[k]
		if _, taken := r.taken[c.ID]; taken || c.ID == "" {
			c.ID, mended = r.freshID(), true
		}
		r.taken[c.ID] = struct{}{}
		if !isObject(c.Arguments) {
			c.Arguments, mended = "{}", true
		}
		results[k] = r.result(callRef{i, k}, *c)
	}
	if mended { // verbatim items repeat the old ids and arguments
		delete(m.ProviderFields, llm.FieldItems)
	}
	r.out = append(append(r.out, m), results...)
}

func (r *repair) result(ref callRef, c llm.ToolCall) llm.Message {
	at, ok := r.results[ref]
	if !ok {
		return llm.Message{Role: llm.ToolRole, Text: r.stub(c.ID), ToolCallID: c.ID, Name: c.Name}
	}
	m := r.msgs[at]
	m.ToolCallID = c.ID
	if m.Name == "" {
		m.Name = c.Name
	}
	return m
}

func (r *repair) freshID() string {
	for {
		r.fresh++
		id := "call_" + strconv.Itoa(len(r.taken)+r.fresh)
		if _, taken := r.taken[id]; taken {
			continue
		}
		if _, taken := r.all[id]; !taken {
			return id
		}
	}
}
