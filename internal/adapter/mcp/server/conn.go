package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/link"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/login"
)

const (
	// older is the revision that is asked for where a server ends over the first
	// question of a newer one.
	older = "2025-11-25"
	// goodbye is how long a server on the web may take to forget us.
	goodbye = 300 * time.Millisecond
	// relistPause is the least time between two looks at what a server offers.
	relistPause = 2 * time.Second
	// mostPages bounds a list.
	mostPages = 50
)

// conn is one connection.
type conn struct {
	s       *Server
	session *mcp.ClientSession
	process *link.Process // nil on the web
	life    context.Context
	cut     context.CancelCauseFunc // ends all requests of the connection
	changed chan struct{}           // holds a token: a list is another
	told    atomic.Int64            // lines of the server for the log
	catalog catalog.Catalog

	work   sync.WaitGroup
	mu     sync.Mutex
	closed bool // no more work is begun
}

// begin runs f as part of the connection; false says that it is closed.
func (c *conn) begin(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.work.Go(f)
	}
	return !c.closed
}

var (
	// errLost is a connection that is not there any more, errUnsent a request that
	// came too late for it.
	errLost   = errors.New("the connection to the server was lost")
	errUnsent = errors.New("the connection to the server is closed")
)

// connect makes a connection and lists what the server offers, in time.
func (s *Server) connect(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Connect, fmt.Errorf("it did not answer within %s", s.o.Connect))
	defer cancel()
	c, err := s.dial(ctx, s.revision)
	if err != nil && s.revision == "" && !s.asked && s.o.URL == nil && ctx.Err() == nil && !final(err) {
		// Some programs end at a question they do not know.
		s.asked = true
		var second error
		if c, second = s.dial(ctx, older); second == nil {
			s.revision, err = older, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if c.catalog, err = c.list(ctx); err != nil {
		c.close()
		return nil, fmt.Errorf("list what the server offers: %w", reason(ctx, err))
	}
	return c, nil
}

// dial makes a connection that speaks a revision, the newest for "".
func (s *Server) dial(ctx context.Context, version string) (*conn, error) {
	c := &conn{s: s, changed: make(chan struct{}, 1)}
	c.life, c.cut = context.WithCancelCause(s.life)
	late := context.AfterFunc(ctx, func() { c.cut(context.Cause(ctx)) })
	transport, err := c.transport()
	if err == nil {
		c.session, err = c.client().Connect(c.life, transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	}
	if !late() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		err = reason(c.life, err)
		c.close()
		return nil, err
	}
	return c, nil
}

// reason is why something failed: that time was up says more than what it broke.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(err, login.ErrNeeded) {
		return cause
	}
	return err
}

// transport is how messages go.
func (c *conn) transport() (mcp.Transport, error) {
	o := c.s.o
	if o.URL == nil {
		var err error
		c.process, err = link.Start(link.Command{Argv: o.Argv, Dir: o.Dir, Env: o.Env, Say: c.note})
		return c.process, err
	}
	site := link.Site{URL: o.URL, Header: o.Header, Bearer: o.Bearer, Base: o.HTTP, Reads: o.SSE, Broken: func(err error) { c.cut(err) }}
	client := site.Client(c.life)
	if o.SSE {
		if o.Login != nil {
			client.Transport = &guarded{client.Transport, o.Login}
		}
		return &mcp.SSEClientTransport{Endpoint: o.URL.String(), HTTPClient: client, MaxEventSize: link.MaxMessage}, nil
	}
	return &mcp.StreamableClientTransport{Endpoint: o.URL.String(), HTTPClient: client, OAuthHandler: o.Login, MaxEventSize: link.MaxMessage}, nil
}

