package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/lab/trainformat/chat"
)

const (
	maxPatterns = 6
	maxRoles    = 12
	exampleSize = 100 // characters of a text in the example
)

// talking are the columns whose conversations are described.
var talking = [...]string{"messages", "conversations", "conversation", "prompt", "chosen", "rejected", "completion"}

// keys are the members of messages that are always told about.
var keys = [...]string{"role", "content", "tool_calls", "tool_call_id", "name", "function_call"}

// Messages writes the section on columns that hold conversations, "" where
// there are none.
func Messages(page *viewer.Page) string {
	var parts []string
	for _, name := range columns(page) {
		var cells []json.RawMessage
		cut := 0
		for _, r := range page.Rows {
			if r.Cut[name] {
				cut++
			} else {
				cells = append(cells, r.Values[name])
			}
		}
		// A column of another kind has not one readable cell.
		if a := chat.Analyse(cells); a.Conversations() > 0 || a.Empty > 0 && strings.EqualFold(name, "messages") {
			parts = append(parts, conversations(name, a, cut))
		}
	}
	return strings.Join(parts, "\n")
}

func columns(page *viewer.Page) []string {
	var names []string
	for _, f := range page.Features {
		if slices.Contains(talking[:], strings.ToLower(f.Name)) {
			names = append(names, f.Name)
		}
	}
	return names
}

func conversations(name string, a chat.Analysis, cut int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**Column `%s`:** %d conversation(s) in %d row(s)%s\n", Name(name), a.Conversations(), a.Cells+cut, problems(a, cut))
	roles := make([]string, 0, len(a.Roles))
	for _, r := range a.Roles[:min(len(a.Roles), maxRoles)] {
		roles = append(roles, fmt.Sprintf("%s (%d)", Name(r.Name), r.N))
	}
	slices.Sort(roles)
	fmt.Fprintf(&b, "**Roles:** %s\n", strings.Join(roles, ", "))
	fmt.Fprintf(&b, "**Message keys:** %s\n", present(a))
	if a.ToolCalls > 0 {
		fmt.Fprintf(&b, "**Tool calls:** ✓ Present in %d message(s); arguments: %d object(s), %d string(s)\n", a.ToolCalls, a.Objects, a.Strings)
	}
	if a.ToolResults > 0 {
		fmt.Fprintf(&b, "**Tool results:** ✓ Present in %d message(s)\n", a.ToolResults)
	}
	if n := a.Conversations(); n > 0 {
		fmt.Fprintf(&b, "**Turns:** min %d, median %d, max %d; with a system prompt: %s\n", a.Fewest, a.Median, a.Most, share(int64(a.System), int64(n)))
	}
	b.WriteString("**Order of roles:**\n")
	for _, p := range a.Patterns[:min(len(a.Patterns), maxPatterns)] {
		fmt.Fprintf(&b, "- %s: %d\n", Name(p.Name), p.N)
	}
	if more := len(a.Patterns) - maxPatterns; more > 0 {
		fmt.Fprintf(&b, "- … %d more orders\n", more)
	}
	if len(a.Example) > 0 {
		fmt.Fprintf(&b, "**Example message structure:**\n```json\n%s\n```\n", example(a.Example))
	}
	return b.String()
}

// problems tells what is unusual.
func problems(a chat.Analysis, cut int) string {
	var all []string
	for _, one := range []struct {
		n    int
		what string
	}{
		{a.Nulls, "null"},
		{a.Empty, "an empty list"},
		{a.Other, "no list of messages"},
		{cut, "cut by the viewer and not read"},
		{a.NotAnswered, "not ending with the assistant"},
		{a.OutOfOrder, "with roles out of order (" + a.OrderProblem + ")"},
	} {
		if one.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", one.n, one.what))
		}
	}
	if a.Parts > 0 {
		all = append(all, fmt.Sprintf("%d message(s) whose content is no string", a.Parts))
	}
	if a.None > 0 {
		all = append(all, fmt.Sprintf("%d message(s) whose content is null", a.None))
	}
	if a.FromValue {
		all = append(all, "written with from/value")
	}
	if a.InText {
		all = append(all, "written as JSON in a text")
	}
	if len(all) == 0 {
		return ""
	}
	return "; " + strings.Join(all, ", ")
}

// present ticks off the members that are ever not null.
func present(a chat.Analysis) string {
	wanted := keys[:]
	if a.FromValue {
		wanted = slices.Concat([]string{"from", "value"}, wanted[2:])
	}
	var parts []string
	for _, k := range wanted {
		mark := "✗"
		if a.Keys[k] > 0 {
			mark = "✓"
		}
		parts = append(parts, k+" "+mark)
	}
	return strings.Join(parts, ", ")
}

// example is a message as JSON with short texts.
func example(raw json.RawMessage) string {
	members, err := viewer.Members(raw)
	if err != nil {
		return "{}"
	}
	var b bytes.Buffer
	b.WriteString("{")
	for i, m := range members[:min(len(members), 12)] {
		if i > 0 {
			b.WriteString(",")
		}
		value := newTypes(nil).json(viewer.Feature{}, m.Value, false)
		var text string
		if json.Unmarshal([]byte(value), &text) == nil && value != "null" {
			if short := excerpt.Head(text, exampleSize); short != text {
				text = strings.TrimRight(short, " ") + "…"
			}
			value = string(quoted(text))
		} else if r := []rune(value); len(r) > 4*exampleSize {
			value = string(quoted(string(r[:4*exampleSize]) + "…"))
		}
		fmt.Fprintf(&b, "\n  %s: %s", quoted(Name(m.Name)), strings.ReplaceAll(value, "```", "'''"))
	}
	b.WriteString("\n}")
	return b.String()
}
