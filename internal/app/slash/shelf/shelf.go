// Package shelf is what a conversation has of skills and of commands that people
// have written: each one by its name, and the lists of them.
package shelf

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// helpMost is how long the help of a command is, in characters.
const helpMost = 60

// Called are the skills and commands that a person calls by name: their line is
// a message.
func Called(d *desk.Desk) []dialog.Command {
	if d.Skills == nil {
		return nil
	}
	var out []dialog.Command
	for _, e := range d.Skills.Callable() {
		out = append(out, dialog.Command{Name: e.Name, Args: e.Hint, Help: desk.OneLine(sentence(e.Description), helpMost), Message: true})
	}
	return out
}

// sentence is the first one of a description, which a list has room for.
func sentence(text string) string {
	first, _, _ := strings.Cut(text, ". ")
	return strings.TrimSuffix(first, ".")
}

// Skills lists the skills, or shows one.
func Skills(d *desk.Desk) dialog.Command {
	return list(d, skills.Skill, "skills", "list the skills, or show one; /name begins with one",
		"There are no skills. ml-intern skills new NAME begins one.")
}

// Commands lists the commands that people have written, or shows one.
func Commands(d *desk.Desk) dialog.Command {
	return list(d, skills.Command, "commands", "list the commands of yours and the project's, or show one",
		"There are no commands of yours or the project's. A file NAME.md in one of these folders becomes /NAME:")
}

// list is the command that lists the entries of a kind.
func list(d *desk.Desk, kind skills.Kind, name, help, none string) dialog.Command {
	of := func(s *skillset.Set) []skills.Entry {
		return slices.DeleteFunc(slices.Clone(s.Entries), func(e skills.Entry) bool { return e.Kind != kind })
	}
	return dialog.Command{
		Name: name, Args: "[name]", Help: help,
		Complete: func(context.Context, string) []dialog.Option {
			if d.Skills == nil {
				return nil
			}
			var out []dialog.Option
			for _, e := range of(d.Skills) {
				if !d.Skills.Hidden(e) {
					out = append(out, dialog.Option{Value: e.Name, Hint: e.Description})
				}
			}
			return out
		},
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			s := skillset.Load(d.App.Loaded) // as it stands there now
			if args != "" {
				return show(ctx, talk, of(s), kind, strings.TrimPrefix(args, "/"))
			}
			if len(of(s)) == 0 {
				talk.Print(none)
			}
			if len(of(s)) == 0 && kind == skills.Command {
				talk.Print("  " + strings.Join([]string{skillset.ProjectCommands(d.App.Loaded), skillset.UserCommands(d.App.Loaded)}, "\n  "))
			}
			tell(d, talk, s, of(s))
			return nil
		},
	}
}

// tell lists entries, and what is wrong with any.
func tell(d *desk.Desk, talk dialog.Talk, s *skillset.Set, entries []skills.Entry) {
	var rows [][2]string
	known := true
	for _, e := range entries {
		what := desk.OneLine(e.Description, 300) + " (" + origin(d, e) + ")"
		switch {
		case s.Hidden(e):
			what = "hidden: its name is taken (" + origin(d, e) + ")"
		case !e.ForPerson:
			what += "; for the agent only"
		case !e.ForModel && e.Kind == skills.Skill:
			what += "; for you only"
		}
		rows = append(rows, [2]string{strings.TrimSpace("/" + e.Name + " " + e.Hint), what})
		if d.Skills != nil && e.ForPerson && !s.Hidden(e) {
			_, there := d.Skills.Called(e.Name)
			known = known && there
		}
	}
	columns, _ := talk.Size()
	if len(rows) > 0 {
		talk.Print(desk.Table(rows, columns))
	}
	if !known {
		talk.Print("What has come up since ml-intern began can be called from its next start on.")
	}
	for _, line := range s.Warnings() {
		talk.Warn("warning: " + line)
	}
}

// origin is whose an entry is, with its file where it has one.
func origin(d *desk.Desk, e skills.Entry) string {
	if e.Path == "" {
		return string(e.Origin)
	}
	return plain.ForTerminal(d.Short(e.Path))
}

// show pages what an entry says.
func show(ctx context.Context, talk dialog.Talk, entries []skills.Entry, kind skills.Kind, name string) error {
	at := slices.IndexFunc(entries, func(e skills.Entry) bool { return strings.EqualFold(e.Name, name) })
	if at < 0 {
		return fmt.Errorf("there is no %s %s; /%ss lists them", kind, name, kind)
	}
	body, err := entries[at].Body()
	if err != nil {
		return err
	}
	return talk.Page(ctx, fmt.Sprintf("The %s %s: %s", kind, entries[at].Name, entries[at].Description), body)
}
