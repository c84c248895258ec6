// Package acp lets editors work with sessions over the Agent Client Protocol: it
// answers their calls, tells them what happens, and asks them for approvals. It
// opens sessions by its Host and knows them as operations and events; it reads
// no configuration and writes no file.
package acp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/acp/front"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/sheet"
)

// Host is what surrounds the sessions. A *wire.Error that it returns is what the
// editor is answered.
type Host interface {
	// Open opens a session.
	Open(ctx context.Context, r Request) (*Opened, error)
	// List are the saved sessions, the newest first; those of one working
	// directory where dir is not empty.
	List(ctx context.Context, dir string) ([]protocol.SessionInfo, error)
	// Delete removes a saved session.
	Delete(ctx context.Context, id string) error
	// Ready says why no model can be called; nil when one can.
	Ready(ctx context.Context) error
	// Logout forgets the saved login.
	Logout(ctx context.Context) error
}

// Request says which session to open.
type Request struct {
	// Dir is its working directory, an absolute path.
	Dir string
	// ID is the session to go on with; empty for a new one.
	ID string
	// Servers are the MCP servers that the editor brings.
	Servers []protocol.Server
}

// Opened is a session that was opened, with what the editor needs beside it.
type Opened struct {
	Session attach.Session
	// Notes are lines a person should see.
	Notes []string
	// Expand makes a message of a text, with what it mentions.
	Expand func(ctx context.Context, text string) (event.UserInput, []string, error)
	// Commands are what a prompt may ask for with a slash.
	Commands []Command
	// Modes are the approval modes, Models and Efforts what can be chosen.
	Modes           []protocol.Mode
	Models, Efforts []protocol.Choice
	// Sheet is what calls are shown with that ask for approval.
	Sheet sheet.Options
	// Rule keeps a permission rule for the project; nil where none can be kept.
	Rule func(rule string) error
	// Difference is what has changed between two checkpoints of a session, as a
	// unified diff; nil where nothing is remembered.
	Difference func(ctx context.Context, sessionID, before, after string) (string, error)
	// Watch takes every event of the session; nil for nobody.
	Watch func(ev event.Event)
	// Done is called when the session is left; nil for nothing.
	Done func()
}

// Command is something that a prompt can ask for with a slash.
type Command struct {
	protocol.Command
	// Run does it. It says what it finds with voice. Nil sends the prompt as it was
	// typed: Expand knows what it means.
	Run func(ctx context.Context, voice Voice, args string) error
}

// Voice is the conversation as a running command sees it.
type Voice interface {
	// Say tells the person something, in Markdown.
	Say(markdown string)
	// Warn tells something that draws attention, in plain text.
	Warn(text string)
	// Session is the session.
	Session() attach.Session
	// Submit hands over an operation. The prompt that the command was asked for
	// with ends when a text that is submitted has had its turn.
	Submit(ctx context.Context, op event.Operation) error
	// Do hands over an operation and waits for the first event of one of the
	// types; an error event outside a turn is returned as an error.
	Do(ctx context.Context, op event.Operation, ends ...event.Type) (event.Event, error)
	// Busy reports whether a turn is running, or waits for an approval.
	Busy() bool
}

// Options make a Server.
type Options struct {
	Host Host
	front.Desk
	// Debug receives what only an operator should see.
	Debug func(text string)
}

// mostSessions is how many sessions one editor may have open.
const mostSessions = 64

// Server is the agent's side of one connection.
type Server struct {
	o    Options
	conn *wire.Conn
	work sync.WaitGroup
	ctx  context.Context // ends with the connection; set by Serve

	reviving sync.Mutex // held while a session is opened again

	mu       sync.Mutex // guards what follows
	ready    bool       // initialize was called
	client   protocol.ClientCapabilities
	sessions map[string]*session
	opening  map[string]bool // sessions that are being opened, by id
	closed   bool
}

