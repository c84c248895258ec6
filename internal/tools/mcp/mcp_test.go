package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/tools/mcp"
)

// fake is a server that offers a catalogue and answers as it is told.
type fake struct {
	name, where string
	catalog     catalog.Catalog
	edition     int
	call        func(ctx context.Context, name string, args json.RawMessage, progress func(string)) (server.Answer, error)
	reads       []string
}

func (f *fake) Name() string  { return f.name }
func (f *fake) Where() string { return f.where }
func (f *fake) Status() server.Status {
	return server.Status{State: server.Ready, Catalog: f.catalog, Edition: f.edition}
}

func (f *fake) Call(ctx context.Context, name string, args json.RawMessage, progress func(string)) (server.Answer, error) {
	return f.call(ctx, name, args, progress)
}

func (f *fake) Read(_ context.Context, uri string) (server.Answer, error) {
	f.reads = append(f.reads, uri)
	if strings.Contains(uri, "none") {
		return server.Answer{}, &server.RefusedError{Text: "Resource not found"}
	}
	return server.Answer{Text: "what " + uri + " holds", OK: true}, nil
}

// offers is a server with tools of these names.
func offers(name string, tools ...string) *fake {
	f := &fake{name: name, where: "https://" + name + ".example/mcp"}
	for _, t := range tools {
		f.catalog.Tools = append(f.catalog.Tools, catalog.Tool{Name: t, Description: "Does " + t + ".", Parameters: json.RawMessage(`{"type":"object","properties":{}}`)})
	}
	return f
}

func sources(trust mcp.Trust, all ...*fake) []mcp.Source {
	var out []mcp.Source
	for _, f := range all {
		out = append(out, mcp.Source{Server: f, Trust: trust})
	}
	return out
}

func builtIn(name string) bool { return slices.Contains([]string{"bash", "read", "hf_papers"}, name) }

// named are the tools by their names: "name=alias".
func named(all []tool.Tool) []string {
	var out []string
	for _, t := range all {
		out = append(out, t.Spec().Name+"="+t.Risk(nil).Alias)
	}
	return out
}

// A tool has its own name unless that is taken, or another's in disguise; rules
// always know it by server and tool.
func TestNames(t *testing.T) {
	long := strings.Repeat("long_", 20)
	docs := offers("docs", "search", "bash", "hf_jobs", "hf_whoami", "mcp__files__read", "with.dot", "mcp_resource")
	files := offers("my files__x", "search", "read", long)
	set := mcp.NewSet(builtIn)
	got := named(set.Tools(sources(mcp.Annotations, docs, files)))
	want := []string{
		"search=mcp__docs__search", "mcp__docs__bash=mcp__docs__bash", "mcp__docs__mcp__files__read=mcp__docs__mcp__files__read",
		"mcp__docs__with_dot=mcp__docs__with.dot", "mcp__docs__mcp_resource=mcp__docs__mcp_resource",
		"mcp__my_files_x__search=mcp__my_files_x__search", "mcp__my_files_x__read=mcp__my_files_x__read",
	}
	if len(got) != len(want)+1 || !slices.Equal(got[:len(want)], want) {
		t.Fatalf("got  %q\nwant %q and one more", got, want)
	}
	name, alias, _ := strings.Cut(got[len(want)], "=")
	if len(name) != 64 || !strings.HasPrefix(name, "mcp__my_files_x__long_") || alias != "mcp__my_files_x__"+long {
		t.Errorf("a long name: %q, %q", name, alias)
	}
	// Whoever has a name keeps it, whatever comes and goes.
	docs.catalog.Tools, docs.edition = docs.catalog.Tools[1:], 1
	files.catalog.Tools, files.edition = files.catalog.Tools[:1], 1
	set.Tools(sources(mcp.Annotations, docs, files))
	docs.catalog.Tools, docs.edition = append(docs.catalog.Tools, catalog.Tool{Name: "search"}), 2
	again := named(set.Tools(sources(mcp.Annotations, files, docs)))
	if again[0] != "mcp__my_files_x__search=mcp__my_files_x__search" || again[len(again)-1] != "search=mcp__docs__search" {
		t.Errorf("afterwards: %q", again)
	}
	if got := set.Named("docs", "bash"); got != "mcp__docs__bash" {
		t.Errorf("bash is %s", got)
	}
}

