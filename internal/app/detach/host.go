package detach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/message"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// IdleTimeout is how long a session stays when it has nothing to do and nobody
// is there.
const IdleTimeout = 10 * time.Minute

// requestLimit bounds a request, in bytes: it may carry images.
const requestLimit = 64 << 20

// promptLength is how much of the first message the list shows, in characters.
const promptLength = 200

// Host is the process of a session.
type Host struct {
	In      io.Reader
	Out     io.Writer
	Environ []string // nil is the process's
	Dir     string
	// Code is the exit code of a failure from before the session runs.
	Code func(error) int
}

// Why a session is ended from outside.
var (
	errIdle    = errors.New("nothing was left to do")
	errHungUp  = errors.New("the last terminal has gone")
	errTimeout = errors.New("the time limit was reached")
	errSignal  = errors.New("the process was asked to end")
)

// Run opens the session that In asks for, says on Out where it is, and returns
// the exit code when it has ended.
func (h Host) Run(ctx context.Context) int {
	signals := make(chan os.Signal, 4)
	// A terminal that goes takes nothing with it: its signal is received and
	// means nothing.
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	w := &work{host: h, poke: make(chan struct{}, 1)}
	if err := w.open(ctx); err != nil {
		code := h.Code(err)
		h.say(answer{Error: err.Error(), Code: code})
		return code
	}
	return w.run(ctx, signals)
}

func (h Host) say(a answer) {
	if raw, err := event.Encode(a); err == nil {
		_, _ = h.Out.Write(append(raw, '\n')) // nobody may be there any more
	}
}

// work is a session in its host.
type work struct {
	host     Host
	request  Request
	app      *app.App
	session  *app.Session
	registry *Registry
	entry    Entry
	listener net.Listener
	poke     chan struct{} // holds a token when somebody has come or gone

	mu        sync.Mutex // guards what follows
	ready     bool
	warnings  []string
	terminals int
	hungUp    bool
}