// Serve answers an editor on a pair of streams until it goes or ctx is done. The
// sessions are left then as a terminal leaves them that was closed.
func Serve(ctx context.Context, in io.Reader, out io.Writer, o Options) error {
	if o.Debug == nil {
		o.Debug = func(string) {}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &Server{o: o, ctx: ctx, conn: wire.New(in, out, o.Debug), sessions: map[string]*session{}, opening: map[string]bool{}}
	err := s.conn.Serve(ctx, s)
	s.mu.Lock()
	s.closed = true
	open := s.open()
	s.mu.Unlock()
	for _, one := range open {
		one.leave()
	}
	cancel()
	s.work.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// open are the sessions that are open. It is called with the lock.
func (s *Server) open() []*session {
	var all []*session
	for _, one := range s.sessions {
		all = append(all, one)
	}
	return all
}

// answer is work that is done already.
func answer(result any, err error) wire.Work {
	return func(context.Context) (wire.Answer, error) { return wire.Answer{Result: result}, err }
}

// with reads the parameters of a call and hands them on.
func with[P any](params json.RawMessage, do func(P) wire.Work) wire.Work {
	var in P
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	if err := json.Unmarshal(params, &in); err != nil {
		return answer(nil, wire.Errorf(wire.Arguments, "the parameters cannot be read: %v", err))
	}
	return do(in)
}

// Call takes a call of the editor.
func (s *Server) Call(method string, params json.RawMessage) wire.Work {
	if method == protocol.Initialize {
		return with(params, s.initialize)
	}
	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	if !ready {
		return answer(nil, wire.Errorf(wire.Invalid, "%s: initialize comes first", method))
	}
	switch method {
	case protocol.Authenticate:
		return with(params, s.authenticate)
	case protocol.Logout:
		return func(ctx context.Context) (wire.Answer, error) { return wire.Answer{}, s.o.Host.Logout(ctx) }
	case protocol.SessionNew:
		return with(params, s.newSession)
	case protocol.SessionLoad:
		return with(params, func(in protocol.OpenRequest) wire.Work { return s.goOn(in, true) })
	case protocol.SessionResume:
		return with(params, func(in protocol.OpenRequest) wire.Work { return s.goOn(in, false) })
	case protocol.SessionList:
		return with(params, s.list)
	case protocol.SessionDelete:
		return with(params, s.remove)
	case protocol.SessionClose:
		return with(params, s.end)
	case protocol.SessionPrompt:
		return with(params, s.prompt)
	case protocol.SessionSetMode:
		return with(params, s.setMode)
	case protocol.SessionSetOther:
		return with(params, s.setOption)
	}
	return answer(nil, wire.Errorf(wire.Unknown, "there is no method %q", method))
}

// Notify takes a notification of the editor; unknown ones mean nothing.
func (s *Server) Notify(method string, params json.RawMessage) {
	if method != protocol.SessionCancel {
		return
	}
	var in protocol.SessionRequest
	if json.Unmarshal(params, &in) != nil {
		return
	}
	if one, err := s.session(in.SessionID); err == nil {
		one.cancel()
	}
}

// session is an open session.
func (s *Server) session(id string) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.sessions[id]; one != nil {
		return one, nil
	}
	return nil, wire.Errorf(protocol.NotFound, "no session %q is open: session/new begins one, session/load goes on with a saved one", id)
}

func (s *Server) initialize(in protocol.InitializeRequest) wire.Work {
	s.mu.Lock()
	s.ready, s.client = true, in.Capabilities
	s.mu.Unlock()
	return answer(s.o.Hello(in.Capabilities), nil)
}

// authenticate looks whether a model can be called now: logins are made outside.
func (s *Server) authenticate(in protocol.AuthenticateRequest) wire.Work {
	return func(ctx context.Context) (wire.Answer, error) {
		if err := s.o.Method(in.MethodID); err != nil {
			return wire.Answer{}, err
		}
		if err := s.o.Host.Ready(ctx); err != nil {
			return wire.Answer{}, s.o.NotReady(err)
		}
		return wire.Answer{}, nil
	}
}

func (s *Server) list(in protocol.ListRequest) wire.Work {
	return func(ctx context.Context) (wire.Answer, error) {
		all, err := s.o.Host.List(ctx, in.Cwd)
		if err != nil {
			return wire.Answer{}, err
		}
		page, err := front.Page(all, in.Cursor)
		return wire.Answer{Result: page}, err
	}
}

// remove removes a saved session; one that is open ends first.
func (s *Server) remove(in protocol.SessionRequest) wire.Work {
	return func(ctx context.Context) (wire.Answer, error) {
		if one, err := s.session(in.SessionID); err == nil {
			if err := one.quit(ctx); err != nil {
				return wire.Answer{}, err
			}
		}
		return wire.Answer{}, s.o.Host.Delete(ctx, in.SessionID)
	}
}

// end closes a session: what it does ends, and what it has told is saved.
func (s *Server) end(in protocol.SessionRequest) wire.Work {
	one, err := s.session(in.SessionID)
	if err != nil {
		return answer(nil, err)
	}
	return func(ctx context.Context) (wire.Answer, error) { return wire.Answer{}, one.quit(ctx) }
}

// quitWait is how long the end of a session may take.
const quitWait = 15 * time.Second
