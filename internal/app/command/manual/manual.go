// Package manual makes manual pages of the commands: one a command, with what its
// help says, and with the environment and the files of the program on the first.
// It writes them itself, in the language of man(7), and knows no command by name.
package manual

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// New makes the command. All returns the program with every command.
func New(all func() *cobra.Command) func(*console.Streams) *cobra.Command {
	return func(s *console.Streams) *cobra.Command {
		var dir string
		cmd := &cobra.Command{
			Use:   "man [COMMAND...]",
			Short: "Write the manual pages",
			Long: `Write the manual page of the program, or of one command, to standard output;
with --dir the pages of all commands into a folder.`,
			Example: `  ml-intern man | man -l -
  ml-intern man sessions list | man -l -
  ml-intern man --dir ~/.local/share/man/man1`,
			Args: cobra.ArbitraryArgs,
			RunE: console.Do(func(_ context.Context, args []string) error {
				root := all()
				if dir == "" {
					return one(s.Out, root, args)
				}
				if len(args) > 0 {
					return console.Usage("--dir writes the pages of all commands: leave out %s", strings.Join(args, " "))
				}
				return write(s, root, app.Absolute(dir, s.Dir))
			}),
		}
		cmd.Flags().StringVar(&dir, "dir", "", "write all pages into this `DIR`, which is made if need be")
		return cmd
	}
}

// one writes the page of one command.
func one(out io.Writer, root *cobra.Command, words []string) error {
	cmd, rest, err := root.Find(words)
	if err != nil || len(rest) > 0 || hidden(cmd) {
		return console.Usage("there is no command %q: ml-intern --help lists them", strings.Join(words, " "))
	}
	_, err = io.WriteString(out, Page(cmd))
	return err
}

// write writes the pages of all commands into a folder.
func write(s *console.Streams, root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the manual: %w", err)
	}
	n := 0
	var each func(cmd *cobra.Command) error
	each = func(cmd *cobra.Command) error {
		if hidden(cmd) {
			return nil
		}
		n++
		if err := os.WriteFile(filepath.Join(dir, name(cmd)+".1"), []byte(Page(cmd)), 0o644); err != nil {
			return fmt.Errorf("write the manual: %w", err)
		}
		for _, below := range cmd.Commands() {
			if err := each(below); err != nil {
				return err
			}
		}
		return nil
	}
	if err := each(root); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Out, "%d pages in %s\n", n, dir)
	return err
}

// hidden reports whether a command has no page.
func hidden(cmd *cobra.Command) bool {
	return cmd.Hidden || cmd.Name() == "help" || cmd.IsAdditionalHelpTopicCommand()
}

// name is what a page is called.
func name(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }
