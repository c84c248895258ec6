// Package console is what all commands share: the streams and the environment
// they may use, how they fail with an exit code, and how they ask and print. It
// knows no command.
package console

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
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

// ExitError carries an exit code up to Main. Its text has been printed when
// quiet is set.
type ExitError struct {
	Code  int
	Err   error
	quiet bool
}

func (e *ExitError) Error() string { return e.Err.Error() }
func (e *ExitError) Unwrap() error { return e.Err }

// Usage is a mistake in flags, arguments or settings: exit code 2.
func Usage(format string, args ...any) error {
	return &ExitError{Code: headless.ExitUsage, Err: fmt.Errorf(format, args...)}
}

// Silent ends with a code; everything has been said.
func Silent(code int) error {
	if code == 0 {
		return nil
	}
	return &ExitError{Code: code, Err: errors.New("failed"), quiet: true}
}

// Do makes the run function of a subcommand: what fails in it has an exit code
// of its own, unlike a mistake in its flags and arguments.
func Do(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := f(cmd.Context(), args)
		if err == nil {
			return nil
		}
		var exit *ExitError
		if errors.As(err, &exit) {
			return exit
		}
		return &ExitError{Code: CodeOf(err), Err: err}
	}
}

// Open reads the configuration for a subcommand that needs a sound one.
func (s *Streams) Open(ctx context.Context) (*app.App, error) {
	return app.New(ctx, app.Options{Dir: s.Dir, Environ: s.Environ})
}

// Config reads the configuration for a subcommand that explains or mends it:
// its faults are returned beside it.
func (s *Streams) Config(ctx context.Context) (*config.Loaded, error) {
	return config.Load(ctx, config.Options{Dir: s.Dir, Environ: s.Environ})
}

// PrintJSON writes one indented JSON value.
func (s *Streams) PrintJSON(v any) error {
	enc := json.NewEncoder(s.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Confirm asks for a yes on the terminal; without one it says which flag gives
// it.
func (s *Streams) Confirm(question string) error {
	if !s.InTTY {
		return Usage("%s Nobody can be asked: add --yes", question)
	}
	fmt.Fprint(s.Err, question+" [y/N] ")
	answer, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil && answer == "" {
		return Usage("nothing was done")
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return Usage("nothing was done")
	}
	return nil
}

// CodeOf maps an error from before the run to an exit code.
func CodeOf(err error) int {
	var exit *ExitError
	var wrong *app.UsageError
	var missing *app.MissingKeyError
	switch {
	case errors.As(err, &exit):
		return exit.Code
	case errors.As(err, &missing):
		return headless.ExitAuth
	case errors.As(err, &wrong):
		return headless.ExitUsage
	}
	return headless.ExitFailure
}

// UsageOf makes a fault of the configuration a usage error.
func UsageOf(err error) error { return Usage("%w", err) }

// OneLine is a foreign text for one line of a terminal.
func OneLine(text string) string {
	return strings.Join(strings.Fields(plain.ForTerminal(text)), " ")
}

// SayUsage lets all commands below cmd say how they are called where arguments are
// too many or too few.
func SayUsage(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		if fits := c.Args; fits != nil {
			c.Args = func(c *cobra.Command, args []string) error {
				if err := fits(c, args); err != nil {
					return fmt.Errorf("%w; usage: %s", err, c.UseLine())
				}
				return nil
			}
		}
		SayUsage(c)
	}
}

// WithoutRun makes a command that only has subcommands refuse everything else.
func WithoutRun(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return Usage("%s needs a subcommand (%s --help lists them)", cmd.CommandPath(), cmd.CommandPath())
		}
		return Usage("%s has no subcommand %q (%s --help lists them; a prompt that begins with %q is given with -p)",
			cmd.CommandPath(), args[0], cmd.CommandPath(), cmd.Name())
	}
	return cmd
}

// WithDefault makes a command that has only subcommands do what one of them does
// where none is named, with that one's flags.
func WithDefault(cmd, usual *cobra.Command) *cobra.Command {
	refuse := WithoutRun(cmd).RunE
	cmd.Flags().AddFlagSet(usual.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return refuse(cmd, args)
		}
		return usual.RunE(cmd, args)
	}
	return cmd
}

// VersionLine names the program and its platform.
func VersionLine() string {
	return fmt.Sprintf("ml-intern %s %s/%s", app.Version(), runtime.GOOS, runtime.GOARCH)
}

// ExitCode prints an error, one line each, and returns its exit code.
func ExitCode(err error, stderr io.Writer) int {
	if err == nil {
		return headless.ExitOK
	}
	var exit *ExitError
	code := headless.ExitUsage // cobra's own errors are about flags and arguments
	if errors.As(err, &exit) {
		code = exit.Code
		if exit.quiet {
			return code
		}
	}
	// So a flag tells that its value is no number.
	number := regexp.MustCompile(`strconv\.Parse(?:Int|Uint|Float): parsing "[^"]*": invalid syntax`)
	for _, line := range strings.Split(err.Error(), "\n") {
		line = number.ReplaceAllString(line, "it must be a number")
		fmt.Fprintln(stderr, "ERROR: "+line)
	}
	return code
}
