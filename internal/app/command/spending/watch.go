package spending

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/runs"
	"github.com/ml-intern/ml-intern/internal/app/runs/show"
)

// How often what is watched is shown anew.
const (
	redraw   = time.Second      // on a terminal
	reprint  = 30 * time.Second // elsewhere, when nothing has changed
	noHeight = 60               // lines for the curves at the end, elsewhere
)

// watchOptions are those of the command.
type watchOptions struct {
	files         []string
	asJSON, ascii bool
}

func newWatch(s *console.Streams, namespace *string) *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:   "watch [ID...]",
		Short: "Watch runs until they are over: curves, cost, and what goes wrong",
		Long: `Watch jobs on the Hub, commands that sessions have left running on this
machine, and log files, until all of them are over. Without IDs and files it
watches what runs now.

Losses, evaluations, learning rate, gradient norm, throughput and memory are
read from what a run prints and drawn as curves. What goes wrong in them is
told: no number, divergence, a plateau, over-fitting, silence. On a terminal
everything is drawn anew every second; elsewhere lines come when something
changes, and the curves at the end. Leaving does not end the runs. Exit 1 when
one has failed.`,
		Example: `  ml-intern jobs watch
  ml-intern jobs watch 66aa01b2c3d4e5f60718293a
  ml-intern jobs watch --file train.log --ascii
  ml-intern jobs watch --json | jq 'select(.type == "finding")'`,
		RunE: console.Do(func(ctx context.Context, args []string) error { return watch(ctx, s, *namespace, args, o) }),
	}
	cmd.Flags().StringArrayVar(&o.files, "file", nil, "watch a log `FILE` too, through truncation and rotation, also before it is there")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print a JSON object for each change")
	cmd.Flags().BoolVar(&o.ascii, "ascii", false, "draw with ASCII characters alone")
	return cmd
}

func watch(ctx context.Context, s *console.Streams, namespace string, ids []string, o watchOptions) error {
	a, err := s.Open(ctx)
	if err != nil {
		return err
	}
	w := &watcher{desk: &desk{App: a, streams: s}, opts: o}
	defer w.Close()
	if err := w.choose(ctx, namespace, ids); err != nil {
		return err
	}
	if len(w.views) == 0 {
		fmt.Fprintln(s.Err, "nothing runs")
		return nil
	}
	return w.run(ctx)
}

// watcher shows runs.
type watcher struct {
	*desk
	opts  watchOptions
	views []*runs.View

	printing sync.Mutex
}

// choose finds what is to be watched. The Hub is asked only where it may know
// it.
func (w *watcher) choose(ctx context.Context, namespace string, ids []string) error {
	all := len(ids)+len(w.opts.files) == 0
	w.board = w.LocalBoard()
	var offline error
	if all || len(ids) > 0 {
		if offline = w.connect(ctx, namespace); offline != nil && (namespace != "" || console.CodeOf(offline) == usageCode) {
			return offline
		}
	}
	if all {
		return w.everything(ctx, offline)
	}
	for _, id := range ids {
		v, err := w.board.Open(ctx, id)
		switch {
		case err != nil && offline != nil:
			return offline
		case errors.Is(err, wire.Invalid):
			return console.UsageOf(err)
		case err != nil:
			return err
		}
		w.views = append(w.views, v)
	}
	for _, path := range w.opts.files {
		if !filepath.IsAbs(path) {
			path = filepath.Join(w.streams.Dir, path)
		}
		v, err := w.board.Open(ctx, "file:"+path)
		if err != nil {
			return err
		}
		w.views = append(w.views, v)
	}
	return nil
}

// usageCode is the exit code of a wrong use.
const usageCode = 2

// everything is all that runs now. offline is why the Hub was not reached.
func (w *watcher) everything(ctx context.Context, offline error) error {
	rows, err := w.board.Rows(ctx)
	for _, r := range rows {
		w.views = append(w.views, w.board.View(r))
	}
	switch err := errors.Join(err, offline); {
	case err != nil && len(rows) == 0:
		return err
	case offline != nil:
		fmt.Fprintf(w.streams.Err, "jobs on the Hub are not shown: %s\n", console.OneLine(offline.Error()))
	case err != nil:
		fmt.Fprintf(w.streams.Err, "something may not be shown: %s\n", console.OneLine(err.Error()))
	}
	return nil
}

