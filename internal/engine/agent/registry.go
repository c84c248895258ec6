package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/arguments"
)

// defaultOutput is the most characters of a result whose tool declares no
// limit; maxOutput is the engine's ceiling for every tool.
const (
	defaultOutput = 30_000
	maxOutput     = 100_000
)

// registered is a tool with its compiled schema.
type registered struct {
	tool.Tool
	spec    tool.Spec
	checker *arguments.Checker
}

// register fixes the tools and their order for the session.
func (a *Agent) register(tools []tool.Tool) error {
	a.index = make(map[string]*registered, len(tools))
	for _, t := range tools {
		spec := t.Spec()
		if _, twice := a.index[spec.Name]; twice {
			return fmt.Errorf("register tool %s: the name is taken", spec.Name)
		}
		checker, err := arguments.Compile(spec.Parameters)
		if err != nil {
			return fmt.Errorf("register tool %s: %w", spec.Name, err)
		}
		a.index[spec.Name] = &registered{Tool: t, spec: spec, checker: checker}
		a.tools = append(a.tools, t)
		a.specs = append(a.specs, llm.ToolSpec{Name: spec.Name, Description: spec.Description, Parameters: spec.Parameters})
	}
	return nil
}

// call is one tool call on its way through a batch.
type call struct {
	llm.ToolCall
	tool  *registered
	args  json.RawMessage // normalised: what is shown, judged and run
	notes []string
	risk  tool.Risk
	// failure is the result of a call that cannot run; empty otherwise.
	failure string
	// note goes in front of the result: the user changed the call.
	note string
}

// prepare looks a call up and checks its arguments.
func (a *Agent) prepare(c llm.ToolCall) *call {
	p := &call{ToolCall: c}
	t, ok := a.index[c.Name]
	if !ok {
		p.failure = fmt.Sprintf("Unknown tool %q. %s", c.Name, a.nearest(c.Name))
		return p
	}
	p.tool = t
	args, notes, err := t.checker.Check(c.Arguments)
	if err != nil {
		p.failure = fmt.Sprintf("Invalid arguments for %s: %v. The tool was not run.", c.Name, err)
		if errors.Is(err, arguments.ErrMalformed) {
			p.failure = fmt.Sprintf("ERROR: Tool call to '%s' had malformed JSON arguments and was not executed: %v.", c.Name, err)
		}
		return p
	}
	p.args, p.notes = args, notes
	p.risk = t.Risk(args)
	return p
}

func (a *Agent) nearest(name string) string {
	names := make([]string, 0, len(a.specs))
	for _, s := range a.specs {
		names = append(names, s.Name)
	}
	if close := arguments.Closest(name, names, 3); len(close) > 0 {
		return "Did you mean " + strings.Join(close, ", ") + "?"
	}
	return "The tools are: " + strings.Join(names, ", ") + "."
}

// clip bounds a result to what its tool may return, keeping head and tail.
func (t *registered) clip(output string) string {
	limit := t.spec.MaxOutput
	if limit <= 0 {
		limit = defaultOutput
	}
	limit = min(limit, maxOutput)
	if len(output) <= limit { // bytes bound characters from above
		return output
	}
	runes := []rune(output)
	if len(runes) <= limit {
		return output
	}
	head, tail := limit/4, limit-limit/4
	return fmt.Sprintf("%s\n… (%d of %d characters omitted) …\n%s",
		string(runes[:head]), len(runes)-head-tail, len(runes), string(runes[len(runes)-tail:]))
}
