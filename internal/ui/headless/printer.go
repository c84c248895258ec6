package headless

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/agents"
	"github.com/ml-intern/ml-intern/internal/ui/headless/told"
	"github.com/ml-intern/ml-intern/internal/ui/sentence"
)

// printer shows a run.
type printer interface {
	start(Options)
	event(event.Event)
	line(string) // on standard error
	// refused tells what was asked for and not done; number is that of the line
	// on standard input, 0 for none.
	refused(number int, why string)
	final(*result)  // the turn has ended
	result(*result) // the session has ended
}

func newPrinter(o Options) printer {
	base := base{out: o.Stdout, err: o.Stderr}
	switch o.Format {
	case JSON:
		return &jsonPrinter{base: base}
	case StreamJSON:
		return &jsonPrinter{base: base, stream: true}
	}
	return &textPrinter{base: base, opts: o, told: told.Lines{}}
}

type base struct{ out, err io.Writer }

func (b base) line(s string) { fmt.Fprintln(b.err, clean(s)) }

// jsonPrinter prints objects only, on standard output.
type jsonPrinter struct {
	base
	stream bool
}

func (p *jsonPrinter) start(o Options) {
	if !p.stream {
		return
	}
	p.object(struct {
		Type    string `json:"type"`
		Subtype string `json:"subtype"`
		Init
	}{"system", "init", o.Init})
}

func (p *jsonPrinter) event(ev event.Event) {
	if p.stream {
		p.write(append(ev.AppendJSON(nil, true), '\n'))
	}
}

func (p *jsonPrinter) final(*result) {}

func (p *jsonPrinter) result(r *result) { p.object(r) }

func (p *jsonPrinter) refused(number int, why string) {
	p.object(struct {
		Type    string  `json:"type"`
		Subtype string  `json:"subtype"`
		Line    int     `json:"line,omitempty"`
		Error   failure `json:"error"`
	}{"system", "input_error", number, failure{Code: "usage", Message: why}})
}

func (p *jsonPrinter) object(v any) {
	raw, err := event.Encode(v)
	if err != nil {
		p.line("encode the result: " + err.Error())
		return
	}
	p.write(append(raw, '\n'))
}

func (p *jsonPrinter) write(b []byte) {
	if _, err := p.out.Write(b); err != nil {
		p.line("write to standard output: " + err.Error())
	}
}

// textPrinter prints the assistant's words on standard output and what
// happens on standard error.
type textPrinter struct {
	base
	opts    Options
	printed bool // something stands on standard output
	open    bool // a streamed message is on the screen, unfinished
	crew    agents.Crew
	told    told.Lines
}

func (p *textPrinter) start(o Options) {
	in := o.Init
	if in.TokenLoaded {
		p.line("HF token loaded")
	}
	p.line("Model: " + in.Model)
	p.line("Tool runtime: " + runtimeLabel(in.Runtime))
	p.line("Max iterations: " + iterations(in.MaxIterations))
	p.line("Spending cap: " + capLabel(in.CapUSD))
	if o.Prompt != "" {
		p.line("Prompt: " + o.Shown)
	} else {
		p.line("Prompt: (going on with the unfinished turn)")
	}
	p.line("---")
}

func runtimeLabel(r string) string {
	if r == "sandbox" {
		return "HF sandbox"
	}
	return "local filesystem"
}

func iterations(n int) string {
	if n < 0 {
		return "unlimited"
	}
	return strconv.Itoa(n)
}

func capLabel(usd float64) string {
	if usd <= 0 {
		return "unlimited"
	}
	return fmt.Sprintf("%.2f USD", usd)
}

func (p *textPrinter) event(ev event.Event) {
	switch ev.Type {
	case event.TypeAssistantChunk:
		if c, err := event.Decode[event.AssistantChunk](ev); err == nil && p.live() {
			p.chunk(c.Content)
		}
	case event.TypeStreamEnd:
		p.streamEnd(ev)
	case event.TypeHistoryMessage:
		if h, err := event.Decode[event.HistoryMessage](ev); err == nil && h.AgentID == "" {
			p.message(h.Message)
		}
	case event.TypeToolCall:
		if c, err := event.Decode[event.ToolCall](ev); err == nil && c.AgentID == "" {
			p.line("▸ " + c.Tool + "  " + shorten(string(c.Arguments), 80))
		}
	case event.TypeToolOutput:
		if o, err := event.Decode[event.ToolOutput](ev); err == nil && o.AgentID == "" {
			p.toolOutput(o)
		}
	case event.TypeToolLog:
		if l, err := event.Decode[event.ToolLog](ev); err == nil && !p.subagent(l) {
			p.told.Add(l)
			p.line("  " + l.Tool + ": " + strings.ReplaceAll(strings.TrimRight(l.Log, "\n"), "\n", "\n    "))
		}
	case event.TypeCompacted, event.TypeTurnResumed, event.TypeHook:
		p.said("  ", sentence.Of(ev))
	case event.TypeResumeComplete, event.TypeError:
		p.said("", sentence.Of(ev))
	case event.TypeApprovalRequired:
		if g, err := event.Decode[event.ApprovalRequired](ev); err == nil {
			p.gate(g)
		}
	}
}

// said prints what was put into words.
func (p *textPrinter) said(indent string, lines []sentence.Line) {
	for _, l := range lines {
		p.line(indent + strings.Repeat("  ", l.Depth) + l.Text)
	}
}

// live reports whether text is shown while it streams.
func (p *textPrinter) live() bool { return p.opts.TTY && !p.opts.Quiet && p.opts.Check == nil }

func (p *textPrinter) chunk(s string) {
	if !p.open && p.printed {
		p.print("\n")
	}
	p.open, p.printed = true, true
	p.print(clean(s))
}

func (p *textPrinter) streamEnd(ev event.Event) {
	if !p.open {
		return
	}
	if e, err := event.Decode[event.StreamEnd](ev); err == nil && e.Discarded {
		p.print("\n")
		p.open = false
		p.line("  (the text above is void: the answer begins again)")
	}
}

func (p *textPrinter) message(m llm.Message) {
	if m.Role != llm.Assistant || m.Synthetic || p.opts.Quiet || p.opts.Check != nil {
		return
	}
	text := m.PlainText()
	switch {
	case text == "":
	case p.open:
		p.print("\n")
	default:
		p.say(text)
	}
	p.open = false
}

// say prints one whole message, an empty line after the one before.
func (p *textPrinter) say(text string) {
	if p.printed {
		p.print("\n")
	}
	p.printed = true
	p.print(clean(strings.TrimRight(text, "\n")) + "\n")
}

func (p *textPrinter) refused(number int, why string) {
	where := ""
	if number > 0 {
		where = fmt.Sprintf(" (line %d of standard input)", number)
	}
	p.line("ERROR: " + why + where)
}

func (p *textPrinter) print(s string) {
	if _, err := io.WriteString(p.out, s); err != nil {
		p.line("write to standard output: " + err.Error())
	}
}

func (p *textPrinter) toolOutput(o event.ToolOutput) {
	rest := p.told.Rest(o.ToolCallID, o.Output)
	switch {
	case o.Tool == "plan_tool" || p.opts.Verbose:
		p.line(indent(o.Output))
	case !o.Success && rest != "":
		p.line(indent(lastLines(rest, 10)))
	}
}

func (p *textPrinter) gate(g event.ApprovalRequired) {
	for _, t := range g.Tools {
		text := "  approval required: " + t.Tool
		if why := sentence.Why(t); why != "" {
			text += ": " + why
		}
		p.line(text)
		p.said("", sentence.Origins(2, t.Origin))
	}
}

func (p *textPrinter) final(r *result) {
	if p.open {
		p.print("\n")
		p.open = false
	}
	if (p.opts.Quiet || p.opts.Check != nil) && r.ending == "turn_complete" && r.Result != "" {
		p.say(r.Result)
	}
	p.evidence(r)
}

func (p *textPrinter) result(r *result) {
	if r.Error != nil && r.ending != "error" {
		p.line("Error: " + r.Error.Message)
		if r.Error.Hint != "" {
			p.line("  " + r.Error.Hint)
		}
	} else if r.Error != nil && r.ending == "error" && r.Error.Class == "" {
		p.line("Error: " + r.Error.Message)
	}
	if r.stopped != "" {
		p.line("Stopped: " + r.stopped)
	}
	p.line("")
	cost := fmt.Sprintf("%.4f USD", r.TotalCostUSD)
	if r.CostIncomplete {
		cost += " (some prices are unknown)"
	}
	p.line(fmt.Sprintf("Session: %s · %d model calls · %s", r.SessionID, r.NumIterations, cost))
	if r.log != "" {
		p.line("Saved: " + r.log)
		if !p.opts.Once {
			p.line("Go on with: ml-intern --resume " + r.SessionID)
		}
	}
	p.line(fmt.Sprintf("--- Agent %s (history_size=%d) ---", r.ending, r.history))
}

// clean removes control characters, so that nothing a model or tool wrote can
// steer the terminal, and marks those that turn the order of others around.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r):
			return -1
		case plain.Reorders(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n]) + "…"
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ")
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
