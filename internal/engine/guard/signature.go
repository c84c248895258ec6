package guard

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// window is how many of the newest messages are judged.
const window = 30

// signature is what makes two calls the same: tool, arguments and result.
type signature struct {
	name, args, result string // args and result are hashes; result is empty without one
}

// round is one answer with calls: its different signatures in call order.
type round struct {
	calls []signature
	poll  bool // all calls only wait for something
}

func (r round) equal(o round) bool { return slices.Equal(r.calls, o.calls) }

// label names the tools of a round.
func (r round) label() string {
	names := make([]string, 0, len(r.calls))
	for _, c := range r.calls {
		if !slices.Contains(names, c.name) {
			names = append(names, c.name)
		}
	}
	return strings.Join(names, " + ")
}

// Hash is the first 12 hex digits of the MD5 of a text. JSON counts by its
// meaning: blanks and the order of keys do not matter, that of lists does.
func Hash(text string) string {
	if text == "" {
		return ""
	}
	sum := md5.Sum(canonical(text))
	return hex.EncodeToString(sum[:])[:12]
}

func canonical(text string) []byte {
	raw := []byte(text)
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // two large ids must not become one float
	var value any
	if dec.Decode(&value) != nil {
		return raw
	}
	if _, err := dec.Token(); err != io.EOF {
		return raw
	}
	out, err := event.Encode(value) // sorts keys
	if err != nil {
		return raw
	}
	return out
}

// hashes remembers the hashes of the texts in the window, so that each text is
// read once however often the window is judged.
type hashes struct{ known, used map[string]string }

func (h *hashes) of(text string) string {
	if len(text) < 256 { // cheaper than remembering
		return Hash(text)
	}
	sum, ok := h.known[text]
	if !ok {
		sum = Hash(text)
	}
	h.used[text] = sum
	return sum
}

// rounds reads the rounds among the newest messages, oldest first.
func (h *hashes) rounds(msgs []llm.Message, poll func(llm.ToolCall) bool) []round {
	msgs = msgs[max(0, len(msgs)-window):]
	h.used = map[string]string{}
	var out []round
	for i := range msgs {
		if len(msgs[i].ToolCalls) == 0 {
			continue
		}
		r := round{poll: true}
		for _, c := range msgs[i].ToolCalls {
			s := signature{c.Name, h.of(c.Arguments), h.of(resultOf(msgs[i+1:], c.ID))}
			if !slices.Contains(r.calls, s) {
				r.calls = append(r.calls, s)
			}
			r.poll = r.poll && poll(c)
		}
		out = append(out, r)
	}
	h.known = h.used
	return out
}

// resultOf finds the result of a call among the messages behind it.
func resultOf(msgs []llm.Message, id string) string {
	for i := range msgs {
		if msgs[i].Role == llm.Assistant || msgs[i].Role == llm.User {
			return ""
		}
		if msgs[i].Role == llm.ToolRole && msgs[i].ToolCallID == id {
			return msgs[i].PlainText()
		}
	}
	return ""
}

// PureWait reports whether a call only looks whether something has changed:
// the state of a job, or a shell command that begins with sleep.
func PureWait(c llm.ToolCall) bool {
	if c.Name != "hf_jobs" && c.Name != "bash" {
		return false
	}
	var args struct {
		Operation string `json:"operation"`
		Command   string `json:"command"`
	}
	if json.Unmarshal([]byte(c.Arguments), &args) != nil {
		return false
	}
	if c.Name == "bash" {
		fields := strings.Fields(args.Command)
		return len(fields) > 0 && fields[0] == "sleep"
	}
	switch strings.ToLower(strings.TrimSpace(args.Operation)) {
	case "ps", "logs", "inspect":
		return true
	}
	return false
}
