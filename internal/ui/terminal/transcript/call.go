package transcript

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Names of tools that are shown in a way of their own.
const (
	planTool     = "plan_tool"
	researchTool = "research"
)

const (
	failureLines = 10  // of a failed call's output
	verboseLines = 400 // of an output that is shown in full
	logSize      = 300 // bytes of the newest line of a running call
)

// call is a tool call that has no result yet.
type call struct {
	id, tool string
	args     json.RawMessage
	means    string
	began    time.Time
	// running: it has begun, or nothing but its turn in the queue keeps it.
	running bool
	// refused: a person has said no, its result tells nothing new.
	refused bool
	log     string
	files   []event.FileChanged
	// late: its line is printed, a checkpoint may still tell what it changed.
	url string
}

func (t *Transcript) call(id string) *call {
	for i := len(t.calls) - 1; i >= 0; i-- {
		if t.calls[i].id == id {
			return t.calls[i]
		}
	}
	return nil
}

// known returns the call with this id, a new one if there is none.
func (t *Transcript) known(id, tool string, args json.RawMessage, at time.Time) *call {
	c := t.call(id)
	if c == nil {
		c = &call{id: id, tool: tool, began: at}
		t.calls = append(t.calls, c)
	}
	if args != nil {
		c.args, c.means = limitArgs(args), meaning(tool, args)
	}
	return c
}

// called shows a call that runs without asking.
func (t *Transcript) called(in event.ToolCall, at time.Time) {
	if in.AgentID != "" {
		return
	}
	t.thought.end(t, at)
	c := t.known(in.ToolCallID, in.Tool, in.Arguments, at)
	c.running = true
	t.spokenStart(c)
}

func (t *Transcript) started(in event.ToolStarted, at time.Time) {
	if in.AgentID != "" {
		return
	}
	c := t.known(in.ToolCallID, in.Tool, nil, at)
	fresh := !c.running
	c.running, c.began = true, at
	if fresh {
		t.spokenStart(c)
	}
}

// spokenStart tells the start of a call where nothing can be drawn anew.
func (t *Transcript) spokenStart(c *call) {
	if t.opts.Plain && c.tool != planTool {
		t.note(theme.Dim, strings.TrimRight("tool "+oneLine(c.tool)+" started: "+c.means, ": "))
	}
}

// logged shows a line of progress: the newest one with its call, the others in
// passing.
func (t *Transcript) logged(in event.ToolLog, at time.Time) {
	if in.AgentID != "" {
		t.agentLogged(in, at)
		return
	}
	if c := t.call(in.ToolCallID); c != nil && in.ToolCallID != "" {
		if line := newest(in.Log); line != "" {
			c.log = line
		}
		return
	}
	text := strings.TrimRight(limit(in.Log, errorLimit), "\n")
	if in.Tool != "system" {
		text = in.Tool + ": " + text
	}
	t.note(theme.Dim, text)
}

// newest is the last line of a log that says something.
func newest(log string) string {
	log = strings.TrimRight(tail(log, 4*logSize), " \t\r\n")
	if i := strings.LastIndexAny(log, "\r\n"); i >= 0 {
		log = log[i+1:]
	}
	return limit(oneLine(strings.ToValidUTF8(log, "")), logSize)
}

// changed folds a step in the life of a call.
func (t *Transcript) changed(in event.ToolStateChange, at time.Time) {
	switch in.State {
	case "approved", "rejected", "abandoned":
		t.answers(in, at)
		return
	case "running":
		c := t.known(in.ToolCallID, in.Tool, nil, at)
		if !c.running {
			c.running, c.began = true, at
			t.spokenStart(c)
		}
	case "billing_required":
		text := oneLine(in.Tool) + ": no credits left"
		if in.Namespace != "" {
			text += " in " + oneLine(in.Namespace)
		}
		t.note(theme.Warning, text)
	}
	if c := t.call(in.ToolCallID); c != nil && in.JobURL != "" {
		c.url = limit(oneLine(in.JobURL), logSize)
	}
}

// checkpoint notes what a call has changed in the workspace. It counts in the
// call's line where that has not been printed yet.
func (t *Transcript) checkpoint(in event.Checkpoint) {
	if c := t.call(in.ToolCallID); c != nil {
		c.files = append(c.files, in.Files...)
		return
	}
	if len(in.Files) > 0 && !t.shelf.counted(in.ToolCallID) {
		t.note(theme.Dim, "changed "+t.filesChanged(in.Files))
	}
}

// finished shows the result of a call.
func (t *Transcript) finished(in event.ToolOutput, at time.Time) {
	if in.AgentID != "" {
		return
	}
	t.answersByResult(in)
	c := t.call(in.ToolCallID)
	if c == nil {
		if synthetic(in.Tool) {
			return
		}
		c = &call{id: in.ToolCallID, tool: in.Tool, began: at}
	}
	t.calls = slices.DeleteFunc(t.calls, func(o *call) bool { return o == c })
	took := max(0, at.Sub(c.began))
	t.turn.calls++
	number := t.shelf.add(Tool{
		ID: c.id, Name: oneLine(c.tool), Args: string(c.args), Means: c.means, Took: took, Size: len(in.Output),
		OK: in.Success, Output: in.Output, counted: len(c.files) > 0,
	})
	if t.quiet || c.refused {
		t.agents.end(c.id)
		return
	}
	t.block(kindNote)
	if a := t.agents.end(c.id); a != nil && c.tool == researchTool {
		t.line(t.agentLine(a, in.Success, at))
	} else {
		t.line(t.callLine(c, in, took))
	}
	t.output(c, in, number)
}

