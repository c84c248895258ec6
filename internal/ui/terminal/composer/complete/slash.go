package complete

import (
	"context"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Slash completes the names of commands at the start of a text, and their
// arguments. A command's own Complete gets the whole argument, and what it
// offers replaces the whole argument.
func Slash(commands []dialog.Command) Source {
	return func(line string, start bool) (Request, bool) {
		if !start || !strings.HasPrefix(line, "/") {
			return Request{}, false
		}
		name, args, blank := strings.Cut(line[1:], " ")
		if !blank {
			return Request{
				Part: line, Query: name, Auto: true, Fold: true, Quick: true,
				Options: func(context.Context) []dialog.Option { return names(commands, name) },
				Insert:  func(o dialog.Option) (string, bool) { return "/" + o.Value + " ", false },
			}, true
		}
		i := slices.IndexFunc(commands, func(c dialog.Command) bool { return called(c, name) })
		if i < 0 || commands[i].Complete == nil {
			return Request{}, false
		}
		args = strings.TrimLeft(args, " ")
		return Request{
			Part: args, Query: args, Auto: true, Free: true,
			Options: func(ctx context.Context) []dialog.Option { return commands[i].Complete(ctx, args) },
			Insert:  func(o dialog.Option) (string, bool) { return o.Value, false },
		}, true
	}
}

// called reports whether a command goes by a name, in capitals or not.
func called(c dialog.Command, name string) bool {
	return strings.EqualFold(c.Name, name) ||
		slices.ContainsFunc(c.Aliases, func(a string) bool { return strings.EqualFold(a, name) })
}

// names lists commands. Hidden ones are listed only where their whole name is
// typed, other names of a command only where they begin with what is typed.
func names(commands []dialog.Command, typed string) []dialog.Option {
	var out []dialog.Option
	typed = strings.ToLower(typed)
	for _, c := range commands {
		if c.Hidden && c.Name != typed {
			continue
		}
		out = append(out, dialog.Option{Value: c.Name, Label: strings.TrimSpace("/" + c.Name + " " + c.Args), Hint: c.Help})
		for _, a := range c.Aliases {
			if typed != "" && strings.HasPrefix(a, typed) && !strings.HasPrefix(c.Name, typed) {
				out = append(out, dialog.Option{Value: a, Label: "/" + a, Hint: "the same as /" + c.Name})
			}
		}
	}
	return out
}
