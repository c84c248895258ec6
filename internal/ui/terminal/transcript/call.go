package transcript

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/ui/agents"
	"github.com/ml-intern/ml-intern/internal/ui/sentence"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/meaning"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
)

// planTool's output is the plan in words, which is shown.
const planTool = "plan_tool"

const (
	// argsKept is the most characters that are kept of a call's arguments.
	argsKept = 4000
	// failureLines is how much is shown of a failed call's output, verboseLines
	// of one that is shown in full.
	failureLines = 10
	verboseLines = 400
	// mostOutput is the most bytes of an output that are looked at for that.
	mostOutput = 200_000
)

// call is a tool call that has no result yet.
type call struct {
	id, tool string
	args     string
	means    string
	began    time.Time
	running  bool
	// refused: a person has said no, its result tells nothing new.
	refused bool
	log     string // its newest line
	url     string
	files   []event.FileChanged
}

func (t *Transcript) newCall(id, tool string, args json.RawMessage, at time.Time) *call {
	c := &call{id: id, tool: oneLine(tool), began: at}
	t.takes(c, args)
	return c
}

// takes sets the arguments of a call.
func (t *Transcript) takes(c *call, args json.RawMessage) {
	if len(args) > 0 {
		c.args, c.means = excerpt.Head(string(args), argsKept), t.page.Ours(meaning.Of(c.tool, args))
	}
}

func (t *Transcript) call(id string) *call {
	for _, c := range slices.Backward(t.calls) {
		if c.id == id {
			return c
		}
	}
	return nil
}

// known returns the call with this id, a new one if there is none.
func (t *Transcript) known(id, tool string, args json.RawMessage, at time.Time) *call {
	if c := t.call(id); c != nil {
		t.takes(c, args)
		return c
	}
	c := t.newCall(id, tool, args, at)
	t.calls = append(t.calls, c)
	return c
}

// called shows a call that runs without asking.
func (t *Transcript) called(in event.ToolCall, at time.Time) {
	if in.AgentID == "" {
		t.thinkingOver(at)
		t.run(t.known(in.ToolCallID, in.Tool, in.Arguments, at), at)
	}
}

func (t *Transcript) started(in event.ToolStarted, at time.Time) {
	if in.AgentID == "" {
		c := t.known(in.ToolCallID, in.Tool, nil, at)
		t.run(c, at)
		c.began = at // until now it may have waited for its turn
	}
}

// run notes that a call has begun, and tells it where nothing can be drawn
// anew.
func (t *Transcript) run(c *call, at time.Time) {
	if c.running {
		return
	}
	c.running, c.began = true, at
	if t.opts.Plain && c.tool != planTool {
		t.Say(theme.Dim, join(": ", "tool "+c.tool+" started", c.means))
	}
}

// logged shows a line of progress: the newest one with its call, the others in
// passing.
func (t *Transcript) logged(in event.ToolLog, at time.Time) {
	if in.AgentID != "" {
		t.agentLogged(in, at)
		return
	}
	if c := t.call(in.ToolCallID); c != nil {
		lines := strings.TrimRight(page.Tail(in.Log, 1000), " \t\r\n")
		if line := oneLine(lines[strings.LastIndexAny(lines, "\r\n")+1:]); line != "" {
			c.log = line
		}
		return
	}
	text := excerpt.Head(strings.TrimRight(in.Log, "\n"), mostOutput)
	if in.Tool != "system" {
		text = in.Tool + ": " + text
	}
	t.Say(theme.Dim, text)
}

// agentLogged folds a line of a sub-agent.
func (t *Transcript) agentLogged(in event.ToolLog, at time.Time) {
	switch a, kind := t.crew.Log(in, at); {
	case kind == agents.Word:
		t.Say(theme.Dim, a.Label+": "+oneLine(in.Log))
	case kind == agents.Began && t.opts.Plain:
		t.Say(theme.Dim, a.Label+" started")
	}
}

// changed folds a step in the life of a call.
func (t *Transcript) changed(in event.ToolStateChange, at time.Time) {
	c := t.call(in.ToolCallID)
	if c != nil && in.JobURL != "" {
		c.url = oneLine(in.JobURL)
	}
	switch in.State {
	case "approved", "rejected", "abandoned":
		t.answers(in, c, at)
	case "running":
		t.run(t.known(in.ToolCallID, in.Tool, nil, at), at)
	case "billing_required":
		t.Say(theme.Warning, join(" in ", oneLine(in.Tool)+": there are no credits left", oneLine(in.Namespace)))
	}
}

// checkpoint notes what a call has changed in the workspace: it stands in the
// call's line, or in one of its own where that is printed.
func (t *Transcript) checkpoint(in event.Checkpoint) {
	if c := t.call(in.ToolCallID); c != nil {
		c.files = append(c.files, in.Files...)
		return
	}
	if len(in.Files) == 0 || t.shelf.Counted(in.ToolCallID) {
		return
	}
	const most = 3
	var parts []string
	for i, f := range in.Files {
		if i == most {
			parts = append(parts, count(len(in.Files)-most, "more file"))
			break
		}
		parts = append(parts, oneLine(f.Path)+" +"+amount.Grouped(f.Added)+t.page.Ours(" −")+amount.Grouped(f.Removed))
	}
	t.Say(theme.Dim, "changed "+join(", ", parts...))
}

