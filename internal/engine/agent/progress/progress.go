// Package progress decides how a turn goes on after each answer: whether it was
// cut, empty, a repetition, or an end although the plan is not finished. It
// reads answers and keeps counts; carrying a decision out is its owner's.
package progress

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/guard"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
)

// Stop reasons of turn_complete.
const (
	StopAnswer        = "answer"
	StopMaxIterations = "max_iterations"
	StopEmpty         = "empty_response"
	StopTruncated     = "truncated"
	StopLoop          = "doom_loop"
	StopTerminated    = "terminated"
)

// Progress is what is known about the running turn. It survives gates.
type Progress struct {
	ID         string
	Attempt    int
	Iterations int // model calls that could use tools
	// PlanCalled says that the plan was set in this turn.
	PlanCalled bool
	// Forced counts the compactions that the provider has forced.
	Forced int
	// ToolRetry says that a call the provider could not read was sent back.
	ToolRetry bool
	// Hint is what the model is told once the open calls are done.
	Hint string
	// Refused is the pattern of a repetition whose round is not run.
	Refused string

	polls      map[string]bool // calls that only wait, by id
	planNudges int
	truncation guard.Truncation
	pieces     []string // text of a cut answer so far
	empties    int
	repetition guard.Repetition
}

// New returns the progress of a new turn.
func New(id string, attempt int) *Progress {
	c := &Progress{ID: id, Attempt: attempt, polls: map[string]bool{}}
	c.repetition.Poll = func(call llm.ToolCall) bool { return c.polls[call.ID] || guard.PureWait(call) }
	return c
}

// Polls notes that a call only waits for something to change.
func (c *Progress) Polls(callID string) { c.polls[callID] = true }

// Next is what to do with an answer. The zero value asks once more, unchanged.
type Next struct {
	Store bool   // the answer enters the history
	Calls bool   // it has calls: look at the round, then run them
	Log   string // a line for people
	Say   string // what the model is told next
	// Answer is the turn's answer, unless something is left to do.
	Answer *string
	// Stop ends the turn, with Final or with Close, a text of our own.
	Stop  string
	Final *string
	Close string
	// Fault ends the turn with an error.
	Fault *event.Error
}

// Read judges a finished answer.
func (c *Progress) Read(r inference.Reply) Next {
	c.Refused = ""
	if !r.Message.Empty() || len(r.Cut) > 0 {
		c.empties = 0
	}
	switch {
	case r.Finish == llm.FinishFiltered:
		return Next{Fault: filtered(r)}
	case len(r.Cut) > 0, r.Finish == llm.FinishLength && len(r.Message.ToolCalls) > 0:
		return c.cutCalls(r)
	case len(r.Message.ToolCalls) > 0:
		c.truncation.Whole()
		c.planNudges, c.pieces = 0, nil
		return Next{Store: true, Calls: true}
	case r.Message.Empty():
		return c.empty()
	case r.Finish == llm.FinishLength:
		return c.cutText(r)
	}
	text := strings.Join(append(c.pieces, r.Message.Text), "")
	c.truncation.Whole()
	c.pieces = nil
	return Next{Store: true, Answer: &text}
}

// filtered tells that the provider withheld the answer.
func filtered(r inference.Reply) *event.Error {
	text := "the model declined to answer"
	if r.Explanation != "" {
		text += ": " + r.Explanation
	}
	return &event.Error{
		Error: text, Code: "internal", Class: string(llm.FinishFiltered),
		Hint: "Rephrase the request, or switch models with --model.",
	}
}

func (c *Progress) empty() Next {
	c.empties++
	switch c.empties {
	case 1:
		return Next{}
	case 2:
		return Next{Say: guard.EmptyReply()}
	}
	text := guard.EmptyResponse()
	return Next{Stop: StopEmpty, Final: &text}
}

// cutCalls keeps the complete calls of an answer that hit its length limit;
// they run, and then the model is told which ones were lost.
func (c *Progress) cutCalls(r inference.Reply) Next {
	c.pieces = nil
	var kept []string
	for _, call := range r.Message.ToolCalls {
		kept = append(kept, call.Name)
	}
	text, more := c.truncation.Calls(kept, r.Cut)
	n := Next{Store: true, Log: guard.TruncationLog(r.Cut)}
	if !more {
		n.Stop, n.Close = StopTruncated, text
		return n
	}
	c.Hint = text
	return n
}

// cutText asks the model to go on with an answer that hit its length limit.
func (c *Progress) cutText(r inference.Reply) Next {
	c.pieces = append(c.pieces, r.Message.Text)
	n := Next{Store: true, Log: guard.TruncationLog(nil)}
	more := false
	if n.Say, more = c.truncation.Text(); !more {
		text := strings.Join(c.pieces, "")
		n.Stop, n.Final = StopTruncated, &text
	}
	return n
}

// Continued is what the model is told about a cut text that an earlier run of
// the program has stored.
func (c *Progress) Continued(text string) string {
	c.pieces = append(c.pieces, text)
	say, _ := c.truncation.Text()
	return say
}

// Unfinished returns what sends the model back to its plan when an answer
// should not end the turn.
func (c *Progress) Unfinished(plan []event.PlanItem, answer string, headless, cancelled bool) (say string, ok bool) {
	say, ok = guard.Plan(guard.PlanState{
		Plan: plan, Answer: answer, Touched: c.PlanCalled, Headless: headless, Cancelled: cancelled, Nudges: c.planNudges,
	})
	if ok {
		c.planNudges++
	}
	return say, ok
}

// Before looks for repetition and malformed calls before a model call.
func (c *Progress) Before(messages []llm.Message) (says []string, log, end string) {
	if hit, ok := c.repetition.Check(messages); ok {
		if hit.Action == guard.End {
			return nil, "", guard.DoomLoop(hit.Pattern, hit.Count)
		}
		says = append(says, hit.Text)
	}
	if name, text, ok := guard.Malformed(messages); ok {
		says, log = append(says, text), guard.MalformedLog(name)
	}
	return says, log, ""
}

// Round looks at new calls before they run; end is the text that ends the turn.
func (c *Progress) Round(calls []llm.ToolCall) (end string) {
	switch hit := c.repetition.Judge(calls); hit.Action {
	case guard.Refuse:
		c.Refused = hit.Pattern
	case guard.End:
		return guard.DoomLoop(hit.Pattern, hit.Count)
	}
	return ""
}

// WithoutCutCalls leaves out calls that the output limit has cut in the middle
// of their arguments, where the provider has not done so itself.
func WithoutCutCalls(r inference.Reply) inference.Reply {
	if r.Finish != llm.FinishLength {
		return r
	}
	var whole []llm.ToolCall
	for _, c := range r.Message.ToolCalls {
		if _, err := guard.Arguments(c.Arguments); err != nil {
			r.Cut = append(r.Cut, c.Name)
			continue
		}
		whole = append(whole, c)
	}
	r.Message.ToolCalls = whole
	return r
}

// Overflow reports whether a call failed because the context is too long.
func Overflow(f *llm.Fault) bool {
	return f.Class == llm.ClassOverflow || f.Class == llm.ClassRequestTooLarge || f.Class == llm.ClassMaxTokensTooLarge
}