// Whatever servers and tools are called: the names fit every model, differ, take
// nobody's place, and no two tools are one for the rules.
func TestNamesAreSound(t *testing.T) {
	fits := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	ruled := regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.SampledFrom([]rune("ab_.- é/")), 1, 8, -1)
		var all []*fake
		for _, s := range rapid.SliceOfNDistinct(name, 1, 4, rapid.ID).Draw(t, "servers") {
			own := rapid.SliceOfNDistinct(rapid.OneOf(name, rapid.SampledFrom([]string{"bash", "read", "mcp__a__b", "mcp_resource", strings.Repeat("x", 90)})), 1, 5, rapid.ID)
			all = append(all, offers(s, own.Draw(t, "tools")...))
		}
		names, aliases := map[string]bool{}, map[string]bool{}
		for _, x := range mcp.NewSet(builtIn).Tools(sources(mcp.None, all...)) {
			n, a := x.Spec().Name, x.Risk(nil).Alias
			if !fits.MatchString(n) || !ruled.MatchString(a) || !strings.HasPrefix(a, "mcp__") || names[n] || aliases[a] || builtIn(n) || n == "mcp_resource" {
				t.Fatalf("%q, %q", n, a)
			}
			names[n], aliases[a] = true, true
		}
	})
}

func ptr(b bool) *bool { return &b }

// What a call asks for follows from the server's word, as far as that counts.
func TestRisk(t *testing.T) {
	silent := catalog.Tool{Name: "x"}
	reads := catalog.Tool{Name: "x", Annotated: true, ReadOnly: true}
	adds := catalog.Tool{Name: "x", Annotated: true, Destructive: ptr(false)}
	destroys := catalog.Tool{Name: "x", Annotated: true, Destructive: ptr(true)}
	vague := catalog.Tool{Name: "x", Annotated: true}
	for _, test := range []struct {
		what   string
		tool   catalog.Tool
		trust  mcp.Trust
		home   bool
		gate   tool.Gate
		effect event.Effect
		reason string
	}{
		{"reads", reads, mcp.Annotations, false, tool.Open, event.Read, ""},
		{"adds", adds, mcp.Annotations, false, tool.Open, event.Once, ""},
		{"destroys", destroys, mcp.Annotations, false, tool.Ask, event.Once, "may destroy something"},
		{"vague", vague, mcp.Annotations, false, tool.Ask, event.Once, "does not say that this changes nothing"},
		{"silent", silent, mcp.Annotations, false, tool.Ask, event.Once, "does not say that this changes nothing"},
		{"silent at home", silent, mcp.Annotations, true, tool.Open, event.Once, ""},
		{"destroys at home", destroys, mcp.Annotations, true, tool.Ask, event.Once, "may destroy something"},
		{"reads, not trusted", reads, mcp.None, false, tool.Ask, event.Once, "is not trusted"},
		{"silent at home, not trusted", silent, mcp.None, true, tool.Ask, event.Once, "is not trusted"},
		{"destroys, trusted", destroys, mcp.All, false, tool.Open, event.Once, ""},
		{"reads, trusted", reads, mcp.All, false, tool.Open, event.Read, ""},
	} {
		f := offers("docs")
		f.catalog.Tools = []catalog.Tool{test.tool}
		r := mcp.NewSet(builtIn).Tools([]mcp.Source{{Server: f, Trust: test.trust, Home: test.home}})[0].Risk(json.RawMessage(`{}`))
		if r.Gate != test.gate || r.Effect != test.effect || !strings.Contains(r.Reason, test.reason) || (r.Reason == "") != (test.gate == tool.Open) {
			t.Errorf("%s: %+v", test.what, r)
		}
		if !r.Outside || r.Outward == r.ReadOnly() || r.Own == test.home || r.Alias != "mcp__docs__x" {
			t.Errorf("%s: %+v", test.what, r)
		}
	}
}

