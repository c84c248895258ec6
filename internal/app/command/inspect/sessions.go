// Package inspect is the commands that show what there is: saved sessions, models
// and tools, which can also be called by themselves.
package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Sessions makes the command.
func Sessions(s *console.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List, show, remove and export saved sessions",
		Long: `Saved sessions. ID is a session's id or the beginning of it, its number in the
list, or the path of a session file.`,
	}
	cmd.AddCommand(newSessionsList(s), newSessionsShow(s), newSessionsRm(s), newSessionsExport(s))
	return console.WithoutRun(cmd)
}

// library opens the saved sessions; close it when done.
func library(ctx context.Context, s *console.Streams) (*app.App, *saved.Sessions, error) {
	a, err := s.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	lib, err := a.Library()
	if err != nil {
		return nil, nil, errors.Join(err, a.Close())
	}
	return a, lib, nil
}

func newSessionsList(s *console.Streams) *cobra.Command {
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the sessions of this folder, newest first",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			a, lib, err := library(ctx, s)
			if err != nil {
				return err
			}
			defer a.Close()
			entries, err := lib.List(ctx)
			if err != nil {
				return err
			}
			return listSessions(s, entries, a.Loaded.Dir, all, asJSON)
		}),
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "list the sessions of all folders")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// listSessions prints entries; numbers are places in the whole list, so that
// they mean the same everywhere.
func listSessions(s *console.Streams, entries []sessions.Entry, dir string, all, asJSON bool) error {
	here := func(e sessions.Entry) bool { return all || realDir(e.Cwd) == dir }
	if asJSON {
		shown := slices.DeleteFunc(slices.Clone(entries), func(e sessions.Entry) bool { return !here(e) })
		if shown == nil {
			shown = []sessions.Entry{}
		}
		return s.PrintJSON(shown)
	}
	hidden := 0
	for i, e := range entries {
		if !here(e) {
			hidden++
			continue
		}
		listSession(s, i+1, e, all)
	}
	if hidden > 0 {
		fmt.Fprintf(s.Err, "%d more in other folders: --all lists them\n", hidden)
	}
	if len(entries) == 0 {
		fmt.Fprintln(s.Err, "there are no saved sessions")
	}
	return nil
}

func listSession(s *console.Streams, number int, e sessions.Entry, all bool) {
	at := "unknown time    "
	if !e.UpdatedAt.IsZero() {
		at = e.UpdatedAt.Local().Format("2006-01-02 15:04")
	}
	fmt.Fprintf(s.Out, "%2d. %s  %s  %d msgs  %s\n", number, at, shortID(e), e.Messages, console.OneLine(cmp.Or(e.Model, "unknown model")))
	fmt.Fprintf(s.Out, "    %s\n", console.OneLine(cmp.Or(e.Problem, e.Title, "(no message of a person)")))
	if all && e.Cwd != "" {
		fmt.Fprintf(s.Out, "    %s\n", console.OneLine(e.Cwd))
	}
}

func shortID(e sessions.Entry) string {
	id := cmp.Or(e.SessionID, filepath.Base(e.Path))
	return console.OneLine(id[:min(8, len(id))])
}

func realDir(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return dir
}

// resolve finds one session by what a person typed.
func resolve(ctx context.Context, lib *saved.Sessions, arg string) (sessions.Entry, error) {
	entry, err := lib.Resolve(ctx, arg)
	var missing *sessions.NotFoundError
	if errors.As(err, &missing) {
		return entry, console.Usage("%w (ml-intern sessions list --all shows them)", err)
	}
	return entry, err
}

func newSessionsShow(s *console.Streams) *cobra.Command {
	var sources bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Print a session's conversation",
		Args:  cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			a, lib, err := library(ctx, s)
			if err != nil {
				return err
			}
			defer a.Close()
			entry, err := resolve(ctx, lib, args[0])
			if err != nil {
				return err
			}
			doc, err := lib.Load(ctx, entry)
			if err != nil {
				return err
			}
			if sources {
				showEvidence(s, doc.Evidence())
				return nil
			}
			showSession(s, entry, doc)
			return nil
		}),
	}
	cmd.Flags().BoolVar(&sources, "evidence", false, "print what was looked up instead: what the marks [S1], [S2] … mean")
	return cmd
}

// showEvidence lists entries, two lines each.
func showEvidence(s *console.Streams, entries []event.Evidence) {
	if len(entries) == 0 {
		fmt.Fprintln(s.Err, "nothing was looked up in this session")
	}
	for _, e := range entries {
		fmt.Fprintln(s.Out, console.OneLine(evidence.Line(e)))
		more := "fetched " + e.FetchedAt.UTC().Format(time.RFC3339)
		if e.SHA256 != "" {
			more += ", sha256 " + e.SHA256
		}
		if e.AgentID != "" {
			more += ", by sub-agent " + e.AgentID
		}
		fmt.Fprintln(s.Out, "    "+console.OneLine(more))
	}
}

