package servers

import (
	"context"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// askTime bounds what a person waits for.
const askTime = 15 * time.Second

// Answers reports whether an operation is about servers.
func (*Set) Answers(op event.Operation) bool {
	switch op.(type) {
	case event.Servers, event.Prompt:
		return true
	}
	return false
}

// Answer does what an operation asks of the servers, and tells it.
func (s *Set) Answer(op event.Operation) event.Payload {
	ctx, cancel := context.WithTimeout(s.life, askTime)
	defer cancel()
	var told event.Payload
	var err error
	switch op := op.(type) {
	case event.Servers:
		told, err = s.states(ctx, op.Retry)
	case event.Prompt:
		var text string
		text, err = s.Prompt(ctx, op.Server, op.Name, op.Arguments)
		told = event.ServerPrompt{Server: op.Server, Name: op.Name, Text: text}
	}
	if err != nil {
		return event.Error{Error: catalog.Line(err.Error(), 500), Code: "mcp", Class: "mcp"}
	}
	return told
}

// everybody asks for all servers that are away.
const everybody = "*"

// states connects to whom it is asked to, and tells how things stand.
func (s *Set) states(ctx context.Context, retry string) (event.Payload, error) {
	if retry == everybody {
		if err := s.Retry(""); err != nil {
			return nil, err
		}
	} else if retry != "" {
		if err := s.Retry(retry); err != nil {
			return nil, err
		}
	}
	if retry != "" {
		s.settle(ctx)
	}
	s.offer(s.live()) // so that each tool has the name the model knows
	var out event.ServerStates
	for _, e := range s.Entries() {
		out.Servers = append(out.Servers, s.state(e))
	}
	return out, nil
}

// settle waits until no server is connecting any more.
func (s *Set) settle(ctx context.Context) {
	for _, m := range s.live() {
		m.Rest(ctx)
	}
}

// state is an entry for those who read events.
func (s *Set) state(e Entry) event.ServerState {
	out := event.ServerState{
		Name: e.Name, Where: catalog.Line(e.Where, 200), State: string(e.State), Problem: e.Problem,
		Title: e.Title, Version: e.Release, Protocol: e.Protocol, Resources: len(e.Catalog.Resources) + len(e.Catalog.Templates), Notes: e.Catalog.Notes,
	}
	if e.State != server.Ready { // what it offered once
		return out
	}
	for _, t := range e.Catalog.Tools {
		tool := event.ServerTool{Name: t.Name}
		if name := s.tools.Named(e.Name, t.Name); name != t.Name {
			tool.Alias = name
		}
		out.Tools = append(out.Tools, tool)
	}
	for _, p := range e.Catalog.Prompts {
		offer := event.ServerOffer{Name: p.Name, Description: p.Description}
		for _, a := range p.Arguments {
			offer.Arguments = append(offer.Arguments, a.Name)
			if a.Required {
				offer.Required = append(offer.Required, a.Name)
			}
		}
		out.Prompts = append(out.Prompts, offer)
	}
	return out
}

// Line is how things stand with a server, on one line.
func Line(e event.ServerState) string {
	if e.State != string(server.Ready) {
		text := e.State
		if e.Problem != "" {
			text += ": " + e.Problem
		}
		return text
	}
	text := fmt.Sprintf("ready: %d tools", len(e.Tools))
	if len(e.Tools) == 1 {
		text = "ready: 1 tool"
	}
	if e.Resources > 0 {
		text += fmt.Sprintf(", %d resources", e.Resources)
	}
	if len(e.Prompts) > 0 {
		text += fmt.Sprintf(", %d prompts", len(e.Prompts))
	}
	return text
}
