// Package protocoltest holds the frames of an editor and its agent against the
// official schema of the Agent Client Protocol, version 1, which is kept beside
// it as it was published (testdata, Apache License 2.0).
package protocoltest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"
)

//go:embed testdata/schema.json
var published []byte

// Published is the schema as it was published.
func Published() []byte { return published }

// schema is the schema, taken apart.
type schema struct {
	defs map[string]*jsonschema.Schema
	// request and response are the definitions of what methods carry.
	request, response map[string]string

	mu       sync.Mutex
	resolved map[string]*jsonschema.Resolved
}

var load = sync.OnceValues(func() (*schema, error) {
	var whole struct {
		Defs map[string]*jsonschema.Schema `json:"$defs"`
	}
	if err := json.Unmarshal(published, &whole); err != nil {
		return nil, err
	}
	s := &schema{defs: whole.Defs, request: map[string]string{}, response: map[string]string{}, resolved: map[string]*jsonschema.Resolved{}}
	for name, def := range whole.Defs {
		method, ok := def.Extra["x-method"].(string)
		switch {
		case !ok:
		case strings.HasSuffix(name, "Response"):
			s.response[method] = name
		case strings.HasSuffix(name, "Request") || strings.HasSuffix(name, "Notification"):
			s.request[method] = name
		}
	}
	return s, nil
})

// check holds a value against a definition.
func (s *schema) check(name string, value any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.resolved[name]
	if r == nil {
		if s.defs[name] == nil {
			return fmt.Errorf("the schema defines no %s", name)
		}
		var err error
		if r, err = (&jsonschema.Schema{Ref: "#/$defs/" + name, Defs: s.defs}).Resolve(nil); err != nil {
			return err
		}
		s.resolved[name] = r
	}
	if err := r.Validate(value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Watch looks at the frames of one connection. Its methods may be called from
// any goroutine.
type Watch struct {
	mu     sync.Mutex
	client map[string]string // methods that the client has called, by id
	agent  map[string]string
}

// FromClient looks at a frame of the client.
func (w *Watch) FromClient(frame []byte) error { return w.look(frame, "Client", &w.client, &w.agent) }

// FromAgent looks at a frame of the agent.
func (w *Watch) FromAgent(frame []byte) error { return w.look(frame, "Agent", &w.agent, &w.client) }

func (w *Watch) look(text []byte, side string, own, other *map[string]string) error {
	s, err := load()
	if err != nil {
		return err
	}
	var f struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  string          `json:"method"`
		Params  any             `json:"params"`
		Result  any             `json:"result"`
		Error   any             `json:"error"`
	}
	var whole map[string]any
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		return err
	}
	if f.JSONRPC != "2.0" {
		return fmt.Errorf("jsonrpc is %q", f.JSONRPC)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, answers := whole["result"]
	switch {
	case f.Method != "":
		kind := "Notification"
		if f.ID != nil {
			kind = "Request"
			if *own == nil {
				*own = map[string]string{}
			}
			(*own)[string(f.ID)] = f.Method
		}
		if f.Method == "$/cancel_request" {
			return s.check("CancelRequestNotification", f.Params)
		}
		if err := s.check(side+kind, whole); err != nil {
			return err
		}
		if name := s.request[f.Method]; name != "" {
			return s.check(name, f.Params)
		}
		return nil
	case answers:
		if err := s.check(side+"Response", whole); err != nil {
			return err
		}
		name := s.response[(*other)[string(f.ID)]]
		if name == "" {
			return fmt.Errorf("an answer to call %s, which nobody has made", f.ID)
		}
		return s.check(name, f.Result)
	}
	return s.check("Error", f.Error)
}