// client is this program as the server sees it: it answers what it is asked, and
// offers nothing that it would not do.
func (c *conn) client() *mcp.Client {
	o := c.s.o
	note := func() {
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
	options := &mcp.ClientOptions{
		Logger:                      slog.New(slog.NewTextHandler(lines{c.note}, nil)),
		Capabilities:                &mcp.ClientCapabilities{},
		ElicitationHandler:          o.Elicit,
		ToolListChangedHandler:      func(context.Context, *mcp.ToolListChangedRequest) { note() },
		PromptListChangedHandler:    func(context.Context, *mcp.PromptListChangedRequest) { note() },
		ResourceListChangedHandler:  func(context.Context, *mcp.ResourceListChangedRequest) { note() },
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { c.s.progressed(r.Params) },
		//lint:ignore SA1019 servers of the revisions in use send log lines, and ask for roots
		LoggingMessageHandler: func(_ context.Context, r *mcp.LoggingMessageRequest) {
			if r.Params != nil {
				c.note(said(r.Params.Data))
			}
		},
	}
	if len(o.Roots) > 0 {
		//lint:ignore SA1019 as above
		options.Capabilities.RootsV2 = &mcp.RootCapabilities{}
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "ml-intern", Title: "ml-intern", Version: o.Version}, options)
	for _, dir := range o.Roots {
		//lint:ignore SA1019 as above
		client.AddRoots(&mcp.Root{URI: fileURL(dir), Name: "workspace"})
	}
	client.AddSendingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if method == "server/discover" { // older servers may leave it without an answer
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, o.Connect/2)
				defer cancel()
			}
			return next(ctx, method, req)
		}
	})
	return client
}

// mostNotes is how many lines of one connection are kept, noteChars how much of one.
const (
	mostNotes = 2000
	noteChars = 1000
)

// note keeps a line of the server's for the operator.
func (c *conn) note(line string) {
	switch n := c.told.Add(1); {
	case n < mostNotes:
		c.s.o.Log(catalog.Line(line, noteChars))
	case n == mostNotes:
		c.s.o.Log("it says more than is kept")
	}
}

// said is a log line of a server.
func said(data any) string {
	raw, err := json.Marshal(data)
	if err != nil {
		return "a log line that cannot be read"
	}
	return string(raw)
}

// lines passes the library's own log on.
type lines struct{ log func(string) }

func (l lines) Write(p []byte) (int, error) {
	l.log(string(p))
	return len(p), nil
}

// about is what the server says it is.
func (c *conn) about() (title, release, protocol string) {
	r := c.session.InitializeResult()
	if r == nil {
		return "", "", ""
	}
	if i := r.ServerInfo; i != nil {
		title, release = catalog.Line(i.Title, 100), catalog.Line(i.Version, 40)
		if title == "" {
			title = catalog.Line(i.Name, 100)
		}
	}
	return title, release, catalog.Line(r.ProtocolVersion, 20)
}

// list asks for everything the server offers. Without its tools a server is not
// ready; without the rest it is.
func (c *conn) list(ctx context.Context) (catalog.Catalog, error) {
	b := catalog.New(c.s.o.Only)
	r := c.session.InitializeResult()
	if r == nil || r.Capabilities == nil {
		return b.Catalog(), nil
	}
	if r.Capabilities.Tools != nil {
		err := pages(ctx, c, c.session.ListTools, func(cursor string) *mcp.ListToolsParams { return &mcp.ListToolsParams{Cursor: cursor} },
			func(r *mcp.ListToolsResult) (bool, string) { return all(r.Tools, b.Tool), r.NextCursor })
		if err != nil {
			return b.Catalog(), err
		}
	}
	note := func(what string, err error) {
		if err != nil {
			b.Note("its %s are not listed: %s", what, catalog.Line(err.Error(), 200))
		}
	}
	if r.Capabilities.Resources != nil {
		note("resources", pages(ctx, c, c.session.ListResources, func(cursor string) *mcp.ListResourcesParams { return &mcp.ListResourcesParams{Cursor: cursor} },
			func(r *mcp.ListResourcesResult) (bool, string) { return all(r.Resources, b.Resource), r.NextCursor }))
		note("patterns of resources", pages(ctx, c, c.session.ListResourceTemplates, func(cursor string) *mcp.ListResourceTemplatesParams {
			return &mcp.ListResourceTemplatesParams{Cursor: cursor}
		}, func(r *mcp.ListResourceTemplatesResult) (bool, string) {
			return all(r.ResourceTemplates, b.Template), r.NextCursor
		}))
	}
	if r.Capabilities.Prompts != nil {
		note("prompts", pages(ctx, c, c.session.ListPrompts, func(cursor string) *mcp.ListPromptsParams { return &mcp.ListPromptsParams{Cursor: cursor} },
			func(r *mcp.ListPromptsResult) (bool, string) { return all(r.Prompts, b.Prompt), r.NextCursor }))
	}
	return b.Catalog(), c.s.life.Err()
}

