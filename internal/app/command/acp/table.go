package acp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/app/slash"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
	"github.com/ml-intern/ml-intern/internal/ui/acp"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/record"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// table is where the slash commands of one session work: it keeps what they may
// ask about the conversation.
type table struct {
	beside *beside

	mu         sync.Mutex // guards what follows
	transcript *transcript.Transcript
	record     record.Record
}

// columns is the width of what commands print.
const columns, rows = 100, 40

func newTable(o *beside) *table {
	return &table{beside: o, transcript: transcript.New(transcript.Options{Width: columns})}
}

// watch folds an event. Pieces of an answer are left out: the whole follows.
func (t *table) watch(ev event.Event) {
	if ev.Type == event.TypeAssistantChunk || ev.Type == event.TypeReasoningChunk {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if ev.Seq == 1 { // the first of another session
		t.record = record.Record{Settings: t.record.Settings}
	}
	t.record.Keep(ev)
	t.transcript.Apply(ev)
	t.transcript.Take() // nothing of it is shown
}

// elsewhere are the commands that are about a terminal, or for which an editor
// has a place of its own.
func elsewhere() []string {
	return []string{"help", "new", "clear", "resume", "sessions", "fork", "rewind", "verbose", "copy", "init", "login", "detach", "quit"}
}

// commands are those of the terminal that make sense in an editor, and the skills
// that can be called by name.
func (t *table) commands(set *skillset.Set) []acp.Command {
	all := slash.Commands(&slash.Desk{
		App: t.beside.app, Version: app.Version(), Plain: true, ASCII: true, Environ: t.beside.environ(), Skills: set,
	})
	var kept []acp.Command
	for _, c := range all {
		if c.Hidden || slices.Contains(elsewhere(), c.Name) {
			continue
		}
		told := acp.Command{Command: protocol.Command{Name: c.Name, Description: c.Help}}
		if !c.Message {
			told.Run = func(ctx context.Context, voice acp.Voice, args string) error {
				err := c.Run(ctx, &talk{Voice: voice, table: t}, args)
				if dialog.Told(err) || errors.Is(err, dialog.ErrCancelled) {
					return nil
				}
				return err
			}
		}
		if c.Args != "" {
			told.Input = &protocol.Input{Hint: c.Args}
		}
		kept = append(kept, told)
	}
	return kept
}

// talk is an editor's conversation as a slash command sees it. Nobody can be
// asked: a command that has to ask says what to write behind it.
type talk struct {
	acp.Voice
	table *table
}

func (t *talk) Conversation() dialog.Conversation { return conversation{t} }

// Print tells plain text: nothing in it is taken for Markdown.
func (t *talk) Print(text string) {
	fence := markup.Fence(text)
	t.Say(fence + "\n" + strings.Trim(text, "\n") + "\n" + fence)
}

func (t *talk) Markdown(text string) { t.Say(text) }

func (t *talk) Diff(text string) {
	fence := markup.Fence(text)
	t.Say(fence + "diff\n" + strings.TrimRight(text, "\n") + "\n" + fence)
}

// listed is how many choices are told.
const listed = 40

var errChoose = errors.New("say which, behind the command")

// Choose tells what there is to choose from.
func (t *talk) Choose(_ context.Context, m dialog.Menu) (int, error) {
	lines := []string{m.Title}
	for i, item := range m.Items {
		if i == listed {
			lines = append(lines, "  …")
			break
		}
		line := "  " + item.Value
		if item.Hint != "" {
			line += "  (" + item.Hint + ")"
		}
		lines = append(lines, line)
	}
	t.Print(strings.Join(lines, "\n"))
	return 0, errChoose
}

var errTerminal = errors.New("this asks for something that only a terminal can: ml-intern attach shows the session in one")

func (t *talk) Ask(context.Context, dialog.Question) (string, error) { return "", errTerminal }

func (t *talk) Edit(_ context.Context, _, text string) (string, error) { return text, errTerminal }

func (t *talk) Page(_ context.Context, title, text string) error {
	t.Say("**" + strings.ReplaceAll(title, "*", "") + "**")
	if strings.HasPrefix(text, "diff ") || strings.HasPrefix(text, "--- ") {
		t.Diff(text)
	} else {
		t.Print(text)
	}
	return nil
}

// Live tells once what it would show anew.
func (t *talk) Live(_ context.Context, _ time.Duration, draw func(width, height int) []string) error {
	t.Print(strings.Join(draw(columns, rows), "\n"))
	return nil
}

// There is no input line to put anything into, no screen to clear, and the
// editor itself is what is left.

func (t *talk) Fill(string)   {}
func (t *talk) Insert(string) {}
func (t *talk) Bring(string)  {}
func (t *talk) Clear()        {}
func (t *talk) Leave(bool)    {}

func (t *talk) Copy(string) error { return errTerminal }

func (t *talk) Verbose(bool) bool { return false }

func (t *talk) Size() (int, int) { return columns, rows }

// conversation is the session for a command.
type conversation struct{ t *talk }

func look[T any](c conversation, read func(*table) T) T {
	c.t.table.mu.Lock()
	defer c.t.table.mu.Unlock()
	return read(c.t.table)
}

func (c conversation) ID() string { return c.t.Session().Info().SessionID }

func (c conversation) Settings() event.Settings { return c.t.Session().Info().Settings }

func (c conversation) Status() transcript.Status {
	set := c.Settings()
	return look(c, func(t *table) transcript.Status {
		t.transcript.Settings(set)
		return t.transcript.Status()
	})
}

func (c conversation) Busy() bool { return c.t.Voice.Busy() }

func (c conversation) Tools() []transcript.Tool {
	return look(c, func(t *table) []transcript.Tool { return t.transcript.Tools() })
}

func (c conversation) Reply() string {
	return look(c, func(t *table) string { return t.transcript.Reply() })
}

func (c conversation) Plan() []event.PlanItem {
	return look(c, func(t *table) []event.PlanItem { return t.transcript.Plan() })
}

func (c conversation) Turns() []dialog.Turn {
	return look(c, func(t *table) []dialog.Turn { return slices.Clone(t.record.Turns) })
}

func (c conversation) Changes() []dialog.Change {
	return look(c, func(t *table) []dialog.Change { return slices.Clone(t.record.Changes) })
}

func (c conversation) Submit(ctx context.Context, op event.Operation) error {
	return c.t.Submit(ctx, op)
}

func (c conversation) Do(ctx context.Context, op event.Operation, ends ...event.Type) (event.Event, error) {
	ev, err := c.t.Do(ctx, op, ends...)
	var told *wire.Error
	if errors.As(err, &told) { // the session has said it
		err = &dialog.ToldError{Text: told.Message}
	}
	return ev, err
}