// open opens the session and its socket, and hands the first message over.
func (w *work) open(ctx context.Context) (err error) {
	raw, err := io.ReadAll(io.LimitReader(w.host.In, requestLimit))
	if err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	if err := json.Unmarshal(raw, &w.request); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	r := w.request
	w.app, err = app.New(ctx, app.Options{
		Dir: w.host.Dir, Environ: w.host.Environ, Flags: r.Settings, Trust: r.Trust, NoStream: r.NoStream,
		Unattended: r.Unattended, Headless: r.Headless, Warn: w.warn,
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if !w.app.Config().SaveSessions {
		return &app.UsageError{Err: errors.New("save_sessions is false: a session that is not saved ends with its terminal and cannot be detached")}
	}
	if err := w.spell(ctx); err != nil {
		return err
	}
	if w.session, err = w.app.OpenSession(ctx, r.Session); err != nil {
		return err
	}
	if err := w.listen(); err != nil {
		return err
	}
	if w.request.Input != nil {
		return w.session.Submit(ctx, event.Submission{Operation: *w.request.Input})
	}
	return nil
}

// spell makes the message of what was typed, where that was not done before.
func (w *work) spell(ctx context.Context) error {
	in := w.request.Input
	if in == nil || in.Shown != "" || in.Terms != nil {
		return nil
	}
	made, notes, err := message.New(message.Options{App: w.app}).Prompt(ctx, in.Text)
	if err != nil {
		return &app.UsageError{Err: err}
	}
	for _, line := range notes {
		w.app.Debug(line)
	}
	made.Images = append(in.Images, made.Images...)
	w.request.Input = &made
	return nil
}

// listen makes the session's socket and puts the session on the list.
func (w *work) listen() error {
	w.registry = Open(w.app.Loaded.Places.State, w.app.Loaded.LookupEnv)
	if _, err := w.registry.List(); err != nil { // and sweep
		return err
	}
	self := proc.Self()
	w.entry = Entry{
		PID: self.ID, Start: self.Start, Socket: w.registry.socket(), SessionID: w.session.ID, Cwd: w.app.Loaded.Dir,
		Started: time.Now().UTC(), Version: app.Version(),
	}
	if in := w.request.Input; in != nil {
		shown := in.Shown
		if shown == "" {
			shown = in.Text
		}
		w.entry.Prompt = history.Cut(history.Line(w.app.Scrub(shown)), promptLength)
	}
	l, err := attach.Listen(w.entry.Socket)
	if err != nil {
		return err
	}
	w.listener = l
	return w.registry.add(w.entry, "")
}

// warn keeps what a person should see until there is somebody to tell.
func (w *work) warn(line string) {
	w.mu.Lock()
	ready := w.ready
	if !ready {
		w.warnings = append(w.warnings, line)
	}
	w.mu.Unlock()
	if ready {
		w.session.Note(line)
	}
}

// attached is told by the socket who is there.
func (w *work) attached(terminals int, lost bool) {
	w.mu.Lock()
	w.terminals = terminals
	w.hungUp = lost && terminals == 0
	w.mu.Unlock()
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

// run serves the session until it ends, and returns the exit code.
func (w *work) run(ctx context.Context, signals <-chan os.Signal) int {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() {
		err := attach.Serve(ctx, w.listener, w.session.Host(), attach.Options{Version: app.Version(), Attached: w.attached, Debug: w.app.Debug})
		if err != nil {
			w.app.Debug(err.Error())
		}
	})
	beside.Go(func() { w.track(ctx) })

	w.mu.Lock()
	w.ready = true
	started := answer{Started: Started{w.entry.Socket, w.entry.SessionID, w.entry.PID, w.warnings}}
	w.mu.Unlock()
	w.host.say(started)
	if err := proc.Silence(); err != nil {
		w.app.Debug(err.Error())
	}

	why := w.live(ctx, signals)
	if why != nil {
		w.app.Debug(fmt.Sprintf("session %s ends: %v", w.session.ID, why))
	}
	if err := w.session.Shutdown(ctx); err != nil {
		w.app.Debug(err.Error())
	}
	cancel()
	beside.Wait()
	Uploads(context.WithoutCancel(ctx), w.app, Command{Environ: w.host.Environ, Dir: w.host.Dir})
	if err := w.close(); err != nil {
		w.app.Debug(err.Error())
	}
	switch {
	case errors.Is(why, errSignal):
		return headless.ExitTerminated
	case errors.Is(why, errTimeout):
		return headless.ExitTimeout
	}
	return headless.ExitOK
}

// live waits for the session's end or for a reason to end it.
func (w *work) live(ctx context.Context, signals <-chan os.Signal) error {
	idle := w.request.Idle
	if idle <= 0 {
		idle = IdleTimeout
	}
	tick := time.NewTicker(min(max(idle/10, 20*time.Millisecond), 15*time.Second))
	defer tick.Stop()
	var limit <-chan time.Time
	if w.request.Timeout > 0 {
		timer := time.NewTimer(w.request.Timeout)
		defer timer.Stop()
		limit = timer.C
	}
	last := time.Now() // when somebody was there or something was done
	for {
		select {
		case <-w.session.Ended():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return errTimeout
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				return errSignal
			}
		case <-w.poke:
			if w.leaves() {
				return errHungUp
			}
		case <-tick.C:
		}
		if w.there() || w.session.Busy() {
			last = time.Now()
		} else if time.Since(last) >= idle {
			return errIdle
		}
	}
}

// there reports whether a terminal is attached.
func (w *work) there() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.terminals > 0
}

// leaves reports whether the session ends because its last terminal has gone
// without a word: one that was begun without a terminal never does.
func (w *work) leaves() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hungUp && !w.request.Unattended && !w.app.Config().DetachOnHangup
}

// track keeps the list right when the conversation goes on in another session.
func (w *work) track(ctx context.Context) {
	host := w.session.Host()
	for chapter := 0; ; chapter++ {
		info, ok := host.Info(chapter)
		if !ok {
			return
		}
		if info.SessionID != w.entry.SessionID {
			before := w.entry.SessionID
			w.entry.SessionID, w.entry.Prompt = info.SessionID, ""
			if err := w.registry.add(w.entry, before); err != nil {
				w.app.Debug(err.Error())
			}
		}
		for range host.Follow(ctx, chapter, info.LastSeq) {
			continue // only its end matters
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// close gives everything back.
func (w *work) close() error {
	var errs []error
	if w.listener != nil {
		_ = w.listener.Close() // it may be closed, and takes the socket with it
		w.registry.unlink(w.entry.Socket)
		w.registry.remove(w.entry.SessionID)
	}
	if w.session != nil {
		errs = append(errs, w.session.Close())
	}
	return errors.Join(append(errs, w.app.Close())...)
}
