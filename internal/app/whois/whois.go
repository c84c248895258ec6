// Package whois knows who the Hub token belongs to: it asks the Hub when it
// must and remembers the answer on disk, one token at a time. It does not know
// where tokens come from.
package whois

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/config/place"
)

const (
	// wait bounds the question who a token belongs to.
	wait = 5 * time.Second
	// fresh is how long an answer is kept: the Hub limits the question
	// strictly, and names change rarely.
	fresh = 24 * time.Hour
)

// Desk answers who a token belongs to.
type Desk struct {
	HTTP     *http.Client
	Endpoint string // of the Hub
	Path     string // of the file with the last answer
	// Wait is as for [hub.Options].
	Wait func(ctx context.Context, d time.Duration, why string) error
}

// Answer is what is remembered of an identity.
type Answer struct {
	Key  string    `json:"key"` // hash of Hub and token
	Name string    `json:"name"`
	Plan string    `json:"plan"` // "pro" or "free"
	At   time.Time `json:"at"`
}

// Fresh reports whether the answer is young enough not to ask again.
func (a Answer) Fresh() bool { return time.Since(a.At) < fresh }

// Ask asks the Hub who a token belongs to, for at most 5 s. An answer that
// cannot be remembered is returned with an error of its own.
func (d Desk) Ask(ctx context.Context, token string) (who *account.Identity, notKept, err error) {
	client, err := hub.New(hub.Options{HTTP: d.HTTP, Endpoint: d.Endpoint, Token: token, Wait: d.Wait})
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if who, err = client.Account.Whoami(ctx); err != nil {
		return nil, nil, err
	}
	return who, d.keep(Answer{Key: d.key(token), Name: who.Name, Plan: who.Plan(), At: time.Now().UTC()}), nil
}

func (d Desk) keep(a Answer) error {
	raw, err := json.Marshal(a)
	if err == nil {
		err = place.WritePrivate(d.Path, append(raw, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep the Hub identity: %w", err)
	}
	return nil
}

// Carry remembers for a fresh token what is remembered for the old one, which
// belonged to the same user.
func (d Desk) Carry(old, fresh string) error {
	a, ok := d.Recall(old)
	if !ok {
		return nil
	}
	a.Key = d.key(fresh)
	return d.keep(a)
}

// Recall is the remembered answer for a token; ok is false without one.
func (d Desk) Recall(token string) (a Answer, ok bool) {
	if token == "" {
		return a, false
	}
	raw, err := os.ReadFile(d.Path)
	if err != nil || json.Unmarshal(raw, &a) != nil || a.Key != d.key(token) {
		return Answer{}, false
	}
	return a, true
}

func (d Desk) key(token string) string {
	sum := sha256.Sum256([]byte(d.Endpoint + "\n" + token))
	return hex.EncodeToString(sum[:])
}
