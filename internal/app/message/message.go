// Package message makes the message of what a person has typed: a skill or a
// command that is called by its name is spelled out, and what is mentioned is
// read into it. It neither sends nor shows anything.
package message

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/mention"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Options of a Maker.
type Options struct {
	App *app.App
	// Skills are what can be called; nil reads them when they are needed.
	Skills *skillset.Set
	// Seen remembers repositories that were mentioned; nil remembers none.
	Seen *mention.Seen
	// Pictures says whether the model in use takes pictures; nil is unknown.
	Pictures func(ctx context.Context) (takes, known bool)
}

// Maker makes messages. It is safe for concurrent use.
type Maker struct {
	app      *app.App
	skills   func() *skillset.Set
	mentions *mention.Reader
}

// New returns a Maker.
func New(o Options) *Maker {
	a := o.App
	set := sync.OnceValue(func() *skillset.Set {
		if o.Skills != nil {
			return o.Skills
		}
		return skillset.Load(a.Loaded)
	})
	return &Maker{a, set, mention.New(mention.Options{
		Dir: a.Loaded.Dir, Home: a.Loaded.Places.Home, Own: a.Loaded.Places.Sessions(), Hub: a.OpenHub, Seen: o.Seen, Scrub: a.Scrub, Pictures: o.Pictures,
	})}
}

// Typed makes the message of what was typed in a conversation. Notes tell the
// person what was made of it.
func (m *Maker) Typed(ctx context.Context, text string) (event.UserInput, []string, error) {
	if in, notes, ok, err := m.Called(ctx, text); ok || err != nil {
		return in, notes, err
	}
	return m.mentions.Expand(ctx, text)
}

// Prompt makes the message of a prompt from the command line, in which files are
// not mentioned but named.
func (m *Maker) Prompt(ctx context.Context, text string) (event.UserInput, []string, error) {
	in, notes, ok, err := m.Called(ctx, text)
	if !ok && err == nil {
		in.Text = text
	}
	return in, notes, err
}

// Called makes the message of a text that begins with "/" and the name of a skill
// or a command; ok is false for any other text.
func (m *Maker) Called(ctx context.Context, text string) (in event.UserInput, notes []string, ok bool, err error) {
	typed := strings.TrimSpace(text)
	name, args, ok := dialog.Slash(typed)
	if !ok {
		return in, nil, false, nil
	}
	e, ok := m.skills().Called(name)
	if !ok {
		return in, nil, false, nil
	}
	if e.Model != "" {
		if err := m.app.Models.Validate(e.Model); err != nil {
			return in, nil, true, fmt.Errorf("/%s asks for a model that cannot be used: %w (it stands in %s)", name, err, plain.ForTerminal(e.Path))
		}
	}
	body, err := e.Body()
	if err != nil {
		return in, nil, true, fmt.Errorf("/%s: %w", name, err)
	}
	if e.Kind == skills.Command {
		in, notes, err = m.mentions.Expand(ctx, skills.Fill(body, args))
	} else if in, notes, err = m.mentions.Expand(ctx, typed); err == nil {
		in.Text, err = spelled(in.Text, e, body, args)
	}
	if err != nil {
		return event.UserInput{}, nil, true, err
	}
	if strings.TrimSpace(in.Text) == "" {
		return in, nil, true, errors.New("/" + name + " says nothing with these arguments")
	}
	in.Shown, in.Terms = typed, terms(e)
	return in, append([]string{m.note(e)}, notes...), true, nil
}

// spelled is the message that calls a skill: what was typed, then what the skill
// says.
func spelled(text string, e skills.Entry, body, args string) (string, error) {
	files, more, err := e.Files()
	if err != nil {
		return "", fmt.Errorf("list the files of the skill %s: %w", e.Name, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nThis calls the skill %s (%s), which follows: do what it says, for what the call asks.\n", text, e.Name, e.Origin)
	if len(files) > 0 {
		var names []string
		for _, f := range files {
			names = append(names, f.Name)
		}
		if more {
			names = append(names, "and more")
		}
		fmt.Fprintf(&b, "Its files (the tool skill reads them and says where they lie): %s\n", strings.Join(names, ", "))
	}
	fmt.Fprintf(&b, "\n<skill name=%q>\n%s\n</skill>", e.Name, strings.ReplaceAll(body, "$ARGUMENTS", args))
	return b.String(), nil
}

// terms are what an entry asks for its turn; nil for nothing.
func terms(e skills.Entry) *event.Terms {
	if e.Model == "" && len(e.Allow) == 0 {
		return nil
	}
	return &event.Terms{Model: e.Model, Allow: e.Allow}
}

// note tells the person what was called, and what holds for its turn.
func (m *Maker) note(e skills.Entry) string {
	where := string(e.Origin)
	if e.Path != "" {
		where = e.Path
		if rest, err := filepath.Rel(m.app.Loaded.Dir, e.Path); err == nil && filepath.IsLocal(rest) {
			where = rest
		}
	}
	line := fmt.Sprintf("%s %s: %s", e.Kind, e.Name, plain.ForTerminal(where))
	if e.Model != "" {
		line += "; this turn asks " + e.Model
	}
	if len(e.Allow) > 0 {
		line += "; allowed in this turn: " + strings.Join(e.Allow, ", ")
	}
	return line
}
