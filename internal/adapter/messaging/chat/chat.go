// Package chat carries messages to chats and phones that take one small request
// each: Discord, Microsoft Teams, Telegram and ntfy.
package chat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/wire"
)

var errClient = errors.New("a destination on the network needs an HTTP client")

// get asks for an address, and returns why it is refused.
func get(ctx context.Context, client *http.Client, service, address string) error {
	a, err := wire.Do(ctx, client, wire.Request{Method: http.MethodGet, Service: service, URL: address})
	if err == nil && !a.OK() {
		return a.Refused(service, "")
	}
	return err
}

// post sends v as JSON and returns the answer.
func post(ctx context.Context, client *http.Client, service, address string, v any) (wire.Answer, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return wire.Answer{}, messaging.Permanent("the message cannot be written: %v", err)
	}
	return wire.Do(ctx, client, wire.Request{
		Service: service, URL: address, Body: body, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
	})
}