// Rules of the user are about a tool by its server, whatever it is called.
func TestRules(t *testing.T) {
	verdict := func(name string, rules policy.Options) policy.Action {
		t.Helper()
		rules.Mode = policy.ModeAsk
		p, err := policy.New(rules)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range mcp.NewSet(builtIn).Tools(sources(mcp.Annotations, offers("docs", "search", "bash"), offers("evil", "mcp__docs__search"))) {
			if x.Spec().Name == name {
				return p.Judge(policy.Call{Name: name, Args: json.RawMessage(`{}`), Risk: x.Risk(json.RawMessage(`{}`))}).Action
			}
		}
		t.Fatalf("there is no %s", name)
		return policy.Refuse
	}
	for _, test := range []struct {
		name  string
		rules policy.Options
		want  policy.Action
	}{
		{"search", policy.Options{}, policy.Ask},
		{"search", policy.Options{Allow: []string{"mcp__docs__search"}}, policy.Run},
		{"search", policy.Options{Allow: []string{"mcp__docs"}}, policy.Run},
		{"search", policy.Options{Deny: []string{"mcp__docs"}}, policy.Refuse},
		// Neither a tool called bash nor one that takes another server's name has the
		// rights of those.
		{"mcp__docs__bash", policy.Options{Allow: []string{"bash"}}, policy.Ask},
		{"mcp__evil__mcp__docs__search", policy.Options{Allow: []string{"mcp__docs__search", "mcp__docs"}}, policy.Ask},
	} {
		if got := verdict(test.name, test.rules); got != test.want {
			t.Errorf("%s with %+v: %v, want %v", test.name, test.rules, got, test.want)
		}
	}
}

