// Package foreign offers the prompts of MCP servers in the menu behind a slash. It
// asks the session for them beside the screen, and remembers what it was told. Their
// names and words are those of strangers: what could not be typed as it is shown is
// not offered.
package foreign

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

const (
	// patience is how long an answer of the session is waited for.
	patience = 2 * time.Second
	// pause lies between two questions while servers are still connecting, and good
	// is how long an answer holds that nothing has made doubtful.
	pause = time.Second
	good  = 5 * time.Minute
	// labelMost is how much of a name with its arguments is shown, hintMost of a
	// description, in characters.
	labelMost = 200
	hintMost  = 200
)

// Prompts are those that the servers of a session offer. Its methods may be called
// from any goroutine; its zero value has no session.
type Prompts struct {
	mu      sync.Mutex
	session attach.Session
	servers []event.ServerState
	asked   time.Time
	// doubt says that what is known may be old; answer is closed by the answer to
	// the question that is open, nil where there is none.
	doubt  bool
	answer chan struct{}
}

// Watch has the prompts be those of a session, and returns the session: it notes what
// others who follow it are told.
func (p *Prompts) Watch(s attach.Session) attach.Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session, p.servers, p.doubt, p.asked = s, nil, true, time.Time{}
	return &watched{s, p}
}

// watched is a session whose events are noted.
type watched struct {
	attach.Session
	prompts *Prompts
}

// Follow yields the events of the session.
func (w *watched) Follow(ctx context.Context, after int64) iter.Seq2[event.Event, error] {
	old := w.Info().After // those of an earlier run say nothing about this one
	return func(yield func(event.Event, error) bool) {
		for ev, err := range w.Session.Follow(ctx, after) {
			if err == nil && ev.Seq > old {
				w.prompts.note(w.Session, ev)
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

// note takes in what a session has told.
func (p *Prompts) note(s attach.Session, ev event.Event) {
	if ev.Type != event.TypeServers && ev.Type != event.TypeToolLog {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != s {
		return
	}
	if ev.Type == event.TypeToolLog { // servers that come and go are told that way
		log, err := event.Decode[event.ToolLog](ev)
		p.doubt = p.doubt || err == nil && log.Tool == "system"
		return
	}
	told, err := event.Decode[event.ServerStates](ev)
	if err != nil {
		return
	}
	p.servers, p.doubt = told.Servers, false
	if p.answer != nil {
		close(p.answer)
		p.answer = nil
	}
}

// known are the servers as they were told last; more says that asking may bring news.
func (p *Prompts) known() (servers []event.ServerState, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := time.Since(p.asked)
	switch {
	case p.session == nil:
	case p.answer != nil && since < patience:
		more = true
	case since >= good:
		more = true
	case since >= pause:
		more = p.doubt || p.answer != nil || slices.ContainsFunc(p.servers, func(s event.ServerState) bool {
			return s.State == string(server.Idle) || s.State == string(server.Connecting)
		})
	}
	return p.servers, more
}

// ask waits for what the session says, and asks it where nobody has.
func (p *Prompts) ask(ctx context.Context) {
	p.mu.Lock()
	s, answer := p.session, p.answer
	first := s != nil && (answer == nil || time.Since(p.asked) >= patience)
	if first {
		answer = make(chan struct{})
		p.answer, p.asked = answer, time.Now()
	}
	p.mu.Unlock()
	if s == nil {
		return
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if first { // the next key needs the answer too
		asking, done := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer done()
		if s.Submit(asking, event.Submission{ID: "sub_prompts", Operation: event.Servers{}}) != nil {
			return
		}
	}
	select {
	case <-answer:
	case <-wait.Done():
	case <-s.Done():
	}
}

// Complete adds the prompts to what a source offers behind a slash, and completes the
// names of their arguments. Commands are those of the program: their names win.
func (p *Prompts) Complete(source complete.Source, commands []dialog.Command) complete.Source {
	return func(line string, start bool) (complete.Request, bool) {
		r, ok := source(line, start)
		if !start || !strings.HasPrefix(line, "/") {
			return r, ok
		}
		name, args, blank := strings.Cut(line[1:], " ")
		if blank {
			if !ok && strings.Contains(name, dialog.Foreign) {
				return p.arguments(name, args)
			}
			return r, ok
		}
		own := r.Options
		all := func(ctx context.Context, servers []event.ServerState) []dialog.Option {
			return append(own(ctx), options(servers, commands)...)
		}
		servers, more := p.known()
		r.Options = func(ctx context.Context) []dialog.Option { return all(ctx, servers) }
		if more {
			r.Later = func(ctx context.Context) []dialog.Option {
				p.ask(ctx)
				fresh, _ := p.known()
				return all(ctx, fresh)
			}
		}
		return r, ok
	}
}

// options are the prompts that can be called.
func options(servers []event.ServerState, commands []dialog.Command) []dialog.Option {
	var out []dialog.Option
	seen := map[string]bool{}
	for _, s := range servers {
		for _, prompt := range s.Prompts {
			name := s.Name + dialog.Foreign + prompt.Name
			called, rest, ok := dialog.Slash("/" + name)
			if !ok || rest != "" || seen[called] || prompt.Name == "" || !typeable(name) {
				continue
			}
			seen[called] = true
			if slices.ContainsFunc(commands, func(c dialog.Command) bool { return strings.EqualFold(c.Name, name) }) {
				continue
			}
			label := "/" + name
			for _, a := range prompt.Arguments {
				if slices.Contains(prompt.Required, a) {
					label += " " + a + "="
				} else {
					label += " [" + a + "=]"
				}
			}
			out = append(out, dialog.Option{Value: name, Label: catalog.Line(label, labelMost), Hint: catalog.Line(prompt.Description, hintMost)})
		}
	}
	return out
}

// typeable reports whether a word can be typed as it is shown.
func typeable(s string) bool {
	return s != "" && !strings.ContainsAny(s, " \t\n") && catalog.Line(s, utf8.RuneCountInString(s)) == s
}

// arguments completes the names of a prompt's arguments that are not given yet.
func (p *Prompts) arguments(name, args string) (complete.Request, bool) {
	servers, _ := p.known()
	server, prompt, _ := strings.Cut(name, dialog.Foreign)
	word := args[strings.LastIndexByte(args, ' ')+1:]
	if strings.Count(args, `"`)%2 != 0 || strings.Contains(word, "=") {
		return complete.Request{}, false
	}
	for _, s := range servers {
		i := slices.IndexFunc(s.Prompts, func(o event.ServerOffer) bool { return strings.EqualFold(o.Name, prompt) })
		if i < 0 || !strings.EqualFold(s.Name, server) {
			continue
		}
		var out []dialog.Option
		for _, a := range s.Prompts[i].Arguments {
			if !typeable(a) || strings.ContainsAny(a, "\"=") || strings.Contains(" "+args, " "+a+"=") {
				continue
			}
			o := dialog.Option{Value: a + "="}
			if slices.Contains(s.Prompts[i].Required, a) {
				o.Hint = "needed"
			}
			out = append(out, o)
		}
		return complete.Request{
			Part: word, Query: word, Auto: true, Free: true, Quick: true,
			Options: func(context.Context) []dialog.Option { return out },
			Insert:  func(o dialog.Option) (string, bool) { return o.Value, false },
		}, len(out) > 0
	}
	return complete.Request{}, false
}
