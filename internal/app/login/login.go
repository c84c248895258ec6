package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account/oauth"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/config/place"
)

// Options of a login.
type Options struct {
	Store Store
	// Hub is the Hub in use, Provider who gives tokens for it, Client what this
	// program is called there; "" is a program that cannot ask for a login.
	Hub, Provider, Client string
	// HTTP makes the requests to the provider; Offline makes none.
	HTTP    *http.Client
	Offline bool
	// Hold is told of every secret as soon as it exists.
	Hold func(secrets ...string)
	// Renewed is told when a token takes the place of another.
	Renewed func(old, fresh string)
	// Warn tells the user, Debug the operator.
	Warn, Debug func(string)
}

// Login is the login as one process uses it. It is safe for concurrent use.
type Login struct {
	o      Options
	source *oauth.Source

	mu     sync.Mutex
	owners map[string]owner // of the OAuth tokens this process has met
	warned string
}

// owner is whose token one is.
type owner struct{ login, user string }

// New makes a login; nothing is asked yet.
func New(o Options) *Login {
	l := &Login{o: o, owners: map[string]owner{}}
	l.source = oauth.NewSource(oauth.SourceOptions{
		Shelf: shelf{l}, Refresh: l.refresh, Fresh: func(t oauth.Token) { o.Hold(t.Access, t.Refresh) },
		Trouble: func(err error) { o.Debug(err.Error()) },
	})
	if r, ok, err := l.current(); err != nil {
		o.Warn(err.Error())
	} else if ok {
		l.note(r)
	}
	return l
}

// Close waits for the renewal under way.
func (l *Login) Close() { l.source.Close() }

// Store is where the login lies.
func (l *Login) Store() Store { return l.o.Store }

// State is the login in force.
type State struct {
	Token  string
	Source string // the variable or the file it is from
	// OAuth says that the user has agreed to it in the browser; the others are
	// meaningless without.
	OAuth     bool
	Renewable bool
	Ends      time.Time // of the token; zero when it is not known
	Scope     string
}

// Lacks reports whether a login by OAuth was not given a right. Of other tokens
// the Hub tells.
func (s State) Lacks(scope string) bool {
	return s.OAuth && !slices.Contains(strings.Fields(s.Scope), scope)
}

// Kind says in a few words what a login by OAuth is and how long its token
// lasts; "" for any other token.
func (s State) Kind() string {
	if !s.OAuth {
		return ""
	}
	text := "OAuth"
	switch {
	case s.Renewable:
		text += ", renewed by itself"
	case !s.Ends.IsZero():
		text += ", cannot be renewed"
	}
	if s.Ends.IsZero() {
		return text
	}
	end := s.Ends.UTC().Format("2006-01-02 15:04 UTC")
	if left := time.Until(s.Ends).Round(time.Minute); left > 0 {
		return fmt.Sprintf("%s, this token ends %s (in %s)", text, end, strings.TrimSuffix(left.String(), "0s"))
	}
	return fmt.Sprintf("%s, this token ended %s", text, end)
}

// State reads the login in force; nothing is renewed.
func (l *Login) State() State {
	token, source := l.o.Store.Saved.Token()
	s := State{Token: token, Source: source}
	if r, ok, _ := l.current(); ok {
		s = State{Token: r.Access, Source: source, OAuth: true, Renewable: r.Refresh != "", Ends: r.Ends, Scope: r.Scope}
	}
	return s
}

// Token is the token in force, renewed first where that is due or where less
// than left of it remains. One that cannot be renewed is given nevertheless:
// the Hub says what is wrong with it.
func (l *Login) Token(ctx context.Context, left time.Duration) string {
	s := l.State()
	if !s.OAuth {
		return s.Token
	}
	t, err := l.source.Token(ctx, left)
	if err != nil {
		l.tell(err)
		return s.Token
	}
	return t.Access
}

// tell warns once of each reason why a login is not renewed.
func (l *Login) tell(err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, oauth.ErrNoLogin) {
		return
	}
	l.mu.Lock()
	told := l.warned == err.Error()
	l.warned = err.Error()
	l.mu.Unlock()
	if !told {
		l.o.Warn(err.Error())
	}
}

// current is the record of the login in force, if it is one of this Hub and
// provider.
func (l *Login) current() (Record, bool, error) {
	r, ok, err := l.o.Store.Current()
	if !ok || err != nil || r.Hub != l.o.Hub || r.Provider != l.o.Provider {
		return Record{}, false, err
	}
	l.note(r)
	return r, true, nil
}

// note remembers whose token it is.
func (l *Login) note(r Record) {
	l.mu.Lock()
	_, known := l.owners[r.Access]
	l.owners[r.Access] = owner{r.Login, r.User}
	l.mu.Unlock()
	if !known {
		l.o.Hold(r.Access, r.Refresh)
	}
}

// belongs reports whether a token is of the same user's login as the one in
// force.
func (l *Login) belongs(token string) bool {
	l.mu.Lock()
	o, ok := l.owners[token]
	l.mu.Unlock()
	if !ok {
		return false
	}
	r, ok, err := l.current()
	return ok && err == nil && (o.login == r.Login || o.user != "" && o.user == r.User)
}

// shelf is the store as the source of tokens sees it.
type shelf struct{ l *Login }

func (s shelf) Lock(ctx context.Context) (func() error, error) { return s.l.o.Store.Lock(ctx) }

func (s shelf) Load() (oauth.Token, error) {
	r, ok, err := s.l.current()
	if err == nil && !ok {
		err = oauth.ErrNoLogin
	}
	return r.token(), err
}

func (s shelf) Save(t oauth.Token) error {
	r, ok, err := s.l.current()
	if err != nil || !ok { // the user has logged out or in by other means
		return err
	}
	next := r.with(t)
	s.l.note(next)
	s.l.o.Renewed(r.Access, next.Access)
	return s.l.o.Store.write(next)
}

func (l *Login) refresh(ctx context.Context, old oauth.Token) (oauth.Token, error) {
	r, ok, err := l.current()
	if err != nil || !ok {
		return oauth.Token{}, errors.Join(oauth.ErrNoLogin, err)
	}
	p, err := l.provider(r.Client, nil)
	if err != nil {
		return oauth.Token{}, err
	}
	return p.Refresh(ctx, old)
}

func (l *Login) provider(client string, scopes []string) (*oauth.Provider, error) {
	conn, err := wire.New(wire.Options{HTTP: l.o.HTTP, Endpoint: l.o.Provider, Offline: l.o.Offline})
	if err != nil {
		return nil, err
	}
	return oauth.New(oauth.Options{Conn: conn, ClientID: client, Scopes: scopes})
}

// Asks reports whether the program can ask for a login.
func (l *Login) Asks() bool { return strings.TrimSpace(l.o.Client) != "" }

// Provider asks for a login with the least rights and with more, which are
// names of scopes or "all". Those that the login in force has are kept.
func (l *Login) Provider(more []string) (*oauth.Provider, error) {
	scopes := oauth.Scopes()
	if r, ok, _ := l.current(); ok {
		more = append(strings.Fields(r.Scope), more...)
	}
	for _, name := range more {
		if name == "all" {
			scopes = append(scopes, oauth.AllScopes()...)
			continue
		}
		scopes = append(scopes, name)
	}
	var once []string
	for _, name := range scopes {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return l.provider(l.o.Client, once)
}

// Save makes the token of a finished login the one in force.
func (l *Login) Save(ctx context.Context, t oauth.Token, user string) error {
	r := Record{Login: rand.Text(), User: user, Hub: l.o.Hub, Provider: l.o.Provider, Client: l.o.Client}.with(t)
	l.note(r)
	return l.o.Store.SaveOAuth(ctx, r)
}

// Secrets are the values of a login that are secret, for who cannot make a
// whole one.
func Secrets(saved place.Login, path string) []string {
	token, _ := saved.Token()
	values := []string{token}
	if r, ok, err := (Store{saved, path}).Read(); ok && err == nil {
		values = append(values, r.Access, r.Refresh)
	}
	return values
}
