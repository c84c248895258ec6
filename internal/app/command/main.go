// Package command is the command line: one file a command, each with its
// options, its run function and, beside it, a testscript. It reads arguments,
// asks app to build what the command needs and prints; it knows no wire format
// and no engine.
package command

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/account"
	"github.com/ml-intern/ml-intern/internal/app/command/acp"
	"github.com/ml-intern/ml-intern/internal/app/command/audits"
	"github.com/ml-intern/ml-intern/internal/app/command/complete"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/command/detached"
	"github.com/ml-intern/ml-intern/internal/app/command/export"
	"github.com/ml-intern/ml-intern/internal/app/command/hooks"
	"github.com/ml-intern/ml-intern/internal/app/command/inspect"
	"github.com/ml-intern/ml-intern/internal/app/command/library"
	"github.com/ml-intern/ml-intern/internal/app/command/manual"
	"github.com/ml-intern/ml-intern/internal/app/command/mcp"
	"github.com/ml-intern/ml-intern/internal/app/command/notify"
	"github.com/ml-intern/ml-intern/internal/app/command/sandboxes"
	"github.com/ml-intern/ml-intern/internal/app/command/settings"
	"github.com/ml-intern/ml-intern/internal/app/command/skills"
	"github.com/ml-intern/ml-intern/internal/app/command/spending"
	"github.com/ml-intern/ml-intern/internal/app/command/traces"
	"github.com/ml-intern/ml-intern/internal/app/crash"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// constructor makes one subcommand.
type constructor func(*console.Streams) *cobra.Command

// commands is the list of subcommands; adding one is a line here.
func commands() []constructor {
	return []constructor{
		library.Sessions, inspect.Models, inspect.Tools, settings.New, account.Login, account.Logout, account.Whoami,
		audits.New, newDoctor, newTrust, hooks.New, notify.New, traces.New, newDemo, newHubsim, sandboxes.New, spending.Jobs, spending.Usage, export.New,
		skills.New, detached.NewPs, newAttach, detached.NewTail, detached.NewStop, mcp.New, acp.New, manual.New(everything), inspect.Version,
		newToolserver, detached.NewHost, traces.NewUpload, // hidden
	}
}

// System is the running process.
func System() console.Streams { return console.System() }

// Main runs the program and returns its exit code.
func Main(ctx context.Context, s console.Streams) (code int) {
	defer func() {
		if p := recover(); p != nil {
			path, said := crash.Save(s.Environ, fmt.Sprint(p), debug.Stack())
			fmt.Fprintf(s.Err, "ml-intern failed inside: %s (details: %s)\n", said, path)
			code = headless.ExitFailure
		}
	}()
	root := newRoot(&s)
	root.SetArgs(s.Args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	if wantsSubcommands(s.Args) {
		for _, make := range commands() {
			root.AddCommand(make(&s))
		}
		console.SayUsage(root)
		root.InitDefaultHelpCmd()
		root.InitDefaultCompletionCmd(s.Args...)
		complete.Scripts(root, &s)
		if strings.HasPrefix(s.Args[0], cobra.ShellCompRequestCmd) { // a shell asks
			complete.Attach(root, &s)
		}
	}
	return console.ExitCode(root.ExecuteContext(ctx), s.Err)
}

// everything is the program with all its commands, to be described.
func everything() *cobra.Command {
	s := &console.Streams{}
	root := newRoot(s)
	for _, make := range commands() {
		root.AddCommand(make(s))
	}
	root.InitDefaultCompletionCmd()
	return root
}

// wantsSubcommands reports whether the first argument is a reserved word, or
// help is wanted. Anywhere else such a word belongs to the prompt.
func wantsSubcommands(args []string) bool {
	if len(args) == 0 {
		return false
	}
	if args[0] == detach.UploadWord { // a person who begins so has a prompt
		return len(args) > 1 && args[1] == "--"+detach.UploadFlag
	}
	reserved := []string{"help", "completion", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}
	for _, make := range commands() {
		reserved = append(reserved, make(&console.Streams{}).Name())
	}
	return slices.Contains(reserved, args[0]) || slices.Contains(args, "--help") || slices.Contains(args, "-h")
}
