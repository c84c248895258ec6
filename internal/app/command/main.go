// Package command is the command line: one file a command, each with its
// options, its run function and, beside it, a testscript. It reads arguments,
// asks app to build what the command needs and prints; it knows no wire format
// and no engine.
package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// Streams are what a command may use of the process.
type Streams struct {
	Args    []string // without the program's name
	Environ []string
	Dir     string
	In      *os.File
	Out     io.Writer
	Err     io.Writer
	// OutTTY and InTTY say whether the streams are terminals.
	OutTTY, InTTY bool
}

// System is the running process.
func System() Streams {
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	return Streams{
		Args: os.Args[1:], Environ: os.Environ(), Dir: dir, In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		OutTTY: term.IsTerminal(int(os.Stdout.Fd())), InTTY: term.IsTerminal(int(os.Stdin.Fd())),
	}
}

// constructor makes one subcommand.
type constructor func(*Streams) *cobra.Command

// commands is the list of subcommands; adding one is a line here.
func commands() []constructor {
	return []constructor{
		newSessions, newModels, newTools, newConfig, newLogin, newLogout, newWhoami, newDoctor, newTrust, newDemo, newVersion,
	}
}

// exitError carries an exit code up to Main. Its text has been printed when
// quiet is set.
type exitError struct {
	code  int
	err   error
	quiet bool
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage is a mistake in flags, arguments or settings: exit code 2.
func usage(format string, args ...any) error {
	return &exitError{code: headless.ExitUsage, err: fmt.Errorf(format, args...)}
}

// silent ends with a code; everything has been said.
func silent(code int) error {
	if code == 0 {
		return nil
	}
	return &exitError{code: code, err: errors.New("failed"), quiet: true}
}

// do makes the run function of a subcommand: what fails in it has an exit code
// of its own, unlike a mistake in its flags and arguments.
func do(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := f(cmd.Context(), args)
		if err == nil {
			return nil
		}
		var exit *exitError
		if errors.As(err, &exit) {
			return exit
		}
		return &exitError{code: codeOf(err), err: err}
	}
}

// open reads the configuration for a subcommand that needs a sound one.
func (s *Streams) open(ctx context.Context) (*app.App, error) {
	return app.New(ctx, app.Options{Dir: s.Dir, Environ: s.Environ})
}

// config reads the configuration for a subcommand that explains or mends it:
// its faults are returned beside it.
func (s *Streams) config(ctx context.Context) (*config.Loaded, error) {
	return config.Load(ctx, config.Options{Dir: s.Dir, Environ: s.Environ})
}

// printJSON writes one indented JSON value.
func (s *Streams) printJSON(v any) error {
	enc := json.NewEncoder(s.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// confirm asks for a yes on the terminal; without one it says which flag gives
// it.
func (s *Streams) confirm(question string) error {
	if !s.InTTY {
		return usage("%s Nobody can be asked: add --yes", question)
	}
	fmt.Fprint(s.Err, question+" [y/N] ")
	answer, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil && answer == "" {
		return usage("nothing was done")
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return usage("nothing was done")
	}
	return nil
}

// Main runs the program and returns its exit code.
func Main(ctx context.Context, s Streams) (code int) {
	defer func() {
		if p := recover(); p != nil {
			path := app.SaveCrash(s.Environ, fmt.Sprint(p), debug.Stack())
			fmt.Fprintf(s.Err, "ml-intern failed inside: %v (details: %s)\n", p, path)
			code = headless.ExitFailure
		}
	}()
	root := newRoot(&s)
	if wantsSubcommands(s.Args) {
		for _, make := range commands() {
			root.AddCommand(make(&s))
		}
		root.InitDefaultHelpCmd()
		root.InitDefaultCompletionCmd(s.Args...)
	}
	root.SetArgs(s.Args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	return exitCode(root.ExecuteContext(ctx), s.Err)
}

// wantsSubcommands reports whether the first argument is a reserved word, or
// help is wanted. Anywhere else such a word belongs to the prompt.
func wantsSubcommands(args []string) bool {
	if len(args) == 0 {
		return false
	}
	reserved := []string{"help", "completion", "__complete", "__completeNoDesc"}
	for _, make := range commands() {
		reserved = append(reserved, make(&Streams{}).Name())
	}
	return slices.Contains(reserved, args[0]) || slices.Contains(args, "--help") || slices.Contains(args, "-h")
}

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return headless.ExitOK
	}
	var exit *exitError
	code := headless.ExitUsage // cobra's own errors are about flags and arguments
	if errors.As(err, &exit) {
		code = exit.code
		if exit.quiet {
			return code
		}
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintln(stderr, "ERROR: "+line)
	}
	return code
}

// versionLine names the program and its platform.
func versionLine() string {
	return fmt.Sprintf("ml-intern %s %s/%s", app.Version(), runtime.GOOS, runtime.GOARCH)
}
