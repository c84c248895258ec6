package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/local"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// pingLimit bounds the trial call to a local server before a switch.
const pingLimit = 15 * time.Second

// Report is what a person should know before a switch to a model.
type Report struct {
	Info  llm.Info
	Route modelid.Route
	// Warnings do not stand in the way of the switch.
	Warnings []string
	// Routing says how the router chooses ("auto (fastest)", "pinned to
	// novita", a policy's name); empty for other providers.
	Routing string
	// Offers are the router's live providers.
	Offers []catalog.Offer
}

// Check finds out whether a switch to id can work: its form, its key, and what
// the service says without charging for it. An error means that the present
// model should be kept. A local server gets one tiny call; OpenAI and
// Anthropic are asked whether they have the model.
func (p *Provider) Check(ctx context.Context, id string) (Report, error) {
	t, err := p.target(ctx, id)
	if err != nil {
		return Report{}, err
	}
	r := Report{Route: t.route}
	switch {
	case t.route.ID.Replay():
		if err := p.replay.Check(t.route.ID.Text); err != nil {
			return Report{}, refuse(modelid.Replay, t.route.ID.Text, err)
		}
	case t.route.ID.Local():
		err = p.ping(ctx, t)
	case t.route.Provider == modelid.Router:
		p.survey(ctx, t, &r)
	case t.route.Provider == modelid.Anthropic, t.route.Provider == modelid.OpenAI:
		err = p.exists(ctx, t, &r)
	}
	if err != nil {
		return Report{}, p.worded(ctx, t, err)
	}
	r.Info = p.describe(ctx, id, t)
	return r, nil
}

// ping makes the smallest call a local server can answer.
func (p *Provider) ping(ctx context.Context, t target) error {
	callCtx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	req := llm.Request{
		Model: t.route.ID.Text, Kind: llm.KindEffortProbe, MaxTokens: 1,
		Messages: []llm.Message{{Role: llm.User, Text: "ping"}},
	}
	client, err := p.client(t)
	if err != nil {
		return err
	}
	for _, err := range client.Stream(callCtx, req) {
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case callCtx.Err() != nil:
			return &llm.Fault{
				Class: llm.ClassTimeout, Provider: t.route.Provider, Model: t.route.ID.Text,
				Message: fmt.Sprintf("no answer to a trial call within %s", pingLimit), Err: err,
			}
		default:
			return err
		}
	}
	return nil
}

// exists asks a direct provider for the model, which is free. Only a clear no
// keeps the present model; a provider that cannot be asked just now is a
// warning.
func (p *Provider) exists(ctx context.Context, t target, r *Report) error {
	_, err := p.ask(ctx, t)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var f *llm.Fault
	if errors.As(err, &f) {
		switch f.Class {
		case llm.ClassModelNotFound:
			if p.env(t.urlVariable) == "" {
				return err
			}
			// A gateway may serve models without listing them.
		case llm.ClassAuth, llm.ClassBilling:
			return err
		}
		if f.Status == http.StatusNotFound {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s does not list %s", t.base, t.route.Wire))
			return nil
		}
	}
	r.Warnings = append(r.Warnings, fmt.Sprintf("%s could not be asked about %s; it will be seen with the first message", t.route.Label, t.route.Wire))
	return nil
}

// survey tells what the router's catalogue says.
func (p *Provider) survey(ctx context.Context, t target, r *Report) {
	id, tag := t.route.ID.Untagged(), t.route.ID.Tag
	r.Routing = "auto (fastest)"
	switch {
	case tag == "":
	case catalog.Policy(tag):
		r.Routing = tag
	default:
		r.Routing = "pinned to " + tag
	}
	m, ok, err := p.catalog.Lookup(ctx, t.route.Wire)
	warn := func(format string, args ...any) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...)) }
	switch {
	case err != nil:
		warn("the HF router's list of models could not be read, so %s was not looked up", id)
		return
	case !ok:
		text := "the HF router does not list " + id
		if similar := p.catalog.Similar(t.route.Wire, closeIDs); len(similar) > 0 {
			text += "; similar: " + strings.Join(similar, ", ")
		}
		warn("%s", text)
		return
	case m.ID != id:
		warn("the HF router lists it as %s", m.ID)
	}
	r.Offers = m.Live()
	names := make([]string, len(r.Offers))
	for i, o := range r.Offers {
		names[i] = o.Provider
	}
	switch {
	case len(r.Offers) == 0:
		warn("no provider serves %s at the moment", m.ID)
		return
	case !catalog.Policy(tag) && !slices.Contains(names, tag):
		warn("%s does not serve %s at the moment; live providers: %s", tag, m.ID, strings.Join(names, ", "))
	}
	if !m.Tools() {
		warn("no live provider of %s says that it supports tool calls", m.ID)
	}
}

// Suggested returns the list that /model shows, with the keys that exist now.
func (p *Provider) Suggested(ctx context.Context) []modelid.Suggestion {
	return modelid.Suggested(p.Keys(ctx), p.routing())
}

// DefaultModel returns the model to use when the settings name none.
func (p *Provider) DefaultModel(ctx context.Context) string { return modelid.Default(p.Keys(ctx)) }

// Names returns the ids that completion offers: suggestions, then what is at
// hand of the router's list.
func (p *Provider) Names(ctx context.Context) []string {
	var names []string
	for _, row := range p.Suggested(ctx) {
		names = append(names, row.ID)
	}
	return append(names, p.catalog.Names()...)
}

// Local asks the servers on this machine which models they have, for at most a
// second.
func (p *Provider) Local(ctx context.Context) []string {
	return local.Names(ctx, p.opts.HTTP, p.opts.Env)
}

// Catalog returns the HF router's list of models.
func (p *Provider) Catalog() *catalog.Catalog { return p.catalog }
