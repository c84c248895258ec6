package view

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/runs"
	"github.com/ml-intern/ml-intern/internal/app/runs/show"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/app/slash/desk"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

const (
	// redraw is how often the panel is drawn anew, relist how often it looks for
	// new runs.
	redraw = time.Second
	relist = 10 * time.Second
)

// Jobs watches what runs: jobs on the Hub, commands that sessions have left
// running here, and log files.
func Jobs(d *desk.Desk) dialog.Command {
	return dialog.Command{
		Name: "jobs", Args: "[id|log file]", Help: "watch jobs and runs: state, cost and curves",
		Complete: func(ctx context.Context, _ string) []dialog.Option {
			rows, _ := d.App.LocalBoard().Rows(ctx)
			var out []dialog.Option
			for _, r := range rows {
				out = append(out, dialog.Option{Value: r.ID, Hint: r.Name})
			}
			return out
		},
		Run: func(ctx context.Context, talk dialog.Talk, args string) error {
			board, err := d.App.Board(ctx)
			if err != nil {
				talk.Warn("warning: jobs on the Hub are not shown: " + err.Error())
			}
			p := &panel{desk: d, board: board}
			if args != "" {
				return p.watch(ctx, talk, args)
			}
			if err := p.list(ctx); err != nil && ctx.Err() == nil {
				talk.Warn("warning: " + err.Error())
			}
			if len(p.views) == 0 {
				talk.Print("Nothing runs. ml-intern jobs list --all lists jobs that are over.")
				return nil
			}
			return p.live(ctx, talk, true)
		},
	}
}

// panel is what is watched.
type panel struct {
	desk  *desk.Desk
	board *runs.Board

	mu     sync.Mutex
	views  []*runs.View
	known  map[string]bool
	follow func(*runs.View) // nil until the panel lives
}

// watch watches one run alone, also one that is over.
func (p *panel) watch(ctx context.Context, talk dialog.Talk, id string) error {
	if path := p.desk.Absolute(id); isFile(path) {
		id = "file:" + path
	}
	v, err := p.board.Open(ctx, id)
	if err != nil {
		return err
	}
	p.add(v)
	return p.live(ctx, talk, false)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// list adds what runs now.
func (p *panel) list(ctx context.Context) error {
	rows, err := p.board.Rows(ctx)
	for _, r := range rows {
		p.mu.Lock()
		known := p.known[r.Source]
		p.mu.Unlock()
		if !known {
			p.add(p.board.View(r))
		}
	}
	return err
}

func (p *panel) add(v *runs.View) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[string]bool{}
	}
	p.known[v.Snapshot().Row.Source] = true
	p.views = append(p.views, v)
	if p.follow != nil {
		p.follow(v)
	}
}

// live shows the panel until the person has seen enough; more looks for new
// runs meanwhile. What is watched goes on.
func (p *panel) live(ctx context.Context, talk dialog.Talk, more bool) error {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	p.mu.Lock()
	p.follow = func(v *runs.View) { work.Go(func() { v.Follow(ctx, nil) }) }
	for _, v := range p.views {
		p.follow(v)
	}
	p.mu.Unlock()
	if more {
		work.Go(func() { p.relist(ctx) })
	}
	err := talk.Live(ctx, redraw, p.draw)
	if errors.Is(err, dialog.ErrCancelled) {
		return nil
	}
	return err
}

// relist looks for new runs now and then.
func (p *panel) relist(ctx context.Context) {
	tick := time.NewTicker(relist)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = p.list(ctx) // what runs is shown as far as it is known
		}
	}
}

// draw lays the runs out; those that go on come first.
func (p *panel) draw(width, height int) []string {
	p.mu.Lock()
	views := slices.Clone(p.views)
	p.mu.Unlock()
	var all []runs.Snapshot
	for _, v := range views {
		all = append(all, v.Snapshot())
	}
	slices.SortStableFunc(all, func(a, b runs.Snapshot) int { return over(a) - over(b) })
	o := show.Options{Width: width, Height: height, ASCII: p.desk.ASCII, Now: time.Now(), Paint: p.desk.Paint}
	if p.desk.Plain { // curves mean nothing where lines are read one after the other
		return append(show.Table(all, o), noticed(all)...)
	}
	return show.Lines(all, o)
}

func over(s runs.Snapshot) int {
	if s.Row.Over {
		return 1
	}
	return 0
}

// noticed are the newest numbers of runs and what the rules say of them.
func noticed(all []runs.Snapshot) []string {
	var out []string
	for _, s := range all {
		if s.Newest != "" {
			out = append(out, saved.Line(s.Row.ID+": "+s.Newest))
		}
		for _, f := range s.Findings {
			out = append(out, saved.Line(s.Row.ID+": "+f.Severity+": "+f.Text))
		}
		if s.Err != nil {
			out = append(out, saved.Line(s.Row.ID+": "+s.Err.Error()))
		}
	}
	return out
}
