package settings

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Notifications are a page of what the Hub wants the user to see.
type Notifications struct {
	// Items are as they came: their shapes differ by what they tell.
	Items []json.RawMessage `json:"notifications"`
	Count struct {
		View   int `json:"view"`
		Unread int `json:"unread"`
		All    int `json:"all"`
	} `json:"count"`
	Start int `json:"start"`
}

// Notifications reads a page, from 0.
func (a *API) Notifications(ctx context.Context, page int) (*Notifications, error) {
	out := new(Notifications)
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: "read notifications", Path: "/api/notifications", Query: url.Values{"p": {strconv.Itoa(page)}},
	}, out)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// threads are what notifications are about, by their ids.
func threads(ids []string) map[string]any { return map[string]any{"discussionIds": ids} }

// MarkRead marks the notifications of these discussions as read.
func (a *API) MarkRead(ctx context.Context, discussionIDs []string) error {
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: "mark notifications as read", Method: http.MethodPost, Path: "/api/notifications/mark-as-read",
		JSON: threads(discussionIDs), Retry: wire.Idempotent,
	}, nil)
	return err
}

// DeleteNotifications removes the notifications of these discussions.
func (a *API) DeleteNotifications(ctx context.Context, discussionIDs []string) error {
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: "delete notifications", Method: http.MethodDelete, Path: "/api/notifications", JSON: threads(discussionIDs), Retry: wire.Idempotent,
	}, nil)
	return err
}

// MCP is the user's choice of tools of the Hub's MCP server.
type MCP struct {
	BuiltIn []string `json:"builtInTools"`
	Spaces  []struct {
		Name      string `json:"name"`
		Emoji     string `json:"emoji"`
		Subdomain string `json:"subdomain"`
	} `json:"spaceTools"`
}

// MCP reads the choice.
func (a *API) MCP(ctx context.Context) (*MCP, error) {
	out := new(MCP)
	if _, err := a.conn.JSON(ctx, wire.Request{Op: "read the choice of MCP tools", Path: "/api/settings/mcp"}, out); err != nil {
		return nil, err
	}
	return out, nil
}
