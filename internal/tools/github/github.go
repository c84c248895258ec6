// Package github holds the tools that look at GitHub: which repositories there
// are, which of their files are examples, what a file says, and what a search
// finds. They change nothing and work without a token. They know neither who
// reads the results nor how requests are made.
package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	api "github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/github/show"
)

// Options make the tools.
type Options struct {
	// Client asks GitHub.
	Client *api.Client
}

// look is what the four tools have in common.
type look struct {
	spec tool.Spec
	gh   *api.Client
	run  func(ctx context.Context, l *look, env tool.Env, args json.RawMessage) tool.Result
}

var _ tool.Tool = (*look)(nil)

func newLook(o Options, description []byte, run func(context.Context, *look, tool.Env, json.RawMessage) tool.Result) (tool.Tool, error) {
	if o.Client == nil {
		return nil, errors.New("make the GitHub tools: Client is required")
	}
	spec, err := tool.ParseSpec(description, lookup.MaxOutput)
	if err != nil {
		return nil, err
	}
	return &look{spec: spec, gh: o.Client, run: run}, nil
}

// Spec describes the tool.
func (l *look) Spec() tool.Spec { return l.spec }

// Risk is that of reading.
func (l *look) Risk(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Read} }

// Run looks up.
func (l *look) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	return l.run(ctx, l, env, args), nil
}

// bad refuses arguments.
func (l *look) bad(err error) tool.Result {
	return tool.Failed(fmt.Sprintf("Error: %v (bad_argument). Example: %s %s", err, l.spec.Name, show.Compact(l.spec.Example)))
}

// failed tells of a look-up that failed.
func (l *look) failed(what string, err error, advice ...string) tool.Result {
	return lookup.Failed(l.spec.Name+": "+what, err, append(advice, l.gh.Advice(err))...)
}

// from is an answer as a source of this tool's result.
func (l *look) from(resp *fetch.Response, object, page string) lookup.Source {
	return lookup.Source{Response: resp, Tool: l.spec.Name, Object: object, Title: object, URL: page}
}
