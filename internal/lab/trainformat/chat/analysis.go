package chat

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// patternRoles is how many roles of a pattern are written out.
const patternRoles = 8

// Count is how often something was seen.
type Count struct {
	Name string
	N    int
}

// Analysis tells about the conversations of one column.
type Analysis struct {
	// Cells are all that were read; Nulls have no value, Empty an empty list,
	// and Other something that is no conversation.
	Cells, Nulls, Empty, Other int
	FromValue, InText          bool
	// Roles counts messages, Patterns conversations by their order of roles.
	Roles, Patterns         []Count
	Messages                int
	Fewest, Median, Most    int // messages of a conversation
	System                  int // conversations with a system prompt
	Keys                    map[string]int
	ToolCalls, ToolResults  int    // messages
	Objects, Strings        int    // calls by how their arguments are written
	Parts, None             int    // messages whose content is no string, or null
	NotAnswered, OutOfOrder int    // conversations
	OrderProblem            string // of the first that is out of order
	// Example is a message: one with tool calls, else the first answer, else
	// the first that is no system prompt.
	Example json.RawMessage
}

// Conversations is how many cells hold messages.
func (a Analysis) Conversations() int { return a.Cells - a.Nulls - a.Empty - a.Other }

// Analyse reads the cells of a column.
func Analyse(cells []json.RawMessage) Analysis {
	a := Analysis{Cells: len(cells), Keys: map[string]int{}}
	roles, patterns := map[string]int{}, map[string]int{}
	var lengths []int
	best := 0
	for _, cell := range cells {
		if null(cell) {
			a.Nulls++
			continue
		}
		c, ok := Read(cell)
		switch {
		case !ok:
			a.Other++
			continue
		case len(c.Messages) == 0:
			a.Empty++
			continue
		}
		a.FromValue, a.InText = a.FromValue || c.FromValue, a.InText || c.InText
		order := c.Roles()
		patterns[Pattern(order)]++
		lengths = append(lengths, len(order))
		if slices.ContainsFunc(order, func(r string) bool { return Plain(r) == "system" }) {
			a.System++
		}
		if Plain(order[len(order)-1]) != "assistant" {
			a.NotAnswered++
		}
		if d := Disorder(order); d != "" {
			a.OutOfOrder++
			a.OrderProblem = cmp.Or(a.OrderProblem, d)
		}
		for _, m := range c.Messages {
			roles[m.Role]++
			a.add(m)
			if r := rank(m); r > best {
				best, a.Example = r, m.Raw
			}
		}
	}
	a.Roles, a.Patterns = counted(roles), counted(patterns)
	if slices.Sort(lengths); len(lengths) > 0 {
		a.Fewest, a.Median, a.Most = lengths[0], lengths[len(lengths)/2], lengths[len(lengths)-1]
	}
	return a
}

func (a *Analysis) add(m Message) {
	a.Messages++
	for _, k := range m.Keys {
		a.Keys[k]++
	}
	if m.ToolCalls > 0 {
		a.ToolCalls++
	}
	if Plain(m.Role) == "tool" {
		a.ToolResults++
	}
	a.Objects += m.Objects
	a.Strings += m.Strings
	if m.Parts {
		a.Parts++
	}
	if m.None {
		a.None++
	}
}

// rank is how good an example a message is.
func rank(m Message) int {
	switch {
	case m.ToolCalls > 0:
		return 4
	case Plain(m.Role) == "assistant":
		return 3
	case Plain(m.Role) != "system":
		return 2
	}
	return 1
}

// counted sorts, the most frequent first.
func counted(m map[string]int) []Count {
	all := make([]Count, 0, len(m))
	for name, n := range m {
		all = append(all, Count{name, n})
	}
	slices.SortFunc(all, func(x, y Count) int {
		return cmp.Or(cmp.Compare(y.N, x.N), cmp.Compare(x.Name, y.Name))
	})
	return all
}

// Pattern writes an order of roles, such as "system → (user → assistant) ×3".
func Pattern(roles []string) string {
	head, rest := "", roles
	if len(rest) > 0 && Plain(rest[0]) == "system" {
		head, rest = rest[0]+" → ", rest[1:]
	}
	pairs := len(rest) / 2
	if pairs > 1 && len(rest)%2 == 0 {
		same := true
		for i := 2; i < len(rest); i++ {
			same = same && rest[i] == rest[i-2]
		}
		if same {
			return fmt.Sprintf("%s(%s → %s) ×%d", head, rest[0], rest[1], pairs)
		}
	}
	if len(rest) > patternRoles {
		return fmt.Sprintf("%s%s → … (%d messages)", head, strings.Join(rest[:patternRoles], " → "), len(roles))
	}
	return strings.TrimSuffix(head+strings.Join(rest, " → "), " → ")
}
