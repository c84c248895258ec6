package attach_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/attach/audience"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const version = "1.2.3"

// host is a session without an agent: what it is asked it writes down.
type host struct {
	t     testing.TB
	ended chan struct{}
	once  sync.Once
	err   error

	mu          sync.Mutex
	chapters    []*journal.Journal
	title       string
	interrupted int
	refuse      error
	hold        chan struct{} // a Submit waits for it, if not nil
}

func sessionID(n int) string { return fmt.Sprintf("%08d-2222-4333-8444-555555555555", n) }

func newHost(t testing.TB) *host {
	h := &host{t: t, ended: make(chan struct{})}
	h.begin()
	return h
}

// begin begins a chapter and ends the one before.
func (h *host) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	j, err := journal.Open(context.Background(), journal.Options{Store: journal.NewMemory(), SessionID: sessionID(len(h.chapters))})
	if err != nil {
		h.t.Fatal(err)
	}
	h.chapters = append(h.chapters, j)
	if n := len(h.chapters); n > 1 {
		h.chapters[n-2].Close()
	}
}

func (h *host) chapter(n int) *journal.Journal {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n == attach.Newest {
		n = len(h.chapters) - 1
	}
	if n < 0 || n >= len(h.chapters) {
		return nil
	}
	return h.chapters[n]
}

func (h *host) say(ps ...event.Payload) {
	h.t.Helper()
	if _, err := h.chapter(attach.Newest).Append(context.Background(), "", ps...); err != nil {
		h.t.Error(err)
	}
}

func (h *host) Submit(_ context.Context, sub event.Submission) error {
	h.mu.Lock()
	refuse, hold := h.refuse, h.hold
	h.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	if hold != nil {
		<-hold
	}
	if in, ok := sub.Operation.(event.UserInput); ok {
		h.say(event.InputAccepted{SubmissionID: sub.ID, Text: in.Text})
	}
	return nil
}

func (h *host) Interrupt() {
	h.mu.Lock()
	h.interrupted++
	h.mu.Unlock()
	h.say(event.Interrupted{})
}

func (h *host) Err() error { return h.err }

func (h *host) Info(n int) (attach.Info, bool) {
	j := h.chapter(n)
	if j == nil {
		return attach.Info{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return attach.Info{
		SessionID: j.SessionID(), Chapter: slices.Index(h.chapters, j), Title: h.title, LastSeq: j.LastSeq(), PID: 4711, Tools: []string{"bash"},
		Settings: event.Settings{Model: "first/model"},
	}, true
}

func (h *host) Follow(ctx context.Context, n int, after int64) iter.Seq2[event.Event, error] {
	return h.chapter(n).Follow(ctx, after)
}

func (h *host) Shutdown(context.Context) error {
	h.once.Do(func() {
		h.say(event.Shutdown{})
		h.chapter(attach.Newest).Close()
		close(h.ended)
	})
	return h.err
}

func (h *host) Ended() <-chan struct{} { return h.ended }

// left is how somebody went.
type left struct {
	terminals int
	lost      bool
}

// site is a host that is served.
type site struct {
	*host
	path string
	left chan left
	wait sync.WaitGroup
	end  context.CancelFunc
}

func serve(t testing.TB) *site {
	t.Helper()
	s := &site{host: newHost(t), path: filepath.Join(shortDir(t), "s.sock"), left: make(chan left, 1000)}
	l, err := attach.Listen(s.path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.end = cancel
	s.wait.Go(func() {
		err := attach.Serve(ctx, l, s.host, attach.Options{Version: version, Attached: func(n int, lost bool) { s.left <- left{n, lost} }})
		if err != nil {
			t.Error(err)
		}
	})
	s.wait.Go(func() { // as a process does
		select {
		case <-s.ended:
			cancel()
		case <-ctx.Done():
		}
	})
	t.Cleanup(func() {
		_ = s.Shutdown(context.Background())
		cancel()
		s.wait.Wait()
		if _, err := os.Lstat(s.path); err == nil {
			t.Error("the socket is still there")
		}
	})
	return s
}

// shortDir is a folder whose path fits a socket's address.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "at")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func dial(t testing.TB, path string) *attach.Client {
	t.Helper()
	c, err := attach.Dial(t.Context(), path, version)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// read takes n events.
func read(t testing.TB, s attach.Session, after int64, n int) []event.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var got []event.Event
	for ev, err := range s.Follow(ctx, after) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, ev); len(got) == n {
			return got
		}
	}
	t.Fatalf("%d events came, want %d", len(got), n)
	return nil
}

