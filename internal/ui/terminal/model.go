package terminal

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/banner"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/feed"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/order"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/record"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/scrollback"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/sight"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// Times of the application.
const (
	// again is how soon a second Ctrl-C, or a second Esc, must come.
	again = time.Second
	// beat is how often moving signs and clocks are drawn anew.
	beat = 100 * time.Millisecond
	// look is how often the first view is looked for.
	look = 5 * time.Millisecond
	// early is how long an Enter that was pressed before the program had the
	// terminal may still be on its way.
	early = 300 * time.Millisecond
	// headWait is how long the banner waits for the terminal to tell its
	// background. Nothing else waits for it.
	headWait = 150 * time.Millisecond
	// typingPause is how long nobody must have typed before a key can answer an
	// approval that has just come up.
	typingPause = 300 * time.Millisecond
)

// model is the state of the application; it belongs to the event loop.
type model struct {
	o     Options
	ctx   context.Context
	send  func(tea.Msg)
	work  order.Work // goroutines of commands, followers and submissions
	theme *theme.Theme

	width, height int
	transcript    *transcript.Transcript
	input         *composer.Composer
	head          *banner.Head // the banner while it may still change
	printed       scrollback.Printer
	sight         sight.Sight // what the person has been shown
	opened        *Opened     // nil while none is open
	opening       bool
	feed          *feed.Feed
	past          []event.Event // of a session that goes on, shown in short
	lost          string        // the session that has ended by itself
	record        record.Record
	waiters       record.Waiters
	// prepared makes texts ready, submitted brings them to the session.
	prepared, submitted order.Line
	// early waits for the session to be ready.
	early []event.Operation
	// brings is what the next message brings along: the output of the person's
	// own commands.
	brings []string

	command *command // the slash command that runs
	asked   *request // what it asks; drawn in the place of the input
	review  *approve.Review
	gate    *event.ApprovalRequired // what is reviewed, or was answered last

	begun     time.Time // by the machine's clock
	started   time.Time
	lastKey   time.Time
	quitArmed time.Time // the first Ctrl-C
	escArmed  time.Time // the first Esc
	prefix    bool      // Ctrl-B was pressed
	hint      string    // shown below the input for a moment
	hintUntil time.Time

	// told is what the terminal has answered.
	told    struct{ background, keys bool }
	out     *scrollback.Output // nil where it is no terminal
	beating bool
	editing bool // an editor has the terminal
	leaving bool // the end has begun
	reason  Reason
	failure error
	subs    int
}

func newModel(ctx context.Context, o Options) *model {
	m := &model{o: o, ctx: ctx, begun: time.Now(), started: o.Now(), theme: o.Theme, width: 80, height: 24}
	m.transcript = transcript.New(transcript.Options{Theme: m.theme, Width: m.width, Now: o.Now, ShowThinking: o.ShowThinking})
	o.Input.Theme, o.Input.Width = m.theme, m.width
	m.input = composer.New(o.Input)
	m.printed.Held = true
	if o.Banner != nil {
		m.transcript.Under()
		m.head = &banner.Head{Paint: o.Banner, Settled: o.AskDark == nil}
		if o.Animate {
			m.head.Began = m.started
		}
	}
	return m
}

// Messages to the event loop.
type (
	// beatMsg is the clock.
	beatMsg struct{}
	// brokeMsg is what a goroutine has panicked with.
	brokeMsg struct{ text string }
	// continuedMsg says that the process was stopped and goes on.
	continuedMsg struct{}
	// headMsg says that the banner has waited long enough for its colours.
	headMsg struct{}
	// clearMsg empties the screen.
	clearMsg struct{}
	// drawnMsg says to look whether the first view stands on the screen.
	drawnMsg struct{}
	// openedMsg is a session that is ready, or why there is none.
	openedMsg struct {
		opened *Opened
		err    error
	}
	// eventsMsg says that events are waiting.
	eventsMsg struct{ from *feed.Feed }
	// endedMsg says that no more events come.
	endedMsg struct {
		from *feed.Feed
		err  error
	}
	// requestMsg is what a command wants of the person.
	requestMsg struct{ request *request }
	// withdrawMsg takes a request back.
	withdrawMsg struct{ request *request }
	// sayMsg adds lines to the conversation.
	sayMsg struct{ say func(*model) }
	// commandMsg is the end of a command.
	commandMsg struct {
		command *command
		err     error
	}
	// failedMsg is something that went wrong beside the session.
	failedMsg struct{ err error }
	// interruptMsg is a signal that asks to stop.
	interruptMsg struct{}
	// leaveMsg ends the application.
	leaveMsg struct{ reason Reason }
	// leftMsg says that the session has been left or ended.
	leftMsg struct{ err error }
	// editedMsg is a text from the editor.
	editedMsg struct {
		text string
		err  error
		take func(text string, err error)
	}
)

// Init begins to open the session at once.
func (m *model) Init() tea.Cmd {
	m.open("")
	cmds := []tea.Cmd{lookAgain()}
	if m.o.AskDark != nil {
		cmds = append(cmds, tea.RequestBackgroundColor, tea.Tick(headWait, func(time.Time) tea.Msg { return headMsg{} }))
	}
	return tea.Batch(cmds...)
}

