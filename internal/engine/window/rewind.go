package window

import (
	"encoding/json"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
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

// Undo removes the last message a person wrote and everything behind it;
// without one, everything but the system message. Appending to kept does not
// touch msgs.
func Undo(msgs []llm.Message) (kept []llm.Message, removed int) {
	cut := floor(msgs)
	for i := len(msgs) - 1; i > cut; i-- {
		if fromPerson(&msgs[i]) {
			cut = i
			break
		}
	}
	return msgs[:cut:cut], len(msgs) - cut
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