func texts(t testing.TB, events []event.Event) string {
	t.Helper()
	var all []string
	for _, ev := range events {
		all = append(all, fmt.Sprintf("%d:%s", ev.Seq, ev.Type))
	}
	return strings.Join(all, " ")
}

func submit(t testing.TB, s attach.Session, text string) {
	t.Helper()
	if err := s.Submit(t.Context(), event.Submission{ID: text, Operation: event.UserInput{Text: text}}); err != nil {
		t.Fatal(err)
	}
}

// Everybody sees every event once, whoever caused it; what the host has of a
// session, its clients know.
func TestSeveralClients(t *testing.T) {
	s := serve(t)
	s.say(event.Ready{Message: "here"})
	a, b := dial(t, s.path), dial(t, s.path)
	submit(t, a, "one")
	submit(t, b, "two")
	a.Interrupt()
	want := "1:ready 2:input_accepted 3:input_accepted 4:interrupted"
	for _, c := range []*attach.Client{a, b} {
		if got := texts(t, read(t, c, 0, 4)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := texts(t, read(t, c, 2, 2)); got != "3:input_accepted 4:interrupted" {
			t.Errorf("after 2: %s", got)
		}
		if info := c.Info(); info.SessionID != sessionID(0) || info.PID != 4711 || info.LastSeq != 4 || len(info.Tools) != 1 {
			t.Errorf("%+v", info)
		}
	}
}

// What is told about the session while it is followed is known at once.
func TestInfoFollows(t *testing.T) {
	s := serve(t)
	s.say(event.Settings{Model: "old/model"})
	c := dial(t, s.path)
	s.say(event.Settings{Model: "new/model"}, event.Renamed{Title: "a title", By: "user"})
	read(t, c, 0, 3)
	if info := c.Info(); info.Settings.Model != "new/model" || info.Title != "a title" || info.LastSeq != 3 {
		t.Errorf("%+v", info)
	}
}

// The past does not bring back what held then.
func TestThePastIsNotNews(t *testing.T) {
	s := serve(t)
	s.say(event.Settings{Model: "old/model"})
	c := dial(t, s.path)
	read(t, c, 0, 1)
	if got := c.Info().Settings.Model; got != "first/model" {
		t.Errorf("the model is %q", got)
	}
}

// A host's refusal reaches whoever asked, in its words.
func TestSubmitIsRefused(t *testing.T) {
	s := serve(t)
	s.refuse = errors.New("the disk is full")
	err := dial(t, s.path).Submit(t.Context(), event.Submission{Operation: event.UserInput{Text: "x"}})
	if err == nil || err.Error() != "the disk is full" {
		t.Errorf("%v", err)
	}
}

// Submit waits for the host, and for no longer than its caller.
func TestSubmitEndsWithItsCaller(t *testing.T) {
	s := serve(t)
	s.hold = make(chan struct{})
	c := dial(t, s.path)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Submit(ctx, event.Submission{Operation: event.UserInput{Text: "x"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	close(s.hold)
	submit(t, c, "y")
	if got := texts(t, read(t, c, 0, 2)); got != "1:input_accepted 2:input_accepted" {
		t.Error(got)
	}
}

// A reader that does not read delays nobody.
func TestASlowReaderDelaysNobody(t *testing.T) {
	s := serve(t)
	slow, quick := dial(t, s.path), dial(t, s.path)
	text := strings.Repeat("x", 64<<10)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	next, stop := iter.Pull2(slow.Follow(ctx, 0))
	defer stop()
	const n = 40
	for range n {
		s.say(event.AssistantChunk{Content: text})
	}
	if _, err, ok := next(); !ok || err != nil {
		t.Fatal(err)
	}
	if got := read(t, quick, 0, n); got[n-1].Seq != n {
		t.Errorf("the last is %d", got[n-1].Seq)
	}
	submit(t, slow, "and it can still speak")
	for seq := int64(2); seq <= n+1; seq++ {
		ev, err, ok := next()
		if !ok || err != nil || ev.Seq != seq {
			t.Fatalf("event %d: %d, %v, %v", seq, ev.Seq, err, ok)
		}
	}
}

// How a terminal leaves is told to the host: watchers do not count.
func TestLeaving(t *testing.T) {
	s := serve(t)
	a, b := dial(t, s.path), dial(t, s.path)
	w, err := attach.Watch(t.Context(), s.path, version)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	s.expect(t, left{1, false}, left{2, false})
	if late := dial(t, s.path); late.Info().Terminals != 2 || w.Info().Terminals > 2 {
		t.Errorf("%+v", late.Info())
	} else {
		s.expect(t, left{3, false})
		_ = late.Detach()
		s.expect(t, left{2, false})
	}
	if err := a.Detach(); err != nil {
		t.Fatal(err)
	}
	s.expect(t, left{1, false})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	s.expect(t, left{0, true})
	if err := errors.Join(a.Err(), b.Err(), a.Detach(), b.Detach()); err != nil {
		t.Error(err)
	}
	if err := a.Submit(t.Context(), event.Submission{Operation: event.UserInput{Text: "x"}}); !errors.Is(err, attach.ErrLeft) {
		t.Errorf("after leaving: %v", err)
	}
	for ev, err := range a.Follow(t.Context(), 0) {
		t.Errorf("after leaving: %v, %v", ev, err)
	}
	submit(t, w, "it goes on")
}

func (s *site) expect(t *testing.T, want ...left) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-s.left:
			if got != w {
				t.Errorf("told %+v, want %+v", got, w)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("nobody told %+v", w)
		}
	}
}

// Quit ends the session for all, and everybody reads its last event.
func TestQuit(t *testing.T) {
	s := serve(t)
	a, b := dial(t, s.path), dial(t, s.path)
	s.say(event.Ready{})
	var got []event.Event
	var reader sync.WaitGroup
	begun := make(chan struct{}, 10)
	reader.Go(func() {
		for ev, err := range b.Follow(context.Background(), 0) {
			if err != nil {
				t.Error(err)
			}
			got = append(got, ev)
			begun <- struct{}{}
		}
	})
	<-begun
	if err := a.Quit(t.Context()); err != nil {
		t.Fatal(err)
	}
	reader.Wait()
	if texts(t, got) != "1:ready 2:shutdown" {
		t.Error(texts(t, got))
	}
	<-b.Done()
	if b.Err() != nil {
		t.Errorf("an end that was asked for is an error: %v", b.Err())
	}
	if err := b.Quit(t.Context()); err != nil {
		t.Errorf("quit after the end: %v", err)
	}
	if err := b.Submit(t.Context(), event.Submission{Operation: event.UserInput{Text: "x"}}); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("after the end: %v", err)
	}
}

// Why a session ended by itself reaches its clients.
func TestEndWithAnError(t *testing.T) {
	s := serve(t)
	c := dial(t, s.path)
	s.err = errors.New("write the session's journal: no space left")
	_ = s.Shutdown(t.Context())
	<-c.Done()
	if c.Err() == nil || c.Err().Error() != s.err.Error() {
		t.Errorf("%v", c.Err())
	}
}

// A host that vanishes is told in words that say what to do.
func TestLostHost(t *testing.T) {
	path := filepath.Join(shortDir(t), "s.sock")
	l, err := attach.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { // greets, and is killed
		defer close(gone)
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Read(make([]byte, 1000))
		fmt.Fprintf(conn, `{"welcome":{"protocol":1,"version":"1","info":{"session_id":"abc","pid":99}}}`+"\n")
		_, _ = conn.Read(make([]byte, 1000)) // the submission
		_ = conn.Close()
		_ = l.Close()
	}()
	c := dial(t, path)
	err = c.Submit(t.Context(), event.Submission{Operation: event.UserInput{Text: "x"}})
	<-gone
	<-c.Done()
	for _, err := range []error{err, c.Err()} {
		if err == nil || !strings.Contains(err.Error(), "lost") || !strings.Contains(err.Error(), "99") || !strings.Contains(err.Error(), "--resume abc") {
			t.Errorf("%v", err)
		}
	}
	for _, err := range c.Follow(t.Context(), 0) {
		if err == nil || !strings.Contains(err.Error(), "lost") {
			t.Errorf("%v", err)
		}
	}
	if err := c.Quit(t.Context()); err == nil {
		t.Error("a lost session was ended")
	}
}

// The conversation goes on in another session: the old one is read to its end,
// then the new one from its first event, by whoever was there and by whoever
// comes late.
func TestChapters(t *testing.T) {
	for name, open := range map[string]func(t *testing.T, s *site) attach.Session{
		"attached": func(t *testing.T, s *site) attach.Session { return dial(t, s.path) },
		"local":    func(_ *testing.T, s *site) attach.Session { return attach.NewLocal(s.host) },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			c := open(t, s)
			s.say(event.Ready{})
			s.say(event.NewComplete{SessionID: sessionID(1)})
			s.begin()
			s.say(event.Ready{}, event.Processing{})
			s.begin()
			s.say(event.Shutdown{})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var got []string
			for chapter := 0; ; chapter++ {
				if info := c.Info(); info.Chapter != chapter || info.SessionID != sessionID(chapter) {
					t.Fatalf("%+v, want chapter %d", info, chapter)
				}
				for ev, err := range c.Follow(ctx, 0) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, fmt.Sprintf("%.8s/%d", c.Info().SessionID, ev.Seq))
					if ev.Type == event.TypeShutdown {
						cancel()
					}
				}
				if ctx.Err() != nil {
					break
				}
			}
			want := "[00000000/1 00000000/2 00000001/1 00000001/2 00000002/1]"
			if fmt.Sprint(got) != want {
				t.Errorf("%v, want %s", got, want)
			}
		})
	}
}

