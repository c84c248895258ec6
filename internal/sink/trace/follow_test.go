package trace_test

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

// usual is how sessions are sent by default.
var usual = trace.Rhythm{Turns: 1, Heartbeat: time.Minute}

// run follows the session in the background until it ends; wait waits for that.
// The process that follows it holds it.
func (w *world) run(u *trace.Uploader, after int64, r trace.Rhythm) (wait func()) {
	w.hold(id, true)
	done := make(chan error, 1)
	go func() { done <- u.Follow(w.Context(), id, after, r, w.follow(id)) }()
	return func() {
		w.Helper()
		if err := <-done; err != nil {
			w.Error(err)
		}
		w.hold(id, false)
	}
}

func TestSentAtTheEndOfATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		wait := w.run(w.open(), 0, usual)
		w.turn(id, "hi", "hello")
		synctest.Wait()
		if got := w.puts(); len(got) != 1 || got[0].path != "personal 2000-01-01/"+id || strings.Count(got[0].text, "\n") != 2 {
			t.Fatalf("%+v", got)
		}
		if i := w.item(); i.Status() != trace.Success || i.Repo != page || i.User != "ann" || i.Done < i.Want || len(i.SHA256) != 64 || w.due() != "" {
			t.Errorf("%+v, due %s", i, w.due())
		}
		w.tell(id, event.Shutdown{})
		w.end(id)
		wait()
		if got := w.puts(); len(got) != 1 {
			t.Errorf("it was sent %d times", len(got))
		}
	})
}

func TestEverySecondTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		wait := w.run(w.open(), 0, trace.Rhythm{Turns: 2})
		var counts []int
		for range 5 {
			w.turn(id, "hi", "hello")
			synctest.Wait()
			counts = append(counts, len(w.puts()))
		}
		w.end(id)
		wait()
		if counts = append(counts, len(w.puts())); counts[0] != 0 || counts[1] != 1 || counts[2] != 1 || counts[3] != 2 || counts[4] != 2 || counts[5] != 3 {
			t.Errorf("%v", counts)
		}
	})
}

func TestAtTheEndAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		wait := w.run(w.open(), 0, trace.Rhythm{})
		w.turn(id, "hi", "hello")
		time.Sleep(time.Hour)
		if n := len(w.puts()); n != 0 {
			t.Errorf("sent %d times before the end", n)
		}
		w.end(id)
		wait()
		if n := len(w.puts()); n != 1 {
			t.Errorf("sent %d times", n)
		}
	})
}

// Within a turn a change waits a minute, and five lie between two uploads.
func TestWithinATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		begun := time.Now()
		wait := w.run(w.open(), 0, usual)
		w.begin(id, "train")
		w.say(id, llm.Message{Role: llm.Assistant, Text: "I begin."})
		for range 12 * 60 {
			w.say(id, llm.Message{Role: llm.Assistant, Text: "still at it"})
			time.Sleep(time.Second)
		}
		var at []time.Duration
		for _, p := range w.puts() {
			at = append(at, p.at.Sub(begun))
		}
		if len(at) != 3 || at[0] != time.Minute || at[1] < at[0]+trace.Between || at[1] > at[0]+trace.Between+2*time.Second || at[2] < at[1]+trace.Between {
			t.Errorf("%v", at)
		}
		w.tell(id, event.Interrupted{}) // the end of a turn does not wait
		synctest.Wait()
		if n := len(w.puts()); n != 4 {
			t.Errorf("sent %d times", n)
		}
		w.end(id)
		wait()
	})
}

func TestAnOpenGateIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		wait := w.run(w.open(), 0, trace.Rhythm{Turns: 1, Heartbeat: time.Hour})
		w.begin(id, "train")
		w.say(id, llm.Message{Role: llm.Assistant, Text: "May I?"})
		synctest.Wait()
		if n := len(w.puts()); n != 0 {
			t.Fatalf("sent %d times", n)
		}
		w.tell(id, event.ApprovalRequired{Count: 1})
		synctest.Wait()
		if n := len(w.puts()); n != 1 {
			t.Fatalf("sent %d times", n)
		}
		w.say(id, llm.Message{Role: llm.Assistant, Text: "And now?"})
		w.tell(id, event.ApprovalRequired{Count: 1})
		time.Sleep(trace.Between - time.Second)
		if n := len(w.puts()); n != 1 {
			t.Errorf("sent again after less than %s", trace.Between)
		}
		time.Sleep(2 * time.Second)
		if n := len(w.puts()); n != 2 {
			t.Errorf("sent %d times", n)
		}
		w.end(id)
		wait()
	})
}

