package app

import (
	"context"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/app/login"
)

// openLogin makes the user's login, and the client one that renews it.
func (a *App) openLogin() {
	plain := *a.http // asks the provider as nobody
	a.login = login.New(login.Options{
		Store: login.Store{Saved: a.Loaded.Login(), Path: a.Loaded.Places.OAuth()},
		Hub:   a.Loaded.URL("HF_ENDPOINT").Value, Provider: a.Loaded.URL("OPENID_PROVIDER_URL").Value,
		Client: a.Loaded.Env("ML_INTERN_OAUTH_CLIENT_ID"), HTTP: &plain,
		Offline: a.Loaded.EnvFlag("HF_HUB_OFFLINE"), Hold: a.secrets.Hold,
		// It is the same user as before.
		Renewed: func(old, fresh string) {
			if err := a.desk().Carry(old, fresh); err != nil {
				a.Debug(err.Error())
			}
		},
		Warn: func(text string) { a.warn(a.Scrub(text)) }, Debug: a.Debug,
	})
	a.renewing(a.http)
}

// renewing has a client send the newest token in the place of an older one.
func (a *App) renewing(client *http.Client) { client.Transport = a.login.Transport(client.Transport) }

// Login is the user's login at the Hub.
func (a *App) Login() *login.Login { return a.login }

// Token is the Hub token, or empty. It may be near its end: requests that carry
// it are made with a fresh one.
func (a *App) Token() string { return a.login.State().Token }

// FreshToken is the login in force, renewed where that is due.
func (a *App) FreshToken(ctx context.Context) login.State {
	token := a.login.Token(ctx, 0)
	s := a.login.State()
	s.Token = token
	return s
}
