//go:build linux

package endtoend_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/bench/modelserver"
)

// desk is the scripted models of many runs behind one server: each run has a
// path of its own, at which it finds its script.
type desk struct {
	server *modelserver.Server

	mu      sync.Mutex
	scripts map[string]func(modelserver.Request) modelserver.Answer
	seen    map[string][]modelserver.Request
}

func newDesk() *desk {
	d := &desk{
		scripts: map[string]func(modelserver.Request) modelserver.Answer{}, seen: map[string][]modelserver.Request{},
	}
	d.server = modelserver.Reply(d.answer)
	return d
}

func (d *desk) answer(r modelserver.Request) modelserver.Answer {
	d.mu.Lock()
	script := d.scripts[r.Base]
	d.seen[r.Base] = append(d.seen[r.Base], r)
	d.mu.Unlock()
	if script == nil {
		return modelserver.Answer{Status: 404, Body: `{"error":{"message":"no such script"}}`}
	}
	return script(r)
}

// add makes a script and returns the base URL of its model.
func (d *desk) add(name string, script func(modelserver.Request) modelserver.Answer) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.scripts["/"+name] = script
	return d.server.URL + "/" + name + "/v1"
}

// requests are those a script has seen.
func (d *desk) requests(name string) []modelserver.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]modelserver.Request(nil), d.seen["/"+name]...)
}

// valid checks that every call of a request is followed by its one result.
func valid(messages []modelserver.Message) error {
	for i := 0; i < len(messages); i++ {
		m := messages[i]
		if m.Role == "tool" {
			return fmt.Errorf("message %d is a result without a call before it", i)
		}
		for k, c := range m.ToolCalls {
			at := i + 1 + k
			if at >= len(messages) || messages[at].Role != "tool" || messages[at].ToolCallID != c.ID {
				return fmt.Errorf("call %s of message %d has no result in its place", c.ID, i)
			}
		}
		i += len(m.ToolCalls)
	}
	if n := len(messages); n == 0 || messages[n-1].Role == "assistant" {
		return fmt.Errorf("the last of %d messages is not for the model to answer", n)
	}
	return nil
}

// last returns the last assistant message with calls and the results behind
// it, by call id.
func last(messages []modelserver.Message) (calls []modelserver.ToolCall, results map[string]string) {
	results = map[string]string{}
	for i := len(messages) - 1; i >= 0; i-- {
		switch m := messages[i]; {
		case m.Role == "tool":
			results[m.ToolCallID] = m.Text()
		case len(m.ToolCalls) > 0:
			return m.ToolCalls, results
		}
	}
	return nil, results
}

// unread knows a refusal to change a file that this process has not read.
var unread = regexp.MustCompile(`(?i)\bread\b.*\b(first|before|again)\b|changed since|not (been )?read`)

// mustRead reports whether a call failed because its file has to be read first:
// what a process has seen of files ends with it.
func mustRead(result string) bool {
	return unread.MatchString(result) && !strings.HasPrefix(result, "Wrote") && !strings.HasPrefix(result, "Edited") &&
		!strings.Contains(result, "not executed") && !strings.Contains(result, "unknown")
}

// pathOf is the "path" argument of a call.
func pathOf(c modelserver.ToolCall) string {
	var args struct {
		Path string `json:"path"`
	}
	_ = json.Unmarshal([]byte(c.Function.Arguments), &args) // a call without one has none
	return args.Path
}

func call(id, name string, args map[string]any) modelserver.IDCall {
	return modelserver.IDCall{ID: id, Call: modelserver.Call{Name: name, Args: args}}
}

// pieces cuts a text into pieces of n bytes.
func pieces(text string, n int) []string {
	var out []string
	for len(text) > n {
		out = append(out, text[:n])
		text = text[n:]
	}
	return append(out, text)
}
