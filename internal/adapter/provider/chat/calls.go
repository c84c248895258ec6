package chat

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

type callDelta struct {
	Index    *int          `json:"index"`
	ID       string        `json:"id"`
	Function functionDelta `json:"function"`
}

type functionDelta struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

// call is a tool call as far as it has arrived.
type call struct {
	id, name string
	args     strings.Builder
}

// whole reports whether the arguments can be complete.
func (c *call) whole() bool { return json.Valid([]byte(c.args.String())) }

// assembler puts calls together from their pieces. Services disagree on how
// pieces name their call: by index (which may start at 1, have gaps, or be 0
// for every call), by id, or not at all.
type assembler struct {
	calls   []*call // in order of first appearance
	byIndex map[int]*call
	history []llm.Message
}

func newAssembler(history []llm.Message) assembler {
	return assembler{byIndex: map[int]*call{}, history: history}
}

// add applies one piece.
func (a *assembler) add(d callDelta) {
	c := a.find(d)
	if c == nil {
		c = &call{}
		a.calls = append(a.calls, c)
	}
	if d.Index != nil {
		a.byIndex[*d.Index] = c
	}
	if c.id == "" {
		c.id = d.ID
	}
	switch {
	case c.name == "":
		c.name = d.Function.Name
	case d.Function.Name != c.name && c.args.Len() == 0:
		c.name += d.Function.Name // a name in pieces; a repeated one is not doubled
	}
	c.args.WriteString(argumentText(d.Function.Arguments))
}

// find returns the call that a piece belongs to, nil for a new one.
func (a *assembler) find(d callDelta) *call {
	if d.Index == nil {
		return a.findUnnumbered(d)
	}
	c := a.byIndex[*d.Index]
	switch {
	case c == nil:
		return nil
	case d.ID == "":
		if begins(c, d) {
			return nil
		}
	case c.id != "" && d.ID != c.id:
		if other := a.byID(d.ID); other != nil || d.Function.Name != "" {
			return other
		}
	}
	return c
}

func (a *assembler) findUnnumbered(d callDelta) *call {
	if len(a.calls) == 0 {
		return nil
	}
	last := a.calls[len(a.calls)-1]
	switch {
	case d.ID != "" && last.id == "" && (last.name == "" || d.Function.Name == ""):
		return last
	case d.ID != "":
		return a.byID(d.ID)
	case begins(last, d):
		return nil
	}
	return last
}

// begins reports whether a piece without an id starts a new call after c: it
// names a tool, c is complete, and it is not just c's name once more.
func begins(c *call, d callDelta) bool {
	name := d.Function.Name
	if name == "" || c.args.Len() == 0 || !c.whole() {
		return false
	}
	return name != c.name || strings.TrimSpace(argumentText(d.Function.Arguments)) != ""
}

func (a *assembler) byID(id string) *call {
	for _, c := range a.calls {
		if c.id == id {
			return c
		}
	}
	return nil
}

// argumentText reads arguments given as a string, which is the rule, or as an
// object, which some servers send.
func argumentText(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || string(raw) == "null" || json.Unmarshal(raw, &s) == nil {
		return s
	}
	var buf bytes.Buffer
	if json.Compact(&buf, raw) != nil {
		return string(raw)
	}
	return buf.String()
}

// result returns the complete calls. When the output limit was reached, the
// last one is left out if its arguments broke off, and named in cut.
func (a *assembler) result(limited bool, names transcript.Names) (calls []llm.ToolCall, cut []string) {
	taken := map[string]bool{}
	for i, c := range a.calls {
		if c.id == "" && c.name == "" && c.args.Len() == 0 {
			continue
		}
		name := names.Own(c.name)
		if limited && i == len(a.calls)-1 && !c.whole() {
			cut = append(cut, name)
			continue
		}
		id := c.id
		if id == "" || taken[id] {
			id = a.freeID(taken)
		}
		taken[id] = true
		calls = append(calls, llm.ToolCall{ID: id, Name: name, Arguments: c.args.String()})
	}
	return calls, cut
}

// freeID makes an id that neither this answer nor the history uses. Few
// services give none, so that the history is only looked at here.
func (a *assembler) freeID(taken map[string]bool) string {
	past, n := map[string]bool{}, 0
	for _, m := range a.history {
		for _, c := range m.ToolCalls {
			past[c.ID] = true
		}
		n += len(m.ToolCalls)
	}
	for ; ; n++ {
		if id := transcript.CallID(n); !taken[id] && !past[id] && a.byID(id) == nil {
			return id
		}
	}
}