// lookAgain looks for the first view in a moment.
func lookAgain() tea.Cmd { return tea.Tick(look, func(time.Time) tea.Msg { return drawnMsg{} }) }

// Update takes one message.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.take(msg)
	if seq := m.o.Attention.Progress(m.state()); seq != "" {
		cmd = tea.Batch(cmd, tea.Raw(seq))
	}
	return m, tea.Batch(cmd, m.flush(), m.tick(), m.sight.Tell(m.printed.Idle()))
}

func (m *model) take(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		return m.resize(msg.Width, msg.Height)
	case tea.BackgroundColorMsg:
		m.told.background = true
		m.recolour(msg.IsDark())
	case headMsg:
		m.settle()
	case tea.KeyboardEnhancementsMsg:
		m.told.keys = true
	case tea.FocusMsg, tea.BlurMsg:
		_, focused := msg.(tea.FocusMsg)
		m.o.Attention.Focus(focused)
		m.sight.Focus(focused)
	case tea.KeyPressMsg:
		return m.key(msg)
	case tea.PasteMsg:
		return m.paste(msg)
	case beatMsg:
		m.beating = false
	case brokeMsg:
		panic(msg.text) // Bubble Tea gives the terminal back
	case continuedMsg:
		if !m.editing {
			return m.printed.Afresh()
		}
	case clearMsg:
		return m.printed.Clear()
	case drawnMsg:
		if !m.out.Drawn() {
			return lookAgain()
		}
		m.printed.Held = false
	case openedMsg:
		if m.printed.Held { // what it says stands above the view
			return tea.Tick(look, func(time.Time) tea.Msg { return msg })
		}
		return m.ready(msg)
	case eventsMsg:
		return m.events(msg.from)
	case endedMsg:
		m.ended(msg)
	case requestMsg:
		m.ask(msg.request)
	case withdrawMsg:
		m.withdraw(msg.request)
	case sayMsg:
		msg.say(m)
	case commandMsg:
		m.commandEnded(msg)
	case failedMsg:
		m.warn(msg.err.Error())
	case editedMsg:
		m.editing = false
		msg.take(msg.text, msg.err)
	case interruptMsg:
		if m.editing {
			return nil
		}
		return m.interrupt()
	case leaveMsg:
		if msg.reason == Detached {
			return m.detach()
		}
		return m.leave(msg.reason)
	case leftMsg:
		m.failure = msg.err
		return m.quit()
	case editMsg:
		return m.edit(msg.name, msg.text, msg.take)
	default:
		if cmd, own := m.printed.Update(msg); own {
			return cmd
		}
		return m.act(m.input.Update(msg)) // answers of completion sources
	}
	return nil
}

func (m *model) resize(width, height int) tea.Cmd {
	m.width, m.height = max(20, width), max(6, height)
	m.transcript.Resize(m.width - 1) // the last column stays free
	m.input.Resize(m.width, max(3, m.height/2))
	return m.printed.Resize(m.width, m.height)
}

// recolour takes the theme that fits the terminal's background.
func (m *model) recolour(dark bool) {
	if m.o.AskDark == nil {
		return
	}
	m.theme = m.o.AskDark(dark)
	m.settle()
	m.transcript.SetTheme(m.theme)
	m.input.SetTheme(m.theme)
}

// settle says that the banner knows its colours.
func (m *model) settle() {
	if m.head != nil {
		m.head.Settled = true
	}
}

// tick asks for the next beat while something moves.
func (m *model) tick() tea.Cmd {
	moving := m.transcript.Moving() || m.head.Moves(m.theme, m.width-1, m.o.Now()) || m.opening || m.asked.lives() || m.o.Now().Before(m.hintUntil) || m.command != nil
	if m.beating || !moving || m.leaving {
		return nil
	}
	m.beating = true
	return tea.Tick(beat, func(time.Time) tea.Msg { return beatMsg{} })
}

// flush prints finished lines above, in order: one batch at a time, none higher
// than the screen.
func (m *model) flush() tea.Cmd {
	if m.printed.Held {
		return nil
	}
	lines, now := m.transcript.Take(), m.o.Now()
	if m.head != nil && (len(lines) > 0 || m.head.Settled && !m.head.Moves(m.theme, m.width-1, now)) {
		lines = append(m.head.Paint(m.theme, m.width-1), lines...)
		m.head = nil
	}
	for _, line := range lines {
		m.printed.Add(line)
	}
	return m.printed.Next(time.Now())
}

// say adds lines to the conversation.
func (m *model) say(role theme.Role, text string) { m.transcript.Say(role, text) }

// warn tells what went wrong, so that it shows without colours too.
func (m *model) warn(text string) {
	m.say(theme.Danger, m.theme.Glyph(theme.Failed)+" "+text)
}

// note shows a line below the input for a moment.
func (m *model) note(text string, d time.Duration) {
	m.hint, m.hintUntil = text, m.o.Now().Add(d)
}
