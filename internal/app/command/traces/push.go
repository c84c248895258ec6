package traces

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/traceset"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/traces"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

// lines are foreign lines for a terminal.
func lines(text string) string {
	all := strings.Split(text, "\n")
	for i := range all {
		all[i] = plain.ForTerminal(all[i])
	}
	return strings.Join(all, "\n")
}

func newPush(s *console.Streams) *cobra.Command {
	var all, yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "push [ID...]",
		Short: "Upload sessions now",
		Long: `Upload what waits in the queue now, or the sessions that are named, also those that
were uploaded or taken out before. What is there as it is is not sent again.`,
		RunE: console.Do(func(ctx context.Context, args []string) error {
			if all && len(args) > 0 {
				return console.Usage("traces push --all takes no ID")
			}
			return with(ctx, s, func(a *app.App, d *traces.Desk) error {
				ids, err := chosen(ctx, s, a, d, args, all, yes)
				if err != nil {
					return err
				}
				return push(ctx, s, d, ids, asJSON)
			})
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "every session on this machine")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before --all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// chosen are the sessions to send: those that are named are marked.
func chosen(ctx context.Context, s *console.Streams, a *app.App, d *traces.Desk, args []string, all, yes bool) ([]string, error) {
	if len(d.Now(ctx)) == 0 {
		_, err := d.Own(ctx, nil)
		if err == nil {
			err = errors.New("nothing is uploaded: save_sessions is off")
		}
		return nil, console.Usage("%w", err)
	}
	if !all && len(args) == 0 {
		return d.Queue().Due()
	}
	lib, err := a.Library()
	if err != nil {
		return nil, err
	}
	var entries []sessions.Entry
	if all {
		if entries, err = lib.List(ctx); err != nil {
			return nil, err
		}
	}
	for _, arg := range args {
		e, err := find(ctx, lib, arg)
		if err != nil {
			return nil, err
		}
		if !e.Journal {
			return nil, console.Usage("%w", &saved.FileError{Path: e.Path})
		}
		entries = append(entries, e)
	}
	var ids []string
	for _, e := range entries {
		if e.Journal && e.Problem == "" {
			ids = append(ids, e.SessionID)
		}
	}
	if all && !yes {
		if err := s.Confirm("Upload " + amount.Count(len(ids), "session") + " to " + d.Repo() + "?"); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		if err := d.Queue().Again(ctx, id, trace.Personal); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// find finds one session by what a person typed.
func find(ctx context.Context, lib *saved.Sessions, arg string) (sessions.Entry, error) {
	e, err := lib.Resolve(ctx, arg)
	var missing *sessions.NotFoundError
	if errors.As(err, &missing) {
		return e, console.Usage("%w (ml-intern sessions list --all shows them)", err)
	}
	return e, err
}

// sent is an outcome as --json tells it.
type sent struct {
	trace.Outcome
	Error string `json:"error,omitempty"`
}

// push sends sessions and tells of each.
func push(ctx context.Context, s *console.Streams, d *traces.Desk, ids []string, asJSON bool) error {
	all, failed := []sent{}, false
	for _, id := range ids {
		for _, out := range d.Send(ctx, id, true) {
			one := sent{Outcome: out}
			if out.Err != nil {
				one.Error = out.Err.Error()
			}
			failed = failed || !out.Sent && !out.Same
			all = append(all, one)
			if !asJSON {
				fmt.Fprintf(s.Out, "%s  %s\n", id, lines(one.text()))
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if asJSON {
		if err := s.PrintJSON(all); err != nil {
			return err
		}
	} else if len(ids) == 0 {
		fmt.Fprintln(s.Out, "Nothing waits to be uploaded.")
	}
	if failed {
		return console.Silent(1)
	}
	return nil
}

// text tells one outcome.
func (o sent) text() string {
	kind := ""
	if o.Kind != trace.Personal {
		kind = string(o.Kind) + ": "
	}
	switch {
	case o.Error != "":
		return kind + "not sent: " + o.Error
	case o.Waits != "":
		return kind + "not sent: " + o.Waits
	case o.Same:
		return kind + "there already, as it is: " + o.Repo
	case !o.Sent:
		return kind + "nothing is left to send"
	}
	text := kind + "sent, " + amount.Bytes(int64(o.Bytes)) + ": " + o.Repo
	if o.Cut > 0 {
		text += fmt.Sprintf(" (%s shortened)", amount.Count(o.Cut, "long output"))
	}
	return text
}

func newShow(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [ID]",
		Short: "List what is uploaded, or print what is uploaded of a session",
		Long: `Without an ID: the sessions in your dataset. With one: exactly what would be
uploaded of that session on this machine now; nothing is sent.`,
		Args: cobra.MaximumNArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			if len(args) == 1 {
				return with(ctx, s, func(a *app.App, d *traces.Desk) error { return preview(ctx, s, a, d, args[0]) })
			}
			return withSet(ctx, s, func(_ *app.App, _ *traces.Desk, set *traceset.Set) error { return listed(ctx, s, set, asJSON) })
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the list as a JSON array")
	return cmd
}

// preview prints what is uploaded of a session.
func preview(ctx context.Context, s *console.Streams, a *app.App, d *traces.Desk, arg string) error {
	lib, err := a.Library()
	if err != nil {
		return err
	}
	e, err := find(ctx, lib, arg)
	if err != nil {
		return err
	}
	doc, err := lib.Load(ctx, e)
	if err != nil {
		return err
	}
	content, _, err := d.Render(ctx, doc)
	if err != nil {
		return err
	}
	if content.Cut > 0 {
		fmt.Fprintf(s.Err, "%s shortened\n", amount.Count(content.Cut, "long output"))
	}
	if s.OutTTY {
		_, err = fmt.Fprintln(s.Out, lines(strings.TrimSuffix(string(content.Bytes), "\n")))
		return err
	}
	_, err = s.Out.Write(content.Bytes)
	return err
}

// listed lists the sessions in the data set.
func listed(ctx context.Context, s *console.Streams, set *traceset.Set, asJSON bool) error {
	files, err := set.Files(ctx)
	if err != nil {
		return err
	}
	type file struct {
		SessionID string `json:"session_id"`
		Day       string `json:"day"`
		Path      string `json:"path"`
		Bytes     int64  `json:"bytes"`
	}
	all := []file{}
	for _, f := range files {
		all = append(all, file{strings.TrimSuffix(path.Base(f.Path), ".jsonl"), path.Base(path.Dir(f.Path)), f.Path, f.Size})
	}
	if asJSON {
		return s.PrintJSON(all)
	}
	if len(all) == 0 {
		fmt.Fprintln(s.Out, set.Repo+" has no session yet.")
		return nil
	}
	for _, f := range all {
		fmt.Fprintf(s.Out, "%s  %s  %s\n", console.OneLine(f.Day), console.OneLine(f.SessionID), amount.Bytes(f.Bytes))
	}
	fmt.Fprintln(s.Out, set.URL())
	return nil
}

// finishTime bounds the process that finishes uploads.
const finishTime = 15 * time.Minute

// NewUpload is the command of a process that finishes what others have left in
// the queue. It is hidden because the program starts it, not a person.
func NewUpload(s *console.Streams) *cobra.Command {
	var queue bool
	cmd := &cobra.Command{
		Use:    detach.UploadWord,
		Short:  "Finish what is left in the queue of uploads",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			if !queue {
				return console.Usage("upload is started by ml-intern itself: ml-intern traces push uploads now")
			}
			ctx, cancel := context.WithTimeout(ctx, finishTime)
			defer cancel()
			return with(ctx, s, func(_ *app.App, d *traces.Desk) error { return d.Finish(ctx) })
		}),
	}
	cmd.Flags().BoolVar(&queue, detach.UploadFlag, false, "send what is left")
	return cmd
}
