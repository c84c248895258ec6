package window

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// fromPerson reports whether a person wrote m.
func fromPerson(m *llm.Message) bool { return m.Role == llm.User && !m.Synthetic }

// floor is the number of leading messages that are never removed: the system
// message, where there is one.
func floor(msgs []llm.Message) int {
	if len(msgs) > 0 && msgs[0].Role == llm.System {
		return 1
	}
	return 0
}

// Turn is a stretch of a history that is taken back as a whole: a person's
// message and all behind it, with the texts that steered the same turn.
type Turn struct {
	At int // index of its first message
	ID string
	// condensed is how many turns it is made of: those between it and the next
	// are gone from the history.
	condensed int
}

// Count is how many turns it stands for: more than one where the ones behind it
// were condensed into a summary.
func (t Turn) Count() int { return max(t.condensed, 1) }

// Turns divides a history. said has an entry for each message of a person, and
// inForce are the turns of the session that were not taken back, in order; what
// neither knows about counts as one turn for each message of a person.
func Turns(msgs []llm.Message, said []event.Said, inForce []history.Begun) []Turn {
	var turns []Turn
	for i, n := 0, 0; i < len(msgs); i++ {
		if !fromPerson(&msgs[i]) {
			continue
		}
		t := Turn{At: i}
		if n < len(said) {
			t.ID = said[n].TurnID
		}
		if n++; len(turns) == 0 || t.ID == "" || turns[len(turns)-1].ID != t.ID {
			turns = append(turns, t)
		}
	}
	next := len(inForce)
	for k := len(turns) - 1; k >= 0; k-- {
		at := slices.IndexFunc(inForce, func(b history.Begun) bool { return b.TurnID == turns[k].ID })
		if at >= 0 && at < next {
			turns[k].condensed, next = next-at, at
		}
	}
	return turns
}

// Last returns the newest of turns that stand for n turns, or for fewer where
// what was condensed would be torn apart.
func Last(turns []Turn, n int) []Turn {
	cut := len(turns)
	for cut > 0 && turns[cut-1].Count() <= n {
		cut--
		n -= turns[cut].Count()
	}
	return turns[cut:]
}

// Start is where msgs end when turns, its newest, are taken back. Without a
// message of a person all but the system message goes.
func Start(msgs []llm.Message, turns []Turn) int {
	if len(turns) > 0 {
		return turns[0].At
	}
	return floor(msgs)
}

// Truncate removes the n-th message a person wrote, counted from 0, and
// everything behind it.
func Truncate(msgs []llm.Message, n int) (kept []llm.Message, removed int, found bool) {
	for i := floor(msgs); i < len(msgs) && n >= 0; i++ {
		if !fromPerson(&msgs[i]) {
			continue
		}
		if n == 0 {
			return msgs[:i:i], len(msgs) - i, true
		}
		n--
	}
	return msgs, 0, false
}

// planTool is the tool whose calls replace the plan; planResults are the
// beginnings of its results when it succeeded.
const planTool = "plan_tool"

func planned(result string) bool {
	return strings.HasPrefix(result, "Plan updated:") || strings.HasPrefix(result, "Plan is empty.")
}

// PlanAt returns the plan in force at the end of msgs: that of the last plan
// call that succeeded, or nil.
func PlanAt(msgs []llm.Message) []event.PlanItem {
	good := map[string]bool{} // ids of successful results seen so far, from the end
	for i := len(msgs) - 1; i >= 0; i-- {
		m := &msgs[i]
		if m.Role == llm.ToolRole && m.Name == planTool && planned(m.PlainText()) {
			good[m.ToolCallID] = true
		}
		for k := len(m.ToolCalls) - 1; k >= 0; k-- {
			if c := m.ToolCalls[k]; c.Name == planTool && good[c.ID] {
				if plan, ok := planOf(c.Arguments); ok {
					return plan
				}
			}
		}
	}
	return nil
}

func planOf(arguments string) ([]event.PlanItem, bool) {
	var in struct {
		Todos []event.PlanItem `json:"todos"`
	}
	if err := json.Unmarshal([]byte(arguments), &in); err != nil {
		return nil, false
	}
	return in.Todos, true
}
