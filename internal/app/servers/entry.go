package servers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/link"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/login"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/config/schema"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/tools/mcp"
)

// Options are what servers are made of.
type Options struct {
	Loaded *config.Loaded
	// HTTP makes the requests; Token is the Hub token, "" without one.
	HTTP    *http.Client
	Token   func(ctx context.Context) string
	Version string
	// Simulated leaves only the server of the simulated Hub.
	Simulated bool
	// Tools are the names of the session's own tools.
	Tools []string
	// Hold is told of every secret, Tell a line for the person, Debug what only an
	// operator should see.
	Hold        func(secrets ...string)
	Tell, Debug func(line string)
}

// taken reports whether a name is that of one of the program's own tools, in whatever
// session: permission rules and habits are about those.
func (o Options) taken(name string) bool {
	return slices.Contains(o.Tools, name) || slices.Contains(o.Loaded.Config.ToolsDisabled, name) || slices.Contains([]string{
		"bash", "bash_jobs", "read", "write", "edit", "sandbox_create", "sandbox_delete", "notify",
	}, name)
}

// FileName is the file of logins, in the state folder.
const FileName = "mcp_logins.json"

// Logins are the logins at servers.
func (o Options) Logins() login.Store {
	return login.Store{Path: filepath.Join(o.Loaded.Places.State, FileName)}
}

// Names are the servers of the settings that count here, in order.
func (o Options) Names() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(o.Loaded.Config.MCPServers)) {
		if s := o.Loaded.Config.MCPServers[name]; !o.Simulated || o.home(s.URL) {
			out = append(out, name)
		}
	}
	return out
}

// NeedsHubError is the shipped entry without a login at the Hub.
type NeedsHubError struct{ Name string }

func (e *NeedsHubError) Error() string {
	return "at the Hub: ml-intern login, or ml-intern mcp login " + e.Name
}

// home reports whether an address is one of the Hub in use.
func (o Options) home(address string) bool {
	u, err := url.Parse(address)
	hub, hubErr := url.Parse(o.Loaded.URL("HF_ENDPOINT").Value)
	return err == nil && hubErr == nil && u.Host != "" && link.Origin(u) == link.Origin(hub)
}

