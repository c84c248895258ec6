// Package servers is the servers of the model context protocol that one session
// uses: made from the settings, all started beside everything else, and closed with
// the session. It says which of them get the Hub token, and tells the person what
// became of them. It knows no message of the protocol.
package servers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/login"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/mcp"
)

// patience is how long the first message of a session waits for servers that have
// not settled. Later ones wait for none.
const patience = 3 * time.Second

// Set is the servers of one session. Its methods may be called from any goroutine.
type Set struct {
	o     Options
	tools *mcp.Set
	names []string
	tells chan struct{}   // holds a token: something has changed
	life  context.Context //nolint:containedctx // the set is the owner
	end   context.CancelFunc
	work  sync.WaitGroup
	once  sync.Once

	mu      sync.Mutex
	members map[string]*member
	waited  bool
	closed  bool
}

// member is an entry of the settings.
type member struct {
	made *made // nil where it cannot be made
	err  error // why
	// told is what was said of it last, and which edition of its tools.
	told    string
	edition int
	offered []string
}

// Open makes the servers of a session. Start connects them; Close ends them.
func Open(o Options) *Set {
	s := &Set{
		o: o, tools: mcp.NewSet(o.taken), names: o.Names(), tells: make(chan struct{}, 1), members: map[string]*member{},
	}
	s.life, s.end = context.WithCancel(context.Background())
	for _, name := range s.names {
		s.members[name] = s.admit(name)
	}
	return s
}

// admit makes the server of an entry.
func (s *Set) admit(name string) *member {
	m, err := s.o.make(name, s.changed)
	return &member{made: m, err: err}
}

// Start connects all servers, beside everything else.
func (s *Set) Start() {
	s.work.Go(s.report)
	for _, m := range s.live() {
		m.Start()
	}
	s.changed()
}

// Close ends all connections and waits for that.
func (s *Set) Close() {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.end()
		var ends sync.WaitGroup
		for _, m := range s.live() {
			ends.Go(m.close)
		}
		ends.Wait()
		s.work.Wait()
	})
}

// live are the servers that could be made, in order.
func (s *Set) live() []*made {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*made
	for _, name := range s.names {
		if m := s.members[name]; m.made != nil {
			out = append(out, m.made)
		}
	}
	return out
}

// Joining are the tools of the servers as they are now. The first call waits a
// little for servers that are about to connect.
func (s *Set) Joining(ctx context.Context) []tool.Tool {
	s.rejoin()
	s.mu.Lock()
	first := !s.waited
	s.waited = true
	s.mu.Unlock()
	all := s.live()
	if first {
		late := time.NewTimer(patience)
		defer late.Stop()
	wait:
		for _, m := range all {
			select {
			case <-m.Settled():
			case <-late.C:
				break wait
			case <-ctx.Done():
				break wait
			}
		}
	}
	return s.offer(all)
}

// offer are the tools of servers.
func (s *Set) offer(all []*made) []tool.Tool {
	var sources []mcp.Source
	for _, m := range all {
		sources = append(sources, m.source())
	}
	return s.tools.Tools(sources)
}

// rejoin takes in the Hub's server after the user has logged in.
func (s *Set) rejoin() {
	s.mu.Lock()
	var waiting []string
	for _, name := range s.names {
		var needs *NeedsHubError
		if errors.As(s.members[name].err, &needs) {
			waiting = append(waiting, name)
		}
	}
	s.mu.Unlock()
	for _, name := range waiting {
		s.replace(name)
	}
}

// replace makes a server anew that could not be made before.
func (s *Set) replace(name string) {
	fresh := s.admit(name)
	s.mu.Lock()
	old := s.members[name]
	use := !s.closed && old.made == nil
	if use {
		s.members[name] = fresh
	}
	s.mu.Unlock()
	if fresh.made == nil {
		return
	}
	if !use {
		fresh.made.close()
		return
	}
	fresh.made.Start()
}

// Retry connects to a server now, or to all that are away for "".
func (s *Set) Retry(name string) error {
	if name != "" && !slices.Contains(s.names, name) {
		return fmt.Errorf("there is no MCP server %q here; there are: %s", name, strings.Join(s.names, ", "))
	}
	for _, n := range s.names {
		if name != "" && n != name {
			continue
		}
		s.mu.Lock()
		m := s.members[n]
		s.mu.Unlock()
		if m.made == nil {
			s.replace(n)
			continue
		}
		m.made.Retry()
	}
	return nil
}