// Answers, failures and progress reach the model and the person; where they came
// from is noted.
func TestCalls(t *testing.T) {
	f := offers("docs", "go")
	var gone error
	for what, test := range map[string]struct {
		answer server.Answer
		err    error
		want   tool.Result
	}{
		"good":    {answer: server.Answer{Text: "found", OK: true}, want: tool.Success("found")},
		"failed":  {answer: server.Answer{Text: "no such page"}, want: tool.Result{Output: "Tool error: no such page", Heard: f.where}},
		"refused": {err: &server.RefusedError{Text: "bad params"}, want: tool.Result{Output: "Tool error: bad params", Heard: f.where}},
		"away":    {err: errors.New("the connection to the server was lost"), want: tool.Failed("Tool error: the connection to the server was lost")},
	} {
		f.call = func(_ context.Context, name string, args json.RawMessage, progress func(string)) (server.Answer, error) {
			if name != "go" || string(args) != `{"a":1}` {
				t.Errorf("called %s %s", name, args)
			}
			progress("half (1/2)")
			return test.answer, test.err
		}
		env := &tooltest.Env{}
		got, err := mcp.NewSet(builtIn).Tools(sources(mcp.None, f))[0].Run(t.Context(), env, json.RawMessage(`{"a":1}`))
		if err != nil || got != test.want {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
		if logs := env.Logs(); !slices.Equal(logs, []string{"half (1/2)"}) {
			t.Errorf("%s: told %q", what, logs)
		}
		if n := len(env.Sources()); (n == 1) != got.OK || n == 1 && env.Sources()[0].URL != f.where {
			t.Errorf("%s: evidence %+v", what, env.Sources())
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(tool.ErrInterrupt)
	f.call = func(ctx context.Context, _ string, _ json.RawMessage, _ func(string)) (server.Answer, error) {
		return server.Answer{}, context.Cause(ctx)
	}
	if _, gone = mcp.NewSet(builtIn).Tools(sources(mcp.None, f))[0].Run(ctx, &tooltest.Env{}, nil); !errors.Is(gone, tool.ErrInterrupt) {
		t.Errorf("got %v", gone)
	}
}

// Descriptions are told as the server's.
func TestDescriptions(t *testing.T) {
	f := offers("docs", "go")
	f.catalog.Tools = append(f.catalog.Tools, catalog.Tool{Name: "titled", Title: "A title"}, catalog.Tool{Name: "bare"})
	var got []string
	for _, x := range mcp.NewSet(builtIn).Tools(sources(mcp.None, f)) {
		got = append(got, x.Spec().Description)
	}
	if want := []string{"[MCP server docs] Does go.", "[MCP server docs] A title", "[MCP server docs] bare"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// library is a server that has things to be read.
func library(name string, uris ...string) *fake {
	f := offers(name)
	for _, u := range uris {
		f.catalog.Resources = append(f.catalog.Resources, catalog.Resource{URI: u, Name: "about " + u})
	}
	f.catalog.Templates = []catalog.Resource{{URI: name + "://{n}"}}
	return f
}

func TestResources(t *testing.T) {
	a, b := library("a", "a://1", "both://x"), library("b", "b://1", "both://x")
	if got := mcp.NewSet(builtIn).Tools(sources(mcp.None, offers("none", "x"))); len(got) != 1 {
		t.Errorf("a tool for resources where there are none: %d tools", len(got))
	}
	tools := mcp.NewSet(builtIn).Tools(sources(mcp.Annotations, a, b))
	x := tools[len(tools)-1]
	for args, want := range map[string]string{
		`{}`:                              "Server a:\n- a://1; about a://1\n- both://x; about both://x\n- a://{n} (a pattern: put values in the place of {…})\nServer b:\n- b://1; ",
		`{"server":"b"}`:                  "Server b:\n- b://1; about b://1\n",
		`{"uri":"a://1"}`:                 "what a://1 holds",
		`{"server":"b","uri":"a://1"}`:    "what a://1 holds",
		`{"uri":"both://x"}`:              "mcp_resource: say which server has both://x: a, b",
		`{"server":"c","uri":"x"}`:        `mcp_resource: no server "c" offers resources; those that do: a, b`,
		`{"server":"b","uri":"b://none"}`: "Tool error: Resource not found",
		`{"server":1}`:                    "mcp_resource: server must be of type string",
	} {
		got, err := x.Run(t.Context(), &tooltest.Env{}, json.RawMessage(args))
		failed := strings.HasPrefix(want, "mcp_resource: ") || strings.HasPrefix(want, "Tool error: ")
		if err != nil || !strings.HasPrefix(got.Output, want) || got.OK == failed {
			t.Errorf("%s: %+v, %v", args, got, err)
		}
	}
	if r := x.Risk(json.RawMessage(`{"server":"b","uri":"b://1"}`)); r.Gate != tool.Open || !r.ReadOnly() || r.Alias != "mcp__b__read_resource" || !r.Outside {
		t.Errorf("%+v", r)
	}
	tools = mcp.NewSet(builtIn).Tools(sources(mcp.None, a))
	if r := tools[0].Risk(json.RawMessage(`{"uri":"a://1"}`)); r.Gate != tool.Ask {
		t.Errorf("%+v", r)
	}
	if r := tools[0].Risk(json.RawMessage(`{}`)); r.Gate != tool.Open {
		t.Errorf("%+v", r)
	}
}

func TestResourceConforms(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			return mcp.NewSet(builtIn).Tools(sources(mcp.Annotations, library("a", "a://1")))[0], &tooltest.Env{}
		},
		Params: mcp.Params{}, Good: `{"uri":"a://1"}`,
		Bad: map[string]string{`{"server":"z","uri":"z://1"}`: fmt.Sprintf("no server %q offers resources", "z")},
	})
}
