package complete_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

func values(options []dialog.Option) string {
	var out []string
	for _, o := range options {
		out = append(out, o.Value)
	}
	return strings.Join(out, " ")
}

func TestRank(t *testing.T) {
	options := []dialog.Option{
		{Value: "src/remodel.py"},
		{Value: "model"},
		{Value: "models"},
		{Value: "my-model"},
		{Value: "m-o-d-e-l"},
		{Value: "src/model.py"},
		{Value: "b7e1", Label: "the big Model run"},
		{Value: "other"},
	}
	if got := values(complete.Rank([]dialog.Option{{Value: "art-riage"}, {Value: "t-r-i-age"}, {Value: "linear:triage"}}, "tri", complete.Recent{})); got != "linear:triage art-riage t-r-i-age" && got != "linear:triage t-r-i-age art-riage" {
		t.Errorf("what comes behind a colon is a part: %s", got)
	}
	for _, test := range []struct {
		query  string
		recent []string
		want   string
	}{
		{"model", nil, "model models my-model src/model.py b7e1 src/remodel.py m-o-d-e-l"},
		{"MODEL", nil, "model models my-model src/model.py b7e1 src/remodel.py m-o-d-e-l"},
		{"model", []string{"src/model.py"}, "model models src/model.py my-model b7e1 src/remodel.py m-o-d-e-l"},
		{"", nil, "src/remodel.py model models my-model m-o-d-e-l src/model.py b7e1 other"},
		{"", []string{"other", "models"}, "models other src/remodel.py model my-model m-o-d-e-l src/model.py b7e1"},
		{"", []string{"other", "models", "other"}, "other models src/remodel.py model my-model m-o-d-e-l src/model.py b7e1"},
		{"xyz", nil, ""},
	} {
		var recent complete.Recent
		for _, r := range test.recent {
			recent.Use(r)
		}
		if got := values(complete.Rank(options, test.query, recent)); got != test.want {
			t.Errorf("%q after %q: %s, want %s", test.query, test.recent, got, test.want)
		}
	}
	many := make([]dialog.Option, 5000)
	for i := range many {
		many[i].Value = "x"
	}
	if got := len(complete.Rank(many, "x", complete.Recent{})); got != 200 {
		t.Errorf("%d options, want no more than anybody looks at", got)
	}
}

func slash() complete.Source {
	return complete.Slash([]dialog.Command{
		{Name: "model", Aliases: []string{"engine"}, Args: "[id]", Help: "switch the model", Complete: func(_ context.Context, args string) []dialog.Option {
			return []dialog.Option{{Value: "got:" + args}}
		}},
		{Name: "quit", Aliases: []string{"exit", "q"}},
		{Name: "demo", Hidden: true},
	})
}

func TestSlash(t *testing.T) {
	for _, test := range []struct {
		line string
		want []dialog.Option // nil: nothing of its kind
		part string
	}{
		{"/", []dialog.Option{{Value: "model", Label: "/model [id]", Hint: "switch the model"}, {Value: "quit", Label: "/quit"}}, "/"},
		{"/EX", []dialog.Option{{Value: "model", Label: "/model [id]", Hint: "switch the model"}, {Value: "quit", Label: "/quit"}, {Value: "exit", Label: "/exit", Hint: "the same as /quit"}}, "/EX"},
		{"/demo", []dialog.Option{{Value: "model", Label: "/model [id]", Hint: "switch the model"}, {Value: "quit", Label: "/quit"}, {Value: "demo", Label: "/demo"}}, "/demo"},
		{"/model a b", []dialog.Option{{Value: "got:a b"}}, "a b"},
		{"/Engine  ", []dialog.Option{{Value: "got:"}}, ""},
		{"/quit now", nil, ""},
		{"/nothing x", nil, ""},
		{"model", nil, ""},
		{" /model", nil, ""},
	} {
		r, ok := slash()(test.line, true)
		if ok != (test.want != nil) {
			t.Errorf("%q: offered something: %v", test.line, ok)
			continue
		}
		if !ok {
			continue
		}
		if diff := cmp.Diff(test.want, r.Options(t.Context())); diff != "" || r.Part != test.part {
			t.Errorf("%q replaces %q, options (-want +got):\n%s", test.line, r.Part, diff)
		}
	}
	if _, ok := slash()("/model", false); ok {
		t.Error("a later line is no command")
	}
}

func TestMention(t *testing.T) {
	for path, want := range map[string]string{"a/b.py": "@a/b.py", "my plot.png": `@"my plot.png"`} {
		if got := complete.Mention(path); got != want {
			t.Errorf("%q is mentioned as %s, want %s", path, got, want)
		}
	}
}
