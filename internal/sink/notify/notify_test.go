package notify_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/sink/notify"
	"github.com/ml-intern/ml-intern/internal/sink/notify/compose"
	"github.com/ml-intern/ml-intern/internal/sink/notify/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gateway keeps what it takes; answer may refuse it.
type gateway struct {
	mu     sync.Mutex
	answer func(m messaging.Message) error
	got    []messaging.Message
	at     []time.Time
	tries  int
}

func (g *gateway) Send(ctx context.Context, m messaging.Message) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tries++
	if err := ctx.Err(); err != nil {
		return "", messaging.Passing("given up")
	}
	if g.answer != nil {
		if err := g.answer(m); err != nil {
			return "", err
		}
	}
	g.got, g.at = append(g.got, m), append(g.at, time.Now())
	return fmt.Sprintf("ts-%d", len(g.got)), nil
}

func (g *gateway) all() []messaging.Message {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.got)
}

func (g *gateway) when(i int) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.at[i]
}

func (g *gateway) ids() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var ids []string
	for _, m := range g.got {
		ids = append(ids, m.ID)
	}
	return ids
}

func (g *gateway) change(answer func(m messaging.Message) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = answer
}

func down(messaging.Message) error { return messaging.Passing("Slack HTTP 503") }

// cursors remember in memory.
type cursors struct {
	mu sync.Mutex
	at map[string]int64
}

func (c *cursors) Load(session string) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at[session], nil
}

func (c *cursors) Save(session string, seq int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[session] = seq
	return nil
}

// world is everything around a Post.
type world struct {
	t       *testing.T
	dir     string
	cursors *cursors
	warned  []string
	options notify.Options
	journal *journal.Journal
	follow  sync.WaitGroup
}

const session = "0123abcd-0000-4000-8000-000000000000"

func newWorld(t *testing.T, gates map[string]*gateway) *world {
	w := &world{t: t, dir: t.TempDir(), cursors: &cursors{at: map[string]int64{}}}
	w.options = notify.Options{
		Dir: w.dir, Cursor: w.cursors, Types: compose.Kinds(), Long: 10 * time.Minute, Quiet: 20 * time.Second, Project: "work",
		Hub: "https://hub.example", Scrub: func(s string) string { return strings.ReplaceAll(s, "hunter2", "[REDACTED]") },
		Warn: func(line string) { w.warned = append(w.warned, line) }, Log: slog.New(slog.DiscardHandler),
	}
	for _, name := range slices.Sorted(mapKeys(gates)) {
		w.options.Destinations = append(w.options.Destinations, notify.Destination{Destination: outbox.Destination{Name: name, Key: "k"}, Gateway: gates[name]})
	}
	w.open(journal.NewMemory())
	return w
}

func mapKeys[V any](m map[string]V) iter.Seq[string] {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (w *world) open(store journal.Store) {
	w.t.Helper()
	j, err := journal.Open(w.t.Context(), journal.Options{Store: store, SessionID: session})
	if err != nil {
		w.t.Fatal(err)
	}
	w.journal = j
}

func (w *world) post() *notify.Post {
	w.t.Helper()
	p, err := notify.New(w.options)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// run follows the journal with a Post of its own, as a process does.
func (w *world) run(change func(s *notify.Session)) {
	w.t.Helper()
	p, s := w.post(), notify.Session{ID: session, After: w.journal.LastSeq(), Follow: w.journal.Follow}
	if change != nil {
		change(&s)
	}
	w.follow.Go(func() {
		if err := p.Run(context.Background(), s); err != nil {
			w.t.Error(err)
		}
	})
}

// tell appends events to the running turn.
func (w *world) tell(turn string, ps ...event.Payload) {
	w.t.Helper()
	if _, err := w.journal.Append(context.Background(), turn, ps...); err != nil {
		w.t.Fatal(err)
	}
}

// end ends the session and waits for the follower.
func (w *world) end() {
	w.journal.Close()
	w.follow.Wait()
}

func complete(text string) event.TurnComplete {
	return event.TurnComplete{FinalResponse: &text, StopReason: "answer"}
}

func TestMessagesComeInOrderToEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, alive := &gateway{answer: down}, &gateway{}
		w := newWorld(t, map[string]*gateway{"dead": dead, "alive": alive})
		w.run(nil)
		for i := range 5 {
			w.tell("turn_1", complete(fmt.Sprintf("reply %d hunter2", i)))
		}
		synctest.Wait()
		if got := alive.ids(); len(got) != 5 || !slices.IsSorted(got) {
			t.Errorf("delivered %q while another is dead", got)
		}
		if text := alive.all()[0].Text; text != "Session "+session+" completed.\nreply 0 [REDACTED]" {
			t.Errorf("text %q", text)
		}
		time.Sleep(time.Hour) // long waits between tries
		dead.change(nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff(alive.ids(), dead.ids()); diff != "" {
			t.Errorf("after an hour: -want +got:\n%s", diff)
		}
		w.end()
		if left, _ := os.ReadDir(w.dir); len(left) != 0 {
			t.Errorf("files are left: %v", left)
		}
	})
}

