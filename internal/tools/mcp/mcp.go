// Package mcp gives the model the tools of servers of the model context protocol,
// and one tool that reads their resources. What a server says of its tools is its
// own word: names never take the place of others, descriptions are told as the
// server's, and what its annotations count is for the user to say. The package
// connects to nothing and knows no settings.
package mcp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Trust is what a server's word about its tools counts.
type Trust int

// None believes nothing, so that every call asks. Annotations believes what a
// server says its tools only read, or do not destroy. All asks about nothing.
const (
	None Trust = iota
	Annotations
	All
)

// Server is a server as tools use it.
type Server interface {
	Name() string
	// Where is its address, or the program it is.
	Where() string
	Status() server.Status
	Call(ctx context.Context, name string, args json.RawMessage, progress func(line string)) (server.Answer, error)
	Read(ctx context.Context, uri string) (server.Answer, error)
}

// Source is a server and what it counts.
type Source struct {
	Server
	Trust Trust
	// Home is a server of the Hub in use: tools of which it says nothing do not ask.
	Home bool
}

// Skipped are tools that no server may bring: this program has its own, which ask
// where they must.
func Skipped() []string { return []string{"hf_jobs", "hf_doc_search", "hf_doc_fetch", "hf_whoami"} }

// Set names the tools of one session. A name that was given once stays with its tool.
type Set struct {
	taken func(name string) bool

	mu    sync.Mutex
	names map[string]string // by server and tool
	owner map[string]string // by name and by alias, too
	made  map[string]made
}

// made are the tools of one edition of a server's catalogue.
type made struct {
	edition int
	tools   []tool.Tool
}

// NewSet begins a session. Taken are names that only the program's own tools have.
func NewSet(taken func(name string) bool) *Set {
	return &Set{taken: taken, names: map[string]string{}, owner: map[string]string{}, made: map[string]made{}}
}

// Tools are the tools of servers, in the order of the servers, and behind them the one
// that reads resources, where there are some. A server that is away keeps its tools:
// a call waits for it, or says what is wrong with it.
func (s *Set) Tools(sources []Source) []tool.Tool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []tool.Tool
	var readable []Source
	for _, from := range sources {
		st := from.Status()
		if len(st.Catalog.Resources)+len(st.Catalog.Templates) > 0 {
			readable = append(readable, from)
		}
		m, ok := s.made[from.Name()]
		if !ok || m.edition != st.Edition {
			m = made{edition: st.Edition, tools: s.make(from, st.Catalog)}
			s.made[from.Name()] = m
		}
		out = append(out, m.tools...)
	}
	if len(readable) > 0 {
		out = append(out, &resource{readable})
	}
	return out
}

// Named is the name of a tool of a server in this session; its own before it has one.
func (s *Set) Named(server, own string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name, ok := s.names[server+"\x00"+own]; ok {
		return name
	}
	return own
}

func (s *Set) make(from Source, c catalog.Catalog) []tool.Tool {
	var out []tool.Tool
	for _, t := range c.Tools {
		if slices.Contains(Skipped(), t.Name) {
			continue
		}
		name, alias := s.name(from.Name(), t.Name)
		out = append(out, &remote{
			from: from, tool: t, alias: alias,
			spec: tool.Spec{Name: name, Description: describe(from.Name(), t), Parameters: t.Parameters},
		})
	}
	return out
}

// describe tells the model whose words they are.
func describe(server string, t catalog.Tool) string {
	text := t.Description
	if text == "" {
		text = t.Title
	}
	if text == "" {
		text = t.Name
	}
	return "[MCP server " + Part(server) + "] " + text
}

