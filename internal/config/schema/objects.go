package schema

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/config/layer"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/config/problem"
)

// fields reads the members of one object by name. What was not asked for in the
// end is an unknown key.
type fields struct {
	r       *Reader
	pointer string
	object  map[string]any
	known   []string
	bad     bool
}

// each gives the members of a map of objects, with their pointers, in order.
func (r *Reader) each(pointer string, value any, read func(name string, f *fields)) {
	object, ok := value.(map[string]any)
	if !ok {
		r.Fail(pointer, "must be an object, not %s", typeName(value))
		return
	}
	for _, name := range layer.Sorted(object) {
		at := layer.Join(pointer, name)
		switch member := object[name].(type) {
		case map[string]any:
			f := &fields{r: r, pointer: at, object: member}
			read(name, f)
			f.rest()
		case nil: // takes away what a lower layer put there
		default:
			r.Fail(at, "must be an object, not %s", typeName(member))
		}
	}
}

func (f *fields) fail(name, format string, args ...any) {
	f.bad = true
	pointer := f.pointer
	if name != "" {
		pointer = layer.Join(pointer, name)
	}
	f.r.Fail(pointer, format, args...)
}

// take gives a member that is there and not null.
func (f *fields) take(name string) (any, bool) {
	f.known = append(f.known, name)
	value := f.object[name]
	return value, value != nil
}

func (f *fields) text(name string) string {
	value, ok := f.take(name)
	if !ok {
		return ""
	}
	text, ok := value.(string)
	if !ok {
		f.fail(name, "must be a string, not %s", typeName(value))
	}
	return strings.TrimSpace(text)
}

func (f *fields) flag(name string) bool {
	value, ok := f.take(name)
	if !ok {
		return false
	}
	b, ok := f.r.bool(Key{Kind: Bool}, layer.Join(f.pointer, name))(value)
	f.bad = f.bad || !ok
	return b
}

func (f *fields) list(name string) []string {
	value, ok := f.take(name)
	if !ok {
		return nil
	}
	members, ok := value.([]any)
	if !ok {
		f.fail(name, "must be a list of strings, not %s", typeName(value))
	}
	var list []string
	for _, member := range members {
		text, ok := member.(string)
		if !ok {
			f.fail(name, "must be a list of strings")
			return nil
		}
		list = append(list, text)
	}
	return list
}

func (f *fields) secrets(name string) map[string]Secret {
	value, ok := f.take(name)
	if !ok {
		return nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		f.fail(name, "must be an object of strings, not %s", typeName(value))
		return nil
	}
	result := make(map[string]Secret, len(object))
	for _, key := range layer.Sorted(object) {
		text, ok := object[key].(string)
		if !ok {
			f.fail(name, "must be an object of strings")
			return nil
		}
		result[key] = Secret(text)
	}
	return result
}

// price reads an optional amount of at least 0.
func (f *fields) price(name string) *float64 {
	value, ok := f.take(name)
	if !ok {
		return nil
	}
	amount, ok := toNumber(value)
	if !ok || amount < 0 {
		f.fail(name, "must be a number of at least 0")
		return nil
	}
	return &amount
}

// rest warns of members nobody asked for.
func (f *fields) rest() {
	for _, name := range layer.Sorted(f.object) {
		if slices.Contains(f.known, name) {
			continue
		}
		text := "unknown key, ignored"
		if near := problem.Nearest(name, f.known); near != "" {
			text = fmt.Sprintf("unknown key, ignored; did you mean %s?", near)
		}
		f.r.Warn(layer.Join(f.pointer, name), "%s", text)
	}
}

func readServers(r *Reader, pointer string, value any) {
	servers := map[string]MCPServer{}
	r.each(pointer, value, func(name string, f *fields) {
		s := MCPServer{
			Transport: f.text("transport"), Command: f.text("command"), Args: f.list("args"), Env: f.secrets("env"), Cwd: f.text("cwd"),
			URL: f.text("url"), Headers: f.secrets("headers"), Auth: Secret(f.text("auth")),
			ClientID: f.text("client_id"), ClientSecret: Secret(f.text("client_secret")),
			Trust: f.text("trust"), Tools: f.list("tools"), Roots: f.flag("roots"), Timeout: f.seconds("timeout", serverTimeout),
			Layer: r.Tree.Source(f.pointer).Layer,
		}
		f.server(&s)
		if !f.bad {
			servers[name] = s
		}
	})
	r.Config.MCPServers = servers
}

