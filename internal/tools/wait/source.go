package wait

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/lab/curve"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/platform/tail"
)

// How often sources are looked at: on this machine, and where a look is a
// request.
const (
	lookHere, lookThere = time.Second, 20 * time.Second
	// patience is how long looks may fail before a source is given up.
	patience = 5 * time.Minute
)

// source is what conditions are about: a job, a process or a file. The
// goroutine that waits uses it; its follower sends what is new.
type source struct {
	kind, key, name string
	ns, id          string // of a job; id of a process; id is the path of a file
	remember        *remember
	reads           bool // its log is read
	conditions      []*condition

	run    *curve.Run
	state  string // how it is, in words
	ended  string // how it ended; empty while it goes on
	lost   string // why it cannot be followed any more
	lines  []string
	caught bool // what its log had when the waiting began was read
	newest time.Time
	last   int64 // number of the newest line
}

// line is one of a log.
type line struct {
	n    int64
	at   time.Time // when it was printed, zero if that is not known
	text string
}

// news is what a follower has learnt.
type news struct {
	lines []line
	// caught says that everything there is was read.
	caught bool
	state  string
	ended  string
	lost   string
	// on is called by who waits, in order.
	on func(s *source, now time.Time)
}

// follower looks at one source until it is over or ctx is done, and sends what is
// new.
type follower func(ctx context.Context, send func(news))

// sourceKey tells sources apart.
func sourceKey(kind, name string) string {
	if kind == "path" {
		kind = "file"
	}
	return kind + ":" + name
}

// open checks a source and returns who follows it.
func (t *Tool) open(ctx context.Context, w *waiting, s *source) (follower, error) {
	switch s.kind {
	case "job":
		return t.openJob(ctx, s)
	case "process":
		return t.openProcess(ctx, w, s)
	}
	return t.openFile(ctx, s)
}

// openJob looks for a job.
func (t *Tool) openJob(ctx context.Context, s *source) (follower, error) {
	if t.opts.Jobs == nil {
		return nil, errors.New("there are no jobs here")
	}
	_, err := t.opts.Jobs.Find(ctx, s.ns, s.id)
	if err != nil && !passing(err) {
		return nil, err
	}
	return func(ctx context.Context, send func(news)) {
		for u, err := range t.opts.Jobs.Follow(ctx, s.ns, s.id, 0) {
			switch {
			case err != nil && ctx.Err() == nil:
				send(news{lost: err.Error()})
			case err != nil:
			case u.Line != nil:
				send(news{lines: []line{{n: int64(u.Line.N), at: u.Line.Time, text: u.Line.Text}}})
			default:
				send(ofJob(*u.Job))
			}
		}
	}, nil
}

// ofJob is the news that a job is in a new stage.
func ofJob(j job.Job) news {
	n := news{state: string(j.Status.Stage)}
	if j.Status.Message != "" {
		n.state += ": " + j.Status.Message
	}
	if j.Status.Stage.Over() {
		n.ended, n.caught = n.state, true
	}
	goes := j.Status.Stage == job.Running
	n.on = func(s *source, now time.Time) {
		for _, c := range s.conditions {
			if c.form == over && n.ended != "" || goes && c.form == running {
				c.hold(now, s.name+" is "+n.state)
			}
		}
	}
	return n
}

// place is the workspace, for what lies in it.
func (t *Tool) place(ctx context.Context) (workspace.Workspace, error) {
	if t.opts.Workspace == nil {
		return nil, errors.New("there is no workspace here: only jobs and times can be waited for")
	}
	return t.opts.Workspace(ctx)
}

// openProcess looks for a background command, or for one that an earlier run
// of the program has started.
func (t *Tool) openProcess(ctx context.Context, w *waiting, s *source) (follower, error) {
	place, err := t.place(ctx)
	if err != nil {
		return nil, err
	}
	found, err := t.process(ctx, place, w.session, s)
	if err != nil {
		return nil, err
	}
	if found == nil && s.remember.Log == "" {
		return nil, fmt.Errorf("process %.80q: there is no such background command; bash_jobs lists them", s.id)
	}
	if found != nil {
		s.id, s.remember.PID, s.remember.Log = found.ID, found.PID, found.Log
		if t.opts.Here && s.remember.Group == "" {
			s.remember.Group = proc.GroupOf(found.PID).String()
		}
	}
	log := t.log(place, s.remember.Log)
	return t.polling(func(ctx context.Context, send func(news)) (news, error) {
		now, err := t.process(ctx, place, w.session, s)
		if err != nil {
			return news{}, err
		}
		n := t.ofProcess(now, s)
		err = n.read(ctx, log, send)
		if n.ended != "" {
			log.Rest(n.take)
		}
		return n, err
	}), nil
}