// Prompt is the text of a prompt of a server.
func (s *Set) Prompt(ctx context.Context, name, prompt string, args map[string]string) (string, error) {
	for _, m := range s.live() {
		if m.Name() == name {
			return m.Prompt(ctx, prompt, args)
		}
	}
	return "", fmt.Errorf("there is no MCP server %q here; there are: %s", name, strings.Join(s.names, ", "))
}

// Entry is how things stand with one server, for people.
type Entry struct {
	Name, Where string
	State       server.State
	// Problem is why it is not ready, and what to do about that.
	Problem string
	server.Status
}

// Entries are all servers, in order.
func (s *Set) Entries() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Entry
	for _, name := range s.names {
		out = append(out, s.members[name].entry(name))
	}
	return out
}

func (m *member) entry(name string) Entry {
	if m.made == nil {
		e := Entry{Name: name, State: server.Failed, Problem: catalog.Line(m.err.Error(), 300), Status: server.Status{Err: m.err}}
		var needs *NeedsHubError
		if errors.As(m.err, &needs) {
			e.State = server.NeedsLogin
		}
		return e
	}
	st := m.made.Status()
	return Entry{Name: name, Where: m.made.Where(), State: st.State, Problem: problem(name, st.State, st.Err), Status: st}
}

// problem is why a server is not ready.
func problem(name string, state server.State, err error) string {
	switch {
	case state == server.Ready || state == server.Closed || err == nil:
		return ""
	case errors.Is(err, login.ErrNeeded):
		return catalog.Line(login.ErrNeeded.Error()+": ml-intern mcp login "+name, 300)
	}
	return catalog.Line(plainly(err.Error()), 300)
}

// plainly is what went wrong without the steps of the protocol that it went through.
func plainly(text string) string {
	for cut := true; cut; {
		cut = false
		for _, step := range []string{
			`calling "initialize": `, `sending "initialize": `, `sending "server/discover": `, "rejected by transport: ", "connection closed: ", "client is closing: ",
		} {
			if rest, found := strings.CutPrefix(text, step); found {
				text, cut = rest, true
			}
		}
	}
	if text == "Not Found" || text == "Method Not Allowed" || strings.HasPrefix(text, "unsupported content type") {
		return "the address does not answer as an MCP server does (" + text + "): is it right?"
	}
	for code := 500; code < 600; code++ {
		if text == http.StatusText(code) && text != "" {
			return fmt.Sprintf("the server answers %d %s", code, text)
		}
	}
	return text
}

// changed is called by servers; it does not wait.
func (s *Set) changed() {
	select {
	case s.tells <- struct{}{}:
	default:
	}
}

// report tells the person what has become of the servers.
func (s *Set) report() {
	for {
		select {
		case <-s.life.Done():
			return
		case <-s.tells:
		}
		for _, line := range s.news() {
			s.o.Tell(line)
		}
	}
}

// news is what has not been told yet: a server that is not there, one that is there
// after all, and tools that are others than before.
func (s *Set) news() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, name := range s.names {
		m := s.members[name]
		e := m.entry(name)
		var needs *NeedsHubError
		switch {
		case errors.As(m.err, &needs): // everybody has the entry; who wants it logs in
		case e.State == server.Ready:
			if m.told != "" {
				out = append(out, fmt.Sprintf("MCP server %s: connected", name))
				m.told = ""
			}
			out = append(out, m.others(name, e.Status)...)
		case e.Problem != "" && m.told != e.Problem && (m.told == "" || e.State == server.NeedsLogin):
			out = append(out, fmt.Sprintf("MCP server %s: %s; /mcp shows it", name, e.Problem))
			m.told = e.Problem
		}
	}
	return out
}

// others says which tools have come and gone since they were listed first.
func (m *member) others(name string, st server.Status) []string {
	if st.Edition == m.edition {
		return nil
	}
	var now []string
	for _, t := range st.Catalog.Tools {
		now = append(now, t.Name)
	}
	before, first := m.offered, m.edition == 0
	m.edition, m.offered = st.Edition, now
	if first {
		return notes(name, st.Catalog.Notes)
	}
	var parts []string
	add := func(mark string, a, b []string) {
		for _, t := range a {
			if !slices.Contains(b, t) {
				parts = append(parts, mark+t)
			}
		}
	}
	add("+", now, before)
	add("-", before, now)
	if len(parts) == 0 {
		return nil
	}
	return []string{catalog.Line(fmt.Sprintf("MCP server %s has other tools now: %s", name, strings.Join(parts, " ")), 500)}
}

func notes(name string, all []string) []string {
	if len(all) == 0 {
		return nil
	}
	return []string{catalog.Line(fmt.Sprintf("MCP server %s: %s", name, strings.Join(all, "; ")), 500)}
}
