package library

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

func newExport(s *console.Streams) *cobra.Command {
	var format, file string
	cmd := &cobra.Command{
		Use:   "export ID",
		Short: "Write a session as JSON, journal, Markdown, a web page or a trace",
		Long: `Write a session as a file. json is the saved form, jsonl the journal,
claude_code the form of Claude Code's session files, sts the Session Trace
Simple Format: trace viewers read both.
markdown (or md) and html are for people: what was looked up stands in them as
footnotes. The web page needs no other file and runs nothing.`,
		Example: `  ml-intern sessions export 1 --out session.html
  ml-intern sessions export 3f2b8c1e --format md`,
		Args: cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			chosen, err := exportFormat(format, file)
			if err != nil {
				return err
			}
			return shelf(ctx, s, func(_ *app.App, lib *saved.Sessions) error {
				entry, err := resolve(ctx, lib, args[0])
				if err != nil {
					return err
				}
				if chosen == sessions.FormatJSONL && !entry.Journal {
					return console.Usage("--format jsonl: session %s has no journal", args[0])
				}
				return toFile(s, file, func(w io.Writer) error { return lib.Export(ctx, entry, chosen, w) })
			})
		}),
	}
	cmd.Flags().StringVar(&format, "format", "", "`FORMAT`: "+strings.Join(sessions.Formats(), ", ")+" (default that of the file's ending, else json)")
	cmd.Flags().StringVarP(&file, "out", "o", "-", "write to this `FILE`; - is standard output")
	cmd.Flags().StringVar(&file, "output", "-", "the same as --out")
	cmd.Flags().Lookup("output").Hidden = true
	return cmd
}

// exportFormat is what was asked for, by name or by the ending of the file.
func exportFormat(name, file string) (string, error) {
	if name != "" {
		if format, ok := sessions.Format(name); ok {
			return format, nil
		}
		return "", console.Usage("--format is %q: it must be one of %s", name, strings.Join(sessions.Formats(), ", "))
	}
	if format, ok := sessions.Format(strings.TrimPrefix(strings.ToLower(filepath.Ext(file)), ".")); ok {
		return format, nil
	}
	return sessions.FormatJSON, nil
}

// toFile lets write fill a private file, or standard output for "-". The file
// takes its place when it is whole.
func toFile(s *console.Streams, path string, write func(io.Writer) error) error {
	if path == "-" || path == "" {
		return write(s.Out)
	}
	path = app.Absolute(path, s.Dir)
	f, err := os.CreateTemp(filepath.Dir(path), ".export-*") // mode 0600
	if err != nil {
		return console.Usage("--out: %w", err)
	}
	if err = errors.Join(write(f), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func newImport(s *console.Streams) *cobra.Command {
	var fork, asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "import [FILE...]",
		Short: "Bring in session files, also those of Claude Code and Codex",
		Long: `Make sessions of files: session JSON files of this program or of the Python
original, exported journals, and the JSONL files of Claude Code and Codex. The
files stay as they are. Without a file it lists what can be brought in from the
folders of Claude Code and Codex.

A session keeps its id, so that a file which is brought in again is not there
twice. Calls of tools stay what they were, with a note for the model that those
tools were another program's; thinking, the work of sub-agents and what was
taken back are left out.`,
		Example: `  ml-intern sessions import
  ml-intern sessions import ~/.codex/sessions/2026/04/02/rollout-*.jsonl
  ml-intern --resume ~/.claude/projects/-home-me-x/3f2b8c1e-….jsonl "go on"`,
		RunE: console.Do(func(ctx context.Context, args []string) error {
			if limit < 0 {
				return console.Usage("--limit is %d: it must be 0 or more", limit)
			}
			return shelf(ctx, s, func(_ *app.App, lib *saved.Sessions) error {
				if len(args) == 0 {
					return elsewhere(ctx, s, lib, limit, asJSON)
				}
				for i, path := range args {
					args[i] = app.Absolute(path, s.Dir)
				}
				return bringIn(ctx, s, lib, args, fork, asJSON)
			})
		}),
	}
	cmd.Flags().BoolVar(&fork, "fork", false, "make a copy under a new id, even of a session that is here")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "list at most `N` files; 0 is no limit")
	return cmd
}

// elsewhere lists the files of other programs.
func elsewhere(ctx context.Context, s *console.Streams, lib *saved.Sessions, limit int, asJSON bool) error {
	found, all, err := lib.Elsewhere(ctx, limit)
	if err != nil {
		return err
	}
	if asJSON {
		return s.PrintJSON(append([]saved.Found{}, found...))
	}
	now := time.Now()
	for _, f := range found {
		title := console.OneLine(f.Title)
		if title == "" {
			title = "(no message of a person)"
		}
		if f.Here {
			title += "  [here already]"
		}
		fmt.Fprintf(s.Out, "%s  %s  %s\n", f.Program, saved.Age(f.UpdatedAt, now), amount.Bytes(f.Size))
		fmt.Fprintf(s.Out, "    %s\n", title)
		fmt.Fprintf(s.Out, "    %s\n", console.OneLine(f.Path))
	}
	switch {
	case all == 0:
		fmt.Fprintln(s.Err, "there are no sessions of Claude Code or Codex in their usual folders; name a file to bring it in")
	case all > len(found):
		fmt.Fprintf(s.Err, "%d older ones: --limit 0 lists them\n", all-len(found))
	}
	return nil
}

// bringIn brings in files and tells what came of each.
func bringIn(ctx context.Context, s *console.Streams, lib *saved.Sessions, paths []string, fork, asJSON bool) error {
	done, err := lib.Several(ctx, paths, fork)
	if asJSON {
		return errors.Join(s.PrintJSON(append([]saved.Imported{}, done...)), err)
	}
	for _, d := range done {
		verb := "imported"
		if d.Here {
			verb = "here already:"
		}
		fmt.Fprintf(s.Out, "%s %s  %s (%d messages)\n", verb, d.SessionID, console.OneLine(d.Title), d.Messages)
		for _, note := range d.Notes {
			fmt.Fprintf(s.Err, "    %s\n", console.OneLine(note))
		}
		if d.Dropped > 0 && d.Program == "" {
			fmt.Fprintf(s.Err, "    %d messages were not valid and are left out\n", d.Dropped)
		}
	}
	return err
}
