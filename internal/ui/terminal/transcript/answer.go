package transcript

import (
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/waiting"
)

// answerIndent is the left margin of the model's words, in columns.
const answerIndent = 2

// answer is the model's text while it comes.
type answer struct {
	stream *markdown.Stream
	source *strings.Builder
	// printed: lines of the open text are finished.
	printed bool
	// shown: the text of the message that enters the history next is on the
	// screen; told is a text that came from the history first.
	shown bool
	told  string
	reply string
}

// chunk shows a piece of the answer.
func (t *Transcript) chunk(text string) {
	a := &t.answer
	if a.stream == nil {
		a.stream, a.source = markdown.New(t.markdown()), &strings.Builder{}
		a.printed = false
	}
	a.shown = true
	a.source.WriteString(text)
	a.stream.Write(text)
	t.flow()
}

func (t *Transcript) markdown() markdown.Options {
	return markdown.Options{Theme: t.theme, Width: t.page.Width(), Indent: answerIndent}
}

// flow prints the lines of the answer that are final.
func (t *Transcript) flow() {
	lines := t.answer.stream.Take()
	if len(lines) == 0 {
		return
	}
	if !t.answer.printed {
		t.answer.printed = true
		t.page.Fresh(page.Answer)
	}
	t.page.Block(page.Answer) // something may have been told in between
	for _, line := range lines {
		t.page.Line(line)
	}
}

// closeText ends the open text and keeps it.
func (t *Transcript) closeText() {
	a := &t.answer
	if a.stream == nil {
		return
	}
	a.stream.Close()
	t.flow()
	if text := a.source.String(); strings.TrimSpace(text) != "" {
		a.reply = text
	}
	a.stream, a.source = nil, nil
}

// streamEnd closes a streamed text. One that is asked for again vanishes as far
// as it has not been printed; one that broke off for good stays.
func (t *Transcript) streamEnd(in event.StreamEnd) {
	a := &t.answer
	switch {
	case !in.Discarded:
		t.closeText()
	case in.Reason == "error":
		broken := a.stream != nil
		t.closeText()
		if broken {
			t.Say(theme.Dim, "the answer breaks off here")
		}
		a.shown = false
	default:
		printed := a.stream != nil && a.printed
		a.stream, a.source, a.shown = nil, nil, false
		if printed {
			t.Say(theme.Dim, "that answer was cut off and is asked again")
		}
	}
}

// announced shows a whole text.
func (t *Transcript) announced(text string) {
	t.closeText()
	if text == t.answer.told && text != "" {
		t.answer.told = "" // the history has brought it already
		return
	}
	t.whole(text)
	t.answer.shown = true
}

// whole shows a text that is complete.
func (t *Transcript) whole(text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	t.answer.reply = text
	if t.page.Quiet {
		return
	}
	t.page.Fresh(page.Answer)
	for _, line := range markdown.Render(text, t.markdown()) {
		t.page.Line(line)
	}
}

// remembered folds a message that enters the history: a text that was not
// streamed is shown now, and one that was to join the turn has.
func (t *Transcript) remembered(in event.HistoryMessage) {
	m := in.Message
	switch {
	case in.AgentID != "":
	case m.Role == llm.Assistant && !m.Synthetic:
		t.answer.told = ""
		if !t.answer.shown {
			t.answer.told = m.PlainText()
			t.whole(t.answer.told)
		}
		t.answer.shown = false
	case history.FromPerson(m):
		t.joined(m.PlainText())
	}
}

// joined shows the text of a person that has joined the running turn.
func (t *Transcript) joined(text string) {
	if t.turn.open && !t.turn.entered {
		t.turn.entered = true
		return // the text the turn began with
	}
	if in, ok := t.waiting.Join(text); ok {
		t.user(in)
	}
}

// accepted notes a text; it is shown when its turn begins.
func (t *Transcript) accepted(in event.InputAccepted) {
	in = t.waiting.Add(in)
	if t.opts.Plain && (in.Queued || in.Steer) {
		t.Say(theme.Dim, waiting.Note(in)+": "+oneLine(waiting.Typed(in)))
	}
}

// user shows what a person has said, unless it stands right above already.
func (t *Transcript) user(in event.InputAccepted) {
	if t.page.Quiet || t.opts.Typed != nil && !in.Queued && t.opts.Typed(in.SubmissionID) {
		return
	}
	t.page.Fresh(page.User)
	mark := t.theme.Glyph(theme.Prompt) + " "
	for _, line := range page.Wrap(strings.TrimRight(page.Clean(waiting.Typed(in)), "\n"), t.page.Width()-answerIndent) {
		t.page.Line(t.page.Paint(theme.User, strings.TrimRight(mark+line, " ")))
		mark = "  "
	}
	for _, image := range in.Images {
		t.page.Words(theme.Dim, "  ", "["+oneLine(image.MediaType)+"]")
	}
}

// thought is the model's reasoning while it comes.
type thought struct {
	began time.Time
	tail  string // the newest words
	open  string // an unfinished line, where all is shown
}

// tailSize is how much of the newest reasoning is kept for the live line, in
// bytes.
const tailSize = 600

func (t *Transcript) thinks(text string, at time.Time) {
	th := &t.thought
	if th.began.IsZero() {
		th.began = at
		if t.opts.Plain {
			t.Say(theme.Dim, "thinking")
		}
	}
	text = plain.ForTerminal(text)
	th.tail = page.Tail(th.tail+text, tailSize)
	if !t.opts.Verbose && !t.opts.ShowThinking {
		return
	}
	th.open += text
	if i := strings.LastIndexByte(th.open, '\n'); i >= 0 {
		t.Say(theme.Dim, th.open[:i])
		th.open = th.open[i+1:]
	}
}

// thinkingOver closes the reasoning with one line.
func (t *Transcript) thinkingOver(at time.Time) {
	th := t.thought
	if th.began.IsZero() {
		return
	}
	t.thought = thought{}
	if th.open != "" {
		t.Say(theme.Dim, th.open)
	}
	t.Say(theme.Dim, "thought for "+amount.Took(at.Sub(th.began)))
}
