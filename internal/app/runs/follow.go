package runs

import (
	"context"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/curve"
	"github.com/ml-intern/ml-intern/internal/lab/curve/sample"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/platform/tail"
)

// How often what runs here is looked at, and silence is noticed.
const (
	lookEvery = 500 * time.Millisecond
	tickEvery = 5 * time.Second
)

// Update is one thing learnt about a run.
type Update struct {
	// Row is how the run is now; nil when that is as before.
	Row *Row
	// Line is what it has printed, safe to be shown; empty for nothing.
	Line string
	// Samples are the numbers in that line.
	Samples  []sample.Sample
	Findings []event.Finding
	// Run has the curves so far. It is whole until the next update.
	Run *curve.Run
}

// Follow yields how a run is and what it prints, from the beginning of its log,
// until it is over or ctx is done. A log file has no end.
func (b *Board) Follow(ctx context.Context, id string) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		row, err := b.find(ctx, id)
		if err != nil {
			yield(Update{}, err)
			return
		}
		for u, err := range b.follow(ctx, row, &sync.Mutex{}) {
			if !yield(u, err) {
				return
			}
		}
	}
}

// step is what a source has told.
type step struct {
	row  *Row
	line string
	err  error
}

// follow yields what a run tells. guard is held while its curves change.
func (b *Board) follow(ctx context.Context, row Row, guard sync.Locker) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		run := curve.New(curve.Options{Source: row.Source, NumbersFirst: row.group != ""})
		if !yield(Update{Row: &row, Run: run}, nil) {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		steps := make(chan step)
		go func() {
			defer close(steps)
			b.watch(ctx, row, func(s step) bool {
				select {
				case steps <- s:
					return true
				case <-ctx.Done():
					return false
				}
			})
		}()
		defer func() {
			cancel()
			for range steps { // closed by the watcher
			}
		}()
		ticker := time.NewTicker(tickEvery)
		defer ticker.Stop()
		for quiet := row.State == string(job.Scheduling); ; {
			u := Update{Run: run}
			var err error
			select {
			case s, ok := <-steps:
				if !ok {
					return
				}
				if s.row != nil {
					quiet = s.row.State == string(job.Scheduling)
				}
				u.Row, err = s.row, s.err
				guard.Lock()
				u.Line, u.Samples, u.Findings = b.take(run, s)
				guard.Unlock()
			case now := <-ticker.C:
				if quiet { // a queue is silent
					continue
				}
				guard.Lock()
				u.Findings = run.Tick(now)
				guard.Unlock()
				if len(u.Findings) == 0 {
					continue
				}
			}
			if !yield(u, err) {
				return
			}
		}
	}
}

// take has the rules look at what a source has told.
func (b *Board) take(run *curve.Run, s step) (line string, samples []sample.Sample, found []event.Finding) {
	if s.row != nil && s.row.Over {
		run.End()
	}
	if s.line == "" {
		return "", nil, nil
	}
	samples = sample.Read(s.line)
	found = run.Take(time.Now(), samples)
	line = strings.TrimRight(s.line, "\r\n")
	return b.opts.Scrub(plain.ForTerminal(line[strings.LastIndexByte(line, '\r')+1:])), samples, found
}

// watch tells what a run does until it is over.
func (b *Board) watch(ctx context.Context, row Row, send func(step) bool) {
	switch {
	case row.job != nil:
		b.watchJob(ctx, row, send)
	case row.group != "":
		b.watchProcess(ctx, row, send)
	default:
		b.watchFile(ctx, row, send)
	}
}

func (b *Board) watchJob(ctx context.Context, row Row, send func(step) bool) {
	for u, err := range b.client.Jobs.Follow(ctx, row.ns, row.job.ID, 0) {
		s := step{err: err}
		switch {
		case err != nil:
		case u.Line != nil:
			s.line = u.Line.Text
		default:
			now := b.jobRow(row.ns, *u.Job)
			s.row = &now
		}
		if !send(s) {
			return
		}
	}
}

func (b *Board) watchProcess(ctx context.Context, row Row, send func(step) bool) {
	group, err := proc.ParseGroup(row.group)
	if err != nil {
		send(step{err: err})
		return
	}
	log := tail.Open(row.log)
	defer log.Close()
	for alive := true; alive; {
		alive = group.Alive() // before the log: what has ended has said everything
		if row.log != "" && !b.poll(ctx, log, send) {
			return
		}
		if alive && !pause(ctx) {
			return
		}
	}
	row.State, row.Over = "over", true
	send(step{row: &row})
}

func (b *Board) watchFile(ctx context.Context, row Row, send func(step) bool) {
	log := tail.Open(row.log)
	defer log.Close()
	for b.poll(ctx, log, send) && pause(ctx) {
	}
}

// poll tells the lines that are new in a log.
func (b *Board) poll(ctx context.Context, log *tail.File, send func(step) bool) bool {
	ok := true
	_, err := log.Poll(ctx, func(line string, _ int64) { ok = ok && send(step{line: line}) })
	if err != nil && ok && ctx.Err() == nil {
		send(step{err: err})
		return false
	}
	return ok
}

func pause(ctx context.Context) bool {
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
