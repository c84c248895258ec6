// Package slash is the commands that a person gives inside a conversation: one
// file each, one line in the list below. A command asks the conversation, the
// program or the person, prints, and ends; it knows neither keys nor how
// anything is drawn.
package slash

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Desk is what the commands work with.
type Desk struct {
	// App is the program, without a session of its own.
	App *app.App
	// Version of the program, for /status and /doctor.
	Version string
}

// run is what a command does.
type run = func(ctx context.Context, talk dialog.Talk, args string) error

// Commands is the list of all commands, in the order of /help; adding one is a
// line here.
func Commands(d *Desk) []dialog.Command {
	list := []dialog.Command{
		newChat(), clear(), undo(), redo(), rewind(), compact(),
		model(d), effort(), permissions(), yolo(), budget(),
		status(d), cost(d), contextUse(), plan(), tools(), verbose(), copyReply(), export(d), rename(),
		leave("detach", "leave the session running and detach (Ctrl-B d)", true), leave("quit", "end the session and leave", false),
	}
	return append([]dialog.Command{help(&list)}, list...)
}

// help lists the commands.
func help(list *[]dialog.Command) dialog.Command {
	return dialog.Command{
		Name: "help", Aliases: []string{"?"}, Args: "[command]", Help: "list the commands and keys",
		Run: func(_ context.Context, talk dialog.Talk, args string) error {
			columns, _ := talk.Size()
			width := 0
			for _, c := range *list {
				width = max(width, len(title(c)))
			}
			var b strings.Builder
			for _, c := range *list {
				if c.Hidden || args != "" && c.Name != strings.TrimPrefix(args, "/") {
					continue
				}
				if columns < width+20 {
					fmt.Fprintf(&b, "%s\n    %s\n", title(c), c.Help)
				} else {
					fmt.Fprintf(&b, "%-*s  %s\n", width, title(c), c.Help)
				}
			}
			if b.Len() == 0 {
				return fmt.Errorf("there is no command %s; /help lists them", args)
			}
			talk.Print(strings.TrimRight(b.String(), "\n"))
			return nil
		},
	}
}

// leave ends the conversation on this terminal.
func leave(name, what string, detach bool) dialog.Command {
	c := dialog.Command{Name: name, Help: what, Run: func(_ context.Context, talk dialog.Talk, _ string) error {
		talk.Leave(detach)
		return nil
	}}
	if name == "quit" {
		c.Aliases = []string{"exit"}
	}
	return c
}

// absolute is a path as a person means it.
func (d *Desk) absolute(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		path = filepath.Join(d.App.Loaded.Places.Home, rest)
	}
	return app.Absolute(path, d.App.Loaded.Dir)
}

func title(c dialog.Command) string { return strings.TrimSpace("/" + c.Name + " " + c.Args) }