func showSession(s *console.Streams, e sessions.Entry, d document.Document) {
	for _, line := range []struct{ name, value string }{
		{"Session", cmp.Or(d.SessionID, e.SessionID)},
		{"Title", d.Title},
		{"Model", d.Model},
		{"Folder", cmp.Or(d.Cwd, e.Cwd)},
		{"Branch", d.GitBranch},
		{"Started", d.StartTime},
		{"File", e.Path},
	} {
		if line.value != "" {
			fmt.Fprintf(s.Out, "%-8s %s\n", line.name+":", console.OneLine(line.value))
		}
	}
	for _, m := range d.Messages {
		if m.Role != llm.System {
			showMessage(s, m)
		}
	}
}

// resultLines is how many lines of a tool's result are shown.
const resultLines = 12

func showMessage(s *console.Streams, m llm.Message) {
	text := strings.TrimRight(plain.ForTerminal(m.PlainText()), "\n")
	switch {
	case m.Role == llm.ToolRole:
		lines := strings.Split(text, "\n")
		if len(lines) > resultLines {
			lines = append(lines[:resultLines], fmt.Sprintf("… %d more lines", len(lines)-resultLines))
		}
		fmt.Fprintf(s.Out, "\n  %s:\n    %s\n", console.OneLine(m.Name), strings.Join(lines, "\n    "))
	case text != "":
		who := string(m.Role)
		if m.Synthetic {
			who += " (by the program)"
		}
		fmt.Fprintf(s.Out, "\n%s:\n%s\n", who, text)
	}
	for _, c := range m.ToolCalls {
		fmt.Fprintf(s.Out, "\n▸ %s  %s\n", console.OneLine(c.Name), console.OneLine(c.Arguments))
	}
}

func newSessionsRm(s *console.Streams) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "rm ID...",
		Short: "Remove sessions and their files for good",
		Args:  cobra.MinimumNArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			a, lib, err := library(ctx, s)
			if err != nil {
				return err
			}
			defer a.Close()
			return removeSessions(ctx, s, lib, args, yes)
		}),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// removeSessions finds all sessions before it removes one: numbers would move.
func removeSessions(ctx context.Context, s *console.Streams, lib *saved.Sessions, args []string, yes bool) error {
	var chosen []sessions.Entry
	for _, arg := range args {
		entry, err := resolve(ctx, lib, arg)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(chosen, func(e sessions.Entry) bool { return e.Path == entry.Path }) {
			chosen = append(chosen, entry)
		}
	}
	if !yes {
		for _, e := range chosen {
			fmt.Fprintf(s.Err, "%s  %s\n", cmp.Or(e.SessionID, e.Path), console.OneLine(e.Title))
		}
		if err := s.Confirm(fmt.Sprintf("Remove %d session(s) for good?", len(chosen))); err != nil {
			return err
		}
	}
	for _, e := range chosen {
		if err := lib.Remove(ctx, e); err != nil {
			return err
		}
		fmt.Fprintln(s.Out, "removed "+cmp.Or(e.SessionID, e.Path))
	}
	return nil
}

func newSessionsExport(s *console.Streams) *cobra.Command {
	var format, file string
	cmd := &cobra.Command{
		Use:   "export ID",
		Short: "Write a session as JSON, journal, Claude Code's form or Markdown",
		Args:  cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			if !slices.Contains(sessions.Formats(), format) {
				return console.Usage("--format is %q: it must be one of %s", format, strings.Join(sessions.Formats(), ", "))
			}
			a, lib, err := library(ctx, s)
			if err != nil {
				return err
			}
			defer a.Close()
			entry, err := resolve(ctx, lib, args[0])
			if err != nil {
				return err
			}
			if format == sessions.FormatJSONL && !entry.Journal {
				return console.Usage("--format jsonl: session %s has no journal", args[0])
			}
			return toFile(s, file, func(w io.Writer) error { return lib.Export(ctx, entry, format, w) })
		}),
	}
	cmd.Flags().StringVar(&format, "format", sessions.FormatJSON, "`FORMAT`: "+strings.Join(sessions.Formats(), ", "))
	cmd.Flags().StringVarP(&file, "output", "o", "-", "write to this `FILE`; - is standard output")
	return cmd
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
		return console.Usage("--output: %w", err)
	}
	if err = errors.Join(write(f), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
