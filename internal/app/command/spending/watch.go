package spending

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/command/spending/curve"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/joblog"
)

// How often a watched job is shown anew.
const (
	redraw   = time.Second      // on a terminal
	reprint  = 30 * time.Second // elsewhere, when nothing has changed
	curveLen = 24               // characters
	lastLen  = 60               // characters of the newest line with numbers
)

func newWatch(s *console.Streams, namespace *string) *cobra.Command {
	return &cobra.Command{
		Use:   "watch [ID...]",
		Short: "Watch jobs until they are over: cost, loss and the newest numbers",
		Long: `Watch jobs until all of them are over, without IDs those that run now. Their
cost so far, the curve of the loss and the newest line with numbers are shown
anew every second on a terminal, and as lines when something changes elsewhere.
Leaving does not end the jobs. Exit 1 when one has failed.`,
		RunE: console.Do(func(ctx context.Context, args []string) error {
			d, err := open(ctx, s, *namespace)
			if err != nil {
				return err
			}
			defer d.Close()
			watched, err := d.watched(ctx, args)
			if err != nil {
				return err
			}
			if len(watched) == 0 {
				fmt.Fprintln(s.Err, "no job runs")
				return nil
			}
			return d.watch(ctx, watched)
		}),
	}
}

// watched is a job on the screen.
type watched struct {
	ns string

	mu    sync.Mutex
	job   job.Job
	curve curve.Tracker
	err   error
	done  bool
}

func (d *desk) watched(ctx context.Context, ids []string) ([]*watched, error) {
	var out []*watched
	for _, id := range ids {
		j, ns, err := d.find(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, &watched{ns: ns, job: j})
	}
	if len(ids) > 0 {
		return out, nil
	}
	rows, err := d.list(ctx, false)
	for _, r := range rows {
		j, err := d.client.Jobs.Find(ctx, r.Namespace, r.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, &watched{ns: r.Namespace, job: j})
	}
	return out, err
}

// follow takes what the job prints and its stages.
func (w *watched) follow(ctx context.Context, d *desk) {
	w.mu.Lock()
	id := w.job.ID
	w.mu.Unlock()
	for u, err := range d.client.Jobs.Follow(ctx, w.ns, id, 0) {
		w.mu.Lock()
		switch {
		case err != nil:
			w.err = err
		case u.Line != nil:
			w.curve.Line(d.Scrub(plain.String(joblog.Collapse(u.Line.Text))))
		default:
			w.job = *u.Job
		}
		w.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
}

// watch shows jobs until all are over.
func (d *desk) watch(ctx context.Context, all []*watched) error {
	ctx, release := console.StopSignals(ctx, 0)
	defer release()
	var followers sync.WaitGroup
	over := make(chan struct{})
	for _, w := range all {
		followers.Go(func() { w.follow(ctx, d) })
	}
	go func() { followers.Wait(); close(over) }()
	screen := &screen{out: d.streams.Out, terminal: d.streams.OutTTY, width: columns(d.streams.Out)}
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for running := true; running; {
		screen.show(d.table(ctx, all))
		select {
		case <-tick.C:
		case <-over:
			running = false
		}
	}
	screen.changed = time.Time{}
	screen.show(d.table(ctx, all))
	if ctx.Err() != nil {
		fmt.Fprintln(d.streams.Err, "the jobs go on")
		return console.Silent(console.StopCode(ctx))
	}
	failed := 0
	var problems []error
	for _, w := range all {
		switch {
		case w.err != nil:
			problems = append(problems, w.err)
		case w.job.Status.Stage != job.Completed:
			failed = 1
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return console.Silent(failed)
}

// table are the lines about all jobs.
func (d *desk) table(ctx context.Context, all []*watched) string {
	prices := d.prices.Ask(ctx)
	var total int64
	text := aligned(func(table io.Writer) {
		for _, w := range all {
			w.mu.Lock()
			micro, cost := d.cost(prices, w.job)
			if micro != nil {
				total += *micro
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", console.OneLine(w.job.ID), console.OneLine(w.job.Flavor),
				console.OneLine(string(w.job.Status.Stage)), cost, w.curve.Text(curveLen), short(console.OneLine(w.curve.Last()), lastLen))
			w.mu.Unlock()
		}
	})
	if len(all) > 1 {
		text += fmt.Sprintf("together %s\n", dollars(&total))
	}
	return text
}

func short(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// columns asks how wide the terminal behind out is; 0 is unknown.
func columns(out io.Writer) func() int {
	return func() int {
		file, ok := out.(*os.File)
		if !ok {
			return 0
		}
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0
		}
		return width
	}
}

// screen shows a text in the place of the one before.
type screen struct {
	out      io.Writer
	terminal bool
	width    func() int // columns of the terminal; 0 is unknown
	shown    string
	changed  time.Time
}

// fit cuts lines that the terminal would break in two: they could not be drawn
// over.
func (s *screen) fit(text string) string {
	width := 0
	if s.width != nil {
		width = s.width()
	}
	if width < 2 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = short(line, width-1)
	}
	return strings.Join(lines, "\n")
}

func (s *screen) show(text string) {
	if s.terminal {
		text = s.fit(text)
	}
	switch {
	case s.terminal && s.shown != "":
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J%s", strings.Count(s.shown, "\n"), text)
	case s.terminal, stages(text) != stages(s.shown), time.Since(s.changed) >= reprint && text != s.shown:
		fmt.Fprint(s.out, text)
		s.changed = time.Now()
	default:
		return
	}
	s.shown = text
}

// stages is what of a table is worth a new line at once: all but costs and
// curves.
func stages(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		out.WriteString(strings.Join(fields[:min(3, len(fields))], " ") + "\n")
	}
	return out.String()
}
