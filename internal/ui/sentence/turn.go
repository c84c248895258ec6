package sentence

import (
	"encoding/json"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Stopped says why a turn ended without an answer; empty when it has one.
func Stopped(reason string) string {
	switch reason {
	case "", "answer":
		return ""
	case "max_iterations":
		return "stopped: the limit of model calls for one turn is reached; a message goes on"
	case "empty_response":
		return "stopped: the model gave no answer"
	case "truncated":
		return "stopped: the answer was cut off at the model's output limit"
	case "doom_loop":
		return "stopped: the model went in circles"
	case "terminated":
		return "stopped: the conversation does not fit into the model's context"
	}
	return "stopped: " + line(reason)
}

// Unverified lists the references of an answer that nothing stands behind;
// remark stands behind each of them.
func Unverified(refs []string, remark string) []Line {
	if len(refs) == 0 {
		return nil
	}
	marked := make([]string, len(refs))
	for i, ref := range refs {
		marked[i] = strings.TrimSpace(line(ref) + " " + remark)
	}
	return append(one(Warning, "Not verified (nothing was looked up that stands behind these):"), list(Plain, 1, marked)...)
}

// Why says why a call asks.
func Why(c event.GatedCall) string {
	if c.Block != nil && c.BlockReason != "" {
		return line(c.BlockReason)
	}
	return line(c.Reason)
}

// Origins names what was read from outside before a call asks, the newest
// first: what it does may have been asked for there.
func Origins(depth int, read []event.Origin) []Line {
	if len(read) == 0 {
		return nil
	}
	lines := []Line{{Warning, depth, "read from outside before it:"}}
	for i := range min(len(read), origins) {
		o := read[len(read)-1-i]
		lines = append(lines, Line{Plain, depth + 1, line(o.Source + " " + o.URL)})
	}
	if n := len(read) - origins; n > 0 {
		lines = append(lines, Line{Plain, depth + 1, "… " + amount.Grouped(n) + " more"})
	}
	return lines
}

// AboutMoney reports whether a gate was opened by the engine itself, about
// money, not for a tool; tool is the name its one call has.
func AboutMoney(tool string) bool { return tool == "usage_threshold" || tool == "yolo_budget" }

// Money is the question of a gate about money.
func Money(in event.ApprovalRequired) string {
	var said struct {
		Spent *float64 `json:"current_spend_usd"`
		Cap   *float64 `json:"cap_usd"`
		Next  *float64 `json:"next_threshold_usd"`
	}
	if len(in.Tools) > 0 {
		_ = json.Unmarshal(in.Tools[0].Arguments, &said) // what is missing is unknown
	}
	if !in.YoloBudget {
		return "this session has spent " + known(said.Spent) + ": go on? (asked again at " + known(said.Next) + ")"
	}
	text := "the spending cap is reached"
	if in.Block != nil && in.BlockReason != "" {
		text = line(in.BlockReason)
	}
	return text + " (" + known(said.Spent) + " of " + known(said.Cap) + " spent): go on?"
}

func known(usd *float64) string {
	if usd == nil {
		return "unknown"
	}
	return amount.Dollars(Micro(*usd))
}
