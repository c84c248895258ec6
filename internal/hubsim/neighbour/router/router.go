// Package router serves language models as the Hub's inference router does: a
// list of models, and answers played from scripts or made by a handler that is
// plugged in. What a call costs is booked to whoever pays. It does not know
// what a model is.
package router

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// Model is a model of the list, in the form the router sends it.
type Model struct {
	ID           string         `json:"id"`
	Object       string         `json:"object"`
	Created      int64          `json:"created"`
	OwnedBy      string         `json:"owned_by"`
	Architecture map[string]any `json:"architecture"`
	Providers    []Provider     `json:"providers"`
}

// Provider is one company that serves a model.
type Provider struct {
	Name              string   `json:"provider"`
	Status            string   `json:"status"`
	ContextLength     int      `json:"context_length,omitempty"`
	Pricing           *Pricing `json:"pricing,omitempty"`
	Tools             *bool    `json:"supports_tools,omitempty"`
	StructuredOutput  *bool    `json:"supports_structured_output,omitempty"`
	FirstTokenLatency float64  `json:"first_token_latency_ms,omitempty"`
	Throughput        float64  `json:"throughput,omitempty"`
	IsAuthor          bool     `json:"is_model_author"`
}

// Pricing is in US dollars for a million tokens.
type Pricing struct {
	Input  float64 `json:"input"`
	Output float64 `json:"output"`
}

// Line is one scripted answer.
type Line struct {
	// Match is a regular expression over the last message of a request; an
	// empty line answers in its turn: the n-th of them the request that holds
	// n-1 answers of the assistant.
	Match string `json:"match,omitempty"`
	// Role restricts Match to last messages of this role: user or tool.
	Role      string     `json:"role,omitempty"`
	Content   string     `json:"content,omitempty"`
	ToolCalls []ToolCall `json:"tool_calls,omitempty"`
	Usage     *Usage     `json:"usage,omitempty"`

	pattern *regexp.Regexp
}

// ToolCall is a tool the model calls; Arguments is an object.
type ToolCall struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

// Usage counts tokens.
type Usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
}

// Content is what a seed holds for the router.
type Content struct {
	Models  []Model
	Scripts map[string][]Line // by model id
}

// Read reads the models and scripts below dir of fsys: models.json, and one
// OWNER--NAME.jsonl for each model that answers. Without the folder there are
// none.
func Read(fsys fs.FS, dir string) (Content, error) {
	c := Content{Scripts: map[string][]Line{}}
	list := path.Join(dir, "models.json")
	raw, err := fs.ReadFile(fsys, list)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("read router: %w", err)
	}
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c.Models); err != nil {
			return c, fmt.Errorf("%s: %w", list, err)
		}
	}
	for i, m := range c.Models {
		if m.ID == "" || len(m.Providers) == 0 {
			return c, fmt.Errorf("%s: [%d].id, providers: are required", list, i)
		}
	}
	scripts, err := fs.Glob(fsys, path.Join(dir, "*.jsonl"))
	if err != nil {
		return c, fmt.Errorf("read router: %w", err)
	}
	for _, name := range scripts {
		id := strings.Replace(strings.TrimSuffix(path.Base(name), ".jsonl"), "--", "/", 1)
		if !slices.ContainsFunc(c.Models, func(m Model) bool { return m.ID == id }) {
			return c, fmt.Errorf("%s: models.json has no model %s", name, id)
		}
		if c.Scripts[id], err = readScript(fsys, name); err != nil {
			return c, err
		}
	}
	return c, nil
}

func readScript(fsys fs.FS, name string) ([]Line, error) {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read router: %w", err)
	}
	var script []Line
	n := 0
	for text := range bytes.Lines(raw) {
		if n++; len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		var l Line
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&l); err != nil {
			return nil, fmt.Errorf("%s line %d: %w", name, n, err)
		}
		if err := l.check(); err != nil {
			return nil, fmt.Errorf("%s line %d: %w", name, n, err)
		}
		script = append(script, l)
	}
	return script, nil
}

func (l *Line) check() (err error) {
	if l.Content == "" && len(l.ToolCalls) == 0 {
		return errors.New("content, tool_calls: one of them is required")
	}
	if l.Role != "" && l.Role != "user" && l.Role != "tool" {
		return fmt.Errorf("role: is %q, must be user or tool", l.Role)
	}
	for i, c := range l.ToolCalls {
		if c.Name == "" || !strings.HasPrefix(string(bytes.TrimSpace(c.Arguments)), "{") {
			return fmt.Errorf("tool_calls[%d]: needs a name and an object of arguments", i)
		}
	}
	if l.Match != "" {
		if l.pattern, err = regexp.Compile(l.Match); err != nil {
			return fmt.Errorf("match: %w", err)
		}
	}
	return nil
}

// Options of the router.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	Content  Content
	// Model makes the answers instead of the scripts; it gets requests as they
	// are, below /router/v1. Models it serves beyond the list cost nothing.
	Model http.Handler
}

// Router is the service. It is safe for concurrent use.
type Router struct {
	o Options

	mu sync.Mutex // held while a charge is read and written back
}

// New returns the service.
func New(o Options) *Router { return &Router{o: o} }

// Pages adds the service below /router.
func (s *Router) Pages(mux *http.ServeMux) {
	mux.Handle("GET /router/v1/models", answer.Handler(s.models))
	mux.Handle("GET /router/v1/models/{id...}", answer.Handler(s.model))
	mux.Handle("POST /router/v1/chat/completions", answer.Handler(s.call))
	mux.Handle("POST /router/v1/responses", answer.Handler(s.call))
}

func (s *Router) models(w http.ResponseWriter, _ *http.Request) error {
	list := append([]Model{}, s.o.Content.Models...)
	answer.JSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
	return nil
}

func (s *Router) model(w http.ResponseWriter, r *http.Request) error {
	m, ok := s.find(r.PathValue("id"))
	if !ok {
		return answer.Refuse(http.StatusNotFound, "Model not found")
	}
	answer.JSON(w, http.StatusOK, map[string]any{"object": "list", "data": m})
	return nil
}

// find looks a model up by its id, with or without :provider.
func (s *Router) find(id string) (Model, bool) {
	id, _, _ = strings.Cut(id, ":")
	for _, m := range s.o.Content.Models {
		if strings.EqualFold(m.ID, id) {
			return m, true
		}
	}
	return Model{}, false
}

// pricing is what a call of the named model costs: at the provider after the
// colon, at the cheapest, or at the first that has a price.
func (m Model) pricing(id string) Pricing {
	_, choice, _ := strings.Cut(id, ":")
	best := Pricing{}
	for _, p := range m.Providers {
		switch {
		case p.Pricing == nil || p.Status != "live":
		case p.Name == choice:
			return *p.Pricing
		case best == (Pricing{}), choice == "cheapest" && p.Pricing.Output < best.Output:
			best = *p.Pricing
		}
	}
	return best
}

// served reports whether some live provider fits the choice after the colon.
func (m Model) served(id string) bool {
	_, choice, _ := strings.Cut(id, ":")
	return slices.ContainsFunc(m.Providers, func(p Provider) bool {
		return p.Status == "live" && (choice == "" || choice == "fastest" || choice == "cheapest" || choice == "preferred" || choice == p.Name)
	})
}
