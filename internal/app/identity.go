package app

import (
	"context"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/app/whois"
)

func (a *App) desk() whois.Desk {
	return whois.Desk{HTTP: a.http, Endpoint: a.Loaded.URL("HF_ENDPOINT").Value, Path: a.Loaded.Places.Identity()}
}

// Whoami asks the Hub who a token belongs to, for at most 5 s, and remembers
// the answer.
func (a *App) Whoami(ctx context.Context, token string) (*account.Identity, error) {
	who, notKept, err := a.desk().Ask(ctx, token)
	if notKept != nil {
		a.Debug(notKept.Error())
	}
	return who, err
}

// user is the name of who is logged in, nil for nobody or when it is not
// known. With ask set the Hub is asked if the name is not at hand.
func (a *App) user(ctx context.Context, ask bool) *string {
	token := a.Token()
	if who, ok := a.desk().Recall(token); ok {
		return &who.Name
	}
	if !ask || token == "" {
		return nil
	}
	who, err := a.Whoami(ctx, token)
	if err != nil {
		a.Debug("who is logged in: " + err.Error())
		return nil
	}
	return &who.Name
}

// User is the name of who is logged in, nil for nobody. With ask set the Hub is
// asked if the name is not at hand.
func (a *App) User(ctx context.Context, ask bool) *string { return a.user(ctx, ask) }

// plan is the user's plan on the Hub, empty when it is not known.
func (a *App) plan(context.Context) string {
	who, _ := a.desk().Recall(a.Token())
	return who.Plan
}

// identify renews the remembered identity in the background when a session
// talks to a hosted model; with a local one nothing is asked.
func (a *App) identify(local bool) {
	token := a.Token()
	who, ok := a.desk().Recall(token)
	if local || token == "" || ok && who.Fresh() {
		return
	}
	a.background.Run(func(ctx context.Context) {
		if _, err := a.Whoami(ctx, a.login.Token(ctx, 0)); err != nil && ctx.Err() == nil {
			a.Debug("who is logged in: " + err.Error())
		}
	})
}

// HTTP is the program's one client.
func (a *App) HTTP() *http.Client { return a.http }