// all adds entries until one says that it is enough.
func all[T any](entries []T, add func(T) bool) bool {
	for _, e := range entries {
		if !add(e) {
			return false
		}
	}
	return true
}

// pages reads a list page by page; take says whether the next is wanted.
func pages[P, R any](ctx context.Context, c *conn, ask func(context.Context, P) (R, error), at func(cursor string) P, take func(R) (more bool, next string)) error {
	cursor := ""
	for range mostPages {
		r, err := within(ctx, c, func(ctx context.Context) (R, error) { return ask(ctx, at(cursor)) })
		if err != nil {
			return err
		}
		more, next := take(r)
		if !more || next == "" || next == cursor {
			return nil
		}
		cursor = next
	}
	return nil
}

// within makes a request that ends with ctx, whatever the server does: one that
// does not read what it is sent would hold it up.
func within[R any](ctx context.Context, c *conn, ask func(context.Context) (R, error)) (R, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what is left of the answer is not waited for
	type answer struct {
		r   R
		err error
	}
	got := make(chan answer, 1)
	var none R
	if !c.begin(func() {
		r, err := ask(ctx)
		got <- answer{r, err}
	}) {
		return none, errUnsent
	}
	select {
	case a := <-got:
		if a.err != nil && ctx.Err() != nil {
			return none, context.Cause(ctx)
		}
		if a.err != nil {
			a.err = reason(c.life, a.err)
		}
		return a.r, a.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// wait is the life of a connection; it returns why it was lost, nil when ctx ends.
func (c *conn) wait(ctx context.Context, relist func(catalog.Catalog)) error {
	lost := make(chan error, 1)
	c.begin(func() { lost <- c.session.Wait() })
	for {
		select {
		case err := <-lost:
			return c.lost(err)
		case <-ctx.Done():
			return nil
		case <-c.life.Done():
			return c.lost(nil)
		case <-c.changed:
		}
		c.again(ctx, relist)
		pause := time.NewTimer(relistPause) // a server may say it without end
		select {
		case err := <-lost:
			pause.Stop()
			return c.lost(err)
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
}

// lost is why a connection was.
func (c *conn) lost(err error) error {
	if err == nil {
		err = errLost
	}
	return reason(c.life, err)
}

// again lists anew.
func (c *conn) again(ctx context.Context, relist func(catalog.Catalog)) {
	ctx, cancel := context.WithTimeout(ctx, c.s.o.Connect)
	defer cancel()
	fresh, err := c.list(ctx)
	if err != nil {
		c.s.o.Log("list what the server offers: " + err.Error())
		return
	}
	relist(fresh)
}

// close ends the connection and waits until nothing of it runs.
func (c *conn) close() {
	if c.session != nil {
		done := make(chan struct{})
		c.begin(func() {
			defer close(done)
			if err := c.session.Close(); err != nil {
				c.s.o.Log("leave the server: " + err.Error())
			}
		})
		late := time.NewTimer(goodbye)
		select {
		case <-done:
		case <-late.C:
		}
		late.Stop()
	}
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cut(context.Canceled)
	if c.process != nil {
		c.process.Close()
	}
	c.work.Wait()
}
