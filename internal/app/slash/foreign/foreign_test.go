package foreign_test

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/slash/foreign"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// session answers questions about servers with what is set.
type session struct {
	attach.Session
	t      *testing.T
	events chan event.Event
	seq    int64

	mu    sync.Mutex
	told  []event.ServerState
	mute  bool
	asked int
}

func (s *session) Info() attach.Info     { return attach.Info{After: 3} }
func (s *session) Done() <-chan struct{} { return nil }

func (s *session) Submit(_ context.Context, sub event.Submission) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.Operation != (event.Servers{}) {
		s.t.Errorf("it is asked for %#v", sub.Operation)
	}
	if s.asked++; !s.mute {
		s.tell(event.ServerStates{Servers: s.told})
	}
	return nil
}

func (s *session) tell(p event.Payload) {
	data, err := json.Marshal(p)
	if err != nil {
		s.t.Error(err)
	}
	s.seq++
	s.events <- event.Event{Seq: s.seq, Type: p.Type(), Data: data}
}

func (s *session) Follow(ctx context.Context, _ int64) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for {
			select {
			case ev := <-s.events:
				if !yield(ev, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (s *session) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// bench is a slash menu that belongs to a session.
type bench struct {
	*session
	source complete.Source
}

func newBench(t *testing.T, told ...event.ServerState) *bench {
	t.Helper()
	s := &session{t: t, events: make(chan event.Event, 10), told: told}
	commands := []dialog.Command{{Name: "quit"}, {Name: "own:one"}, {Name: dialog.Foreign, Hidden: true}}
	var p foreign.Prompts
	source := p.Complete(complete.Slash(commands), commands)
	if r, ok := source("/", true); !ok || r.Later != nil {
		t.Error("without a session there is nobody to ask")
	}
	watched := p.Watch(s)
	s.tell(event.ServerStates{Servers: []event.ServerState{{Name: "past", Prompts: []event.ServerOffer{{Name: "gone"}}}}})
	s.seq = 3 // what came up to here was in another run
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		for range watched.Follow(ctx, 0) {
		}
	})
	t.Cleanup(func() { cancel(); work.Wait() })
	return &bench{s, source}
}

func labels(options []dialog.Option) string {
	var out []string
	for _, o := range options {
		out = append(out, strings.TrimSuffix(o.Label+" | "+o.Hint, " | "))
	}
	return strings.Join(out, "\n")
}

// now is what a line offers at once, later what it offers a moment afterwards.
func (b *bench) now(line string) (string, complete.Request) {
	b.t.Helper()
	r, ok := b.source(line, true)
	if !ok || !r.Quick {
		b.t.Fatalf("%q: offered %v, quick %v", line, ok, r.Quick)
	}
	return labels(r.Options(b.t.Context())), r
}

func (b *bench) later(line string) string {
	b.t.Helper()
	_, r := b.now(line)
	if r.Later == nil {
		b.t.Fatalf("%q: nothing is to come", line)
	}
	return labels(r.Later(b.t.Context()))
}

func books() event.ServerState {
	return event.ServerState{Name: "books", State: "ready", Prompts: []event.ServerOffer{
		{Name: "Review", Description: "Reviews a book", Arguments: []string{"book", "tone"}, Required: []string{"book"}},
	}}
}

func TestPrompts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, books())
		time.Sleep(time.Hour)
		const own, all = "/quit\n/own:one", "/quit\n/own:one\n/books:Review book= [tone=] | Reviews a book"
		if got, _ := b.now("/"); got != own {
			t.Errorf("before anybody has asked: %s", got)
		}
		if b.questions() != 0 {
			t.Error("looking at a line asks")
		}
		if got := b.later("/"); got != all {
			t.Errorf("after it was asked: %s", got)
		}
		if got, r := b.now("/b"); got != all || r.Later != nil || b.questions() != 1 {
			t.Errorf("the next key asks again (%d): %s", b.questions(), got)
		}
		// Notes of the program may be about servers; what a tool says is not.
		time.Sleep(time.Minute)
		b.told = nil
		b.tell(event.ToolLog{Tool: "bash", Log: "x"})
		synctest.Wait()
		if _, r := b.now("/"); r.Later != nil {
			t.Error("a tool has said something, and the session is asked")
		}
		b.tell(event.ToolLog{Tool: "system", Log: "MCP server books: closed"})
		synctest.Wait()
		if got := b.later("/"); got != own {
			t.Errorf("the server is gone: %s", got)
		}
	})
}

