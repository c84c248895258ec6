// Package settings is the part of the Hub's client for what a user has set for
// himself: webhooks, notifications and the tools of the Hub's MCP server. It
// receives no webhook itself.
package settings

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// API makes the calls. It is safe for concurrent use.
type API struct{ conn *wire.Conn }

// New returns the API over a connection.
func New(c *wire.Conn) *API { return &API{conn: c} }

// Watched is what a webhook watches.
type Watched struct {
	Type string `json:"type"` // user, org, model, dataset or space
	Name string `json:"name"`
}

// Webhook is told of changes.
type Webhook struct {
	ID      string    `json:"id"`
	Watched []Watched `json:"watched"`
	Domains []string  `json:"domains"` // repo, discussion
	URL     string    `json:"url"`
	// Job is what is run instead of calling URL, as it came.
	Job      json.RawMessage `json:"job"`
	Disabled bool            `json:"disabled"`
	Raw      json.RawMessage `json:"-"` // the whole object as it came
}

// UnmarshalJSON decodes a webhook and keeps all of it.
func (h *Webhook) UnmarshalJSON(data []byte) error {
	type plain Webhook
	in := struct {
		*plain
		Disabled json.RawMessage `json:"disabled"` // a truth value, or why
	}{plain: (*plain)(h)}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	word := string(in.Disabled)
	h.Disabled = word != "" && word != "false" && word != "null"
	h.Raw = slices.Clone(data)
	return nil
}

// Hook is a webhook to be made or changed. One of URL, Job and JobSourceID says
// what is done; a change may leave all three out.
type Hook struct {
	Watched []Watched `json:"watched,omitempty"`
	Domains []string  `json:"domains,omitempty"`
	URL     string    `json:"url,omitempty"`
	Job     any       `json:"job,omitempty"`
	// JobSourceID names a job to be run again.
	JobSourceID string `json:"jobSourceId,omitempty"`
	Secret      string `json:"secret,omitempty"`
}

func (h Hook) check(op string, isNew bool) error {
	targets := 0
	for _, given := range []bool{h.URL != "", h.Job != nil, h.JobSourceID != ""} {
		if given {
			targets++
		}
	}
	fail := func(message string) error { return &wire.Error{Kind: wire.Invalid, Op: op, Message: message} }
	switch {
	case targets > 1 || isNew && targets == 0:
		return fail("exactly one of url, job and jobSourceId must be given")
	case isNew && len(h.Watched) == 0:
		return fail("watched must not be empty")
	}
	types := []string{"user", "org", "model", "dataset", "space"}
	for i, w := range h.Watched {
		if !slices.Contains(types, w.Type) || w.Name == "" {
			return fail("watched[" + strconv.Itoa(i) + "] needs a name and a type of " + strings.Join(types, ", "))
		}
	}
	for _, d := range h.Domains {
		if d != "repo" && d != "discussion" {
			return fail("domains may hold repo and discussion, not " + strconv.Quote(d))
		}
	}
	return nil
}

const webhooks = "/api/settings/webhooks"

// Webhooks lists the user's webhooks.
func (a *API) Webhooks(ctx context.Context) ([]Webhook, error) {
	var out []Webhook
	_, err := a.conn.JSON(ctx, wire.Request{Op: "list webhooks", Path: webhooks}, &out)
	return out, err
}

// Webhook reads one webhook.
func (a *API) Webhook(ctx context.Context, id string) (*Webhook, error) {
	return a.webhook(ctx, wire.Request{Op: "read webhook " + id}, id)
}

// CreateWebhook makes a webhook. It is not repeated when nobody knows whether
// it was made: look at the list then.
func (a *API) CreateWebhook(ctx context.Context, h Hook) (*Webhook, error) {
	const op = "make a webhook"
	if err := h.check(op, true); err != nil {
		return nil, err
	}
	return a.webhook(ctx, wire.Request{Op: op, Method: http.MethodPost, JSON: h})
}

// UpdateWebhook changes the given fields of a webhook.
func (a *API) UpdateWebhook(ctx context.Context, id string, h Hook) (*Webhook, error) {
	op := "change webhook " + id
	if err := h.check(op, false); err != nil {
		return nil, err
	}
	return a.webhook(ctx, wire.Request{Op: op, Method: http.MethodPost, JSON: h, Retry: wire.Idempotent}, id)
}

// SwitchWebhook turns a webhook on or off.
func (a *API) SwitchWebhook(ctx context.Context, id string, on bool) (*Webhook, error) {
	verb := "disable"
	if on {
		verb = "enable"
	}
	return a.webhook(ctx, wire.Request{Op: verb + " webhook " + id, Method: http.MethodPost, Retry: wire.Idempotent}, id, verb)
}

// DeleteWebhook removes a webhook.
func (a *API) DeleteWebhook(ctx context.Context, id string) error {
	if err := wire.CheckJobID("webhook", id); err != nil {
		return err
	}
	_, err := a.conn.JSON(ctx, wire.Request{Op: "delete webhook " + id, Method: http.MethodDelete, Path: webhooks + wire.Path(id)}, nil)
	return err
}

// ReplayWebhook delivers again what its log names.
func (a *API) ReplayWebhook(ctx context.Context, id, log string) error {
	_, err := a.webhook(ctx, wire.Request{Op: "replay webhook " + id, Method: http.MethodPost}, id, "replay", log)
	return err
}

// webhook makes a request about a webhook, which the answer describes.
func (a *API) webhook(ctx context.Context, r wire.Request, more ...string) (*Webhook, error) {
	for _, part := range more {
		if err := wire.CheckJobID("webhook", part); err != nil {
			return nil, err
		}
	}
	r.Path = webhooks + wire.Path(more...)
	var out struct {
		Webhook *Webhook `json:"webhook"`
	}
	if _, err := a.conn.JSON(ctx, r, &out); err != nil {
		return nil, err
	}
	if out.Webhook == nil {
		out.Webhook = new(Webhook) // some answers only say that it was done
	}
	return out.Webhook, nil
}
