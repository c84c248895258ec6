package shell

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/lab/curve"
	"github.com/ml-intern/ml-intern/internal/platform/tail"
)

const (
	// lookHere and lookThere are how often the log of a background command is
	// looked at: on this machine, and where a look is a request.
	lookHere, lookThere = 2 * time.Second, 30 * time.Second
	// lookTries is how often in a row a look may fail.
	lookTries = 5
	// maxLooks bounds the commands that are looked at.
	maxLooks = 32
	// settled is how long a command runs before findings in its output are told:
	// one that only shows a log is over by then.
	settled = 5 * time.Second
	// looksPerSecond bounds the lines that are looked at while a call waits: a
	// flood must not be held up.
	looksPerSecond = 2000
	// toldCommand is how much of a command its end repeats, in characters.
	toldCommand = 500
)

// watcher looks at the numbers that commands print. It tells people as an event
// and the model as a line. It is safe for concurrent use.
type watcher struct {
	every time.Duration

	mu      sync.Mutex
	session tool.Session // nil outside of a session
	looks   int
	ended   bool
	ctx     context.Context
	stop    context.CancelFunc
	done    sync.WaitGroup
}

func newWatcher(every time.Duration) *watcher {
	w := &watcher{every: every}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

func (w *watcher) attach(s tool.Session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.session = s
}

// tell tells findings; log is the progress of a call, or nil.
func (w *watcher) tell(found []event.Finding, log func(string)) {
	w.mu.Lock()
	session := w.session
	w.mu.Unlock()
	for _, f := range found {
		if log != nil {
			log(f.String())
		}
		if session != nil {
			session.Emit(f)
			session.Notice(f.String())
		}
	}
}

// close ends the looking and waits for it.
func (w *watcher) close() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.stop()
	w.done.Wait()
}

// follow looks at a background command of a session until it is over. Outside
// of a session nobody would be told.
func (w *watcher) follow(place workspace.Workspace, session string, j workspace.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended || w.session == nil || w.looks >= maxLooks || j.Log == "" {
		return
	}
	w.looks++
	w.done.Go(func() {
		w.watch(place, session, j)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.looks--
	})
}

func (w *watcher) watch(place workspace.Workspace, session string, j workspace.Status) {
	run := curve.New(curve.Options{Source: "process:" + j.ID, NumbersFirst: true})
	log := tail.New(func(ctx context.Context, offset int64) (io.ReadCloser, int64, error) {
		in, info, err := place.Read(ctx, j.Log, workspace.ReadOptions{Offset: offset})
		return in, info.Size, err
	})
	line := func(text string, _ int64) { w.tell(run.Line(time.Now(), text), nil) }
	began := time.Now().Add(-j.Age)
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	for failed := 0; failed < lookTries; {
		select {
		case <-ticker.C:
		case <-w.ctx.Done():
			return
		}
		now, err := status(w.ctx, place, session, j.ID)
		if err == nil {
			_, err = log.Poll(w.ctx, line)
		}
		if err != nil {
			failed++
			continue
		}
		if failed = 0; !now.Alive {
			log.Rest(line)
			w.over(j, now, time.Since(began))
			return
		}
		w.tell(run.Tick(time.Now()), nil)
	}
}

// over tells that a background command has ended. now is empty where its end has
// been forgotten.
func (w *watcher) over(j, now workspace.Status, took time.Duration) {
	done := event.CommandEnded{ID: j.ID, Command: excerpt.Head(j.Command, toldCommand), Log: j.Log, WallTimeS: took.Round(time.Millisecond).Seconds()}
	if now.ID != "" {
		if done.Signal = now.Exit.Signal; done.Signal == "" {
			done.ExitCode = &now.Exit.Code
		}
	}
	w.mu.Lock()
	session := w.session
	w.mu.Unlock()
	session.Emit(done)
}

// status is how a background command stands; empty where it is not known any more.
func status(ctx context.Context, place workspace.Workspace, session, id string) (workspace.Status, error) {
	jobs, err := place.Jobs(ctx, session)
	if err != nil {
		return workspace.Status{}, err
	}
	at := slices.IndexFunc(jobs, func(j workspace.Status) bool { return j.ID == id })
	if at < 0 {
		return workspace.Status{}, nil
	}
	return jobs[at], nil
}

// glance looks at the output of a command that a call waits for.
type glance struct {
	watcher *watcher
	log     func(string)
	began   time.Time

	mu     sync.Mutex
	run    *curve.Run
	line   []byte
	torn   bool            // the beginning of line was left out
	held   []event.Finding // until the command has run for a while
	second time.Time       // in which looked lines have been looked at
	looked int
}

func (w *watcher) glance(log func(string)) *glance {
	return &glance{watcher: w, log: log, began: time.Now(), run: curve.New(curve.Options{})}
}

// write takes output. It does not wait for anybody.
func (g *glance) write(p []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if now.Sub(g.second) >= time.Second {
		g.second, g.looked = now, 0
	}
	for len(p) > 0 {
		if g.looked >= looksPerSecond {
			g.torn = true
			return
		}
		part, rest, whole := bytes.Cut(p, []byte("\n"))
		g.line = append(g.line, part[:min(len(part), tail.LineLimit-len(g.line))]...)
		if p = rest; !whole {
			return
		}
		if g.looked++; !g.torn {
			g.held = append(g.held, g.run.Line(now, string(g.line))...)
		}
		g.line, g.torn = g.line[:0], false
	}
}

// tell tells what was found. pid names the command.
func (g *glance) tell(pid int) {
	g.mu.Lock()
	found := g.held
	if time.Since(g.began) < settled {
		found = nil
	} else {
		g.held = nil
	}
	g.mu.Unlock()
	for i := range found {
		found[i].Source = "process:" + strconv.Itoa(pid)
	}
	g.watcher.tell(found, g.log)
}
