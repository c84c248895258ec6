package job

import (
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// How following waits.
const (
	queuePollMin = 2 * time.Second
	queuePollMax = 15 * time.Second
	// quiet is the silence of a log after which the job is looked at: the
	// stream of a job that failed to build stays open and empty.
	quiet    = 15 * time.Second
	quietMax = 60 * time.Second
	// drain is how long a log may stay open after the end of its job.
	drain        = 10 * time.Second
	reconnectMax = 30 * time.Second
	// drainTries is how often the log of a job that is over is asked for again
	// when its connection breaks without a new line.
	drainTries = 5
)

// Update is one thing learnt while following: a line of the log, or the job in
// a new stage.
type Update struct {
	Line *Line
	Job  *Job
}

// Follow yields the stages and the log of a job until it is over and its log
// read. A connection that breaks is made again, for as long as the job lives;
// each line comes once, in order. Lines up to number after were taken earlier.
//
// The last pair has the job in its last stage, or an error: that the job is
// unknown, that it may not be read, or that ctx has ended.
func (a *API) Follow(ctx context.Context, ns, id string, after int) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		f := &follower{api: a, ns: ns, id: id, taken: after, yield: yield}
		if err := f.run(ctx); err != nil && !errors.Is(err, errStopped) {
			yield(Update{}, err)
		}
	}
}

// errStopped ends following because nobody listens any more.
var errStopped = errors.New("stopped")

type follower struct {
	api     *API
	ns, id  string
	taken   int // events of the log that were yielded or are older
	yield   func(Update, error) bool
	stage   Stage
	job     Job
	retries int
}

func (f *follower) run(ctx context.Context) error {
	if err := f.waitForStart(ctx); err != nil {
		return err
	}
	for failed := 0; ; {
		before, over := f.taken, f.stage.Over()
		err := f.read(ctx)
		if err != nil && final(ctx, err) {
			return err
		}
		if f.taken > before {
			f.retries, failed = 0, 0
		}
		switch {
		case over && (err == nil || failed == drainTries): // this was the look after the end
			return f.last()
		case over:
			failed++
		default:
			if err := f.look(ctx); err != nil {
				return err
			}
			if f.stage.Over() {
				continue // read what is left
			}
		}
		if err := sleep(ctx, f.backoff()); err != nil {
			return err
		}
	}
}

// backoff is the wait before the next connection: 1, 2, 4 … 30 s, less up to a
// quarter, so that many followers do not come back together.
func (f *follower) backoff() time.Duration {
	d := min(time.Second<<min(f.retries, 5), reconnectMax)
	f.retries++
	return d - time.Duration(rand.Int64N(int64(d/4)))
}

// last yields the job as it ended.
func (f *follower) last() error {
	job := f.job
	f.yield(Update{Job: &job}, nil)
	return nil
}

// final reports whether following cannot go on after err.
func final(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.Is(err, errStopped) {
		return true
	}
	var e *wire.Error
	return errors.As(err, &e) && (e.Kind == wire.Invalid || e.Kind == wire.Offline ||
		e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.Status == http.StatusNotFound)
}

// look reads the job and tells of a new stage that is not the last one.
func (f *follower) look(ctx context.Context) error {
	for {
		job, err := f.api.Find(ctx, f.ns, f.id)
		if err == nil {
			f.job = job
			if job.Status.Stage == f.stage {
				return nil
			}
			f.stage = job.Status.Stage
			if !f.stage.Over() && !f.yield(Update{Job: &job}, nil) {
				return errStopped
			}
			return nil
		}
		if final(ctx, err) {
			return err
		}
		if err := sleep(ctx, f.backoff()); err != nil {
			return err
		}
	}
}

// waitForStart looks until the job has left the queue.
func (f *follower) waitForStart(ctx context.Context) error {
	for wait := queuePollMin; ; wait = min(wait*3/2, queuePollMax) {
		if err := f.look(ctx); err != nil {
			return err
		}
		if f.stage != Scheduling {
			f.retries = 0
			return nil
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// read takes one connection's part of the log. It returns nil when the stream
// ended by itself, or was left because the job is over.
func (f *follower) read(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan Line)
	ended := make(chan error, 1)
	go func() { ended <- f.api.stream(ctx, f.ns, f.id, events) }()
	defer func() {
		cancel()
		for range events { // closed by the reader
		}
	}()

	wait := quiet
	if f.stage.Over() {
		wait = drain
	}
	silence := time.NewTimer(wait)
	defer silence.Stop()
	seen := 0
	for {
		select {
		case line, ok := <-events:
			if !ok {
				return <-ended
			}
			seen++
			if seen > f.taken {
				f.taken = seen
				line.N = seen
				if !isBanner(line.Text) && !f.yield(Update{Line: &line}, nil) {
					return errStopped
				}
			}
			silence.Reset(wait)
		case <-silence.C:
			if f.stage.Over() {
				return nil
			}
			if err := f.look(ctx); err != nil {
				return err
			}
			if wait = min(wait*2, quietMax); f.stage.Over() {
				wait = drain
			}
			silence.Reset(wait)
		}
	}
}

// stream sends the lines of one connection and closes lines at its end. The
// Hub replays a log from its first line on every connection.
func (a *API) stream(ctx context.Context, ns, id string, lines chan<- Line) error {
	defer close(lines)
	for line, err := range a.lines(ctx, ns, id, 0) {
		if err != nil {
			return err
		}
		select {
		case lines <- line:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// lines yields the log as one connection gives it; tail > 0 asks for the last
// lines only.
func (a *API) lines(ctx context.Context, ns, id string, tail int) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		if err := check(ns, id); err != nil {
			yield(Line{}, err)
			return
		}
		q := url.Values{}
		if tail > 0 {
			q.Set("tail", strconv.Itoa(tail))
		}
		for ev, err := range a.conn.Events(ctx, wire.Request{
			Op: "read the log of job " + id, Method: http.MethodGet, Path: jobsPath(ns, id, "logs"), Query: q,
		}) {
			if err != nil {
				yield(Line{}, err)
				return
			}
			if line, ok := parseLine(ev.Data, ev.Cut); ok && !yield(line, nil) {
				return
			}
		}
	}
}

// A log that is only read, not followed, is taken to be complete after settled
// of silence; the end of a log that never falls silent after tailWait.
const (
	settled  = 5 * time.Second
	tailWait = 15 * time.Second
)

// Log returns what a job has printed so far, the last tail lines of it when
// tail is above 0. For a running job it waits until the log is silent.
func (a *API) Log(ctx context.Context, ns, id string, tail int) ([]Line, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type next struct {
		line Line
		err  error
	}
	found := make(chan next)
	go func() {
		defer close(found)
		for line, err := range a.lines(ctx, ns, id, tail) {
			select {
			case found <- next{line, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	silence := time.NewTimer(settled)
	defer silence.Stop()
	defer func() {
		cancel()
		for range found { // closed by the reader
		}
	}()
	var enough <-chan time.Time
	if tail > 0 {
		timer := time.NewTimer(tailWait)
		defer timer.Stop()
		enough = timer.C
	}
	var all []Line
	for {
		select {
		case n, ok := <-found:
			switch {
			case !ok:
				return all, ctx.Err()
			case errors.Is(n.err, io.ErrUnexpectedEOF) && len(all) > 0:
				return all, nil
			case n.err != nil:
				return all, n.err
			}
			if !isBanner(n.line.Text) {
				n.line.N = len(all) + 1
				all = append(all, n.line)
			}
			silence.Reset(settled)
		case <-silence.C:
			return all, nil
		case <-enough:
			return all, nil
		}
	}
}
