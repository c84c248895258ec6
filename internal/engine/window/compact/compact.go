package compact

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// Sizes of the steps, in tokens unless they say otherwise.
const (
	// oversize is the most a single message may keep.
	oversize = 50_000
	// keptEnds is how many characters of each end of a shortened text stay.
	keptEnds = 500
	// maxParts bounds the model calls of one summary in parts.
	maxParts = 12
)

// Options say what a [Compactor] works with.
type Options struct {
	// Window is the model's input window in tokens.
	Window int
	// Threshold is the estimate above which Run condenses; 0 means nine tenths
	// of Window.
	Threshold int
	// Overhead is what every request carries besides messages: tool definitions.
	Overhead int
	// Estimate counts one message; nil means [window.Message].
	Estimate func(llm.Message) int
	// Summarise asks a model to continue msgs, which end with our instruction,
	// with at most maxTokens of text. It retries by itself. nil means that no
	// model may be asked.
	Summarise func(ctx context.Context, msgs []llm.Message, maxTokens int) (string, error)
	// Wishes say what a person wants the summary to keep; empty for nothing in
	// particular.
	Wishes string
	// Facts tells what the session knows for certain; nil means nothing.
	Facts func() Facts
}

// Facts enter a summary from the session's state, not from a model's memory.
type Facts struct {
	Plan []event.PlanItem
	// Jobs are running jobs, one line each, beginning with the id.
	Jobs []string
	// Sandbox describes the active sandbox in one line; empty for none.
	Sandbox string
	// Files and Repos are what the session has made or changed.
	Files []string
	Repos []string
}

// Step is one thing that was done to shorten a history.
type Step string

// The steps, from the gentlest to the last.
const (
	StepOversize   Step = "oversize"   // single huge messages became placeholders
	StepSummary    Step = "summary"    // a model summarised the middle
	StepParts      Step = "parts"      // … in several parts
	StepMechanical Step = "mechanical" // the middle was listed without a model
	StepElide      Step = "elide"      // old tool outputs lost their inside
	StepTrim       Step = "trim"       // the oldest of the newest messages were dropped
	StepFirst      Step = "first"      // the first user message was cut to fit
)

// Result is a history that was condensed, or the old one where there was
// nothing to do. Sizes are estimates that include the overhead.
type Result struct {
	Messages  []llm.Message
	OldTokens int
	NewTokens int
	Steps     []Step // empty when Messages is the old history
	// Fits is false only when the overhead, the system message and what little
	// must stay of the first user message are too long by themselves.
	Fits bool
}

// Changed reports whether Messages differs from the old history.
func (r Result) Changed() bool { return len(r.Steps) > 0 }

// Compactor condenses histories. It keeps the system message, the first
// message of the person and the newest messages, and replaces what lies
// between by one summary. It holds no state.
type Compactor struct{ o Options }

// New checks o and returns a Compactor.
func New(o Options) (*Compactor, error) {
	if o.Window <= 0 {
		return nil, fmt.Errorf("new compactor: window is %d, want a positive number of tokens", o.Window)
	}
	if o.Threshold < 0 || o.Threshold > o.Window {
		return nil, fmt.Errorf("new compactor: threshold is %d, want 0 to the window of %d", o.Threshold, o.Window)
	}
	if o.Overhead < 0 {
		return nil, fmt.Errorf("new compactor: overhead is %d, want no negative number", o.Overhead)
	}
	if o.Threshold == 0 {
		o.Threshold = window.Threshold(o.Window)
	}
	if o.Estimate == nil {
		o.Estimate = window.Message
	}
	return &Compactor{o}, nil
}

// Run condenses msgs when they are above the threshold, or in any case with
// force. It never fails for want of a model: each step that does not work is
// followed by a cheaper one. The only error is that of a cancelled ctx; then
// the result is the old history. msgs is not modified.
func (c *Compactor) Run(ctx context.Context, msgs []llm.Message, force bool) (Result, error) {
	w := c.open(msgs, c.o.Window, c.o.Threshold)
	old := w.size()
	same := Result{Messages: msgs, OldTokens: old, NewTokens: old, Fits: old <= c.o.Threshold}
	if !force && same.Fits {
		return same, nil
	}
	w.placehold()
	// Stopping close below the threshold would soon begin again, and break the
	// provider's prompt cache twice.
	if force || w.size() > c.o.Threshold*2/3 {
		w.split(force)
		if err := w.condense(ctx, c.o.Summarise); err != nil {
			return same, err
		}
	}
	w.squeeze()
	out := w.result(old)
	if same.Fits && out.NewTokens >= old {
		return same, nil
	}
	return out, nil
}

// RunWithoutModel condenses msgs to limit tokens with the steps that need no
// model. It is the last resort after a provider has refused a condensed
// history again.
func (c *Compactor) RunWithoutModel(msgs []llm.Message, limit int) Result {
	limit = max(limit, 1)
	w := c.open(msgs, limit, window.Threshold(limit))
	old := w.size()
	w.placehold()
	w.split(true)
	// Without a model there is no call that could be cancelled.
	_ = w.condense(context.Background(), nil)
	w.squeeze()
	return w.result(old)
}

// unit is a run of messages that is never torn apart: an answer with its
// results, or a single message.
type unit struct {
	msgs   []llm.Message
	tokens int
}

// work is one history being condensed.
type work struct {
	c       *Compactor
	window  int
	target  int    // the size to reach
	head    []unit // system message, what stands before the person's first message, that message
	first   int    // index of the person's first message in head, -1 for none
	middle  []unit // what the summary replaces
	summary string
	tail    []unit // the newest messages
	steps   []Step
}

