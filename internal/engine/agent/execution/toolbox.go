// Package execution runs tool calls: it knows the tools and their schemas, checks
// arguments, runs a batch side by side and closes every call with exactly one
// result, whatever a tool does. Whether a call may run is decided elsewhere;
// nothing here asks a person or touches the history.
package execution

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/arguments"
)

// defaultOutput is the most characters of a result whose tool declares no
// limit; maxOutput is the ceiling for every tool.
const (
	defaultOutput = 30_000
	maxOutput     = 100_000
)

// Session is what running calls need of their session. Its functions are called
// from many goroutines.
type Session struct {
	SessionID string
	// TurnID is the turn that runs, Model the session's; they may be empty.
	TurnID, Model string
	// Append tells events, durably; an error means that the session is over.
	Append  func(ps ...event.Payload) error
	Plan    func() []event.PlanItem
	SetPlan func(items []event.PlanItem)
	// Reserve takes a call's worst case from the cap before it starts, and
	// returns the events that tell it, or why it does not fit.
	Reserve func(callID string, cost tool.Cost) ([]event.Payload, *event.Block)
	// Settle closes the reservation of a call, if it has one. keep says that a
	// failed call may have spent its estimate all the same.
	Settle func(callID string, r tool.Result, keep bool) []event.Payload
	// Room bounds the characters of one result; 0 leaves that to the tools.
	Room int
	// Grace is how long unfinished calls are waited for once the context is
	// done; 0 is 1.5 seconds.
	Grace time.Duration
	// Evidence numbers and tells what a call has looked up; nil keeps none.
	Evidence func(e event.Evidence) string
	// Checkpoint notes the workspace before a call that may change it; nil for
	// sessions without checkpoints.
	Checkpoint func(ctx context.Context, risk tool.Risk, callID string) Checkpointed
	// Finished runs what stands behind a call that ran and returns what it has to
	// say to the model; nil is nothing.
	Finished func(ctx context.Context, c *Call, r tool.Result) string
	// Steered is closed when a person wants to be heard; it may be nil.
	Steered <-chan struct{}
	// Heard tells text from outside that is no evidence; nil forgets it.
	Heard func(e event.Evidence)
	// Keep is told good results that are not text from outside, or may be the
	// user's own all the same; nil is told nothing.
	Keep func(output string)
	// Delegate does a call's task with an agent of its own; nil cannot.
	Delegate func(ctx context.Context, callID string, d tool.Delegation) tool.Report
	// Leaving reports that the program ends: unfinished calls are then left as
	// they are, for the next run to look after.
	Leaving func() bool
	// Abandoned says that the turn is closed, not taken up.
	Abandoned bool
	// Debug receives what only an operator should see.
	Debug func(text string)
}

// Toolbox are a session's tools, in the order the model sees: its own, then those
// that have joined. It belongs to one goroutine.
type Toolbox struct {
	own   []tool.Tool
	late  []tool.Tool
	specs []llm.ToolSpec
	index map[string]*registered
}

// registered is a tool with its compiled schema.
type registered struct {
	tool.Tool
	spec    tool.Spec
	checker *arguments.Checker
}