// Check 36, the end of the process.
func TestCheck36_DeadSlackHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: down}
		w := newWorld(t, map[string]*gateway{"slack.ops": g})
		w.run(nil)
		w.tell("turn_1", complete("done"))
		start := time.Now()
		w.end()
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("the end took %s", took)
		}
		if !slices.ContainsFunc(w.warned, func(s string) bool { return strings.Contains(s, "the next start tries again") }) {
			t.Errorf("told %q", w.warned)
		}

		// The next start delivers it, whatever session it is for.
		g.change(nil)
		w.open(journal.NewMemory())
		w.run(nil)
		synctest.Wait()
		if got := g.ids(); len(got) != 1 {
			t.Errorf("delivered %q", got)
		}
		w.end()

		// And the one after that does not.
		w.open(journal.NewMemory())
		w.run(nil)
		w.end()
		if got := g.ids(); len(got) != 1 {
			t.Errorf("delivered again: %q", got)
		}
	})
}

func TestNothingIsToldTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{}
		w := newWorld(t, map[string]*gateway{"a": g})
		store := journal.NewMemory()
		w.open(store)
		w.run(nil)
		w.tell("turn_1", event.TurnStarted{TurnID: "turn_1", Attempt: 1}, complete("one"))
		w.end()
		w.open(store)
		w.run(nil)
		w.tell("turn_2", event.TurnStarted{TurnID: "turn_2", Attempt: 1}, complete("two"))
		w.end()
		if got := g.ids(); len(got) != 2 {
			t.Errorf("delivered %q", got)
		}
		// A follower that lagged when its process was killed takes up what it missed.
		w.cursors.at[session] = 2
		w.open(store)
		w.run(nil)
		w.end()
		if got := g.ids(); len(got) != 3 || got[2] != got[1] {
			t.Errorf("delivered %q", got)
		}
	})
}

func TestOldMessagesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: down}
		w := newWorld(t, map[string]*gateway{"a": g})
		w.run(nil)
		w.tell("turn_1", complete("one"))
		w.end()
		time.Sleep(25 * time.Hour)
		g.change(nil)
		w.open(journal.NewMemory())
		w.run(nil)
		w.end()
		if got := g.ids(); len(got) != 0 {
			t.Errorf("delivered %q", got)
		}
		if runs, _ := filepath.Glob(filepath.Join(w.dir, "*", "*")); len(runs) != 0 {
			t.Errorf("files are left: %q", runs)
		}
	})
}

func TestMessagesGrowOldWhileTheyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: down}
		w := newWorld(t, map[string]*gateway{"a": g})
		w.run(nil)
		w.tell("turn_1", complete("one"))
		time.Sleep(25 * time.Hour)
		g.change(nil)
		w.tell("turn_2", complete("two"))
		time.Sleep(time.Hour)
		w.end()
		if got := g.all(); len(got) != 1 || !strings.HasSuffix(got[0].Text, "two") {
			t.Errorf("delivered %+v", got)
		}
	})
}