// plainName is what models and their providers take as the name of a tool.
var plainName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`) })

// longestName is how many characters such a name has at most.
const longestName = 64

// name gives a tool its name in the session, and the one by which rules know it. The
// name is the server's own, unless it is taken or looks like the other form: then it
// is that.
func (s *Set) name(server, own string) (name, alias string) {
	key := server + "\x00" + own
	alias = Alias(server, own)
	if holder, held := s.owner[alias]; held && holder != key {
		alias = cut(alias, len(alias)+1+len(short(key))) + "_" + short(key)
	}
	s.owner[alias] = key
	if known, ok := s.names[key]; ok {
		return known, alias
	}
	name = own
	_, held := s.owner[name]
	if held || !plainName().MatchString(name) || strings.HasPrefix(name, prefix) || name == resourceName || s.taken(name) {
		name = strings.ReplaceAll(alias, ".", "_")
		if len(name) > longestName {
			name = cut(name, longestName-1-len(short(key))) + "_" + short(key)
		}
		if holder, held := s.owner[name]; held && holder != key {
			name = cut(name, longestName-1-len(short(key))) + "_" + short(key)
		}
	}
	s.names[key], s.owner[name] = name, key
	return name, alias
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

// short tells things apart whose names are alike.
func short(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:3])
}

const prefix = "mcp__"

// Alias is the name by which permission rules know a tool of a server.
func Alias(server, own string) string { return prefix + Part(server) + "__" + word(own) }

// Part is the name of a server as it stands in an alias: rules about all its tools
// are mcp__<part>.
func Part(server string) string {
	p := word(server)
	for strings.Contains(p, "__") {
		p = strings.ReplaceAll(p, "__", "_")
	}
	if p = strings.Trim(p, "_"); p == "" {
		p = "server"
	}
	return p
}

// word replaces what no rule can hold.
func word(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.", r)) {
			return r
		}
		return '_'
	}, s)
}

// remote is a tool of a server.
type remote struct {
	from  Source
	tool  catalog.Tool
	alias string
	spec  tool.Spec
}

// Spec is constant.
func (t *remote) Spec() tool.Spec { return t.spec }

// Risk believes the server as far as the user does.
func (t *remote) Risk(json.RawMessage) tool.Risk {
	r := t.from.risk(t.alias)
	believed := t.from.Trust != None && t.tool.Annotated
	if believed && t.tool.ReadOnly {
		r.Effect, r.Outward = event.Read, false
		return r
	}
	switch harmless := t.tool.Destructive != nil && !*t.tool.Destructive; {
	case t.from.Trust == All, believed && harmless, t.from.Trust != None && t.from.Home && !t.tool.Annotated:
	case t.from.Trust == None:
		r.Gate, r.Reason = tool.Ask, fmt.Sprintf("what the MCP server %s does is not trusted", t.from.Name())
	case t.tool.Destructive != nil:
		r.Gate, r.Reason = tool.Ask, fmt.Sprintf("the MCP server %s says that this may destroy something", t.from.Name())
	default:
		r.Gate, r.Reason = tool.Ask, fmt.Sprintf("the MCP server %s does not say that this changes nothing", t.from.Name())
	}
	return r
}

// risk is that of everything a server does.
func (s Source) risk(alias string) tool.Risk {
	return tool.Risk{Effect: event.Once, Alias: alias, Outside: true, Outward: true, Own: !s.Home}
}

// Run calls the tool.
func (t *remote) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	got, err := t.from.Call(ctx, t.tool.Name, args, env.Log)
	return t.from.result(ctx, env, t.spec.Name, got, err)
}

// result is what the model is told.
func (s Source) result(ctx context.Context, env tool.Env, name string, got server.Answer, err error) (tool.Result, error) {
	var refused *server.RefusedError
	switch {
	case err != nil && ctx.Err() != nil:
		return tool.Result{}, context.Cause(ctx)
	case errors.As(err, &refused):
		return tool.Result{Output: "Tool error: " + refused.Text, Heard: s.address()}, nil
	case err != nil:
		return tool.Failed("Tool error: " + err.Error()), nil
	case !got.OK:
		return tool.Result{Output: "Tool error: " + got.Text, Heard: s.address()}, nil
	}
	sum := sha256.Sum256([]byte(got.Text))
	env.Evidence(event.Evidence{Tool: name, URL: s.address(), FetchedAt: time.Now().UTC(), SHA256: hex.EncodeToString(sum[:])})
	return tool.Success(got.Text), nil
}

// address names the server as the origin of a text.
func (s Source) address() string {
	if where := s.Where(); strings.Contains(where, "://") {
		return where
	}
	return "mcp:" + s.Name()
}

// resourceName is the tool that reads resources.
const resourceName = "mcp_resource"

// resource reads what servers offer to be read.
type resource struct{ from []Source }

// Params are its arguments.
type Params struct {
	Server string `json:"server,omitempty"`
	URI    string `json:"uri,omitempty"`
}

// Spec is the same in every session, whatever servers there are.
func (t *resource) Spec() tool.Spec {
	return tool.Spec{
		Name:        resourceName,
		Description: "Reads a resource of an MCP server; without uri lists the resources of all servers, or of one.",
		Parameters:  json.RawMessage(`{"type":"object","additionalProperties":false,"properties":{"server":{"type":"string"},"uri":{"type":"string"}}}`),
	}
}

// Risk reads; of a server that is not trusted that asks, too.
func (t *resource) Risk(args json.RawMessage) tool.Risk {
	var p Params
	from, err := Source{}, tool.Decode(args, &p)
	if err == nil {
		from, err = t.find(p)
	}
	if err != nil || p.URI == "" { // a list of what is known here
		return tool.Risk{Effect: event.Read, Outside: true}
	}
	r := from.risk(Alias(from.Name(), "read_resource"))
	r.Effect, r.Outward = event.Read, false
	if from.Trust == None {
		r.Gate, r.Reason = tool.Ask, fmt.Sprintf("what the MCP server %s does is not trusted", from.Name())
	}
	return r
}

// find is the server that a resource is of.
func (t *resource) find(p Params) (Source, error) {
	if p.Server == "" && p.URI != "" {
		var has []Source
		for _, s := range t.from {
			if slices.ContainsFunc(s.Status().Catalog.Resources, func(r catalog.Resource) bool { return r.URI == p.URI }) {
				has = append(has, s)
			}
		}
		switch {
		case len(has) == 1:
			return has[0], nil
		case len(t.from) == 1:
			return t.from[0], nil
		}
		return Source{}, fmt.Errorf("say which server has %s: %s", p.URI, t.names())
	}
	for _, s := range t.from {
		if s.Name() == p.Server || Part(s.Name()) == p.Server {
			return s, nil
		}
	}
	return Source{}, fmt.Errorf("no server %q offers resources; those that do: %s", p.Server, t.names())
}

func (t *resource) names() string {
	var names []string
	for _, s := range t.from {
		names = append(names, s.Name())
	}
	return strings.Join(names, ", ")
}

// Run lists or reads.
func (t *resource) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p Params
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed(resourceName + ": " + err.Error()), nil
	}
	if p.Server == "" && p.URI == "" {
		return tool.Success(list(t.from)), nil
	}
	from, err := t.find(p)
	if err != nil {
		return tool.Failed(resourceName + ": " + err.Error()), nil
	}
	if p.URI == "" {
		return tool.Success(list([]Source{from})), nil
	}
	got, err := from.Read(ctx, p.URI)
	return from.result(ctx, env, resourceName, got, err)
}

// list writes down what servers offer to be read.
func list(sources []Source) string {
	var b bytes.Buffer
	for _, s := range sources {
		c := s.Status().Catalog
		fmt.Fprintf(&b, "Server %s:\n", s.Name())
		for _, r := range c.Resources {
			entry(&b, r, "")
		}
		for _, r := range c.Templates {
			entry(&b, r, " (a pattern: put values in the place of {…})")
		}
	}
	return b.String()
}

func entry(b *bytes.Buffer, r catalog.Resource, what string) {
	fmt.Fprintf(b, "- %s%s", r.URI, what)
	for _, text := range []string{r.Name, r.MIME, r.Description} {
		if text != "" {
			b.WriteString("; " + text)
		}
	}
	b.WriteByte('\n')
}
