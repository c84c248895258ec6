// Package slash is the commands that a person gives inside a conversation: a
// room for what belongs together, a file for a command or two, one line in the
// list below. A command asks the conversation, the program or the person,
// prints, and ends; it knows neither keys nor how anything is drawn.
package slash

import (
	"context"
	"runtime"

	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/app/slash/own"
	"github.com/ml-intern/ml-intern/internal/app/slash/project"
	"github.com/ml-intern/ml-intern/internal/app/slash/sessions"
	"github.com/ml-intern/ml-intern/internal/app/slash/settings"
	"github.com/ml-intern/ml-intern/internal/app/slash/shelf"
	"github.com/ml-intern/ml-intern/internal/app/slash/turns"
	"github.com/ml-intern/ml-intern/internal/app/slash/view"
	"github.com/ml-intern/ml-intern/internal/platform/clipboard"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Desk is what the commands work with.
type Desk = desk.Desk

// Commands is the list of all commands, in the order of /help; adding one is a
// line here, and a name that nothing else may take in package skillset.
func Commands(d *Desk) []dialog.Command {
	list := []dialog.Command{
		{}, // help, which lists the others
		sessions.New(),
		sessions.Clear(),
		sessions.Resume(d),
		sessions.List(d),
		sessions.Fork(d),
		sessions.Rename(),
		sessions.Export(d),
		turns.Undo(),
		turns.Redo(),
		turns.Rewind(),
		turns.Diff(d),
		turns.Compact(),
		settings.Model(d),
		settings.Effort(),
		settings.Permissions(),
		settings.Yolo(),
		settings.Budget(),
		view.Status(d),
		view.Cost(d),
		view.Context(d),
		view.Jobs(d),
		view.Plan(),
		view.Tools(),
		view.Verbose(),
		view.Copy(),
		project.Init(d),
		project.Memory(d),
		shelf.Skills(d),
		shelf.Commands(d),
		project.MCP(d),
		project.Hooks(d),
		project.Login(d),
		project.Doctor(d),
		project.ShareTraces(d),
		leave("detach", "leave the session running and go (Ctrl-B d)", true),
		leave("quit", "end the session and leave", false),
		own.Shell(d),
		own.Remember(d),
		project.Prompts(),
		own.Picture(d, clipboard.Options{GOOS: runtime.GOOS, Env: d.Env}),
	}
	list = append(list, shelf.Called(d)...)
	list[0] = help(list, d.Plain)
	return list
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
