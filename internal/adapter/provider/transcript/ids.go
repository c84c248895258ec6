package transcript

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Lengths of a shortened id: what is kept of the original, and the hash.
const (
	idKeep = 48
	idHash = 8
)

// PlainID allows the characters that every provider takes in ids and names.
func PlainID(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}

// IDs maps every tool call id in msgs to one that has only allowed characters
// (nil allows all) and at most max bytes (0 is no limit). Ids that are fine map
// to themselves. Other characters become "_", and the id is shortened to 48
// bytes, "_" and 8 hexadecimal digits of a hash. The mapping of an id does not
// depend on later messages, and no two ids share a target. Empty ids are
// absent: they differ by position only, see [Prepare].
func IDs(msgs []llm.Message, allow func(rune) bool, max int) map[string]string {
	t := newIDTable(allow, max)
	for _, m := range msgs {
		t.note(m)
	}
	return t.ids
}

// idTable is the mapping of the ids met so far.
type idTable struct {
	allow func(rune) bool
	max   int
	ids   map[string]string
	taken map[string]bool
}

func newIDTable(allow func(rune) bool, max int) *idTable {
	return &idTable{allow: allow, max: max, ids: map[string]string{}, taken: map[string]bool{}}
}

// note maps the ids of one more message.
func (t *idTable) note(m llm.Message) {
	for _, c := range m.ToolCalls {
		t.add(c.ID)
	}
	if m.Role == llm.ToolRole {
		t.add(m.ToolCallID)
	}
}

func (t *idTable) add(id string) {
	if _, known := t.ids[id]; known || id == "" {
		return
	}
	t.ids[id] = free(fitID(id, t.allow, t.max), id, t.max, t.taken)
}

// fitID returns id itself when it is allowed, or its replacement.
func fitID(id string, allow func(rune) bool, max int) string {
	bad := func(r rune) bool { return allow != nil && !allow(r) }
	if (max == 0 || len(id) <= max) && strings.IndexFunc(id, bad) < 0 {
		return id
	}
	return hashedID(id, id, allow, max)
}

// hashedID builds <start of id>_<hash of seed>.
func hashedID(id, seed string, allow func(rune) bool, max int) string {
	keep := idKeep
	if max > 0 {
		keep = min(keep, max-idHash-1)
	}
	var b strings.Builder
	for _, r := range id {
		if allow != nil && !allow(r) || r > 0x7f {
			r = '_'
		}
		if b.Len() == keep {
			break
		}
		b.WriteRune(r)
	}
	sum := sha256.Sum256([]byte(seed))
	return b.String() + "_" + hex.EncodeToString(sum[:idHash/2])
}

// free returns want, or a variant of it that is not taken, and takes it.
func free(want, id string, max int, taken map[string]bool) string {
	for n := 2; taken[want]; n++ {
		want = hashedID(want, id+"\x00"+strconv.Itoa(n), nil, max)
	}
	taken[want] = true
	return want
}

// CallID names the n-th call of a conversation, counted from 0, whose provider
// gave it no id.
func CallID(n int) string { return "call_" + strconv.Itoa(n) }

// idMapper gives calls and results their wire ids, in the order of messages.
type idMapper struct {
	table  *idTable            // nil where the target takes any id
	taken  map[string]bool     // wire ids of the calls so far
	n      int                 // calls so far
	open   map[string][]string // original id → wire ids of the newest calls, in order
	latest map[string]string   // original id → wire id of its newest call
}

func newIDMapper(opts Options) *idMapper {
	m := &idMapper{open: map[string][]string{}, latest: map[string]string{}}
	if opts.AllowID != nil || opts.MaxID > 0 {
		m.table, m.taken = newIDTable(opts.AllowID, opts.MaxID), map[string]bool{}
	}
	return m
}

// rename gives the calls of m, or the call that it answers, their wire ids. The
// calls are copied.
func (m *idMapper) rename(msg *llm.Message) {
	if m.table != nil {
		m.table.note(*msg)
	}
	switch msg.Role {
	case llm.Assistant:
		msg.ToolCalls = m.calls(msg.ToolCalls)
	case llm.ToolRole:
		msg.ToolCallID = m.result(msg.ToolCallID)
	}
}

// calls returns a copy of calls with wire ids; the results that follow find
// them by the original ids.
func (m *idMapper) calls(calls []llm.ToolCall) []llm.ToolCall {
	if len(calls) == 0 {
		return nil
	}
	clear(m.open)
	out := make([]llm.ToolCall, len(calls))
	for i, c := range calls {
		own := c.ID
		switch {
		case own == "":
			c.ID = CallID(m.n)
		case m.table != nil:
			c.ID = m.table.ids[own]
		}
		if m.table != nil {
			c.ID = free(c.ID, own+"\x00"+strconv.Itoa(m.n), m.table.max, m.taken)
		}
		m.n++
		m.open[own] = append(m.open[own], c.ID)
		m.latest[own] = c.ID
		out[i] = c
	}
	return out
}

// result returns the wire id of the call that a result answers.
func (m *idMapper) result(id string) string {
	if open := m.open[id]; len(open) > 0 {
		m.open[id] = open[1:]
		return open[0]
	}
	if wire, ok := m.latest[id]; ok {
		return wire
	}
	if m.table == nil {
		return id
	}
	if wire, ok := m.table.ids[id]; ok {
		return wire
	}
	return id
}
