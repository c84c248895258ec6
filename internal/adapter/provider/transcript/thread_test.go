package transcript_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// lines is a format that writes a message as one element, marks the last and
// one more, and counts what it writes.
type lines struct {
	msgs    []llm.Message
	marked  int
	written int
}

func (*lines) Size(m llm.Message) int { return len(m.Text) }

func (*lines) Next(from int) int { return from + 1 }

func (l *lines) Shape(groups []transcript.Group) {
	for i := range groups {
		groups[i].Form = 0
		if i == len(groups)-1 || i == l.marked {
			groups[i].Form = 1
		}
	}
}

func (l *lines) Append(dst []byte, g transcript.Group) []byte {
	l.written++
	return fmt.Appendf(dst, ",%s:%s:%d", l.msgs[g.From].Role, l.msgs[g.From].Text, g.Form)
}

// encode returns the text of msgs and how many of them were encoded for it.
func encode(thread *transcript.Thread, msgs []llm.Message, opts transcript.Options) (text string, written int) {
	l := lines{msgs: thread.Update(msgs, opts)}
	kept, fresh := thread.Encode(&l)
	return string(kept) + string(fresh), l.written
}

// exchange is a call and its result.
func exchange(n int, text string) []llm.Message {
	id := fmt.Sprintf("c%d", n)
	return []llm.Message{call(id), {Role: llm.ToolRole, ToolCallID: id, Text: text}}
}

// However long a conversation is, only its end is encoded for a request.
func TestThreadEncodesWhatIsNew(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for _, opts := range []transcript.Options{{}, {AllowID: transcript.PlainID, MaxID: 64}, {Shrink: true}, {NoImages: true}} {
		var thread transcript.Thread
		msgs := []llm.Message{{Role: llm.System, Text: "s"}, hi}
		for n := range 150 {
			msgs = append(msgs, exchange(n, long)...)
			text, written := encode(&thread, msgs, opts)
			if n > 0 && written > 5 {
				t.Fatalf("turn %d: %d messages were encoded", n, written)
			}
			if n%30 > 0 {
				continue
			}
			if whole, _ := encode(&transcript.Thread{}, msgs, opts); text != whole {
				t.Fatalf("turn %d: %s\nwant %s", n, text, whole)
			}
		}
	}
}

// A request that is still being sent keeps its bytes, whatever comes after it.
func TestThreadLeavesSentTextAlone(t *testing.T) {
	var thread transcript.Thread
	msgs := []llm.Message{hi}
	var sent, want [][]byte
	for n := range 60 {
		switch {
		case n%10 == 9:
			msgs = msgs[:len(msgs)/2]
		case n%7 == 6:
			msgs[len(msgs)/2].Text = "changed"
		default:
			msgs = append(msgs, exchange(n, "out")...)
		}
		l := lines{msgs: thread.Update(msgs, transcript.Options{}), marked: n / 4}
		kept, fresh := thread.Encode(&l)
		for _, part := range [][]byte{kept, fresh} {
			sent, want = append(sent, part), append(want, bytes.Clone(part))
		}
	}
	for i := range sent {
		if !bytes.Equal(sent[i], want[i]) {
			t.Fatalf("part %d became %q, was %q", i, sent[i], want[i])
		}
	}
}

func request(session, first string, n int) llm.Request {
	req := llm.Request{Model: "m", SessionID: session, Messages: []llm.Message{{Role: llm.System, Text: "s"}, {Role: llm.User, Text: first}}}
	for i := range n {
		req.Messages = append(req.Messages, exchange(i, "out")...)
	}
	return req
}

// spent is how many messages are encoded for a request.
func spent(threads *transcript.Threads, req llm.Request) int {
	thread := threads.Take("wire", req)
	defer threads.Put(thread)
	_, n := encode(thread, req.Messages, transcript.Options{})
	return n
}

func TestThreadsAreKeptApart(t *testing.T) {
	var threads transcript.Threads
	others := map[string]func(*llm.Request){
		"session": func(r *llm.Request) { r.SessionID = "other" },
		"kind":    func(r *llm.Request) { r.Kind = llm.KindResearch },
		"model":   func(r *llm.Request) { r.Model = "other" },
		"adjust":  func(r *llm.Request) { r.Adjust.Drop = []string{"x"} },
		"tools":   func(r *llm.Request) { r.Tools = []llm.ToolSpec{{Name: "t"}} },
		"talk":    func(r *llm.Request) { r.Messages[1].Text = "another task" },
	}
	spent(&threads, request("s", "go", 20))
	for name, change := range others {
		req := request("s", "go", 20)
		change(&req)
		if n := spent(&threads, req); n != 42 {
			t.Errorf("another %s: %d messages were encoded", name, n)
		}
	}
	if n := spent(&threads, request("s", "go", 21)); n > 5 {
		t.Errorf("%d messages were encoded: the thread is gone", n)
	}
	if n := spent(&threads, request("", "go", 20)) + spent(&threads, request("", "go", 20)); n != 84 {
		t.Errorf("a request without a session left something: %d", n)
	}
}

