package router

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// maxRequest is how large a request may be, in bytes.
const maxRequest = 32 << 20

// maxSession is how long a session's name may be, in characters.
const maxSession = 256

// outOfCredit is the router's text for a balance at its end.
const outOfCredit = "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get 20x more monthly included credits."

// request is what the router reads of a call.
type request struct {
	Model         string    `json:"model"`
	Messages      []message `json:"messages"`
	Stream        bool      `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Tools      []offer `json:"tools"`
	ToolChoice any     `json:"tool_choice"`
}

// offer is a tool the model may call.
type offer struct {
	Function struct {
		Name string `json:"name"`
	} `json:"function"`
}

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// text is the words of a message, of all its parts.
func (m message) text() string {
	var s string
	if json.Unmarshal(m.Content, &s) == nil {
		return s
	}
	var parts []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(m.Content, &parts) // other content has no words
	var all []string
	for _, p := range parts {
		all = append(all, p.Text)
	}
	return strings.Join(all, "\n")
}

func (s *Router) call(w http.ResponseWriter, r *http.Request) error {
	payer, err := s.payer(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return answer.Refuse(http.StatusRequestEntityTooLarge, "request entity too large")
	}
	var req request
	if err := json.Unmarshal(body, &req); err != nil || req.Model == "" {
		return refuse(w, http.StatusBadRequest, "invalid_request_error", "", "The request must be JSON with a model")
	}
	m, known := s.find(req.Model)
	switch {
	case !known && s.o.Model == nil:
		return refuse(w, http.StatusBadRequest, "invalid_request_error", "model_not_found", fmt.Sprintf("The requested model '%s' does not exist", req.Model))
	case known && !m.served(req.Model):
		return refuse(w, http.StatusBadRequest, "invalid_request_error", "model_not_supported", fmt.Sprintf("The requested model '%s' is not supported by any provider you have enabled.", req.Model))
	}
	count := &counter{ResponseWriter: w}
	if s.o.Model != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
		s.o.Model.ServeHTTP(count, r)
	} else if err := s.play(count, r, m, &req); err != nil {
		return err
	}
	s.book(payer, r.Header.Get("X-HF-Session-Id"), m.pricing(req.Model), count.usage())
	return nil
}

// refuse writes an error in the form of the providers.
func refuse(w http.ResponseWriter, status int, kind, code, message string) error {
	e := map[string]any{"message": message, "type": kind, "param": "model", "code": code}
	answer.JSON(w, status, map[string]any{"error": e})
	return nil
}

// payer finds who pays and refuses callers who may not or cannot.
func (s *Router) payer(r *http.Request) (string, error) {
	caller := account.From(r.Context())
	if caller == nil {
		return "", answer.Login("")
	}
	payer := caller.Name()
	if bill := r.Header.Get("X-HF-Bill-To"); bill != "" {
		if role := caller.Role(bill); role == "" || role == "no_access" {
			return "", answer.Refuse(http.StatusForbidden, "You are not allowed to bill requests to "+bill+".")
		}
		payer = bill
	}
	// Read and write tokens call models; narrower ones need to say so.
	if caller.Token.Role == "fineGrained" && !caller.May(account.Inference, caller.Name()) && !caller.May(account.Inference, payer) {
		return "", answer.Refuse(http.StatusForbidden, "This authentication method does not have sufficient permissions to call Inference Providers on behalf of user "+caller.Name())
	}
	if n := len([]rune(r.Header.Get("X-HF-Session-Id"))); n > maxSession {
		return "", answer.Refuse(http.StatusBadRequest, fmt.Sprintf("X-HF-Session-Id must have at most %d characters", maxSession))
	}
	e, ok := s.o.Accounts.Find(payer)
	if !ok || e.CreditMicroUSD <= 0 {
		return "", answer.Refuse(http.StatusPaymentRequired, outOfCredit)
	}
	return e.Name, nil
}

// book adds the cost of a call to what its session has cost so far.
func (s *Router) book(payer, session string, price Pricing, u Usage) {
	// Dollars for a million tokens are thousands of nano-dollars for one.
	cost := int64(price.Input*1000*float64(u.PromptTokens) + price.Output*1000*float64(u.CompletionTokens))
	now := s.o.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := account.Charge{Entity: payer, Product: "inference", Ref: session, StartedAt: now}
	all := s.o.Accounts.Charges(payer)
	if i := slices.IndexFunc(all, func(old account.Charge) bool { return old.Product == c.Product && old.Ref == session }); i >= 0 {
		c = all[i]
	}
	c.NanoUSD += cost
	c.Requests++
	c.EndedAt = now
	s.o.Accounts.Charge(c)
}

// counter passes an answer on and reads the usage in it.
type counter struct {
	http.ResponseWriter
	tail []byte // the unfinished line of a stream, or the whole answer
	last Usage
}

// Write reads what passes.
func (c *counter) Write(p []byte) (int, error) {
	c.tail = append(c.tail, p...)
	if strings.HasPrefix(c.Header().Get("Content-Type"), "text/event-stream") {
		for {
			i := bytes.IndexByte(c.tail, '\n')
			if i < 0 {
				break
			}
			c.read(bytes.TrimPrefix(bytes.TrimSpace(c.tail[:i]), []byte("data:")))
			c.tail = c.tail[i+1:]
		}
	}
	return c.ResponseWriter.Write(p)
}

// Flush lets the client see what was written.
func (c *counter) Flush() {
	if f, ok := c.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap lets the server's own controls reach the answer.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *counter) usage() Usage {
	c.read(c.tail)
	return c.last
}

// read takes the usage from a JSON object in either API's words.
func (c *counter) read(raw []byte) {
	type usage struct {
		Usage
		InputTokens  int `json:"input_tokens"`
		OutputTokens int `json:"output_tokens"`
	}
	var v struct {
		Usage    *usage `json:"usage"`
		Response struct {
			Usage *usage `json:"usage"`
		} `json:"response"`
	}
	if !bytes.Contains(raw, []byte(`"usage"`)) || json.Unmarshal(raw, &v) != nil {
		return
	}
	u := v.Usage
	if u == nil {
		u = v.Response.Usage
	}
	if u != nil {
		c.last = Usage{PromptTokens: max(u.PromptTokens, u.InputTokens), CompletionTokens: max(u.CompletionTokens, u.OutputTokens)}
	}
}