// New compiles the tools' schemas.
func New(tools []tool.Tool) (*Toolbox, error) {
	h := &Toolbox{own: tools, index: make(map[string]*registered, len(tools))}
	for _, t := range tools {
		if err := h.register(t); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *Toolbox) register(t tool.Tool) error {
	spec := t.Spec()
	if _, twice := h.index[spec.Name]; twice {
		return fmt.Errorf("register tool %s: the name is taken", spec.Name)
	}
	checker, err := arguments.Compile(spec.Parameters, spec.Synonyms)
	if err != nil {
		return fmt.Errorf("register tool %s: %w", spec.Name, err)
	}
	h.index[spec.Name] = &registered{Tool: t, spec: spec, checker: checker}
	h.specs = append(h.specs, llm.ToolSpec{Name: spec.Name, Description: spec.Description, Parameters: spec.Parameters})
	return nil
}

// Join makes tools the ones that have joined, in place of those before: what has
// stayed keeps its place, so that requests begin as they did; what is new stands
// behind, in the order given. One that cannot be registered is left out, and
// errs tells why. It reports whether the model sees something else than before.
func (h *Toolbox) Join(tools []tool.Tool) (changed bool, errs []error) {
	before := h.specs
	kept := func(t tool.Tool) int {
		name := t.Spec().Name
		return slices.IndexFunc(h.late, func(old tool.Tool) bool { return old.Spec().Name == name })
	}
	late := slices.Clone(tools)
	slices.SortStableFunc(late, func(a, b tool.Tool) int {
		// An index of -1, for a new tool, counts as the largest.
		return cmp.Compare(uint(kept(a)), uint(kept(b)))
	})
	for _, t := range h.late {
		delete(h.index, t.Spec().Name)
	}
	h.late, h.specs = nil, slices.Clone(before[:len(h.own)])
	for _, t := range late {
		if err := h.register(t); err != nil {
			errs = append(errs, err)
			continue
		}
		h.late = append(h.late, t)
	}
	return !slices.EqualFunc(before, h.specs, func(a, b llm.ToolSpec) bool {
		return a.Name == b.Name && a.Description == b.Description && bytes.Equal(a.Parameters, b.Parameters)
	}), errs
}

// Specs are the tools as the model sees them.
func (h *Toolbox) Specs() []llm.ToolSpec { return h.specs }

// closeLimit bounds the closing of tools at the end of a session: a sandbox is
// deleted then, with a few tries.
const closeLimit = 30 * time.Second

// Close ends what the session's own tools hold, also when ctx is done. It returns one error a
// tool.
func (h *Toolbox) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	var errs []error
	for _, t := range h.own {
		if c, ok := t.(tool.Closer); ok {
			if err := c.Close(ctx); err != nil {
				errs = append(errs, fmt.Errorf("close %s: %w", t.Spec().Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// Attach gives the session's own tools that go on between calls their session.
func (h *Toolbox) Attach(s tool.Session) {
	for _, t := range h.own {
		if c, ok := t.(tool.Companion); ok {
			c.Attach(s)
		}
	}
}

// Call is one tool call on its way through a batch.
type Call struct {
	llm.ToolCall
	// Args are the normalised arguments: what is shown, judged and run.
	Args json.RawMessage
	Risk tool.Risk
	// Failure is the result of a call that cannot run; empty otherwise.
	Failure string
	// Note goes in front of the result: the user changed the call.
	Note string
	// Edited says that a person changed the arguments.
	Edited bool
	// Why says why a person is asked; empty leaves it to Risk.Reason.
	Why string
	// Rules would let the call run without asking.
	Rules []string
	// Approved says that a person let it run.
	Approved bool
	// Announce says that it is told before it runs.
	Announce bool
	// Settled says that it needs no judgement any more: a person has decided about
	// it, or it had started. Asked says that its hooks have decided.
	Settled, Asked bool
	// Permitted says that a hook lets it run, Asks why one wants a person to decide.
	Permitted bool
	Asks      string

	tool  *registered
	notes []string // what was left out of the arguments
	heard []string // what hooks have to say to the model
}

// Prepare looks a call up, checks its arguments and replaces what they only
// name by what that is now.
func (h *Toolbox) Prepare(ctx context.Context, c llm.ToolCall) *Call {
	p := h.check(c)
	if p.Failure != "" {
		return p
	}
	if r, ok := p.tool.Tool.(tool.Resolver); ok {
		args, err := r.Resolve(ctx, p.Args)
		if err != nil {
			p.Failure = fmt.Sprintf("%s was not run: %v", c.Name, err)
			return p
		}
		p.Args = args
	}
	p.judge()
	return p
}

// Shown is Prepare for arguments that were shown to a person already: nothing
// in them is looked up again.
func (h *Toolbox) Shown(c llm.ToolCall, args json.RawMessage) *Call {
	p := h.check(llm.ToolCall{ID: c.ID, Name: c.Name, Arguments: string(args)})
	p.Arguments = c.Arguments // the history keeps what the model wrote
	if p.Failure == "" {
		p.judge()
	}
	return p
}

// judge learns the call's risk. Its reason may hold words of the arguments; a
// person reads it before saying yes, so it must read as what it is.
func (p *Call) judge() {
	p.Risk = p.tool.Risk(p.Args)
	p.Risk.Reason = visible(p.Risk.Reason)
}

// visible writes out what is not seen, or changes how the rest is seen: control
// characters and those of formatting, among them the ones that turn the order
// of others around.
func visible(s string) string {
	hidden := func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
	}
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (h *Toolbox) check(c llm.ToolCall) *Call {
	p := &Call{ToolCall: c, Announce: true}
	t, ok := h.index[c.Name]
	if !ok {
		p.Failure = fmt.Sprintf("Unknown tool %q. %s", c.Name, h.nearest(c.Name))
		return p
	}
	p.tool = t
	args, notes, err := t.checker.Check(c.Arguments)
	if err != nil {
		p.Failure = fmt.Sprintf("Invalid arguments for %s: %v. The tool was not run.", c.Name, err)
		if t.spec.Example != nil {
			p.Failure += " For example: " + string(t.spec.Example)
		}
		p.Announce = !errors.Is(err, arguments.ErrWrapped)
		return p
	}
	p.Args, p.notes = args, notes
	return p
}

func (h *Toolbox) nearest(name string) string {
	names := make([]string, 0, len(h.specs))
	for _, s := range h.specs {
		names = append(names, s.Name)
	}
	if close := arguments.Closest(name, names, 3); len(close) > 0 {
		return "Did you mean " + strings.Join(close, ", ") + "?"
	}
	return "The tools are: " + strings.Join(names, ", ") + "."
}

// ShownArguments are the arguments as people see them.
func (c *Call) ShownArguments() json.RawMessage {
	if c.Args != nil {
		return c.Args
	}
	if c.Arguments != "" && json.Valid([]byte(c.Arguments)) {
		return json.RawMessage(c.Arguments)
	}
	return json.RawMessage("{}")
}

// Known reports whether the tool exists.
func (c *Call) Known() bool { return c.tool != nil }

// Ask says why a person is asked about the call, in words that show what they
// are.
func (c *Call) Ask(why string) { c.Why = visible(why) }

// dress adds what the model should know beside the tool's own words. room
// bounds the characters of a sub-agent's results; 0 is none.
func (c *Call) dress(output string, room int) string {
	if c.tool != nil {
		output = head(clip(output, c.tool.limit()), room)
	}
	if c.Note != "" {
		output = c.Note + "\n" + output
	}
	if len(c.notes) > 0 {
		output += "\n(note: " + strings.Join(c.notes, "; ") + ")"
	}
	for _, text := range c.heard {
		output += "\n" + text
	}
	return output
}

// limit is how many characters a result of the tool may have.
func (t *registered) limit() int {
	if t.spec.MaxOutput <= 0 {
		return defaultOutput
	}
	return min(t.spec.MaxOutput, maxOutput)
}

// head bounds a result to its first limit characters; 0 is no bound. Tools that
// know how much room there is have cut their own results, with a way to go on.
func head(output string, limit int) string {
	if limit <= 0 || len(output) <= limit {
		return output
	}
	count := utf8.RuneCountInString(output)
	if count <= limit {
		return output
	}
	first := excerpt.Head(output, limit-roomForNote)
	return fmt.Sprintf("%s\n… (the first %d of %d characters: ask for a smaller part, or for one further on)",
		strings.TrimRight(first, "\n"), utf8.RuneCountInString(first), count)
}

// roomForNote is what the note about a cut takes, in characters.
const roomForNote = 120

// clip bounds a result to limit characters, keeping head and tail.
func clip(output string, limit int) string {
	if len(output) <= limit { // bytes bound characters from above
		return output
	}
	count := utf8.RuneCountInString(output)
	if count <= limit {
		return output
	}
	head, tail := limit/4, limit-limit/4
	first, last := excerpt.Head(output, head), excerpt.Tail(output, tail)
	shown := utf8.RuneCountInString(first) + utf8.RuneCountInString(last)
	return fmt.Sprintf("%s\n… (%d of %d characters omitted) …\n%s", first, count-shown, count, last)
}