// Acceptance check 24 of the command line: nothing is sent, not even queued,
// where nobody has done anything; and nothing is sent before there is an answer.
func TestCheck24_NothingToSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.tell(id, event.Ready{})
		w.tell(id, event.HistoryRewritten{Reason: "resume", Messages: []llm.Message{{Role: llm.User, Text: "old"}, {Role: llm.Assistant, Text: "old"}}})
		wait := w.run(w.open(), 0, usual)
		synctest.Wait()
		w.end(id)
		wait()
		if _, err := os.Stat(w.dir + "/uploads"); err == nil || w.attempts() != 0 {
			t.Errorf("%d attempts, %v", w.attempts(), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		wait := w.run(w.open(), 0, usual)
		w.begin(id, "hi")
		w.tell(id, event.Error{Error: "no model"})
		synctest.Wait()
		w.end(id)
		wait()
		if w.attempts() != 0 || w.due() != "" || w.item().Status() != trace.Pending {
			t.Errorf("%d attempts, due %q, %+v", w.attempts(), w.due(), w.item())
		}
	})
}

// Nobody is logged in, or the settings want nothing.
func TestNothingIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.kinds = nil
		wait := w.run(w.open(), 0, usual)
		w.turn(id, "hi", "hello")
		synctest.Wait()
		w.end(id)
		wait()
		if _, err := os.Stat(w.dir + "/uploads"); err == nil || w.attempts() != 0 {
			t.Errorf("%d attempts, %v", w.attempts(), err)
		}
	})
}

// What happens while something is sent is sent behind it.
func TestMoreHappensMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fail = func(n int) error {
			if n == 1 {
				time.Sleep(10 * time.Second)
			}
			return nil
		}
		wait := w.run(w.open(), 0, usual)
		w.turn(id, "one", "1")
		synctest.Wait()
		w.turn(id, "two", "2")
		time.Sleep(9 * time.Second)
		if n := len(w.puts()); n != 0 {
			t.Fatalf("sent %d times", n)
		}
		time.Sleep(2 * time.Second)
		got := w.puts()
		if len(got) != 2 || strings.Contains(got[0].text, "two") || !strings.Contains(got[1].text, "two") {
			t.Errorf("%+v", got)
		}
		w.end(id)
		wait()
	})
}

// What happens while something is sent is in the queue as soon as that is done: a
// process that dies then leaves it to the next.
func TestQueuedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fail = func(int) error { time.Sleep(10 * time.Second); return nil }
		wait := w.run(w.open(), 0, usual)
		w.turn(id, "one", "1")
		synctest.Wait()
		w.begin(id, "two")
		time.Sleep(11 * time.Second)
		if n := len(w.puts()); n != 1 || w.due() != id {
			t.Errorf("sent %d times, due %q", n, w.due())
		}
		w.end(id)
		wait()
	})
}

// The end waits for five seconds, and what was not sent is sent by the next run.
func TestTheEndDoesNotWaitLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(func() { w.block = true })
		wait := w.run(w.open(), 0, usual)
		w.turn(id, "hi", "hello")
		synctest.Wait()
		ended := time.Now()
		w.end(id)
		wait()
		if took := time.Since(ended); took != 5*time.Second {
			t.Errorf("the end took %s", took)
		}
		if w.due() != id || w.item().Error != "" {
			t.Errorf("due %q, %+v", w.due(), w.item())
		}
		w.set(func() { w.block = false })
		u := w.open()
		if !u.Left(t.Context()) {
			t.Error("nothing is left")
		}
		if err := u.Finish(t.Context()); err != nil {
			t.Error(err)
		}
		if got := w.puts(); len(got) != 1 || w.due() != "" || u.Left(t.Context()) {
			t.Errorf("%+v, due %q", got, w.due())
		}
	})
}

// What came while the last upload was under way is in the queue when the end does
// not get to it.
func TestTheEndQueuesWhatItCannotSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.kinds = []trace.Kind{trace.Personal, trace.Shared}
		w.fail = func(n int) error {
			time.Sleep(2 * time.Second)
			if n == 1 {
				return nil
			}
			return &wire.Error{Kind: wire.Unreachable, Err: &net.DNSError{}}
		}
		wait := w.run(w.open(), 0, usual)
		w.turn(id, "one", "1")
		synctest.Wait()
		w.begin(id, "two")
		w.end(id)
		wait()
		if i := w.item(); !i.Due() || len(w.puts()) != 1 || w.due() != id {
			t.Errorf("%+v, due %q", i, w.due())
		}
	})
}

