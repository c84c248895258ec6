package acp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/checkpoint"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/app/login"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/acp"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// door is what surrounds the sessions of an editor.
type door struct {
	streams *console.Streams
	options *options
}

// program is the program in a folder. It is closed when it is used no more.
func (d *door) program(ctx context.Context, dir string, settings map[string][]string, warn func(string)) (*app.App, error) {
	return app.New(ctx, app.Options{
		Dir: dir, Environ: d.streams.Environ, Flags: settings, Trust: d.options.trust, NoStream: d.options.noStream, Warn: warn,
	})
}

// Open opens a session in a process of its own, or in this one where nothing is
// kept on disk.
func (d *door) Open(ctx context.Context, r acp.Request) (*acp.Opened, error) {
	var notes []string
	warn := func(line string) { notes = append(notes, line) }
	settings := d.options.settings()
	a, err := d.program(ctx, r.Dir, settings, warn)
	if err != nil {
		return nil, answerTo(err)
	}
	if settings, err = joined(settings, r.Servers, a.Config().MCPServers); err == nil && !a.Config().SaveSessions && settings["mcpServers"] != nil {
		if err = a.Close(); err == nil { // the session runs here, with the editor's servers
			notes = nil
			a, err = d.program(ctx, r.Dir, settings, warn)
		}
	}
	if err != nil {
		return nil, answerTo(err)
	}
	o := &beside{door: d, app: a, settings: settings, points: map[string]*checkpoint.Checkpoints{}}
	session, warnings, err := o.session(ctx, r)
	if err != nil {
		return nil, answerTo(errors.Join(err, a.Close()))
	}
	if warnings == nil { // it runs here, and has warned here
		warnings = notes
	}
	return o.opened(ctx, session, warnings), nil
}

// idle is how long a session stays that has nothing to do when its editor has
// gone: an editor is closed without a word.
const idle = 15 * time.Second

// session opens the session that is asked for. One that runs already is attached
// to.
func (o *beside) session(ctx context.Context, r acp.Request) (attach.Session, []string, error) {
	a := o.app
	request := app.SessionRequest{Resume: r.ID}
	if r.ID != "" {
		if err := isSaved(ctx, a, r.ID); err != nil {
			return nil, nil, err
		}
		if entry, err := detach.Open(a.Loaded.Places.State, a.Loaded.LookupEnv).Find(r.ID); err == nil {
			notes := []string{}
			if o.settings["mcpServers"] != nil {
				notes = append(notes, "this session runs already, with the MCP servers that it was opened with")
			}
			session, err := attach.Dial(ctx, entry.Socket, app.Version())
			return session, notes, err
		}
	}
	if !a.Config().SaveSessions {
		session, err := a.OpenSession(ctx, request)
		if err != nil {
			return nil, nil, err
		}
		return attach.NewLocal(session.Host()), nil, nil
	}
	started, err := detach.Start(ctx, detach.Command{
		Environ: o.environ(), Dir: a.Loaded.Dir, Log: a.Loaded.Places.DebugLog(),
	}, detach.Request{
		Session: request, Settings: o.settings, Trust: o.door.options.trust, NoStream: o.door.options.noStream, Idle: idle,
	})
	if err != nil {
		return nil, nil, err
	}
	session, err := attach.Dial(ctx, started.Socket, app.Version())
	return session, append([]string{}, started.Warnings...), err
}

// isSaved refuses an id that names no saved session: what else a person may write
// there, a number or a path, an editor must not.
func isSaved(ctx context.Context, a *app.App, id string) error {
	lib, err := a.Library()
	if err != nil {
		return err
	}
	entry, err := lib.Resolve(ctx, id)
	if err == nil && entry.SessionID == id {
		return nil
	}
	var none *sessions.NotFoundError
	if err != nil && !errors.As(err, &none) {
		return err
	}
	return &sessions.NotFoundError{Arg: id}
}

// answerTo is an error as an editor is answered.
func answerTo(err error) error {
	var none *sessions.NotFoundError
	var host *detach.FailedError
	code := console.CodeOf(err)
	if errors.As(err, &host) {
		code = host.Code
	}
	switch {
	case errors.As(err, &none):
		return wire.Errorf(protocol.NotFound, "%v", err)
	case code == headless.ExitAuth:
		return wire.Errorf(protocol.AuthRequired, "%v", err)
	}
	return wire.Errorf(wire.Internal, "%v", err)
}

// List are the saved sessions in which something was said.
func (d *door) List(ctx context.Context, dir string) ([]protocol.SessionInfo, error) {
	var all []protocol.SessionInfo
	err := d.library(ctx, func(lib *saved.Sessions) error {
		entries, err := lib.List(ctx)
		for _, e := range entries {
			if e.SessionID == "" || e.Cwd == "" || e.Problem != "" || e.Next != "" || dir != "" && !sessions.InDir(e, dir) {
				continue
			}
			info := protocol.SessionInfo{SessionID: e.SessionID, Cwd: e.Cwd, Title: saved.Line(e.Line())}
			if !e.UpdatedAt.IsZero() {
				info.UpdatedAt = e.UpdatedAt.UTC().Format(time.RFC3339)
			}
			all = append(all, info)
		}
		return err
	})
	return all, err
}

// library opens the library of saved sessions.
func (d *door) library(ctx context.Context, do func(*saved.Sessions) error) error {
	a, err := d.program(ctx, d.streams.Dir, d.options.settings(), nil)
	if err != nil {
		return answerTo(err)
	}
	lib, err := a.Library()
	if err == nil {
		err = do(lib)
	}
	return errors.Join(err, a.Close())
}

// Delete removes a session for good. One that some process works on stays.
func (d *door) Delete(ctx context.Context, id string) error {
	return d.library(ctx, func(lib *saved.Sessions) error {
		entry, err := lib.Resolve(ctx, id)
		if err != nil || entry.SessionID != id {
			return nil // there is none: what was asked for holds
		}
		return lib.Remove(ctx, entry)
	})
}

// Ready says why the model of the settings cannot be called.
func (d *door) Ready(ctx context.Context) error {
	a, err := d.program(ctx, d.streams.Dir, d.options.settings(), nil)
	if err != nil {
		return err
	}
	defer a.Close()
	_, err = a.Models.Resolve(ctx, a.Model())
	var f *llm.Fault
	if errors.As(err, &f) && f.Class == llm.ClassMissingKey {
		return err
	}
	return nil // what else is wrong, the session says
}

// Logout forgets the saved login.
func (d *door) Logout(ctx context.Context) error {
	l, err := d.streams.Config(ctx)
	if l == nil {
		return err
	}
	store := login.Store{Saved: l.Login(), Path: l.Places.OAuth()}
	if err := store.Remove(ctx); err != nil {
		return fmt.Errorf("remove the saved token: %w", err)
	}
	return nil
}

// environ is the environment of the sessions.
func (o *beside) environ() []string {
	if o.door.streams.Environ != nil {
		return o.door.streams.Environ
	}
	return os.Environ()
}