// process is the background command that a source means, nil when the workspace
// does not know it: another run of the program has started it.
func (t *Tool) process(ctx context.Context, place workspace.Workspace, session string, s *source) (*workspace.Status, error) {
	jobs, err := place.Jobs(ctx, session)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(jobs, func(j workspace.Status) bool {
		named := j.ID == s.id || strconv.Itoa(j.PID) == s.id
		return named && (s.remember.PID == 0 || s.remember.PID == j.PID)
	})
	if i < 0 {
		return nil, nil
	}
	return &jobs[i], nil
}

// ofProcess says how a process is; now is nil for one of an earlier run.
func (t *Tool) ofProcess(now *workspace.Status, s *source) news {
	n := news{state: "running"}
	switch {
	case now == nil:
		if g, err := proc.ParseGroup(s.remember.Group); err == nil && g.Alive() {
			n.state = "running since before the program was restarted"
		} else {
			n.ended = "over; how it ended is not known, for the program was restarted meanwhile"
		}
	case now.Alive:
		if !now.Running {
			n.state = "done, but processes of it still run"
		}
	case now.Exit.Signal != "":
		n.ended = "killed by " + now.Exit.Signal
	default:
		n.ended = fmt.Sprintf("over with exit code %d", now.Exit.Code)
	}
	if n.ended == "" {
		return n
	}
	n.state = n.ended
	n.on = func(s *source, at time.Time) {
		for _, c := range s.conditions {
			if c.form == over {
				c.hold(at, s.name+" is "+n.ended)
			}
		}
	}
	return n
}

// maxRead is how much of what a file has already is read, in bytes.
const maxRead = 64 << 20

// openFile looks at a file, which need not be there yet.
func (t *Tool) openFile(ctx context.Context, s *source) (follower, error) {
	place, err := t.place(ctx)
	if err != nil {
		return nil, err
	}
	info, err := place.Stat(ctx, s.id, workspace.StatOptions{})
	if err != nil {
		return nil, err
	}
	if info.Size < s.remember.Taken {
		s.remember.Taken = 0 // it is another file
	}
	if !s.remember.Known {
		s.remember.Known, s.remember.Version = true, info.Version
	}
	log := t.log(place, s.id)
	log.Skip(max(0, info.Size-maxRead))
	return t.polling(func(ctx context.Context, send func(news)) (news, error) {
		info, err := place.Stat(ctx, s.id, workspace.StatOptions{})
		if err != nil {
			return news{}, err
		}
		n := ofFile(info, s.remember.Version)
		if s.reads {
			err = n.read(ctx, log, send)
		}
		return n, err
	}), nil
}

// ofFile says how a file is; before is its version when the waiting began.
func ofFile(info workspace.Info, before string) news {
	n := news{state: "not there"}
	if info.Exists {
		n.state = "there"
		if info.Mode.IsRegular() {
			n.state += ", " + amount.Bytes(info.Size)
		}
	}
	n.on = func(s *source, now time.Time) {
		for _, c := range s.conditions {
			switch {
			case c.form == exists && info.Exists, c.form == gone && !info.Exists, c.form == grown && info.Exists && info.Size >= c.size:
				c.hold(now, s.name+" is "+n.state)
			case c.form == changed && info.Version != before:
				c.hold(now, s.name+" has changed; it is "+n.state)
			}
		}
	}
	return n
}

// log reads on in a file of the workspace.
func (t *Tool) log(place workspace.Workspace, path string) *tail.Reader {
	return tail.New(func(ctx context.Context, offset int64) (io.ReadCloser, int64, error) {
		in, info, err := place.Read(ctx, path, workspace.ReadOptions{Offset: offset})
		return in, info.Size, err
	})
}

// batch is how many lines are handed over at once.
const batch = 1000

// read reads what is new in a log; one that is not there has nothing new. Of
// much, the most is sent ahead.
func (n *news) read(ctx context.Context, log *tail.Reader, send func(news)) error {
	n.caught = true
	_, err := log.Poll(ctx, func(text string, end int64) {
		if n.take(text, end); len(n.lines) == batch {
			send(news{lines: n.lines})
			n.lines = nil
		}
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (n *news) take(text string, end int64) {
	n.lines = append(n.lines, line{n: end, text: text})
}

// polling looks again and again. What fails for long is lost.
func (t *Tool) polling(look func(ctx context.Context, send func(news)) (news, error)) follower {
	every := lookThere
	if t.opts.Here {
		every = lookHere
	}
	return func(ctx context.Context, send func(news)) {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for good := time.Now(); ; {
			n, err := look(ctx, send)
			switch {
			case ctx.Err() != nil:
				return
			case err == nil:
				good = time.Now()
				send(n)
			case workspace.KindOf(err) != workspace.Failed && workspace.KindOf(err) != workspace.Lost, time.Since(good) > patience:
				send(news{lost: err.Error()})
				return
			}
			if n.ended != "" {
				return
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// words is a text of others in one line.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }
