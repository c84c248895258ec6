package login

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account/oauth"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// ErrNeeded is a server that wants a login, or more rights than the login has.
var ErrNeeded = errors.New("the server wants a login")

// Ask sends a person to an address and returns what the browser came back with.
type Ask func(ctx context.Context, address string) (*auth.AuthorizationResult, error)

// Options of a keeper.
type Options struct {
	// Server is the address of the server. Probe is where it says what login it
	// wants; Server for "".
	Server, Probe string
	Store         Store
	// HTTP makes the requests to those who give tokens.
	HTTP *http.Client
	// ClientID and ClientSecret are set where the program cannot register itself.
	ClientID, ClientSecret string
	// Ask and Redirect, the address the browser comes back to, make the keeper ask
	// a person; without Ask it fails with [ErrNeeded] where a person would be asked.
	Ask      Ask
	Redirect string
	// Hold is told of every secret as soon as it exists; nil for nobody.
	Hold func(secrets ...string)
	// Trouble is told why a login could not be renewed or kept; nil for nobody.
	Trouble func(error)
}

// Keeper keeps the login at one server. It is an [auth.OAuthHandler], and safe for
// concurrent use.
type Keeper struct {
	o      Options
	source *oauth.Source
	inner  *auth.AuthorizationCodeHandler // nil without Ask

	asking   sync.Mutex // one login at a time
	resource string     // that the login under way is for
}

// New makes a keeper; nothing is asked yet.
func New(o Options) (*Keeper, error) {
	if o.Hold == nil {
		o.Hold = func(...string) {}
	}
	if o.Trouble == nil {
		o.Trouble = func(error) {}
	}
	k := &Keeper{o: o}
	k.source = oauth.NewSource(oauth.SourceOptions{
		Shelf: shelf{k}, Refresh: k.refresh, Fresh: func(t oauth.Token) { o.Hold(t.Access, t.Refresh) }, Trouble: o.Trouble,
	})
	if r, ok, err := o.Store.Find(o.Server); err != nil {
		o.Trouble(err)
	} else if ok {
		o.Hold(r.Access, r.Refresh, r.ClientSecret)
	}
	if o.Ask == nil {
		return k, nil
	}
	config := &auth.AuthorizationCodeHandlerConfig{
		RedirectURL: o.Redirect, Client: o.HTTP, RequestRefreshToken: true,
		AuthorizationCodeFetcher: k.ask, NewTokenSource: k.given, ScopeFilter: k.scopes,
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			RedirectURIs: []string{o.Redirect}, ClientName: "ml-intern", SoftwareID: "ml-intern",
			GrantTypes: []string{"authorization_code", "refresh_token"}, ResponseTypes: []string{"code"},
		}},
	}
	k.identify(config)
	var err error
	if k.inner, err = auth.NewAuthorizationCodeHandler(config); err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	return k, nil
}

// identify says what the program is called, where the settings do.
func (k *Keeper) identify(c *auth.AuthorizationCodeHandlerConfig) {
	switch id := k.o.ClientID; {
	case id == "":
	case strings.HasPrefix(id, "https://"):
		c.ClientIDMetadataDocumentConfig = &auth.ClientIDMetadataDocumentConfig{URL: id}
	default:
		c.PreregisteredClient = &oauthex.ClientCredentials{ClientID: id}
		if k.o.ClientSecret != "" {
			c.PreregisteredClient.ClientSecretAuth = &oauthex.ClientSecretAuth{ClientSecret: k.o.ClientSecret}
		}
	}
}

// Close waits for the renewal under way.
func (k *Keeper) Close() { k.source.Close() }

// TokenSource gives the tokens of the login, if there is one.
func (k *Keeper) TokenSource(ctx context.Context) (oauth2.TokenSource, error) {
	return tokens{ctx, k}, nil
}

// tokens are those of a keeper, for one request.
type tokens struct {
	ctx context.Context
	k   *Keeper
}

// Token gives a good token; none where there is no login, or none any more: the
// server then says what it wants.
func (t tokens) Token() (*oauth2.Token, error) {
	got, err := t.k.source.Token(t.ctx, 0)
	switch {
	case errors.Is(err, oauth.ErrNoLogin), errors.Is(err, oauth.ErrLoginAgain):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &oauth2.Token{AccessToken: got.Access, TokenType: "Bearer", Expiry: got.ExpiresAt}, nil
}

// Authorize is called when the server refuses a request. It asks a person, or says
// that a person has to be asked.
func (k *Keeper) Authorize(ctx context.Context, req *http.Request, resp *http.Response) error {
	asked := resp.Header.Values("WWW-Authenticate")
	if k.inner == nil {
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusForbidden && !strings.Contains(strings.Join(asked, " "), "insufficient_scope") {
			return errors.New("the server refuses this login (403)")
		}
		k.remember(ctx, asked)
		if resp.StatusCode == http.StatusForbidden {
			return fmt.Errorf("%w with more rights", ErrNeeded)
		}
		return ErrNeeded
	}
	k.asking.Lock()
	defer k.asking.Unlock()
	return k.inner.Authorize(ctx, req, resp)
}

// mostChallenge bounds what a server asks for, in bytes.
const mostChallenge = 4096

// remember keeps what the server asked for, for the next login.
func (k *Keeper) remember(ctx context.Context, asked []string) {
	if len(strings.Join(asked, "")) > mostChallenge {
		asked = nil
	}
	all, err := k.o.Store.read()
	if err != nil || slices.Equal(all[k.o.Server].Challenge, asked) {
		return
	}
	err = k.o.Store.change(ctx, func(all map[string]Record) {
		r := all[k.o.Server]
		r.Challenge = asked
		all[k.o.Server] = r
	})
	if err != nil {
		k.o.Trouble(err)
	}
}

// Login asks a person now, whether or not the server has let us in. Visit makes
// requests to the server; its refusal says what to ask for.
func (k *Keeper) Login(ctx context.Context, visit *http.Client) error {
	if k.inner == nil {
		return errors.New("log in: nobody can be asked")
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": map[string]any{
		"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "ml-intern", "version": "0"},
	}})
	if err != nil {
		return err
	}
	probe, err := http.NewRequestWithContext(ctx, http.MethodPost, cmp.Or(k.o.Probe, k.o.Server), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	probe.Header.Set("Content-Type", "application/json")
	probe.Header.Set("Accept", "application/json, text/event-stream")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.o.Server, http.NoBody)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	resp, err := visit.Do(probe)
	if err != nil {
		return fmt.Errorf("log in: ask the server what it wants: %w", err)
	}
	_ = resp.Body.Close()
	refused := &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}, Body: http.NoBody, Request: req}
	asked := resp.Header.Values("WWW-Authenticate")
	if all, err := k.o.Store.read(); err == nil {
		if c := all[k.o.Server].Challenge; len(asked) == 0 || strings.Contains(strings.Join(c, " "), "insufficient_scope") {
			asked = c
		}
	}
	refused.Header["Www-Authenticate"] = asked
	k.asking.Lock()
	defer k.asking.Unlock()
	if err := k.inner.Authorize(ctx, req, refused); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	return nil
}

// scopes adds those the login has had to those that are asked for.
func (k *Keeper) scopes(asked []string) []string {
	r, _, err := k.o.Store.Find(k.o.Server)
	if err != nil {
		return asked
	}
	out := slices.Clone(asked)
	for _, s := range r.Scopes {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// ask sends the person to the browser.
func (k *Keeper) ask(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	if u, err := url.Parse(args.URL); err == nil {
		k.resource = u.Query().Get("resource")
	}
	return k.o.Ask(ctx, args.URL)
}

// given keeps the login that was just given.
func (k *Keeper) given(ctx context.Context, c *oauth2.Config, t *oauth2.Token) (oauth2.TokenSource, error) {
	scopes := c.Scopes
	if said, ok := t.Extra("scope").(string); ok && said != "" {
		scopes = strings.Fields(said)
	}
	k.o.Hold(t.AccessToken, t.RefreshToken, c.ClientSecret)
	err := k.o.Store.put(ctx, k.o.Server, Record{
		Provider: c.Endpoint.TokenURL, Resource: k.resource, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Style: c.Endpoint.AuthStyle,
		Scopes: scopes, Access: t.AccessToken, Refresh: t.RefreshToken, At: time.Now().UTC(), Ends: t.Expiry.UTC(),
	})
	if err != nil {
		return nil, err
	}
	return tokens{ctx, k}, nil
}

// shelf is the store as the source of tokens sees it.
type shelf struct{ k *Keeper }

func (s shelf) Load() (oauth.Token, error) {
	r, ok, err := s.k.o.Store.Find(s.k.o.Server)
	if err == nil && !ok {
		err = oauth.ErrNoLogin
	}
	t := oauth.Token{Access: r.Access, Refresh: r.Refresh, Scope: strings.Join(r.Scopes, " "), At: r.At, ExpiresAt: r.Ends}
	return t, err
}

func (s shelf) Lock(ctx context.Context) (func() error, error) {
	return s.k.o.Store.lock(ctx, s.k.o.Server)
}

func (s shelf) Save(t oauth.Token) error {
	ctx, cancel := context.WithTimeout(context.Background(), saveTime)
	defer cancel()
	return s.k.o.Store.change(ctx, func(all map[string]Record) {
		r, ok := all[s.k.o.Server]
		if !ok { // the user has logged out meanwhile
			return
		}
		r.Access, r.Refresh, r.At, r.Ends = t.Access, t.Refresh, t.At.UTC(), t.ExpiresAt.UTC()
		all[s.k.o.Server] = r
	})
}

// saveTime bounds the wait for the file.
const saveTime = 10 * time.Second

// short names a server in the name of a file.
func short(server string) string {
	sum := sha256.Sum256([]byte(server))
	return hex.EncodeToString(sum[:6])
}

// mostAnswer bounds the answer to a renewal, in bytes.
const mostAnswer = 1 << 20

// refresh makes a token fresh, at the provider that gave it.
func (k *Keeper) refresh(ctx context.Context, old oauth.Token) (oauth.Token, error) {
	r, ok, err := k.o.Store.Find(k.o.Server)
	if err != nil || !ok {
		return oauth.Token{}, errors.Join(oauth.ErrNoLogin, err)
	}
	if old.Refresh == "" {
		return oauth.Token{}, fmt.Errorf("renew the login at %s: %w", k.o.Server, oauth.ErrLoginAgain)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old.Refresh}}
	if r.Resource != "" {
		form.Set("resource", r.Resource)
	}
	header := r.ClientSecret != "" && r.Style != oauth2.AuthStyleInParams
	if !header {
		form.Set("client_id", r.ClientID)
		if r.ClientSecret != "" {
			form.Set("client_secret", r.ClientSecret)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Provider, strings.NewReader(form.Encode()))
	if err != nil {
		return oauth.Token{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if header {
		req.SetBasicAuth(url.QueryEscape(r.ClientID), url.QueryEscape(r.ClientSecret))
	}
	resp, err := k.o.HTTP.Do(req)
	if err != nil {
		return oauth.Token{}, fmt.Errorf("renew the login at %s: %w", k.o.Server, err)
	}
	defer resp.Body.Close()
	raw, err := httpx.ReadAll(resp.Body, mostAnswer)
	if err != nil {
		return oauth.Token{}, fmt.Errorf("renew the login at %s: %w", k.o.Server, err)
	}
	return renewed(old, resp.StatusCode, raw, k.o.Server)
}

// renewed reads what the provider has answered.
func renewed(old oauth.Token, status int, raw []byte, server string) (oauth.Token, error) {
	var out struct {
		Access  string      `json:"access_token"`
		Refresh string      `json:"refresh_token"`
		Expires json.Number `json:"expires_in"`
		Error   string      `json:"error"`
	}
	bad := json.Unmarshal(raw, &out) != nil
	switch {
	case !bad && out.Error != "" && status >= 400 && status < 500:
		return oauth.Token{}, fmt.Errorf("renew the login at %s: %q: %w", server, out.Error, oauth.ErrLoginAgain)
	case bad || status != http.StatusOK || out.Access == "":
		return oauth.Token{}, fmt.Errorf("renew the login at %s: no token came (status %d)", server, status)
	}
	t := oauth.Token{Access: out.Access, Refresh: out.Refresh, Scope: old.Scope, At: time.Now()}
	if t.Refresh == "" {
		t.Refresh = old.Refresh // some providers keep it
	}
	if seconds, err := out.Expires.Float64(); err == nil && seconds > 0 {
		t.ExpiresAt = t.At.Add(time.Duration(min(seconds, 1e9) * float64(time.Second)))
	}
	return t, nil
}