// A server that is connecting is asked about again; a session that says nothing is not
// waited for.
func TestUnready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, event.ServerState{Name: "books", State: "connecting"})
		if got := b.later("/"); strings.Contains(got, "books") {
			t.Error(got)
		}
		if _, r := b.now("/b"); r.Later != nil {
			t.Error("it is asked at every key")
		}
		time.Sleep(time.Second)
		b.told = []event.ServerState{books()}
		if got := b.later("/b"); !strings.Contains(got, "/books:Review") {
			t.Error(got)
		}
		time.Sleep(time.Hour)
		b.mute = true
		begun := time.Now()
		if got := b.later("/"); !strings.Contains(got, "/books:Review") || time.Since(begun) > 3*time.Second {
			t.Errorf("after %v: %s", time.Since(begun), got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		time.Sleep(time.Minute)
		begun = time.Now()
		if _, r := b.now("/"); r.Later == nil || r.Later(ctx) == nil || time.Since(begun) > 0 {
			t.Error("who types on waits")
		}
	})
}

// What stands in the menu is what is typed, and takes no command's place.
func TestHostile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []event.ServerState
		for _, name := range []string{
			"a b", "a\nb", "a/b", "../x", "\x1b[31mred", "re\u202edlo", "zero\u200bwidth", "", "twice", "TWICE", "fine", "ONE", "a:b",
		} {
			told = append(told, event.ServerState{Name: "own", Prompts: []event.ServerOffer{{
				Name: name, Description: "one\n\x1b]0;title\x07two \u202ethree" + strings.Repeat("x", 1000),
				Arguments: []string{"safe", "\x1b[2J", "two words", "a=b"},
			}}})
		}
		b := newBench(t, told...)
		got := b.later("/")
		var names []string
		for _, line := range strings.Split(got, "\n") {
			name, _, _ := strings.Cut(line, " ")
			names = append(names, name)
			if len([]rune(line)) > 300 || strings.ContainsAny(line, "\x1b\x07\u202e\u200b") {
				t.Errorf("%q", line)
			}
		}
		if want := "/quit /own:one /own:a/b /own:../x /own:twice /own:fine /own:a:b"; strings.Join(names, " ") != want {
			t.Errorf("%s, want %s", names, want)
		}
		r, ok := b.source("/own:fine ", true)
		if o := r.Options(t.Context()); !ok || len(o) != 1 || o[0].Value != "safe=" {
			t.Errorf("arguments %q", o)
		}
	})
}

func TestArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, books())
		b.later("/")
		for line, want := range map[string]string{
			"/books:review ":                    "book= tone=",
			"/Books:REVIEW t":                   "book= tone=",
			"/books:review book=Emma ":          "tone=",
			"/books:review book=Emma":           "",
			`/books:review book="A Tale `:       "",
			"/books:review book=Emma tone=dry ": "",
			"/books:nothing ":                   "",
			"/quit ":                            "",
		} {
			r, ok := b.source(line, true)
			if ok != (want != "") {
				t.Errorf("%q: offered %v", line, ok)
			}
			if !ok {
				continue
			}
			var got []string
			for _, o := range r.Options(t.Context()) {
				got = append(got, o.Value)
			}
			if text, _ := r.Text(dialog.Option{Value: "tone="}); strings.Join(got, " ") != want || !r.Free || text != "tone=" {
				t.Errorf("%q: %q", line, got)
			}
		}
		if _, ok := b.source("/books:review ", false); ok {
			t.Error("a later line is no command")
		}
	})
}