func (c *Compactor) open(msgs []llm.Message, window, target int) *work {
	w := &work{c: c, window: window, target: target, first: -1}
	units := c.units(msgs)
	cut := 0
	if len(msgs) > 0 && msgs[0].Role == llm.System {
		cut = 1
	}
	for i := cut; i < len(units); i++ {
		if fromPerson(&units[i].msgs[0]) {
			w.first, cut = i, i+1
			break
		}
	}
	w.head, w.tail = units[:cut:cut], units[cut:]
	return w
}

func (c *Compactor) units(msgs []llm.Message) []unit {
	var units []unit
	for i := range msgs {
		m := msgs[i : i+1 : i+1]
		if msgs[i].Role == llm.ToolRole && len(units) > 0 {
			u := &units[len(units)-1]
			u.msgs = append(u.msgs, m...)
			u.tokens += c.o.Estimate(msgs[i])
			continue
		}
		units = append(units, unit{m, c.o.Estimate(msgs[i])})
	}
	return units
}

func fromPerson(m *llm.Message) bool { return m.Role == llm.User && !m.Synthetic }

func textOnly(m *llm.Message) bool { return m.Role == llm.Assistant && len(m.ToolCalls) == 0 }

func total(units []unit) int {
	n := 0
	for _, u := range units {
		n += u.tokens
	}
	return n
}

// size is the estimate of a request with what is left.
func (w *work) size() int {
	n := w.c.o.Overhead + total(w.head) + total(w.middle) + total(w.tail)
	for _, m := range w.summaryMessages() {
		n += w.c.o.Estimate(m)
	}
	return n
}

func (w *work) did(s Step) {
	if !slices.Contains(w.steps, s) {
		w.steps = append(w.steps, s)
	}
}

// split moves what is older than the newest quarter of the window from the
// tail to the middle. When asked for by a person it also does so in a short
// history, with the newest quarter of that.
func (w *work) split(force bool) {
	room := w.window / 4
	if force {
		room = min(room, total(w.tail)/4)
	}
	cut := len(w.tail)
	for cut > 0 {
		room -= w.tail[cut-1].tokens
		if room < 0 && cut < len(w.tail) {
			break
		}
		cut--
	}
	// An answer is of little use without the question before it.
	if cut > 1 && cut < len(w.tail) && textOnly(&w.tail[cut].msgs[0]) &&
		fromPerson(&w.tail[cut-1].msgs[0]) && w.tail[cut-1].tokens <= w.window/8 {
		cut--
	}
	w.middle, w.tail = w.tail[:cut:cut], w.tail[cut:]
	// What stands before the person's first message is older than all that.
	if lead := w.leading(); w.first > lead {
		w.middle = slices.Concat(w.head[lead:w.first], w.middle)
		w.head = append(w.head[:lead:lead], w.head[w.first])
		w.first = lead
	}
}

// condense replaces the middle by a summary, from a model where that works.
func (w *work) condense(ctx context.Context, ask askFunc) error {
	if len(w.middle) == 0 {
		return nil
	}
	known := ""
	if ask != nil {
		s := summariser{w: w, ask: ask, maxTokens: max(w.window/10, 256)}
		text, step, err := s.run(ctx)
		if err == nil {
			w.adopt(compose(text, w.facts()), step)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		known = text // what earlier parts said
	}
	w.adopt(w.mechanical(w.middle, known), StepMechanical)
	return nil
}

func (w *work) adopt(summary string, step Step) {
	w.summary = cutTo(summary, max(w.window/8, 256))
	w.middle = nil
	w.did(step)
}

// leading is the number of system messages at the front.
func (w *work) leading() int {
	if len(w.head) > 0 && w.head[0].msgs[0].Role == llm.System {
		return 1
	}
	return 0
}

// facts are the session's, with the plan of the history where it knows none.
func (w *work) facts() Facts {
	var f Facts
	if w.c.o.Facts != nil {
		f = w.c.o.Facts()
	}
	if len(f.Plan) == 0 {
		f.Plan = window.PlanAt(flat(w.middle, w.tail))
	}
	return f
}

func flat(groups ...[]unit) []llm.Message {
	var out []llm.Message
	for _, units := range groups {
		for _, u := range units {
			out = append(out, u.msgs...)
		}
	}
	return out
}

func (w *work) result(old int) Result {
	out := Result{OldTokens: old, NewTokens: w.size(), Steps: w.steps}
	bare := len(w.middle) == 0 && len(w.tail) == 0 && w.summary == ""
	out.Fits = out.NewTokens <= w.target || bare && out.NewTokens <= w.window
	out.Messages = append(flat(w.head), w.summaryMessages()...)
	out.Messages = append(out.Messages, flat(w.middle, w.tail)...)
	return out
}

// summaryMessages are the summary and, where an answer would follow it
// directly or nothing would, a line that keeps the roles alternating: some
// providers refuse reasoning that does not open an answer, and all refuse a
// request that ends with one.
func (w *work) summaryMessages() []llm.Message {
	var out []llm.Message
	if w.summary != "" {
		out = append(out, llm.Message{Role: llm.Assistant, Text: w.summary})
	}
	if w.summary != "" && (len(w.tail) == 0 || w.tail[0].msgs[0].Role != llm.User) {
		out = append(out, llm.Message{Role: llm.User, Text: bridge, Synthetic: true})
	}
	return out
}

// tooLong reports whether err says that a request did not fit.
func tooLong(err error) bool {
	var f *llm.Fault
	if !errors.As(err, &f) {
		return false
	}
	switch f.Class {
	case llm.ClassOverflow, llm.ClassRequestTooLarge, llm.ClassMaxTokensTooLarge:
		return true
	}
	return false
}
