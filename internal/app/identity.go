package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/config/place"
)

const (
	// whoamiWait bounds the question who a token belongs to.
	whoamiWait = 5 * time.Second
	// identityFresh is how long an answer is kept: the Hub limits the question
	// strictly, and names change rarely.
	identityFresh = 24 * time.Hour
)

// identity is the cached answer, one token at a time.
type identity struct {
	Key  string    `json:"key"` // hash of Hub and token
	Name string    `json:"name"`
	Plan string    `json:"plan"`
	At   time.Time `json:"at"`
}

// Whoami asks the Hub who a token belongs to, for at most 5 s, and remembers
// the answer.
func (a *App) Whoami(ctx context.Context, token string) (hub.Identity, error) {
	client, err := hub.New(hub.Options{HTTP: a.http, Endpoint: a.endpoint(), Token: token})
	if err != nil {
		return hub.Identity{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, whoamiWait)
	defer cancel()
	who, err := client.Whoami(ctx)
	if err != nil {
		return hub.Identity{}, err
	}
	raw, err := json.Marshal(identity{Key: a.identityKey(token), Name: who.Name, Plan: who.Plan(), At: time.Now().UTC()})
	if err == nil {
		err = place.WritePrivate(a.Loaded.Places.Identity(), append(raw, '\n'))
	}
	if err != nil {
		a.Debug("keep the Hub identity: " + err.Error())
	}
	return who, nil
}

func (a *App) endpoint() string { return a.Loaded.URL("HF_ENDPOINT").Value }

func (a *App) identityKey(token string) string {
	sum := sha256.Sum256([]byte(a.endpoint() + "\n" + token))
	return hex.EncodeToString(sum[:])
}

// remembered is the cached identity of the present token; ok is false when
// there is none.
func (a *App) remembered() (who identity, ok bool) {
	token := a.Token()
	if token == "" {
		return who, false
	}
	raw, err := os.ReadFile(a.Loaded.Places.Identity())
	if err != nil || json.Unmarshal(raw, &who) != nil || who.Key != a.identityKey(token) {
		return identity{}, false
	}
	return who, true
}

// user is the name of who is logged in, nil for nobody or when it is not
// known. With ask set the Hub is asked if the name is not at hand.
func (a *App) user(ctx context.Context, ask bool) *string {
	if who, ok := a.remembered(); ok {
		return &who.Name
	}
	if !ask || a.Token() == "" {
		return nil
	}
	who, err := a.Whoami(ctx, a.Token())
	if err != nil {
		a.Debug("who is logged in: " + err.Error())
		return nil
	}
	return &who.Name
}

// plan is the user's plan on the Hub, empty when it is not known.
func (a *App) plan(context.Context) string {
	who, _ := a.remembered()
	return who.Plan
}

// identify renews the cached identity in the background when a session talks
// to a hosted model; with a local one nothing is asked.
func (a *App) identify(local bool) {
	who, ok := a.remembered()
	if local || a.Token() == "" || ok && time.Since(who.At) < identityFresh {
		return
	}
	a.background.run(func(ctx context.Context) {
		if _, err := a.Whoami(ctx, a.Token()); err != nil && ctx.Err() == nil {
			a.Debug("who is logged in: " + err.Error())
		}
	})
}

// HTTP is the program's one client.
func (a *App) HTTP() *http.Client { return a.http }