// server checks that an MCP server is of one sort and whole.
func (f *fields) server(s *MCPServer) {
	switch {
	case s.Command != "" && s.URL != "":
		f.fail("", "has both command and url; give one")
	case s.Command == "" && s.URL == "":
		f.fail("", "needs a command or a url")
	case s.Command != "":
		if s.Transport == "" {
			s.Transport = "stdio"
		}
		if s.Transport != "stdio" {
			f.fail("transport", `must be "stdio" beside a command`)
		}
		s.Cwd = place.Absolute(s.Cwd, f.r.Dir, f.r.Home)
	default:
		if s.Transport == "" {
			s.Transport = "http"
		}
		if !slices.Contains([]string{"http", "streamable-http", "sse"}, s.Transport) {
			f.fail("transport", `must be one of "http", "streamable-http", "sse" beside a url`)
		}
		f.address("url", s.URL)
	}
	f.trust(s)
}

// trust fills in what a server's word counts where nothing says so: what a
// project's file has brought along is believed nothing.
func (f *fields) trust(s *MCPServer) {
	switch s.Trust {
	case "":
		s.Trust = TrustAnnotations
		if s.Layer == "project" {
			s.Trust = TrustNone
		}
	case TrustNone, TrustAnnotations, TrustAll:
	default:
		f.fail("trust", `must be one of "none", "annotations", "all"`)
	}
}

// address checks a web address without repeating it.
func (f *fields) address(name, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		f.fail(name, "must be an address that starts with http:// or https://")
	}
}

// providers lists what each sort of destination needs.
var providers = map[string][]string{
	"slack": {"token", "channel"}, "slack_webhook": {"url"}, "discord": {"url"}, "teams": {"url"},
	"telegram": {"token", "chat_id"}, "ntfy": {"url"}, "webhook": {"url"}, "desktop": nil, "command": {"argv"},
}

func readDestinations(r *Reader, pointer string, value any) {
	destinations := map[string]Destination{}
	r.each(pointer, value, func(name string, f *fields) {
		d := Destination{
			Provider: f.text("provider"), Token: Secret(f.text("token")), Channel: f.text("channel"), ChatID: f.text("chat_id"),
			URL: Secret(f.text("url")), Secret: Secret(f.text("secret")), Argv: f.list("argv"),
			AllowAgentTool: f.flag("allow_agent_tool"), AllowAutoEvents: f.flag("allow_auto_events"),
			AllowMentions: f.flag("allow_mentions"), FullReply: f.flag("full_reply"), Thread: f.flag("thread"), Username: f.text("username"), IconEmoji: f.text("icon_emoji"),
		}
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
			f.fail("", "a destination's name has only a-z, 0-9, \".\", \"_\" and \"-\"")
		}
		f.destination(d)
		if !f.bad {
			destinations[name] = d
		}
	})
	r.Config.Messaging.Destinations = destinations
}

func (f *fields) destination(d Destination) {
	needs, ok := providers[d.Provider]
	if !ok {
		f.fail("provider", "must be one of %s", quoteAll(layer.Sorted(providers)))
		return
	}
	has := map[string]bool{
		"token": d.Token != "", "channel": d.Channel != "", "chat_id": d.ChatID != "", "url": d.URL != "", "argv": len(d.Argv) > 0,
	}
	for _, name := range needs {
		if !has[name] && !filled(f.object[name]) { // what is of a wrong type is told already
			f.fail(name, "is required and must not be empty")
		}
	}
	if d.URL != "" {
		f.address("url", string(d.URL))
	}
}

// filled reports whether a value is there, of whatever type.
func filled(value any) bool {
	list, ok := value.([]any)
	return value != nil && value != "" && (!ok || len(list) > 0)
}

func readPrices(r *Reader, pointer string, value any) {
	prices := map[string]Price{}
	r.each(pointer, value, func(name string, f *fields) {
		in, out := f.price("input"), f.price("output")
		read, write := f.price("cache_read"), f.price("cache_write")
		if !f.bad && (in == nil || out == nil) {
			f.fail("", "needs input and output, in USD per million tokens")
		}
		if !f.bad {
			prices[name] = Price{*in, *out, read, write}
		}
	})
	r.Config.ModelPrices = prices
}

func readWindows(r *Reader, pointer string, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		r.Fail(pointer, "must be an object, not %s", typeName(value))
		return
	}
	windows := map[string]int{}
	key := Key{Kind: Int, Min: 1, Max: 1_000_000_000}
	for _, name := range layer.Sorted(object) {
		if object[name] == nil {
			continue
		}
		if n, ok := r.int(key, layer.Join(pointer, name))(object[name]); ok {
			windows[name] = n
		}
	}
	r.Config.ModelContextTokens = windows
}

// seconds reads a time of up to an hour.
func (f *fields) seconds(name string, otherwise int) int {
	v, ok := f.take(name)
	if !ok {
		return otherwise
	}
	n, ok := f.r.int(Key{Kind: Int, Min: 1, Max: 3600}, layer.Join(f.pointer, name))(v)
	f.bad = f.bad || !ok
	return n
}

// serverTimeout is how long a call to a server may go on without a word unless its
// entry says otherwise, in seconds.
const serverTimeout = 600