// atHub reports whether the Hub token goes to an address: that of the Hub in use,
// or Hugging Face's own, which gets the token of another Hub only where the user has
// written it down.
func (o Options) atHub(s schema.MCPServer) bool {
	if o.home(s.URL) {
		return true
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "https" || u.Port() != "" && u.Port() != "443" {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	ours := slices.ContainsFunc([]string{"huggingface.co", "hf.co"}, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
	hub := o.Loaded.URL("HF_ENDPOINT")
	return ours && (hub.Value == hub.Default || s.Layer == "user" || s.Layer == "flag")
}

// made is a server and what holds its login.
type made struct {
	*server.Server
	keeper *login.Keeper // nil where nothing can be logged in to
	trust  mcp.Trust
	home   bool
}

func (m *made) close() {
	m.Close()
	if m.keeper != nil {
		m.keeper.Close()
	}
}

// source is the server for tools.
func (m *made) source() mcp.Source { return mcp.Source{Server: m.Server, Trust: m.trust, Home: m.home} }

// entry is what the settings say of a server.
func (o Options) entry(name string) (schema.MCPServer, error) {
	s, ok := o.Loaded.Config.MCPServers[name]
	if !ok || o.Simulated && !o.home(s.URL) {
		return s, fmt.Errorf("there is no MCP server %q in the settings (ml-intern mcp list)", name)
	}
	return s, nil
}

// make makes the server of an entry; nothing is connected yet.
func (o Options) make(name string, changed func()) (*made, error) {
	s, err := o.entry(name)
	if err != nil {
		return nil, err
	}
	so := server.Options{
		Name: name, Version: o.Version, Only: s.Tools, Silence: time.Duration(s.Timeout) * time.Second, Changed: changed,
		Log: func(line string) { o.Debug("mcp " + name + ": " + line) },
	}
	if s.Roots {
		so.Roots = []string{o.Loaded.Workspace}
	}
	m := &made{trust: map[string]mcp.Trust{schema.TrustAnnotations: mcp.Annotations, schema.TrustAll: mcp.All}[s.Trust], home: o.atHub(s)}
	if s.Command != "" {
		o.program(&so, s)
	} else {
		at, err := o.site(name, s)
		if err != nil {
			return nil, err
		}
		so.URL, so.SSE, so.HTTP, so.Header, so.Bearer = at.url, s.Transport == "sse", o.HTTP.Transport, at.header, at.bearer
		if at.asks {
			if m.keeper, err = login.New(o.login(s, at)); err != nil {
				return nil, err
			}
			so.Login = m.keeper
		}
	}
	if m.Server, err = server.New(so); err != nil {
		return nil, err
	}
	return m, nil
}

// program is a server that is started here. It sees the environment of every other
// child, and what its entry names.
func (o Options) program(so *server.Options, s schema.MCPServer) {
	so.Argv = append([]string{s.Command}, s.Args...)
	if so.Dir = s.Cwd; so.Dir == "" {
		so.Dir = o.Loaded.Dir
	}
	so.Env = proc.Environ(o.Loaded.Environ(), proc.EnvRule{})
	for _, variable := range slices.Sorted(maps.Keys(s.Env)) {
		so.Env = append(so.Env, variable+"="+string(s.Env[variable]))
	}
}

// site is a server on the web, and who we are there.
type site struct {
	url    *url.URL
	header http.Header
	bearer func(context.Context) string
	// asks says that the user logs in there: nothing else tells who he is.
	asks bool
}

// address is that of the site, "" where it has none.
func (at site) address() string {
	if at.url == nil {
		return ""
	}
	return at.url.String()
}

// site finds out who we are at a server. The headers of its entry always win; the Hub
// token goes to the Hub; anywhere else, and where he has done so, the user logs in.
func (o Options) site(name string, s schema.MCPServer) (site, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return site{}, errors.New("its address is none")
	}
	at := site{url: u, header: http.Header{}}
	for key, value := range s.Headers {
		at.header.Set(key, string(value))
	}
	if s.Auth != "" && s.Auth != "oauth" && at.header.Get("Authorization") == "" {
		at.header.Set("Authorization", "Bearer "+string(s.Auth))
	}
	if at.header.Get("Authorization") != "" {
		return at, nil
	}
	if at.asks = true; !o.atHub(s) {
		return at, nil
	}
	at.url = withoutLogin(u)
	_, saved, err := o.Logins().Find(at.url.String())
	if err != nil {
		o.Debug(err.Error())
	}
	switch token := o.Token(context.Background()); {
	case s.Auth == "oauth" || saved:
	case token != "":
		at.bearer, at.asks = o.Token, false
	case s.Layer == "default":
		return at, &NeedsHubError{name}
	}
	return at, nil
}

// login is what keeps the login at a site.
func (o Options) login(s schema.MCPServer, at site) login.Options {
	lo := login.Options{
		Server: at.url.String(), Store: o.Logins(), HTTP: o.HTTP, ClientID: s.ClientID, ClientSecret: string(s.ClientSecret),
		Hold: o.Hold, Trouble: func(err error) { o.Debug(err.Error()) },
	}
	if o.atHub(s) { // it lets everybody in who does not say that he wants to log in
		lo.Probe = withLogin(at.url).String()
	}
	return lo
}

// loginMark is what makes the Hub's server ask for a login.
const loginMark = "login"

func withoutLogin(u *url.URL) *url.URL {
	out, q := *u, u.Query()
	q.Del(loginMark)
	out.RawQuery = q.Encode()
	return &out
}

func withLogin(u *url.URL) *url.URL {
	if u.Query().Has(loginMark) {
		return u
	}
	out := *u
	out.RawQuery = strings.TrimPrefix(out.RawQuery+"&"+loginMark, "&")
	return &out
}
