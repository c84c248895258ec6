// Package sessionlog follows a session and keeps its JSON file: written at the
// end of turns, when an approval opens, after a while of changes and at the
// end. The file is derived and may be deleted; the package neither reads old
// ones nor knows where events come from.
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
	"slices"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
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
	About func() sessions.About
	// Log is told of saves that failed.
	Log *slog.Logger
}

// Log keeps the JSON file of one session.
type Log struct {
	opts  Options
	due   chan struct{} // a save is asked for
	fresh chan struct{} // something changed since the last save

	mu      sync.Mutex // guards what follows
	state   history.State
	events  []event.Event // those the file holds
	changed bool
	path    string
}

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
		opts.About = func() sessions.About { return sessions.About{} }
	}
	return &Log{opts: opts, due: make(chan struct{}, 1), fresh: make(chan struct{}, 1)}, nil
}

// Path returns the file's path, empty while nothing has been saved.
func (l *Log) Path() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.path
}

// Follow gives a session's events after a number, as a journal does.
type Follow func(ctx context.Context, after int64) iter.Seq2[event.Event, error]

// Run follows the session until its events end, a new conversation takes over
// or ctx is done, and saves a last time. It may be called once. The error is
// that of the events or of the last save.
func (l *Log) Run(ctx context.Context, follow Follow) error {
	ended := make(chan error, 1)
	go func() { ended <- l.collect(ctx, follow) }()

	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		failed := false
		select {
		case err := <-ended: // the collector has returned
			return errors.Join(err, l.save())
		case <-l.fresh:
			if l.opts.Interval > 0 {
				timer.Reset(l.opts.Interval)
			}
			continue
		case <-l.due:
			timer.Stop()
			failed = l.try()
		case <-timer.C:
			failed = l.try()
		}
		if failed && l.opts.Interval > 0 {
			timer.Reset(l.opts.Interval)
		}
	}
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
	if err := l.state.Apply(ev); err != nil {
		l.opts.Log.Warn("an event could not be read", "session_id", l.opts.SessionID, "seq", ev.Seq, "error", err)
	}
	if !ev.Type.Bulk() {
		l.events = append(l.events, ev)
	} else if ev.Type != event.TypeHistoryMessage && ev.Type != event.TypeHistoryRewritten {
		return // it leaves no trace in the file
	}
	if !l.changed {
		l.changed = true
		signal(l.fresh)
	}
}

// save writes the file if there is something new to write and a person has
// said something.
func (l *Log) save() error {
	now := time.Now()
	about := l.opts.About()
	l.mu.Lock()
	if !l.changed || !l.state.Spoken() {
		l.mu.Unlock()
		return nil
	}
	doc := sessions.Build(&l.state, l.events, about)
	doc.Messages = slices.Clone(doc.Messages) // the state moves its own
	doc.SessionID = l.opts.SessionID
	path := l.path
	l.changed = false
	l.mu.Unlock()

	var err error
	if path == "" {
		path, err = freePath(l.opts.Dir, l.opts.SessionID, now)
	}
	if err == nil {
		err = doc.Save(path, now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.changed = true
		return err
	}
	l.path = path
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