// Within its five seconds the end tries again, unless there is no network: then it
// waits for nothing, and no process is left to wait.
func TestTheEndTriesAgain(t *testing.T) {
	for _, test := range []struct {
		err   error
		took  time.Duration
		tries int
		left  bool
	}{
		{&wire.Error{Kind: wire.Server}, 1 * time.Second, 2, false},
		{&wire.Error{Kind: wire.RateLimited, RetryAfter: 3 * time.Second}, 3 * time.Second, 2, false},
		{&wire.Error{Kind: wire.RateLimited, RetryAfter: time.Minute}, 0, 1, true},
		{&wire.Error{Kind: wire.Unreachable, Err: &net.OpError{Op: "read", Err: io.EOF}}, time.Second, 2, false},
		{&wire.Error{Kind: wire.Unreachable, Err: &net.OpError{Op: "dial", Err: io.EOF}}, 0, 1, false},
		{&wire.Error{Kind: wire.Unreachable, Err: &net.DNSError{}}, 0, 1, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.fail = func(n int) error {
				if n == 1 {
					return test.err
				}
				return nil
			}
			u := w.open()
			wait := w.run(u, 0, trace.Rhythm{})
			w.turn(id, "hi", "hello")
			synctest.Wait()
			ended := time.Now()
			w.end(id)
			wait()
			if took := time.Since(ended); took != test.took || w.attempts() != test.tries || (w.due() == "") != (test.tries == 2) || u.Left(t.Context()) != test.left {
				t.Errorf("%v: %d attempts in %s, due %q, left %v", test.err, w.attempts(), took, w.due(), u.Left(t.Context()))
			}
		})
	}
}

// A run that follows sends what earlier ones have left, but nothing that another
// process writes.
func TestTheNextStartGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		q := trace.OpenQueue(w.dir + "/uploads")
		for _, other := range []string{"left", "busy", "gone"} {
			if other != "gone" {
				w.turn(other, "hi", "hello")
			}
			if err := q.Mark(t.Context(), other, trace.Wanted{Kind: trace.Personal, User: "ann"}, 3); err != nil {
				t.Fatal(err)
			}
		}
		w.hold("busy", true)
		wait := w.run(w.open(), 0, usual)
		synctest.Wait()
		if got := w.puts(); len(got) != 1 || got[0].path != "personal 2000-01-01/left" {
			t.Errorf("%+v", got)
		}
		if all, err := q.All(); err != nil || strings.Join(all, " ") != "busy left" || w.due() != "busy" {
			t.Errorf("%v, due %q, %v", all, w.due(), err)
		}
		w.tell(id)
		w.end(id)
		wait()
	})
}

// Acceptance check 28 of the command line, the waits: trouble is waited out, as
// long as the Hub asks for.
func TestCheck28_Trouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fail = func(n int) error {
			switch n {
			case 1:
				return &wire.Error{Kind: wire.Server, Status: 503}
			case 2:
				return &wire.Error{Kind: wire.RateLimited, Status: 429, RetryAfter: 90 * time.Second}
			}
			return nil
		}
		begun := time.Now()
		wait := w.run(w.open(), 0, usual)
		w.turn(id, "hi", "hello")
		synctest.Wait()
		if i := w.item(); i.Status() != trace.Failed || !strings.Contains(i.Error, "503") {
			t.Errorf("%+v", i)
		}
		w.turn(id, "are you there?", "yes") // nobody is asked before the time
		synctest.Wait()
		if w.attempts() != 1 {
			t.Errorf("%d attempts", w.attempts())
		}
		time.Sleep(10 * time.Minute)
		got := w.puts()
		if w.attempts() != 3 || len(got) != 1 || got[0].at.Sub(begun) != time.Second+90*time.Second || !strings.Contains(got[0].text, "are you there?") {
			t.Errorf("%d attempts, %+v", w.attempts(), got)
		}
		if places, err := trace.OpenQueue(w.dir + "/uploads").Places(); err != nil || len(places) != 0 {
			t.Errorf("%v, %v", places, err)
		}
		w.end(id)
		wait()
	})
}