// A session of this process is ended by whoever leaves it, and cannot be left
// running.
func TestLocal(t *testing.T) {
	h := newHost(t)
	l := attach.NewLocal(h)
	submit(t, l, "one")
	l.Interrupt()
	if got := texts(t, read(t, l, 0, 2)); got != "1:input_accepted 2:interrupted" {
		t.Error(got)
	}
	if l.Info().LastSeq != 2 || l.Err() != nil {
		t.Errorf("%+v, %v", l.Info(), l.Err())
	}
	if err := l.Detach(); err == nil {
		t.Error("it was left running")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	<-l.Done()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// Two programs that do not understand each other say so, with both versions.
func TestVersions(t *testing.T) {
	s := serve(t)
	conn, err := net.Dial("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintln(conn, `{"hello":{"protocol":2,"version":"9.9.9","role":"terminal"}}`)
	var got struct{ Error string }
	if err := json.NewDecoder(conn).Decode(&got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{version, "9.9.9", "protocol 1", "protocol 2"} {
		if !strings.Contains(got.Error, want) {
			t.Errorf("%q does not say %s", got.Error, want)
		}
	}
}

func TestOlderHost(t *testing.T) {
	path := filepath.Join(shortDir(t), "s.sock")
	l, err := attach.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for answer, want := range map[string]string{
		`{"welcome":{"protocol":7,"version":"0.0.7","info":{}}}`: "0.0.7",
		`{"something":"else"}`:  "something else",
		`{"error":"go away"}`:   "go away",
		`garbage`:               "protocol",
		`{"welcome":{"protocol`: "unexpected EOF",
	} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = conn.Read(make([]byte, 1000))
			_, _ = conn.Write([]byte(answer))
			if !strings.HasSuffix(answer, "protocol") {
				_, _ = conn.Write([]byte("\n"))
			}
		}()
		c, err := attach.Dial(t.Context(), path, version)
		<-done
		if err == nil {
			_ = c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", answer, err, want)
		}
	}
}

// Nonsense is answered and ends its connection, and nothing else.
func TestNonsense(t *testing.T) {
	s := serve(t)
	hello := `{"hello":{"protocol":1,"version":"1","role":"terminal"}}`
	for _, lines := range [][]string{
		{"nonsense"},
		{"[]"},
		{"null"},
		{""},
		{`{"submit":{"operation":{"op_type":"interrupt"}}}`},
		{strings.Repeat("x", 70<<10)},
		{`{"hello":{"protocol":1,"role":"king"}}`},
		{`{"hello":{"protocol":1,"role":"follower","chapter":3}}`},
		{hello, "nonsense"},
		{hello, "{}"},
		{hello, `{"submit":{"operation":{"op_type":"dance"}}}`},
		{hello, "\x00\xff"},
	} {
		conn, err := net.Dial("unix", s.path)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		for _, line := range lines {
			_, _ = fmt.Fprintln(conn, line)
		}
		dec := json.NewDecoder(conn)
		said := ""
		for {
			var got struct{ Error string }
			if err := dec.Decode(&got); err != nil {
				break // the end
			}
			said += got.Error
		}
		_ = conn.Close()
		if said == "" {
			t.Errorf("%.80q was not answered", lines)
		}
	}
	c := dial(t, s.path)
	submit(t, c, "it lives")
}

// The socket is this user's alone, in a folder that is too.
func TestPermissions(t *testing.T) {
	dir := filepath.Join(shortDir(t), "run")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s.sock")
	l, err := attach.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for p, want := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		info, err := os.Lstat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", p, info.Mode().Perm(), want)
		}
	}
	link := filepath.Join(shortDir(t), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if l, err := attach.Listen(filepath.Join(link, "t.sock")); err == nil {
		_ = l.Close()
		t.Error("a folder behind a link was used")
	}
	long := filepath.Join(dir, strings.Repeat("x", 110))
	if _, err := attach.Listen(long); err == nil || attach.Fits(long) {
		t.Errorf("a path of %d bytes: %v", len(long), err)
	}
}

// watched is a host that wants to know who looks.
type watched struct {
	*host
	audience *audience.Audience
}

func (w watched) Audience() *audience.Audience { return w.audience }

func TestTheHostKnowsWhoLooks(t *testing.T) {
	h := watched{newHost(t), audience.New()}
	l, err := attach.Listen(filepath.Join(shortDir(t), "s.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := attach.Serve(ctx, l, h, attach.Options{Version: version}); err != nil {
			t.Error(err)
		}
	})
	path := l.Addr().String()
	soon := func(seq int64) bool {
		late, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		h.audience.Shown(late, 0, seq)
		return late.Err() == nil
	}
	watcher, err := attach.Watch(t.Context(), path, version)
	if err != nil {
		t.Fatal(err)
	}
	watcher.Seen(0, 5, true)
	if h.audience.Watched() {
		t.Error("a watcher counts as a person")
	}
	c := dial(t, path)
	if !h.audience.Watched() {
		t.Error("a terminal that is welcomed does not count")
	}
	if c.Seen(0, 5, true); !soon(5) || !h.audience.Watched() {
		t.Error("what a terminal shows did not arrive")
	}
	if c.Seen(0, 6, false); !soon(6) || h.audience.Watched() {
		t.Error("that nobody looks did not arrive")
	}
	_ = c.Close()
	if !soon(99) {
		t.Error("a terminal that has left is waited for")
	}
	local := attach.NewLocal(h)
	if local.Seen(0, 7, true); !soon(7) || !h.audience.Watched() {
		t.Error("what this process shows did not arrive")
	}
	_ = local.Close()
	if h.audience.Watched() {
		t.Error("this process has left")
	}
	_ = watcher.Close()
	cancel()
	wait.Wait()

	// A host that does not want to know is not told: it would not understand.
	plain := serve(t)
	d := dial(t, plain.path)
	d.Seen(0, 1, true)
	if err := d.Submit(t.Context(), event.Submission{ID: "a", Operation: event.UserInput{Text: "x"}}); err != nil {
		t.Errorf("after telling: %v", err)
	}
}
