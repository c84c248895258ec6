// Package dialogtest plays the person and the session that a command talks to:
// it answers from a script and writes down what was said. What is asked without
// an answer in the script, and an answer that nobody asked for, fail the test.
package dialogtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Answer is what the person does when something is asked.
type Answer struct {
	pick, typed string
	edit        func(text string) string
	until       func(frame string) bool
	cancel      bool
	kind        string
}

// Pick chooses the first item whose label, value or hint holds a text.
func Pick(text string) Answer { return Answer{kind: "a choice", pick: text} }

// Type answers a question.
func Type(text string) Answer { return Answer{kind: "a line", typed: text} }

// Edit changes a text in the editor.
func Edit(change func(text string) string) Answer { return Answer{kind: "the editor", edit: change} }

// Watch looks at what changes until it is as wanted.
func Watch(until func(frame string) bool) Answer {
	return Answer{kind: "something live", until: until}
}

// Cancel turns away from whatever is asked.
func Cancel() Answer { return Answer{cancel: true} }

// Talk is a terminal whose person answers from a script. Make one with New.
type Talk struct {
	// Session is the conversation.
	Session *Conversation
	// Columns and Rows are the size of the terminal.
	Columns, Rows int

	t       testing.TB
	mu      sync.Mutex
	answers []Answer
	said    []string
	menus   []dialog.Menu
	filled  string
	brought []string
	insert  string
	copied  string
	left    string
	verbose bool
	cleared bool
}

// New returns a terminal of 80 columns whose person gives these answers.
func New(t testing.TB, answers ...Answer) *Talk {
	talk := &Talk{t: t, Session: &Conversation{}, Columns: 80, Rows: 24, answers: answers}
	t.Cleanup(func() {
		talk.mu.Lock()
		defer talk.mu.Unlock()
		if len(talk.answers) > 0 && !t.Failed() {
			t.Errorf("%d answers were not asked for, the first is %s", len(talk.answers), talk.answers[0].kind)
		}
	})
	return talk
}

// Run runs a command and returns all that was said.
func (k *Talk) Run(ctx context.Context, c dialog.Command, args string) (said string, err error) {
	err = c.Run(ctx, k, args)
	return k.Said(), err
}

// Said is all that was said since the last call: what was printed as it is,
// everything else behind its kind.
func (k *Talk) Said() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	said := strings.Join(k.said, "\n")
	k.said = nil
	return said
}

// Menus are the menus that were shown.
func (k *Talk) Menus() []dialog.Menu {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.menus)
}

// Filled, Brought, Inserted, Copied and Left are what became of the input line,
// of the next message, of the clipboard and of the conversation.
func (k *Talk) Filled() string { return locked(k, func() string { return k.filled }) }

// Brought is what the next message brings along.
func (k *Talk) Brought() []string {
	return locked(k, func() []string { return slices.Clone(k.brought) })
}

// Inserted is what was put at the cursor.
func (k *Talk) Inserted() string { return locked(k, func() string { return k.insert }) }

// Copied is what was put on the clipboard.
func (k *Talk) Copied() string { return locked(k, func() string { return k.copied }) }

// Left is "quit", "detach" or empty.
func (k *Talk) Left() string { return locked(k, func() string { return k.left }) }

// Cleared reports whether the screen was emptied.
func (k *Talk) Cleared() bool { return locked(k, func() bool { return k.cleared }) }

func locked[T any](k *Talk, read func() T) T {
	k.mu.Lock()
	defer k.mu.Unlock()
	return read()
}

func (k *Talk) say(kind, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if kind != "" {
		text = kind + ": " + text
	}
	k.said = append(k.said, text)
}

// next takes the next answer of the script.
func (k *Talk) next(kind, question string) (Answer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.answers) == 0 {
		k.t.Errorf("%s was asked for and the script has no answer: %s", kind, question)
		return Answer{}, dialog.ErrCancelled
	}
	a := k.answers[0]
	k.answers = k.answers[1:]
	if a.cancel {
		return a, dialog.ErrCancelled
	}
	if a.kind != kind {
		k.t.Errorf("%s was asked for, the script has %s: %s", kind, a.kind, question)
		return a, dialog.ErrCancelled
	}
	return a, nil
}

