// Package notes hands the model what it must know about the place its tools
// work in, with the next result of one of them. It knows neither place nor tool.
package notes

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Notes wait for the next result. The zero value is empty. They are safe for
// concurrent use.
type Notes struct {
	mu  sync.Mutex
	all []string
}

// Add leaves a note; a text that waits already is not added twice.
func (n *Notes) Add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Contains(n.all, text) {
		n.all = append(n.all, text)
	}
}

// With puts the notes in front of a result.
func (n *Notes) With(output string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.all) == 0 {
		return output
	}
	text := "[" + strings.Join(n.all, "]\n[") + "]\n"
	n.all = nil
	return text + output
}

// Wrap makes a tool tell the notes.
func (n *Notes) Wrap(t tool.Tool) tool.Tool {
	p := plain{t, n}
	if k, ok := t.(tool.KeyedTool); ok {
		return keyed{p, k}
	}
	return p
}

type plain struct {
	tool.Tool
	notes *Notes
}

// Run runs the tool.
func (p plain) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	r, err := p.Tool.Run(ctx, env, args)
	if err == nil {
		r.Output = p.notes.With(r.Output)
	}
	return r, err
}

// Attach gives a tool that goes on between calls its session.
func (p plain) Attach(s tool.Session) {
	if c, ok := p.Tool.(tool.Companion); ok {
		c.Attach(s)
	}
}

// Close closes a tool that holds something.
func (p plain) Close(ctx context.Context) error {
	if c, ok := p.Tool.(tool.Closer); ok {
		return c.Close(ctx)
	}
	return nil
}

type keyed struct {
	plain
	tool tool.KeyedTool
}

// Intent is the tool's.
func (k keyed) Intent(ctx context.Context, env tool.Env, args json.RawMessage) (json.RawMessage, error) {
	return k.tool.Intent(ctx, env, args)
}

// Recover is the tool's.
func (k keyed) Recover(ctx context.Context, env tool.Env, args, intent json.RawMessage) (tool.Outcome, tool.Result, error) {
	return k.tool.Recover(ctx, env, args, intent)
}
