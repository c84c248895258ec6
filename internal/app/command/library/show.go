package library

import (
	"cmp"
	"context"
	"fmt"
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

func newShow(s *console.Streams) *cobra.Command {
	var sources bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Print a session's conversation",
		Args:  cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			return shelf(ctx, s, func(_ *app.App, lib *saved.Sessions) error {
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
				show(s, entry, doc)
				return nil
			})
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

func show(s *console.Streams, e sessions.Entry, d document.Document) {
	running := ""
	if e.Running {
		running = "yes"
		if e.PID > 0 {
			running = fmt.Sprintf("yes, process %d", e.PID)
		}
	}
	for _, line := range []struct{ name, value string }{
		{"Session", cmp.Or(d.SessionID, e.SessionID)},
		{"Title", d.Title},
		{"Model", d.Model},
		{"Folder", cmp.Or(d.Cwd, e.Cwd)},
		{"Branch", d.GitBranch},
		{"Started", d.StartTime},
		{"Cost", cmp.Or(saved.Cost(e), "unknown")},
		{"Running", running},
		{"Goes on", e.Next},
		{"File", e.Path},
	} {
		if line.value != "" {
			fmt.Fprintf(s.Out, "%-8s %s\n", line.name+":", console.OneLine(line.value))
		}
	}
	for i, text := range d.Texts() {
		if m := d.Messages[i]; m.Role != llm.System {
			showMessage(s, m, text)
		}
	}
}

// resultLines is how many lines of a tool's result are shown.
const resultLines = 12

func showMessage(s *console.Streams, m llm.Message, text string) {
	text = strings.TrimRight(plain.ForTerminal(text), "\n")
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