// finished shows the result of a call.
func (t *Transcript) finished(in event.ToolOutput, at time.Time) {
	if in.AgentID != "" {
		return
	}
	t.settle(in.ToolCallID, false, at)
	c := t.call(in.ToolCallID)
	if c == nil {
		if sentence.AboutMoney(in.Tool) {
			return
		}
		c = t.newCall(in.ToolCallID, in.Tool, nil, at)
	}
	t.calls = slices.DeleteFunc(t.calls, func(o *call) bool { return o == c })
	t.turn.calls++
	changes := t.changes(c, in)
	took := max(0, at.Sub(c.began))
	number := t.shelf.Add(Tool{
		ID: c.id, Name: c.tool, Args: c.args, Means: c.means, Took: took, Size: len(in.Output),
		OK: in.Success, Output: in.Output, Counted: changes != nil,
	})
	agent := t.crew.End(c.id)
	if t.page.Quiet || c.refused {
		return
	}
	t.page.Block(page.Note)
	if agent != nil {
		t.page.Line(t.agentLine(agent, in.Success, at))
	} else {
		t.page.Line(t.resultLine(c, in, changes, took))
	}
	switch {
	case t.opts.Verbose, c.tool == planTool && in.Success:
		t.output(in.Output, verboseLines, number)
	case !in.Success:
		t.failure(in.Output)
	}
}

// callRow is a line about a call.
func (t *Transcript) callRow(glyph theme.Glyph, role theme.Role, c *call, tail ...page.Piece) string {
	head := []page.Piece{{Text: "  "}, {Role: role, Text: t.theme.Glyph(glyph)}, {Role: theme.Strong, Text: " " + c.tool + "  "}}
	return t.page.Row(head, page.Piece{Text: c.means}, tail...)
}

// resultLine is the one line of a finished call.
func (t *Transcript) resultLine(c *call, in event.ToolOutput, changes []page.Piece, took time.Duration) string {
	glyph, role := theme.Done, theme.Success
	if !in.Success {
		glyph, role = theme.Failed, theme.Danger
	}
	size := ""
	if n := len(in.Output); n > 0 {
		size = amount.Bytes(int64(n))
	}
	tail := slices.Concat(changes, []page.Piece{{Role: theme.Dim, Text: "  " + join(t.dot(), amount.Took(took), size)}})
	if c.url != "" {
		tail = append(tail, page.Piece{Role: theme.Link, Text: "  " + c.url})
	}
	return t.callRow(glyph, role, c, tail...)
}

// unfinished shows a call that has no result although its turn is over.
func (t *Transcript) unfinished(c *call, at time.Time) {
	t.page.Block(page.Note)
	t.page.Line(t.callRow(theme.Stopped, theme.Warning, c, page.Piece{
		Role: theme.Dim, Text: "  " + join(t.dot(), "not finished", amount.Took(at.Sub(c.began))),
	}))
}

// output shows the first lines of an output; what is left is counted.
func (t *Transcript) output(text string, most, number int) {
	text = strings.Trim(page.Clean(page.Tail(text, mostOutput)), "\n")
	if strings.TrimSpace(text) == "" {
		return
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		parts := page.Cut(line, t.page.Width()-4)
		if most -= len(parts); most < 0 {
			t.page.Words(theme.Dim, "    ", t.theme.Glyph(theme.Ellipsis)+" "+count(len(lines)-i, "more line")+": /tools "+amount.Grouped(number))
			return
		}
		for _, part := range parts {
			t.page.Line(t.page.Behind("    ", theme.Dim, part))
		}
	}
}

// failure shows the last lines of a failed call's output. Long ones are cut at
// the top: what went wrong stands at the end.
func (t *Transcript) failure(output string) {
	output = strings.TrimRight(page.Tail(output, mostOutput), " \t\r\n")
	at := len(output)
	for range failureLines {
		if at = strings.LastIndexByte(output[:at], '\n'); at < 0 {
			break
		}
	}
	rows := page.Cut(strings.Trim(page.Clean(output[at+1:]), "\n"), t.page.Width()-4)
	for _, row := range rows[max(0, len(rows)-2*failureLines):] {
		t.page.Line(t.page.Behind("    ", theme.Dim, row))
	}
}

// changes tells how many lines of how many files a call has changed.
func (t *Transcript) changes(c *call, in event.ToolOutput) []page.Piece {
	added, removed := 0, 0
	for _, f := range c.files {
		added, removed = added+f.Added, removed+f.Removed
	}
	if len(c.files) == 0 {
		known := false
		if in.Success {
			added, removed, known = meaning.Diff(c.tool, in.Output)
		}
		if !known {
			return nil
		}
	}
	pieces := []page.Piece{
		{Role: theme.Added, Text: "  +" + amount.Grouped(added)},
		{Role: theme.Removed, Text: t.page.Ours(" −") + amount.Grouped(removed)},
	}
	if n := len(c.files); n > 1 {
		pieces = append(pieces, page.Piece{Role: theme.Dim, Text: " in " + count(n, "file")})
	}
	return pieces
}
