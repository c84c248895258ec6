// Package sessionlog follows a session and keeps its JSON file: written at the
// end of turns, when an approval opens, after a while of changes and at the
// end. Entries are encoded as they come, so that a save takes little time and
// a long session little memory. The file is derived and may be deleted; the
// package neither reads old ones nor knows where events come from.
package sessionlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Options of a session log.
type Options struct {
	// Dir is where the file is written; it is created with the first.
	Dir       string
	SessionID string
	// Interval is the longest a change waits to be saved; 0 leaves saving to
	// the ends of turns.
	Interval time.Duration
	// About is asked at every save for what events do not say. It may be left
	// out, and is called from the log's own goroutine.
	About func() document.About
	// Uploads is asked at every save for what became of uploads, and holds that
	// until done is called; nil where there are none.
	Uploads func() (state document.Uploads, done func())
	// Log is told of saves that failed.
	Log *slog.Logger
}

// Log keeps the JSON file of one session.
type Log struct {
	opts  Options
	due   chan struct{} // a save is asked for
	fresh chan struct{} // something changed since the last save
	path  atomic.Pointer[string]

	mu      sync.Mutex // guards what follows, during saves too
	draft   draft
	changed bool
}

// A save costs as much as the file is long. At the end of a turn a file of
// more than shortFile bytes waits for coalesce, so that the end of the session,
// which often follows at once, shares the save.
const (
	shortFile = 128 << 10
	coalesce  = 100 * time.Millisecond
)

// New returns a log that waits for Run.
func New(opts Options) (*Log, error) {
	switch {
	case opts.Dir == "":
		return nil, errors.New("session log: Dir is missing")
	case opts.SessionID == "":
		return nil, errors.New("session log: SessionID is missing")
	case opts.Interval < 0:
		return nil, fmt.Errorf("session log: Interval is %v, want 0 or more", opts.Interval)
	case opts.Log == nil:
		return nil, errors.New("session log: Log is missing")
	}
	if opts.About == nil {
		opts.About = func() document.About { return document.About{} }
	}
	if opts.Uploads == nil {
		opts.Uploads = func() (document.Uploads, func()) { return document.Uploads{}, func() {} }
	}
	return &Log{
		opts: opts, due: make(chan struct{}, 1), fresh: make(chan struct{}, 1), draft: newDraft(opts.Dir),
	}, nil
}

// Path returns the file's path, empty while nothing has been saved.
func (l *Log) Path() string {
	if path := l.path.Load(); path != nil {
		return *path
	}
	return ""
}

// Follow gives a session's events after a number, as a journal does.
type Follow func(ctx context.Context, after int64) iter.Seq2[event.Event, error]

// Run follows the session until its events end, a new conversation takes over
// or ctx is done, and saves a last time. It may be called once. The error is
// that of the events or of the last save.
func (l *Log) Run(ctx context.Context, follow Follow) (err error) {
	ended := make(chan error, 1)
	go func() { ended <- l.collect(ctx, follow) }()
	defer func() { err = errors.Join(err, l.draft.close()) }() // the collector has returned

	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	soon := false // the timer stands for the end of a turn
	for {
		failed := false
		select {
		case err := <-ended:
			return errors.Join(err, l.save())
		case <-l.fresh:
			if l.opts.Interval > 0 && !soon {
				timer.Reset(l.opts.Interval)
			}
			continue
		case <-l.due:
			if soon = l.long(); soon {
				timer.Reset(coalesce)
				continue
			}
			timer.Stop()
			failed = l.try()
		case <-timer.C:
			soon = false
			failed = l.try()
		}
		if failed && l.opts.Interval > 0 {
			timer.Reset(l.opts.Interval)
		}
	}
}

func (l *Log) long() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.draft.size() > shortFile
}

// try saves and reports a failure, which the next save makes good.
func (l *Log) try() (failed bool) {
	err := l.save()
	if err != nil {
		l.opts.Log.Warn("the session could not be saved", "session_id", l.opts.SessionID, "error", err)
	}
	return err != nil
}

// collect takes in events until there are no more for this file.
func (l *Log) collect(ctx context.Context, follow Follow) error {
	for ev, err := range follow(ctx, 0) {
		if err != nil {
			return fmt.Errorf("session log of %s: %w", l.opts.SessionID, err)
		}
		l.take(ev)
		if ev.Type == event.TypeNewComplete {
			return nil
		}
		if ev.Type.Ends() {
			signal(l.due)
		}
	}
	return nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting already
	}
}

func (l *Log) take(ev event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed, err := l.draft.take(ev)
	if err != nil {
		l.opts.Log.Warn("an event could not be taken in", "session_id", l.opts.SessionID, "seq", ev.Seq, "error", err)
	}
	if changed && !l.changed {
		l.changed = true
		signal(l.fresh)
	}
}

// save writes the file if there is something new to write and a person has
// said something.
func (l *Log) save() error {
	now := time.Now()
	l.mu.Lock()
	idle := !l.changed || !l.draft.state.Spoken()
	l.mu.Unlock()
	if idle {
		return nil
	}
	about := l.opts.About() // may take its time: the collector goes on
	path := l.Path()
	if path == "" {
		var err error
		if path, err = freePath(l.opts.Dir, l.opts.SessionID, now); err != nil {
			return err
		}
	}
	uploads, done := l.opts.Uploads()
	defer done()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.draft.save(path, l.opts.SessionID, about, uploads, now); err != nil {
		return err
	}
	l.changed = false
	l.path.Store(&path)
	return nil
}

// freePath names a new file after the time of its first save. A second process
// that goes on within the same second takes the next.
func freePath(dir, session string, now time.Time) (string, error) {
	for at := now.Local(); ; at = at.Add(time.Second) {
		path := filepath.Join(dir, "session_"+session+"_"+at.Format("20060102_150405")+".json")
		_, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", fmt.Errorf("save session: %w", err)
		}
	}
}
