package fault

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// maxNesting is how often an error text that is JSON itself is opened:
// gateways wrap what they got.
const maxNesting = 3

// envelope is what the known shapes of error bodies have in common.
type envelope struct {
	kind, code, param string
	message           string
	requestID         string
	status            int           // a status named inside the body
	retryDelay        time.Duration // Gemini's RetryInfo
	retryInfo         bool
	used, limit       int // llama.cpp's n_prompt_tokens and n_ctx
}

// fields is a JSON object whose members may have any type.
type fields map[string]json.RawMessage

// str returns a member that is a string or a number as text.
func (f fields) str(key string) string {
	raw := f[key]
	if len(raw) == 0 {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

func (f fields) num(key string) int {
	n, err := strconv.Atoi(f.str(key))
	if err != nil {
		return 0
	}
	return n
}

func object(raw []byte) fields {
	var f fields
	if json.Unmarshal(raw, &f) != nil {
		return nil
	}
	return f
}

// readBody reads an error body of any shape; what is not JSON is the message.
func readBody(body []byte) envelope {
	var env envelope
	env.read(body, 0)
	if env.message == "" {
		env.message = strings.TrimSpace(string(body))
	}
	return env
}

// read merges what raw says into env and reports whether it was understood.
// Inner texts win over outer ones.
func (env *envelope) read(raw []byte, depth int) bool {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return false
	}
	switch raw[0] {
	case '[':
		var list []json.RawMessage
		return json.Unmarshal(raw, &list) == nil && len(list) > 0 && env.read(list[0], depth)
	case '{':
		outer := object(raw)
		if outer == nil {
			return false
		}
		return env.readObject(outer, depth)
	}
	return false
}

func (env *envelope) readObject(outer fields, depth int) bool {
	set(&env.requestID, outer.str("request_id"))
	if response := object(outer["response"]); response != nil { // response.failed
		outer = response
	}
	inner := object(outer["error"])
	switch {
	case inner != nil:
		// A code outside the inner object (Ollama, gateways) is kept.
		set(&env.code, outer.str("code"))
	case outer.str("error") != "":
		inner = fields{"message": outer["error"], "code": outer["code"], "type": outer["error_type"]}
	default:
		inner = outer
	}
	return env.readInner(inner, depth)
}

func (env *envelope) readInner(inner fields, depth int) bool {
	if kind := inner.str("type"); kind != "error" {
		set(&env.kind, kind)
	}
	set(&env.code, inner.str("code"))
	set(&env.param, inner.str("param"))
	set(&env.requestID, inner.str("request_id"))
	for _, key := range []string{"status_code", "status"} {
		if n := inner.num(key); n >= 400 && n < 600 {
			env.status = n
		}
	}
	if n, err := strconv.Atoi(env.code); err == nil && n >= 400 && n < 600 && env.status == 0 {
		env.status = n
	}
	if n := inner.num("n_ctx"); n > 0 {
		env.limit, env.used = n, inner.num("n_prompt_tokens")
	}
	env.readDetails(inner["details"])
	return env.readMessage(inner, depth)
}

// readMessage finds the text, opens it when it is JSON itself, and adds what
// a model wrote wrongly, so that it can be shown to the model again.
func (env *envelope) readMessage(inner fields, depth int) bool {
	message := inner.str("message")
	if message == "" {
		message = detail(inner["detail"])
	}
	if message == "" {
		message = nestedText(inner["message"])
	}
	if meta := object(inner["metadata"]); meta.str("raw") != "" { // OpenRouter
		message = meta.str("raw")
	}
	if message == "" {
		return false
	}
	opened := false
	if start := strings.IndexByte(message, '{'); start >= 0 && depth < maxNesting {
		opened = env.read([]byte(message[start:]), depth+1)
	}
	if !opened {
		env.message = message
	}
	if failed := inner.str("failed_generation"); failed != "" {
		env.message += " failed_generation: " + failed
	}
	return true
}

// detail reads FastAPI's detail: a text, or a list of {"loc","msg"}.
func detail(raw json.RawMessage) string {
	f := fields{"detail": raw}
	if s := f.str("detail"); s != "" {
		return s
	}
	var list []struct {
		Msg string            `json:"msg"`
		Loc []json.RawMessage `json:"loc"`
	}
	if json.Unmarshal(raw, &list) != nil {
		return nestedText(raw)
	}
	texts := make([]string, 0, len(list))
	for _, d := range list {
		where := make([]string, len(d.Loc))
		for i, l := range d.Loc {
			where[i] = strings.Trim(string(l), `"`)
		}
		texts = append(texts, strings.Join(where, ".")+": "+d.Msg)
	}
	return strings.Join(texts, "; ")
}

// nestedText returns an object or list given in place of a text, as text.
func nestedText(raw json.RawMessage) string {
	if len(raw) > 0 && (raw[0] == '{' || raw[0] == '[') {
		return string(raw)
	}
	return ""
}

// readDetails looks for Gemini's RetryInfo.
func (env *envelope) readDetails(raw json.RawMessage) {
	var details []struct {
		Type  string `json:"@type"`
		Delay string `json:"retryDelay"`
	}
	if json.Unmarshal(raw, &details) != nil {
		return
	}
	for _, d := range details {
		if strings.HasSuffix(d.Type, "RetryInfo") {
			env.retryInfo = true
			if delay, err := time.ParseDuration(d.Delay); err == nil && delay > 0 {
				env.retryDelay = delay
			}
		}
	}
}

func set(dst *string, value string) {
	if value != "" {
		*dst = value
	}
}
