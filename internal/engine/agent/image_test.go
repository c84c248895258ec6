package agent_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

var pictures = []event.Image{{MediaType: "image/png", Data: "iVBORw0KGgo="}, {MediaType: "image/jpeg", Data: "/9j/4AA="}}

// parts are the content of a message as one JSON text.
func parts(m llm.Message) string {
	var out []string
	for _, p := range m.Parts {
		out = append(out, string(p))
	}
	return strings.Join(out, "\n")
}

const shownParts = `{"type":"text","text":"look"}
{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}
{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/4AA="}}`

// Pictures reach the model as content of the message, from a new text and from
// one that steers; what was typed is told and kept.
func TestImagesAndWhatWasTyped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		wait := make(chan struct{})
		read := newFake("read", nil)
		m := &script{steps: []step{
			func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
				<-wait
				use(call("c", "read", `{}`))(ctx, req, yield)
			},
			say("a"), say("b"),
		}}
		r := start(t, m, withTools(read))
		r.submit(event.UserInput{Text: "look", Shown: "look @plot.png", Images: pictures})
		after(time.Second, func() { r.submit(event.Steer{Images: pictures[:1], Shown: "and @this.png"}) })
		close(wait)
		got := r.ending()
		in := find[event.InputAccepted](t, got)
		if diff := cmp.Diff(pictures, in[0].Images); diff != "" || in[0].Shown != "look @plot.png" || in[1].Shown != "and @this.png" {
			t.Errorf("accepted %+v", in)
		}
		if got := parts(m.request(t, 0).Messages[1]); got != shownParts {
			t.Errorf("the model sees\n%s", got)
		}
		steer := last(m.request(t, 1))
		if len(steer.Parts) != 1 || !strings.Contains(parts(steer), "image_url") || steer.Text != "" {
			t.Errorf("the steering message is %+v", steer)
		}
		s := r.state()
		want := []event.Said{{TurnID: "turn_1", Shown: "look @plot.png"}, {TurnID: "turn_1", Shown: "and @this.png"}}
		if diff := cmp.Diff(want, s.Said); diff != "" || s.Name() != "look @plot.png" || s.First() != "look @plot.png" {
			t.Errorf("name %q, said (-want +got):\n%s", s.Name(), diff)
		}
		// An undo and a redo keep both.
		r.undo(1)
		if s := r.state(); s.Name() != "" || len(s.Said) != 0 {
			t.Errorf("after the undo %q, %v", s.Name(), s.Said)
		}
		r = again(t, r, m, withTools(read))
		r.redo()
		if s := r.state(); s.Name() != "look @plot.png" || cmp.Diff(want, s.Said) != "" {
			t.Errorf("after the redo %q, %v", s.Name(), s.Said)
		}
		r.turn("and now?")
		if got := parts(m.request(t, 2).Messages[1]); got != shownParts {
			t.Errorf("after a restart the model sees\n%s", got)
		}
	})
}

// Every moment at which the program can die: pictures and what was typed come
// back with the text, once.
func TestCrashWithImages(t *testing.T) {
	for k := 1; k < 12; k++ {
		inBubble(t, func(t *testing.T) {
			store := &mortal{left: k, Memory: journal.NewMemory()}
			change := func(s *setup) { s.store, s.tools = store, []tool.Tool{newFake("read", nil)} }
			m := &script{loop: true, steps: []step{use(call("c", "read", `{}`)), say("done")}}
			r := start(t, m, change)
			accepted := r.agent.Submit(context.Background(), event.Submission{ID: "x", Operation: event.UserInput{Text: "look", Shown: "typed", Images: pictures}}) == nil
			after(time.Second, func() {})
			store.mu.Lock()
			store.left = 1 << 30
			store.mu.Unlock()
			r = again(t, r, m, change)
			after(time.Second, func() {})
			n := 0
			s := r.state()
			for _, msg := range s.Messages {
				if history.FromPerson(msg) {
					n++
					if parts(msg) != shownParts {
						t.Errorf("k=%d: %s", k, parts(msg))
					}
				}
			}
			if accepted && (n != 1 || s.Name() != "typed" || len(s.Queue) != 0) {
				t.Errorf("k=%d: %d messages, name %q, %d wait", k, n, s.Name(), len(s.Queue))
			}
		})
	}
}

// What is no picture is refused before it is on disk.
func TestImagesThatAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, &script{}, nil)
		many := make([]event.Image, 21)
		for i := range many {
			many[i] = pictures[0]
		}
		for _, c := range []struct {
			images []event.Image
			want   string
		}{
			{[]event.Image{{MediaType: "image/svg+xml", Data: "AAAA"}}, "image/svg+xml"},
			{[]event.Image{pictures[0], {MediaType: "image/png", Data: "not base64!"}}, "image 2 is not base64"},
			{[]event.Image{{MediaType: "image/png"}}, "not base64"},
			{many, "too many"},
			{[]event.Image{{MediaType: "image/png", Data: strings.Repeat("A", 21<<20)}}, "too large"},
		} {
			if e := r.refused(event.UserInput{Text: "look", Images: c.images}); !strings.Contains(e.Error, c.want) {
				t.Errorf("%+v, want %q", e, c.want)
			}
		}
		if n := len(find[event.InputAccepted](t, r.all())); n != 0 {
			t.Errorf("%d were accepted", n)
		}
	})
}

// A history that is condensed keeps what is known of the messages that stay.
func TestWhatWasTypedSurvivesCompaction(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		long := strings.Repeat("word ", 3000)
		m := &script{steps: []step{say(long), say(long), say(long), say("d"), say("a summary"), say("e")}}
		r := start(t, m, nil)
		for _, text := range []string{"one", "two", "three", "four"} {
			r.submit(event.UserInput{Text: text + " in full", Shown: text})
			r.ending()
		}
		r.submit(event.Compact{})
		r.until(event.TypeCompacted)
		known := func() {
			t.Helper()
			s, n := r.state(), 0
			for _, msg := range s.Messages {
				if !history.FromPerson(msg) {
					continue
				}
				if s.Said[n].Shown+" in full" != msg.Text {
					t.Errorf("%q was typed for %q", s.Said[n].Shown, msg.Text)
				}
				n++
			}
			if n < 2 || n == 4 || n != len(s.Said) || s.Name() != "one" {
				t.Errorf("%d messages, %d known, name %q", n, len(s.Said), s.Name())
			}
		}
		known()
		r = again(t, r, m, func(s *setup) { s.newSystem = true }) // it rewrites the history
		r.submit(event.UserInput{Text: "five in full", Shown: "five"})
		r.ending()
		known()
	})
}
