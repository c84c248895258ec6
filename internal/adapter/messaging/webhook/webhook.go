// Package webhook posts messages as JSON to an address of the user's own, signed
// the way of Standard Webhooks: with a secret, each request says when it was made
// and proves with an HMAC-SHA256 that it comes from here and was not changed.
//
// A receiver takes the headers Webhook-Id and Webhook-Timestamp and the body as
// it came, joins them with dots, computes the HMAC-SHA256 with the secret, and
// compares its base64 with what stands behind "v1," in Webhook-Signature. It
// refuses times that are minutes away, and an id that it has seen.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/wire"
)

// Options say where messages go.
type Options struct {
	URL string
	// Secret signs; without one nothing is signed. One that begins with "whsec_"
	// is base64, any other is taken as it is.
	Secret string
	HTTP   *http.Client
}

// Webhook is the gateway.
type Webhook struct {
	o   Options
	key []byte
}

var _ messaging.Gateway = (*Webhook)(nil)

// New checks the options.
func New(o Options) (*Webhook, error) {
	if o.HTTP == nil {
		return nil, errors.New("a webhook needs an HTTP client")
	}
	key, err := Key(o.Secret)
	if err != nil {
		return nil, err
	}
	return &Webhook{o, key}, nil
}

// Key is what a secret signs with.
func Key(secret string) ([]byte, error) {
	coded, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return []byte(secret), nil
	}
	key, err := base64.StdEncoding.DecodeString(coded)
	if err != nil || len(key) == 0 {
		return nil, errors.New("a webhook's secret that begins with whsec_ must go on in base64")
	}
	return key, nil
}

// Sign is the signature of a body, without the "v1,".
func Sign(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Probe asks whether the host answers.
func (w *Webhook) Probe(ctx context.Context) (string, error) {
	return "answers", wire.Reach(ctx, w.o.HTTP, "the webhook", w.o.URL)
}

// Send posts a message.
func (w *Webhook) Send(ctx context.Context, m messaging.Message) (string, error) {
	const service = "the webhook"
	body, err := m.Document()
	if err != nil {
		return "", messaging.Permanent("the message cannot be written: %v", err)
	}
	now := time.Now()
	header := http.Header{
		"Content-Type": {"application/json; charset=utf-8"},
		"Webhook-Id":   {m.ID}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)},
	}
	if len(w.key) > 0 {
		header.Set("Webhook-Signature", "v1,"+Sign(w.key, m.ID, now, body))
	}
	a, err := wire.Do(ctx, w.o.HTTP, wire.Request{Service: service, URL: w.o.URL, Header: header, Body: body})
	if err != nil {
		return "", err
	}
	if !a.OK() {
		return "", a.Refused(service, "")
	}
	return "", nil
}
