package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/link"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/login"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
)

// Visit connects to a server once and says how things stand with it.
func (o Options) Visit(ctx context.Context, name string) Entry {
	m, err := o.make(name, nil)
	if err != nil {
		return (&member{err: err}).entry(name)
	}
	defer m.close()
	m.Start()
	select {
	case <-m.Settled():
	case <-ctx.Done():
		return Entry{Name: name, Where: m.Where(), State: server.Failed, Problem: "there was no time to ask it"}
	}
	return (&member{made: m}).entry(name)
}

// loginTime is how long a person may take in the browser.
const loginTime = 10 * time.Minute

// Login has a person log in at a server. Show gets the address for the browser, and
// what takes the address that the browser has come to, where it runs elsewhere; it
// must not wait. Port is where the browser comes back to, 0 for any.
func (o Options) Login(ctx context.Context, name string, port int, show func(address string, paste func(string) error)) error {
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	s, err := o.entry(name)
	if err != nil {
		return err
	}
	if s.Command != "" {
		return fmt.Errorf("the MCP server %s is a program: there is nothing to log in to", name)
	}
	at, err := o.site(name, s)
	var needs *NeedsHubError
	switch {
	case err != nil && !errors.As(err, &needs):
		return err
	case at.header.Get("Authorization") != "":
		return fmt.Errorf("the settings say who you are at the MCP server %s (headers, auth): there is nothing to log in to", name)
	}
	land, err := login.Land(port)
	if err != nil {
		return err
	}
	defer land.Close()
	lo := o.login(s, at)
	lo.Redirect = land.URL()
	lo.Ask = func(ctx context.Context, address string) (*auth.AuthorizationResult, error) {
		show(address, land.Paste)
		return land.Wait(ctx, address)
	}
	keeper, err := login.New(lo)
	if err != nil {
		return err
	}
	defer keeper.Close()
	return keeper.Login(ctx, link.Site{URL: at.url, Header: at.header, Base: o.HTTP.Transport}.Client(ctx))
}

// Logout forgets the login at a server; it reports whether there was one.
func (o Options) Logout(ctx context.Context, name string) (bool, error) {
	s, err := o.entry(name)
	if err != nil {
		return false, err
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return false, errors.New("its address is none")
	}
	if o.atHub(s) {
		u = withoutLogin(u)
	}
	return o.Logins().Remove(ctx, u.String())
}

// Place says where a server is, or which program, without names and passwords.
func (o Options) Place(name string) string {
	s := o.Loaded.Config.MCPServers[name]
	if s.URL == "" {
		return strings.Join(append([]string{s.Command}, s.Args...), " ")
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// Identity says in a few words who we are at a server on the web.
func (o Options) Identity(name string) string {
	s, err := o.entry(name)
	if err != nil || s.URL == "" {
		return ""
	}
	at, err := o.site(name, s)
	_, saved, _ := o.Logins().Find(at.address())
	switch {
	case err != nil:
		return "needs a login: ml-intern login"
	case at.header.Get("Authorization") != "":
		return "by the settings"
	case at.bearer != nil:
		return "by the Hub token"
	case saved:
		return "logged in"
	}
	return "as nobody"
}