// Acceptance check 28, refusals: until the token is another one nobody is asked.
func TestCheck28_Refused(t *testing.T) {
	for _, kind := range []wire.Kind{wire.Forbidden, wire.Unauthorized, wire.RepoNotFound} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.fail = func(int) error { return &wire.Error{Kind: kind, Message: "you may not"} }
			u := w.open()
			wait := w.run(u, 0, usual)
			for range 3 {
				w.turn(id, "hi", "hello")
				time.Sleep(time.Hour)
			}
			w.end(id)
			wait()
			if w.attempts() != 1 || w.item().Status() != trace.Failed || u.Left(t.Context()) {
				t.Errorf("%s: %d attempts, %+v", kind, w.attempts(), w.item())
			}
			if err := w.open().Finish(t.Context()); err != nil || w.attempts() != 1 {
				t.Errorf("%s: the next run: %d attempts, %v", kind, w.attempts(), err)
			}
			told, err := u.Queue().Tell(t.Context())
			if err != nil || len(told) != 1 || !strings.Contains(told[0], "you may not") {
				t.Errorf("%q, %v", told, err)
			}
			if told, err = u.Queue().Tell(t.Context()); err != nil || len(told) != 0 {
				t.Errorf("told again: %q, %v", told, err)
			}
			w.set(func() { w.token, w.fail = "t2", nil })
			if !u.Left(t.Context()) {
				t.Error("nothing is left for another token")
			}
			if err := w.open().Finish(t.Context()); err != nil || len(w.puts()) != 1 || w.due() != "" {
				t.Errorf("%s: with another token: %+v, %v", kind, w.puts(), err)
			}
		})
	}
}

func TestAskedForByAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.turn(id, "hi", "hello")
		u := w.open()
		if err := u.Queue().Mark(t.Context(), id, trace.Wanted{Kind: trace.Personal, User: "ann"}, 4); err != nil {
			t.Fatal(err)
		}
		w.fail = func(n int) error {
			if n < 3 {
				return &wire.Error{Kind: wire.Forbidden}
			}
			return nil
		}
		for n, now := range []bool{false, false, true, true} {
			out := u.Send(t.Context(), id, now)
			if len(out) != 1 || out[0].Session != id {
				t.Fatalf("%+v", out)
			}
			if n == 1 && !strings.HasPrefix(out[0].Waits, "refused: ") || n == 3 && !out[0].Sent {
				t.Errorf("%d: %+v", n, out[0])
			}
		}
		// It is there: only Again sends it once more.
		if out := u.Send(t.Context(), id, true)[0]; out.Sent || out.Same || w.attempts() != 3 {
			t.Errorf("%+v", out)
		}
		if err := u.Queue().Again(t.Context(), id, trace.Personal); err != nil {
			t.Fatal(err)
		}
		if out := u.Send(t.Context(), id, false)[0]; !out.Sent || len(w.puts()) != 2 {
			t.Errorf("%+v", out)
		}
		// What a person has taken out stays out, until he wants it again.
		if err := u.Queue().TakeOut(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if err := u.Queue().Mark(t.Context(), id, trace.Wanted{Kind: trace.Personal, User: "ann"}, 99); err != nil {
			t.Fatal(err)
		}
		if out := u.Send(t.Context(), id, true)[0]; out.Sent || w.item().Status() != trace.Failed || w.due() != "" {
			t.Errorf("%+v %+v", out, w.item())
		}
		if err := u.Queue().Again(t.Context(), id, trace.Personal); err != nil {
			t.Fatal(err)
		}
		if out := u.Send(t.Context(), id, true)[0]; !out.Sent {
			t.Errorf("%+v", out)
		}
	})
}

// Acceptance check 27, the part of the queue: content that is as it was sent is
// not sent again, whatever has happened since.
func TestCheck27_Unchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		u := w.open()
		wait := w.run(u, 0, usual)
		w.turn(id, "hi", "hello")
		synctest.Wait()
		w.tell(id, event.LLMCall{Model: "m", Kind: llm.KindCompaction}) // shows in no row
		w.end(id)
		wait()
		if w.attempts() != 1 || w.item().Status() != trace.Success || w.due() != "" {
			t.Errorf("%d attempts, %+v", w.attempts(), w.item())
		}
	})
}

func TestUndoneIsTakenOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		wait := w.run(w.open(), 0, trace.Rhythm{Turns: 10})
		w.turn(id, "hi", "hello")
		w.turn(id, "my secret plan", "I see")
		w.end(id)
		wait()
		if got := w.puts(); len(got) != 1 || !strings.Contains(got[0].text, "secret plan") {
			t.Fatalf("%+v", got)
		}
		after := int64(len(w.logs[id]))
		w.done[id] = false
		wait = w.run(w.open(), after, trace.Rhythm{Turns: 10})
		w.tell(id, event.HistoryRewritten{Reason: "undo", Messages: []llm.Message{{Role: llm.User, Text: "hi"}, {Role: llm.Assistant, Text: "hello"}}}, event.UndoComplete{Removed: 2, Turns: 1})
		synctest.Wait()
		if got := w.puts(); len(got) != 2 || strings.Contains(got[1].text, "secret plan") {
			t.Errorf("%+v", got)
		}
		w.end(id)
		wait()
	})
}

// A session of somebody else is not sent with this token.
func TestSessionsOfOthersStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.turn(id, "hi", "hello")
		u := w.open()
		if err := u.Queue().Mark(t.Context(), id, trace.Wanted{Kind: trace.Personal, User: "bob"}, 3); err != nil {
			t.Fatal(err)
		}
		if out := u.Send(t.Context(), id, true)[0]; w.attempts() != 0 || !strings.Contains(out.Waits, "a session of bob, and ann is logged in") || w.due() != id {
			t.Errorf("%+v", out)
		}
		w.set(func() { w.user = "bob" })
		if out := u.Send(t.Context(), id, true)[0]; !out.Sent {
			t.Errorf("%+v", out)
		}
	})
}

func TestBothKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.kinds = []trace.Kind{trace.Personal, trace.Shared}
		w.fail = func(n int) error {
			if n == 1 {
				return &wire.Error{Kind: wire.Forbidden}
			}
			return nil
		}
		wait := w.run(w.open(), 0, usual)
		w.turn(id, "hi there", "hello")
		synctest.Wait()
		got := w.puts()
		if len(got) != 1 || !strings.HasPrefix(got[0].path, "shared ") || strings.Contains(got[0].text, "hi there") || strings.Contains(got[0].text, "ann") {
			t.Errorf("%+v", got)
		}
		w.end(id)
		wait()
	})
}

// A long end of a session whose uploads do not answer blocks nobody else.
func TestSentByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.turn(id, "hi", "hello")
		u := w.open()
		if err := u.Queue().Mark(t.Context(), id, trace.Wanted{Kind: trace.Personal, User: ""}, 3); err != nil {
			t.Fatal(err)
		}
		w.fail = func(int) error { time.Sleep(time.Second); return nil }
		done := make(chan trace.Outcome)
		go func() { done <- u.Send(t.Context(), id, false)[0] }()
		synctest.Wait()
		if out := w.open().Send(t.Context(), id, false)[0]; !strings.Contains(out.Waits, "another process") {
			t.Errorf("%+v", out)
		}
		if out := <-done; !out.Sent || w.attempts() != 1 {
			t.Errorf("%+v", out)
		}
	})
}

// A session goes where its own run wanted it, whatever the settings of another
// folder name; a run of its own in which they name another data set, or a person,
// sends it there, whole.
func TestSessionsGoWhereTheyBelong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.turn(id, "hi", "hello")
		u := w.open()
		mark := func(seq int64) {
			t.Helper()
			if err := u.Queue().Mark(t.Context(), id, w.wanted(t.Context())[0], seq); err != nil {
				t.Fatal(err)
			}
		}
		mark(3)
		w.set(func() { w.page = "https://hub/datasets/acme/all" })
		if out := u.Send(t.Context(), id, false)[0]; w.attempts() != 0 || !strings.Contains(out.Waits, "it goes to "+page) || u.Left(t.Context()) {
			t.Errorf("%+v", out)
		}
		w.set(func() { w.page = page })
		if out := u.Send(t.Context(), id, false)[0]; !out.Sent || out.Repo != page {
			t.Errorf("%+v", out)
		}
		w.set(func() { w.page = "https://hub/datasets/acme/all" })
		mark(3) // nothing new has been said
		if out := u.Send(t.Context(), id, false)[0]; !out.Sent || out.Repo != w.page || w.item().Repo != w.page {
			t.Errorf("%+v", out)
		}
		w.set(func() { w.page = page })
		if err := u.Queue().Again(t.Context(), id, trace.Personal); err != nil {
			t.Fatal(err)
		}
		if out := u.Send(t.Context(), id, true)[0]; !out.Sent || out.Repo != page {
			t.Errorf("%+v", out)
		}
	})
}
