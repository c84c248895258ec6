package trace_test

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/traceset"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

const id = "a1b2c3d4-0000-4000-8000-000000000001"

// shelf is sessions in memory: a source, and their journals.
type shelf struct {
	t    testing.TB
	mu   sync.Mutex
	logs map[string][]event.Event
	held map[string]bool
	news chan struct{} // closed and made anew at each event
	done map[string]bool
}

func newShelf(t testing.TB) *shelf {
	return &shelf{t: t, logs: map[string][]event.Event{}, held: map[string]bool{}, done: map[string]bool{}, news: make(chan struct{})}
}

// tell appends to a journal.
func (s *shelf) tell(id string, ps ...event.Payload) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range ps {
		ev, err := event.New(id, "turn_1", time.Now(), p)
		if err != nil {
			s.t.Fatal(err)
		}
		ev.Seq = int64(len(s.logs[id]) + 1)
		s.logs[id] = append(s.logs[id], ev)
	}
	close(s.news)
	s.news = make(chan struct{})
}

// end closes a journal.
func (s *shelf) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done[id] = true
	close(s.news)
	s.news = make(chan struct{})
}

func (s *shelf) say(id string, m llm.Message) {
	s.t.Helper()
	s.tell(id, event.HistoryMessage{MessageID: "msg_1", Message: m})
}

// turn is a whole turn.
func (s *shelf) turn(id, question, answer string) {
	s.t.Helper()
	s.begin(id, question)
	s.say(id, llm.Message{Role: llm.Assistant, Text: answer})
	s.tell(id, event.TurnComplete{StopReason: "answer"})
}

func (s *shelf) begin(id, question string) {
	s.t.Helper()
	s.tell(id, event.TurnStarted{TurnID: "turn_1", Model: "m/x", Version: "1.0", Cwd: "/w/proj"})
	s.say(id, llm.Message{Role: llm.User, Text: question})
}

func (s *shelf) Read(_ context.Context, id string, after int64, _ int) ([]event.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.logs[id]
	return slices.Clone(all[min(int(after), len(all)):]), nil
}

func (s *shelf) Sessions() ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id := range s.logs {
		out = append(out, id)
	}
	return out, nil
}

// hold says that a process writes a session.
func (s *shelf) hold(id string, held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[id] = held
}

func (s *shelf) Held(id string) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 1, s.held[id]
}

// follow is a journal's.
func (s *shelf) follow(id string) trace.Follow {
	return func(ctx context.Context, after int64) iter.Seq2[event.Event, error] {
		return func(yield func(event.Event, error) bool) {
			for {
				s.mu.Lock()
				events, done, news := s.logs[id], s.done[id], s.news
				s.mu.Unlock()
				for _, ev := range events[after:] {
					if !yield(ev, nil) {
						return
					}
				}
				if after = int64(len(events)); done {
					return
				}
				select {
				case <-news:
				case <-ctx.Done():
					return
				}
			}
		}
	}
}

// put is one file that was sent.
type put struct {
	at   time.Time
	path string
	text string
}

// world is an uploader with a place to send to.
type world struct {
	*testing.T
	*shelf
	dir string
	// What the place does, and who is logged in.
	mu     sync.Mutex
	fail   func(n int) error // of the n-th attempt, from 1
	block  bool              // until the context ends
	token  string
	user   string
	page   string
	kinds  []trace.Kind
	render trace.Render
	secret []string

	tried int
	sent  []put
}

func newWorld(t *testing.T) *world { return worldIn(t, t.TempDir()) }

func worldIn(t *testing.T, dir string) *world {
	return &world{T: t, shelf: newShelf(t), dir: dir, token: "t1", user: "ann", page: page, kinds: []trace.Kind{trace.Personal}, render: trace.Rows(trace.FormClaude, trace.MostBytes)}
}

// open is another run of the program.
func (w *world) open() *trace.Uploader {
	w.Helper()
	u, err := trace.New(trace.Options{
		Queue: trace.OpenQueue(w.dir + "/uploads"), Source: w.shelf,
		Wanted: w.wanted,
		Target: w.target, Scrubber: func() *redact.Scrubber { return redact.New(redact.Options{Held: w.secret}) },
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.Fatal(err)
	}
	return u
}

func (w *world) wanted(context.Context) (all []trace.Wanted) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, kind := range w.kinds {
		repo := w.page
		if kind == trace.Shared {
			repo = "https://hub/datasets/all/rows"
		}
		all = append(all, trace.Wanted{Kind: kind, User: w.user, Repo: repo})
	}
	return all
}

const page = "https://hub/datasets/ann/ml-intern-sessions"

func (w *world) target(_ context.Context, kind trace.Kind) (trace.Target, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	to := trace.Target{Repo: w.page, User: w.user, Token: w.token, Render: w.render}
	if kind == trace.Shared {
		to.Repo, to.Render = "https://hub/datasets/all/rows", trace.Counters(w.dir+"/salt", w.user)
	}
	to.Put = func(ctx context.Context, f traceset.Session) (bool, error) {
		w.mu.Lock()
		w.tried++
		n, fail, block := w.tried, w.fail, w.block
		w.mu.Unlock()
		if block {
			<-ctx.Done()
			return false, ctx.Err()
		}
		if fail != nil {
			if err := fail(n); err != nil {
				return false, err
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sent = append(w.sent, put{time.Now(), string(kind) + " " + f.Day + "/" + f.ID, string(f.Content)})
		return false, nil
	}
	return to, nil
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) attempts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tried
}

func (w *world) puts() []put {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent)
}

// item is what the queue knows of the session's own upload.
func (w *world) item() trace.Item {
	w.Helper()
	record, _, err := trace.OpenQueue(w.dir + "/uploads").Load(id)
	if err != nil {
		w.Fatal(err)
	}
	return record.Items[trace.Personal]
}

// due lists what is left.
func (w *world) due() string {
	w.Helper()
	due, err := trace.OpenQueue(w.dir + "/uploads").Due()
	if err != nil {
		w.Fatal(err)
	}
	return strings.Join(due, " ")
}

func doc(t testing.TB, s *shelf, id string) document.Document {
	t.Helper()
	d, err := trace.Open(s.logs[id])
	if err != nil {
		t.Fatal(err)
	}
	return d
}