// A process whose sessions have all ended may begin another.
func TestOnePostForSessionsOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: down}
		w := newWorld(t, map[string]*gateway{"a": g})
		p := w.post()
		for i := range 3 {
			w.open(journal.NewMemory())
			w.cursors.at = map[string]int64{}
			j := w.journal
			w.follow.Go(func() {
				if err := p.Run(context.Background(), notify.Session{ID: fmt.Sprintf("s%d", i), Follow: j.Follow}); err != nil {
					t.Error(err)
				}
			})
			w.tell("turn_1", complete("one"))
			if i == 2 {
				g.change(nil)
			}
			w.end()
		}
		if got := g.ids(); !slices.Equal(got, []string{"s0:1:turn_complete", "s1:1:turn_complete", "s2:1:turn_complete"}) {
			t.Errorf("delivered %q", got)
		}
	})
}

// A message in several posts goes on where it stopped, in the next run too.
func TestTheRestOfAMessageIsSentLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{}
		g.answer = func(m messaging.Message) error {
			if m.Posts == 0 {
				return &messaging.Fault{Reason: "half of it", Retryable: true, ID: "1.1", Posts: 2}
			}
			return messaging.Passing("Slack HTTP 503")
		}
		w := newWorld(t, map[string]*gateway{"a": g})
		w.options.Destinations[0].Thread = true
		w.run(nil)
		w.tell("turn_1", complete("one"))
		w.end()
		g.change(nil)
		w.open(journal.NewMemory())
		w.cursors.at[session] = 0
		w.run(nil)
		w.tell("", event.Settings{}) // this journal begins anew, and the first message had the first number
		w.tell("turn_2", complete("two"))
		w.end()
		got := g.all()
		if len(got) != 2 || got[0].Posts != 2 || got[0].Thread != "1.1" {
			t.Fatalf("the rest: %+v", got)
		}
		if got[1].Thread != "1.1" {
			t.Errorf("the next message follows %q", got[1].Thread)
		}
	})
}

func TestRefusedMessagesAreGivenUpAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: func(messaging.Message) error { return messaging.Permanent("not_in_channel") }}
		w := newWorld(t, map[string]*gateway{"slack.ops": g})
		w.run(nil)
		w.tell("turn_1", complete("one"), complete("two"))
		synctest.Wait()
		w.end()
		if g.tries != 2 || !cmp.Equal(w.warned, []string{"notifications to slack.ops fail: not_in_channel"}) {
			t.Errorf("%d tries, told %q", g.tries, w.warned)
		}
	})
}

func TestTheSameIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{}
		w := newWorld(t, map[string]*gateway{"a": g})
		w.run(nil)
		fail := func() { w.tell("turn_1", event.Error{Error: "no key"}) }
		fail()
		synctest.Wait()
		for range 3 {
			time.Sleep(5 * time.Second)
			fail()
		}
		w.tell("turn_1", event.Error{Error: "another"})
		synctest.Wait()
		if len(g.all()) != 2 {
			t.Errorf("at once: %d messages", len(g.all()))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(g.all()) != 3 || g.all()[2].Count != 3 || g.when(2).Sub(g.when(0)) != time.Minute {
			t.Fatalf("after a minute: %+v", g.all())
		}
		time.Sleep(time.Minute)
		fail()
		synctest.Wait()
		if len(g.all()) != 4 || g.all()[3].Count > 1 {
			t.Errorf("much later: %+v", g.all()[3:])
		}
		fail()
		w.end() // what is held back goes with the end
		if len(g.all()) != 5 {
			t.Errorf("at the end: %d messages", len(g.all()))
		}
	})
}

func TestTheSameAnswerToAnotherRequestIsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{}
		w := newWorld(t, map[string]*gateway{"a": g})
		w.run(nil)
		for i := range 3 {
			turn, sub := fmt.Sprintf("turn_%d", i+1), fmt.Sprintf("sub_%d", i)
			w.tell("", event.InputAccepted{SubmissionID: sub, Text: "request " + sub})
			w.tell(turn, event.TurnStarted{TurnID: turn, SubmissionID: sub}, complete("done"))
		}
		synctest.Wait()
		if got := len(g.all()); got != 3 {
			t.Errorf("%d messages", got)
		}
		w.end()
	})
}

func TestTooManyDropTheLeastAndSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{answer: down}
		w := newWorld(t, map[string]*gateway{"a": g})
		w.run(nil)
		w.tell("turn_1", event.Error{Error: "the only error"})
		for i := range 120 {
			w.tell("turn_1", event.JobSubmit{JobID: fmt.Sprintf("j%03d", i), Flavor: "cpu", Timeout: "1m"})
		}
		time.Sleep(time.Minute)
		g.change(nil)
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		w.end()
		if len(g.all()) != outbox.Most || !strings.Contains(g.all()[0].Text, "the only error") || !strings.Contains(g.all()[99].Text, "j119") || !strings.Contains(g.all()[1].Text, "j021") {
			t.Errorf("%d delivered, %q … %q", len(g.all()), g.all()[1].Text, g.all()[len(g.all())-1].Text)
		}
		if f := g.all()[0].Fields; f[len(f)-1].Name != "dropped" || !strings.HasPrefix(f[len(f)-1].Value, "21 earlier") {
			t.Errorf("the first says %+v", f)
		}
		if f := g.all()[1].Fields; f[len(f)-1].Name == "dropped" {
			t.Errorf("the second says it again: %+v", f)
		}
	})
}

func TestThreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{}
		w := newWorld(t, map[string]*gateway{"a": g})
		w.options.Destinations[0].Thread = true
		w.run(nil)
		w.tell("turn_1", complete("one"))
		synctest.Wait()
		w.tell("turn_2", complete("two"))
		w.end()
		w.open(journal.NewMemory())
		w.cursors.at[session] = 0
		w.run(nil) // the session goes on in another process
		w.tell("turn_3", complete("three"))
		w.end()
		var threads []string
		for _, m := range g.all() {
			threads = append(threads, m.Thread)
		}
		if !cmp.Equal(threads, []string{"", "ts-1", "ts-1"}) {
			t.Errorf("threads %q", threads)
		}
	})
}

func TestWhoLooksIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{}
		w := newWorld(t, map[string]*gateway{"a": g})
		watched := true
		var shown []int64
		w.run(func(s *notify.Session) {
			s.Watched = func() bool { return watched }
			s.Shown = func(_ context.Context, seq int64) { shown = append(shown, seq) }
		})
		turn := func(id string, took time.Duration, end event.Payload) {
			w.tell(id, event.TurnStarted{TurnID: id, Attempt: 1})
			time.Sleep(took)
			w.tell(id, end)
			synctest.Wait()
		}
		turn("turn_1", 19*time.Second, complete("short"))
		turn("turn_2", 21*time.Second, complete("long"))
		turn("turn_3", time.Second, event.ApprovalRequired{Count: 1, Tools: []event.GatedCall{{Tool: "bash"}}})
		w.tell("turn_3", event.JobComplete{JobID: "j", FinalStatus: "COMPLETED"})
		synctest.Wait()
		watched = false
		turn("turn_4", time.Second, complete("away"))
		w.end()
		var told []string
		for _, m := range g.all() {
			told = append(told, m.Text[strings.LastIndexByte(m.Text, '\n')+1:])
		}
		if diff := cmp.Diff([]string{"long", "Job j is finished after 0 s.", "away"}, told); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if len(shown) != 3 {
			t.Errorf("waited for the screen %d times", len(shown))
		}
	})
}

