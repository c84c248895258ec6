package remote

import (
	"context"
	"net/http"
	"net/url"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Jobs lists the background jobs of a session.
func (c *Client) Jobs(ctx context.Context, session string) ([]workspace.Status, error) {
	var a wire.JobsAnswer
	err := c.ask(ctx, call{method: http.MethodGet, path: wire.Processes, query: url.Values(params{}.text("session", session))}, &a)
	return a.Processes, err
}

// Tail returns the last lines of a job's output.
func (c *Client) Tail(ctx context.Context, session, id string, lines int) (string, workspace.Status, error) {
	at, err := segment(id)
	if err != nil {
		return "", workspace.Status{}, err
	}
	q := params{}.text("session", session).number("lines", int64(lines))
	var a wire.TailAnswer
	err = c.ask(ctx, call{method: http.MethodGet, path: wire.Processes + at + "/output", query: url.Values(q)}, &a)
	return plain.String(a.Text), a.Status, err
}

// Kill ends a job or a running command.
func (c *Client) Kill(ctx context.Context, session, id string) (workspace.Status, error) {
	at, err := segment(id)
	if err != nil {
		return workspace.Status{}, err
	}
	var a workspace.Status
	err = c.ask(ctx, call{method: http.MethodDelete, path: wire.Processes + at, query: url.Values(params{}.text("session", session))}, &a)
	return a, err
}