// callLine is the one line of a finished call.
func (t *Transcript) callLine(c *call, in event.ToolOutput, took time.Duration) string {
	glyph, role := theme.Done, theme.Success
	if !in.Success {
		glyph, role = theme.Failed, theme.Danger
	}
	tail := []piece{}
	if s := t.counts(c, in); len(s) > 0 {
		tail = append(append(tail, piece{text: "  "}), s...)
	}
	if c.url != "" {
		tail = append(tail, piece{theme.Link, "  " + c.url})
	}
	stats := spoken(took)
	if n := len(in.Output); n > 0 {
		stats += t.dot() + amount.Bytes(int64(n))
	}
	tail = append(tail, piece{theme.Dim, "  " + stats})
	head := []piece{{text: "  "}, {role, t.glyph(glyph)}, {theme.Strong, " " + oneLine(c.tool) + "  "}}
	return t.row(t.width, head, piece{theme.Text, c.means}, tail...)
}

// output shows what is to be seen of a result beneath its line.
func (t *Transcript) output(c *call, in event.ToolOutput, number int) {
	role := theme.Dim
	switch {
	case t.opts.Verbose:
		t.lines(role, in.Output, verboseLines, number)
	case c.tool == planTool && in.Success:
		t.lines(role, in.Output, verboseLines, number)
	case !in.Success:
		t.lines(role, lastLines(in.Output, failureLines), failureLines, number)
	}
}

// lines shows the first lines of an output; what is left is counted.
func (t *Transcript) lines(role theme.Role, text string, most, number int) {
	text = strings.Trim(clean(limit(text, mostOutput)), "\n")
	if text == "" {
		return
	}
	left := most
	all := strings.Split(text, "\n")
	for i, line := range all {
		parts := wrap(strings.TrimRight(line, " "), t.width-4)
		if left -= len(parts); left < 0 {
			t.note(theme.Dim, "  "+t.glyph(theme.Ellipsis)+" "+plural(len(all)-i, "more line")+" (/tools "+amount.Grouped(number)+")")
			return
		}
		for _, part := range parts {
			t.line("    " + t.paint(role, part))
		}
	}
}

// mostOutput is the most characters of an output that are looked at to show it.
const mostOutput = 200_000

// lastLines are the last n lines of a text that say something.
func lastLines(s string, n int) string {
	s = strings.TrimRight(tail(s, mostOutput), " \t\r\n")
	at := len(s)
	for range n {
		if at = strings.LastIndexByte(s[:at], '\n'); at < 0 {
			return strings.ToValidUTF8(s, "")
		}
	}
	return s[at+1:]
}

// unfinished shows a call that has no result although its turn is over.
func (t *Transcript) unfinished(c *call, at time.Time) {
	head := []piece{{text: "  "}, {theme.Warning, t.glyph(theme.Stopped)}, {theme.Strong, " " + oneLine(c.tool) + "  "}}
	t.block(kindNote)
	t.line(t.row(t.width, head, piece{theme.Text, c.means}, piece{theme.Dim, "  not finished" + t.dot() + spoken(at.Sub(c.began))}))
}

// counts tells how many lines of which files a call has changed.
func (t *Transcript) counts(c *call, in event.ToolOutput) []piece {
	added, removed, known := 0, 0, len(c.files) > 0
	for _, f := range c.files {
		added, removed = added+f.Added, removed+f.Removed
	}
	if !known && in.Success && (c.tool == "edit" || c.tool == "write") {
		added, removed, known = diffCounts(in.Output)
	}
	if !known {
		return nil
	}
	pieces := []piece{{theme.Added, "+" + amount.Grouped(added)}, {text: " "}, {theme.Removed, t.minus() + amount.Grouped(removed)}}
	if n := len(c.files); n > 1 {
		pieces = append(pieces, piece{theme.Dim, " in " + plural(n, "file")})
	}
	return pieces
}

// diffCounts counts the lines of a unified diff in an output; a diff that was
// cut counts nothing.
func diffCounts(output string) (added, removed int, ok bool) {
	_, diff, found := strings.Cut("\n"+output, "\n--- ")
	if !found || strings.Contains(diff, "(the diff goes on)") {
		return 0, 0, false
	}
	inside := false
	for line := range strings.SplitSeq(diff, "\n") {
		switch {
		case strings.HasPrefix(line, "@@"):
			inside = true
		case !inside:
		case strings.HasPrefix(line, "+"):
			added++
		case strings.HasPrefix(line, "-"):
			removed++
		}
	}
	return added, removed, inside
}

// filesChanged is what a checkpoint says, in short.
func (t *Transcript) filesChanged(files []event.FileChanged) string {
	const most = 3
	var parts []string
	for i, f := range files {
		if i == most {
			parts = append(parts, plural(len(files)-most, "more file"))
			break
		}
		parts = append(parts, oneLine(f.Path)+" +"+amount.Grouped(f.Added)+" "+t.minus()+amount.Grouped(f.Removed))
	}
	return strings.Join(parts, ", ")
}