func TestThreadsAreFew(t *testing.T) {
	var threads transcript.Threads
	for i := range 9 {
		spent(&threads, request(fmt.Sprint(i), "go", 5))
	}
	if n := spent(&threads, request("1", "go", 5)); n > 3 {
		t.Errorf("the second of nine is gone: %d", n)
	}
	if n := spent(&threads, request("0", "go", 5)); n != 12 {
		t.Errorf("the first of nine is still there: %d", n)
	}
	big := request("big", strings.Repeat("x", 40<<20), 1)
	spent(&threads, big)
	if n := spent(&threads, big); n > 3 {
		t.Errorf("the newest is not kept: %d", n)
	}
	if n := spent(&threads, request("1", "go", 5)); n != 12 {
		t.Errorf("beside a big one the others are still there: %d", n)
	}
}

// A turn of a conversation of n messages: the history is compared, two
// messages are encoded.
func BenchmarkThread(b *testing.B) {
	for _, n := range []int{20, 2000, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			req := request("s", "go", n/2)
			for i := range req.Messages {
				req.Messages[i].SetOrigin(llm.Origin{Provider: "p", Model: "m"})
			}
			var thread transcript.Thread
			encode(&thread, req.Messages, transcript.Options{MaxID: 64})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%100 == 99 { // growth is part of it, but not without end
					b.StopTimer()
					req.Messages = req.Messages[:len(req.Messages)-198]
					thread = transcript.Thread{}
					encode(&thread, req.Messages, transcript.Options{MaxID: 64})
					b.StartTimer()
					continue
				}
				req.Messages = append(req.Messages, exchange(1000+i, "out")...)
				encode(&thread, req.Messages, transcript.Options{MaxID: 64})
			}
		})
	}
}

// Whatever is changed in a message, and be it in place, all is encoded anew.
func TestEveryChangeIsSeen(t *testing.T) {
	raw := func(s string) []json.RawMessage { return []json.RawMessage{json.RawMessage(s)} }
	changes := map[string]func(*llm.Message){
		"role":          func(m *llm.Message) { m.Role = llm.User },
		"synthetic":     func(m *llm.Message) { m.Synthetic = true },
		"text":          func(m *llm.Message) { m.Text = "b" },
		"empty array":   func(m *llm.Message) { m.Parts = []json.RawMessage{} },
		"part":          func(m *llm.Message) { m.Parts = raw(`1`) },
		"call":          func(m *llm.Message) { m.ToolCalls[0].Arguments = "{ }" },
		"call's id":     func(m *llm.Message) { m.ToolCalls[0].ID = "other" },
		"call's name":   func(m *llm.Message) { m.ToolCalls[0].Name = "other" },
		"fewer calls":   func(m *llm.Message) { m.ToolCalls = nil },
		"answered call": func(m *llm.Message) { m.ToolCallID = "c" },
		"thinking":      func(m *llm.Message) { m.ThinkingBlocks[0] = json.RawMessage(`{"a":1}`) },
		"no thinking":   func(m *llm.Message) { m.ThinkingBlocks = nil },
		"reasoning":     func(m *llm.Message) { m.ReasoningContent = "r" },
		"origin":        func(m *llm.Message) { m.SetOrigin(llm.Origin{Model: "other"}) },
		"another field": func(m *llm.Message) { m.SetItems(raw(`{}`)) },
		"a field renamed": func(m *llm.Message) {
			m.ProviderFields = map[string]json.RawMessage{"x": m.ProviderFields[llm.FieldOrigin]}
		},
	}
	for name, change := range changes {
		msgs := request("s", "go", 10).Messages
		m := &msgs[5]
		*m = llm.Message{Role: llm.Assistant, Text: "a", ThinkingBlocks: raw(`{}`), ToolCalls: []llm.ToolCall{{ID: "c", Name: "n", Arguments: "{}"}}}
		m.SetOrigin(llm.Origin{Model: "m"})
		var thread transcript.Thread
		encode(&thread, msgs, transcript.Options{})
		if _, n := encode(&thread, msgs, transcript.Options{}); n > 3 {
			t.Errorf("%s: %d messages were encoded without a change", name, n)
		}
		change(m)
		if _, n := encode(&thread, msgs, transcript.Options{}); n != len(msgs) {
			t.Errorf("%s: only %d messages were encoded", name, n)
		}
	}
}