// Conversation implements [dialog.Talk].
func (k *Talk) Conversation() dialog.Conversation { return k.Session }

// Print implements [dialog.Talk].
func (k *Talk) Print(text string) { k.say("", text) }

// Warn implements [dialog.Talk].
func (k *Talk) Warn(text string) { k.say("warn", text) }

// Markdown implements [dialog.Talk].
func (k *Talk) Markdown(text string) { k.say("markdown", text) }

// Diff implements [dialog.Talk].
func (k *Talk) Diff(text string) { k.say("diff", text) }

// Choose implements [dialog.Talk].
func (k *Talk) Choose(ctx context.Context, m dialog.Menu) (int, error) {
	if err := ctx.Err(); err != nil {
		return -1, dialog.ErrCancelled
	}
	k.mu.Lock()
	k.menus = append(k.menus, m)
	k.mu.Unlock()
	if len(m.Items) == 0 {
		return -1, errors.New("there is nothing to choose from")
	}
	a, err := k.next("a choice", m.Title)
	if err != nil {
		return -1, err
	}
	for i, it := range m.Items {
		if m.Preview != nil {
			m.Preview(i, k.Columns)
		}
		if strings.Contains(it.Label+"\n"+it.Value+"\n"+it.Hint, a.pick) {
			return i, nil
		}
	}
	k.t.Errorf("%s: no item holds %q: %v", m.Title, a.pick, m.Items)
	return -1, dialog.ErrCancelled
}

// Ask implements [dialog.Talk].
func (k *Talk) Ask(ctx context.Context, q dialog.Question) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", dialog.ErrCancelled
	}
	k.say("ask", q.Text)
	a, err := k.next("a line", q.Text)
	return a.typed, err
}

// Edit implements [dialog.Talk].
func (k *Talk) Edit(_ context.Context, name, text string) (string, error) {
	k.say("edit", name)
	a, err := k.next("the editor", name)
	if err != nil {
		return text, err
	}
	return a.edit(text), nil
}

// Page implements [dialog.Talk].
func (k *Talk) Page(_ context.Context, title, text string) error {
	k.say("page", title+"\n"+text)
	return nil
}

// Live implements [dialog.Talk].
func (k *Talk) Live(ctx context.Context, every time.Duration, draw func(width, height int) []string) error {
	a, err := k.next("something live", "")
	if err != nil {
		return nil // it has been seen enough
	}
	const enough = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	again := time.NewTicker(min(every, 20*time.Millisecond))
	defer again.Stop()
	for {
		frame := strings.Join(draw(k.Columns, k.Rows), "\n")
		if a.until(frame) {
			k.say("live", frame)
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			k.t.Errorf("what is live has not become as wanted:\n%s", frame)
			return nil
		}
	}
}

// Fill implements [dialog.Talk].
func (k *Talk) Fill(text string) { k.mu.Lock(); k.filled = text; k.mu.Unlock() }

// Insert implements [dialog.Talk].
func (k *Talk) Insert(text string) { k.mu.Lock(); k.insert += text; k.mu.Unlock() }

// Bring implements [dialog.Talk].
func (k *Talk) Bring(text string) { k.mu.Lock(); k.brought = append(k.brought, text); k.mu.Unlock() }

// Copy implements [dialog.Talk].
func (k *Talk) Copy(text string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.copied = text
	return nil
}

// Clear implements [dialog.Talk].
func (k *Talk) Clear() { k.mu.Lock(); k.cleared = true; k.mu.Unlock() }

// Verbose implements [dialog.Talk].
func (k *Talk) Verbose(on bool) (before bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before, k.verbose = k.verbose, on
	return before
}

// Leave implements [dialog.Talk].
func (k *Talk) Leave(detach bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left = map[bool]string{true: "detach", false: "quit"}[detach]
}

// Size implements [dialog.Talk].
func (k *Talk) Size() (columns, rows int) { return k.Columns, k.Rows }