// Check 38: the order of screen and message.
func TestCheck38_TheScreenIsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{}
		w := newWorld(t, map[string]*gateway{"a": g})
		screen := make(chan struct{})
		w.run(func(s *notify.Session) {
			s.Shown = func(ctx context.Context, _ int64) {
				select {
				case <-screen:
				case <-ctx.Done():
				}
			}
		})
		w.tell("turn_1", complete("one"))
		time.Sleep(time.Second)
		synctest.Wait()
		if len(g.all()) != 0 {
			t.Error("the message was sent before the reply was on the screen")
		}
		screen <- struct{}{}
		synctest.Wait()
		if len(g.all()) != 1 {
			t.Error("the message was not sent when the reply was on the screen")
		}
		w.tell("turn_2", complete("two"))
		time.Sleep(3 * time.Second) // a terminal that hangs
		synctest.Wait()
		if len(g.all()) != 2 {
			t.Error("a terminal that hangs holds the message up")
		}
		w.end()
	})
}

func TestTurnsThatTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{}
		w := newWorld(t, map[string]*gateway{"a": g})
		w.options.Types = []string{compose.LongTurn}
		store := journal.NewMemory()
		w.open(store)
		w.run(nil)
		w.tell("turn_1", event.TurnStarted{TurnID: "turn_1", Attempt: 1})
		time.Sleep(9 * time.Minute)
		w.tell("turn_1", complete("x"))
		w.tell("turn_2", event.TurnStarted{TurnID: "turn_2", Attempt: 1})
		time.Sleep(9 * time.Minute)
		w.tell("turn_2", event.ApprovalRequired{Count: 1})
		time.Sleep(time.Hour) // nobody answers
		if len(g.all()) != 0 {
			t.Errorf("told %+v", g.all())
		}
		w.tell("turn_2", event.Processing{})
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if len(g.all()) != 1 || g.all()[0].Event != compose.LongTurn {
			t.Errorf("told %+v", g.all())
		}
		time.Sleep(time.Hour)
		w.end()
		w.open(store) // the turn was cut short: it does not run any more
		w.run(nil)
		w.tell("", event.Settings{Model: "m"})
		time.Sleep(time.Hour)
		w.end()
		if len(g.all()) != 1 {
			t.Errorf("told %+v", g.all()[1:])
		}
	})
}

// A gateway that fails at random, with every process killed in the middle: each
// message arrives, in order, and as far as the gateway has answered once.
func TestStress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random, pace := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(3, 4))
		const runs, turns = 20, 40
		gates := map[string]*gateway{"a": {}, "b": {}, "c": {}}
		for _, g := range gates {
			g.answer = func(messaging.Message) error {
				if random.IntN(3) == 0 {
					return &messaging.Fault{Reason: "again", Retryable: true, Wait: time.Duration(random.IntN(3)) * time.Second}
				}
				return nil
			}
		}
		w := newWorld(t, gates)
		var mu sync.Mutex // the gateways share the random numbers
		for _, g := range gates {
			answer := g.answer
			g.answer = func(m messaging.Message) error {
				mu.Lock()
				defer mu.Unlock()
				return answer(m)
			}
		}
		store := journal.NewMemory()
		want := []string{}
		for run := range runs {
			w.open(store)
			w.run(nil)
			for turn := range turns {
				w.tell(fmt.Sprintf("turn_%d", run*turns+turn+1), complete(fmt.Sprintf("reply %d of run %d", turn, run)))
				want = append(want, fmt.Sprintf("%s:%d:turn_complete", session, w.journal.LastSeq()))
				time.Sleep(time.Duration(pace.IntN(4000)) * time.Millisecond)
			}
			w.end()
		}
		for _, g := range gates {
			g.change(nil)
		}
		w.open(store)
		w.run(nil)
		w.end()
		for name, g := range gates {
			if diff := cmp.Diff(want, g.ids()); diff != "" {
				t.Errorf("%s: -want +got:\n%s", name, diff)
			}
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := notify.New(notify.Options{}); err == nil {
		t.Error("nothing was needed")
	}
}
