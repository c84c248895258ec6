package dialog

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Slash reads a line that asks for a command; one such as /tmp/x does not, and
// /server:a/b does.
func Slash(line string) (name, args string, ok bool) {
	rest, found := strings.CutPrefix(line, "/")
	if !found {
		return "", "", false
	}
	if i := strings.IndexAny(rest, " \t\n"); i >= 0 {
		rest, args = rest[:i], rest[i+1:]
	}
	first, _, _ := strings.Cut(rest, Foreign)
	return strings.ToLower(rest), strings.TrimSpace(args), rest != "" && !strings.Contains(first, "/")
}

// Find returns the command with this name, or nil. A name of two parts such as
// server:prompt is for the command [Foreign], with the name in front of its
// arguments.
func Find(commands []Command, name string) *Command {
	at := slices.IndexFunc(commands, func(c Command) bool { return c.Name == name || slices.Contains(c.Aliases, name) })
	if at >= 0 {
		return &commands[at]
	}
	if !strings.Contains(name, Foreign) || name == Foreign {
		return nil
	}
	c := Find(commands, Foreign)
	if c == nil {
		return nil
	}
	named, run := *c, c.Run
	named.Name = name
	named.Run = func(ctx context.Context, talk Talk, args string) error { return run(ctx, talk, name+" "+args) }
	return &named
}

// Sends reports whether a name calls something whose line is a message.
func Sends(commands []Command, name string) bool {
	c := Find(commands, name)
	return c != nil && c.Message
}

// Guarded runs a command; a panic of it is its error: the conversation goes on.
func Guarded(ctx context.Context, run func(ctx context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the command failed inside: %v", p)
		}
	}()
	return run(ctx)
}
