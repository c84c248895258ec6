package guard

import (
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// PlanNudges is how often in a row a turn is sent back to its plan.
const PlanNudges = 2

// listedItems is how many unfinished items the message names.
const listedItems = 4

// PlanState is what the plan guard judges: an answer without tool calls.
type PlanState struct {
	Plan   []event.PlanItem
	Answer string
	// Touched says that plan_tool was called in this turn.
	Touched bool
	// Headless says that nobody is there to answer a question.
	Headless  bool
	Cancelled bool
	// Nudges is how often this turn was sent back since the last tool call.
	Nudges int
}

// Plan returns the message that sends the model back to its unfinished plan,
// when the answer should not end the turn.
func Plan(s PlanState) (text string, hit bool) {
	if s.Cancelled || s.Nudges >= PlanNudges || !s.Touched && !s.Headless {
		return "", false
	}
	if !s.Headless && asks(s.Answer) {
		return "", false
	}
	open := unfinished(s.Plan)
	if len(open) == 0 {
		return "", false
	}
	var b strings.Builder
	b.WriteString("[SYSTEM: CONTINUATION GUARD] You answered without a tool call, but the plan is not finished:\n")
	for _, it := range open[:min(len(open), listedItems)] {
		fmt.Fprintf(&b, "- %s. %s [%s]\n", it.ID, it.Content, it.Status)
	}
	if more := len(open) - listedItems; more > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	b.WriteString("Continue with a tool call now. If something is in the way, verify that with a tool first; " +
		"if an item is done or no longer wanted, update the plan.")
	return b.String(), true
}

// PlanLog is the progress line that goes with the message.
func PlanLog() string { return "Answer without a tool call while the plan is unfinished: continuing" }

func unfinished(plan []event.PlanItem) []event.PlanItem {
	var open []event.PlanItem
	for _, it := range plan {
		if it.Status == "pending" || it.Status == "in_progress" {
			open = append(open, it)
		}
	}
	return open
}

// asks reports whether an answer ends with a question to the user. Neither a
// list of choices behind it hides it, nor marks of emphasis, nor choices in
// brackets, as in "Go on? (yes/no)".
func asks(answer string) bool {
	lines := strings.Split(strings.TrimSpace(answer), "\n")
	for len(lines) > 1 && choice(lines[len(lines)-1]) {
		lines = lines[:len(lines)-1]
	}
	const marks = " \t\r*_`\"'"
	text := strings.TrimRight(lines[len(lines)-1], marks)
	if open := strings.LastIndexByte(text, '('); open > 0 && strings.HasSuffix(text, ")") && !strings.HasSuffix(text, "?)") {
		text = text[:open]
	}
	text = strings.TrimRight(text, marks+")")
	return strings.HasSuffix(text, "?") || strings.HasSuffix(text, "？") || strings.HasSuffix(text, "؟")
}

// choice reports whether line is blank or an item of a list.
func choice(line string) bool {
	line = strings.TrimSpace(line)
	if line == "" {
		return true
	}
	mark, _, spaced := strings.Cut(line, " ")
	if !spaced || len(mark) > 3 {
		return false
	}
	return mark == "-" || mark == "*" || mark == "•" || strings.HasSuffix(mark, ".") || strings.HasSuffix(mark, ")")
}