// run shows what is watched until all of it is over.
func (w *watcher) run(ctx context.Context) error {
	ctx, release := console.StopSignals(ctx, 0)
	defer release()
	if w.prices != nil {
		w.prices.Ask(ctx)
	}
	var followers sync.WaitGroup
	over := make(chan struct{})
	for _, v := range w.views {
		followers.Go(func() { v.Follow(ctx, w.tell(v)) })
	}
	go func() { followers.Wait(); close(over) }()
	screen := &screen{out: w.streams.Out, terminal: w.streams.OutTTY, size: sizeOf(w.streams.Out)}
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for running := true; running; {
		w.show(screen, false)
		select {
		case <-tick.C:
		case <-over:
			running = false
		}
	}
	w.show(screen, true)
	if ctx.Err() != nil {
		fmt.Fprintln(w.streams.Err, "what runs goes on")
		return console.Silent(console.StopCode(ctx))
	}
	return w.ended()
}

// ended is how everything went.
func (w *watcher) ended() error {
	failed := 0
	var problems []error
	for _, v := range w.views {
		switch s := v.Snapshot(); {
		case s.Err != nil:
			problems = append(problems, s.Err)
		case s.Row.Failed:
			failed = 1
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return console.Silent(failed)
}

// show draws everything; elsewhere than on a terminal the curves come last.
func (w *watcher) show(screen *screen, last bool) {
	if w.opts.asJSON {
		return
	}
	var all []runs.Snapshot
	for _, v := range w.views {
		all = append(all, v.Snapshot())
	}
	width, height := screen.size()
	o := show.Options{Width: width, Height: height, ASCII: w.opts.ascii, Now: time.Now()}
	w.printing.Lock()
	defer w.printing.Unlock()
	switch {
	case w.streams.OutTTY:
		screen.draw(show.Lines(all, o))
	case last:
		o.Height = noHeight
		screen.changed = time.Time{}
		screen.print(show.Lines(all, o))
	default:
		screen.print(show.Table(all, o))
	}
}

// tell prints what is noticed in a run at once, where it is not drawn; with
// --json everything that changes.
func (w *watcher) tell(v *runs.View) func(runs.Update, error) {
	source := v.Snapshot().Row.Source
	return func(u runs.Update, err error) {
		w.printing.Lock()
		defer w.printing.Unlock()
		switch {
		case w.opts.asJSON:
			w.objects(source, u, err)
		case !w.streams.OutTTY:
			for _, f := range u.Findings {
				fmt.Fprintf(w.streams.Out, "%s: %s: %s\n", f.Severity, f.Source, f.Text)
			}
		}
	}
}

// sizeOf asks how large the terminal behind out is. Elsewhere a line has 80
// columns, and the height is 0, unknown.
func sizeOf(out io.Writer) func() (width, height int) {
	return func() (int, int) {
		if file, ok := out.(*os.File); ok {
			if width, height, err := term.GetSize(int(file.Fd())); err == nil {
				return width, height
			}
		}
		return 80, 0
	}
}

// screen shows a text in the place of the one before.
type screen struct {
	out      io.Writer
	terminal bool
	size     func() (width, height int)
	rows     int // of what was drawn last
	shown    string
	changed  time.Time
}

// draw replaces what was drawn before. What has no room is left out: it could
// not be drawn over.
func (s *screen) draw(lines []string) {
	_, height := s.size()
	if height > 1 {
		lines = lines[:min(len(lines), height-1)]
	}
	var b strings.Builder
	if s.rows > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", s.rows)
	}
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	s.rows = len(lines)
	_, _ = io.WriteString(s.out, b.String())
}

// print writes lines when more than costs, ages and numbers in them has changed,
// and now and then.
func (s *screen) print(lines []string) {
	text := strings.Join(lines, "\n") + "\n"
	if stages(text) == stages(s.shown) && (time.Since(s.changed) < reprint || text == s.shown) {
		return
	}
	_, _ = io.WriteString(s.out, text)
	s.shown, s.changed = text, time.Now()
}

// stages is what of a table is worth a new line at once.
func stages(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		out.WriteString(strings.Join(fields[:min(3, len(fields))], " ") + "\n")
	}
	return out.String()
}
