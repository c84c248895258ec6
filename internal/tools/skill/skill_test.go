package skill_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/skill"
)

// shelf are three skills, as if they were built in.
func shelf() []skills.Entry {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	l := skills.Load(skills.Options{BuiltIn: fstest.MapFS{
		"bake/SKILL.md":       file("---\nname: bake\ndescription: Bake bread. Use it for dough.\ncompatibility: an oven\n---\n\n# Bake\n\nAt 250 °C.\n"),
		"bake/scripts/run.py": file("print('hot')\n"),
		"bake/assets/a.png":   file("\x89PNG\xff"),
		"eat/SKILL.md":        file("---\nname: eat\ndescription: Eat.\n---\nEat it.\n"),
		"long/SKILL.md":       file("---\nname: long\ndescription: Long.\n---\n" + strings.Repeat("word after word\n", 9000)),
	}})
	return l.Skills()
}

func open(t *testing.T, o skill.Options) *skill.Tool {
	t.Helper()
	s, err := skill.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// here has the files of skills on this machine.
func here() skill.Options {
	return skill.Options{Skills: shelf(), Place: func(e skills.Entry) (string, error) { return "/tmp/skills/" + e.Name, nil }}
}

func TestConformance(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New:    func(t *testing.T) (tool.Tool, *tooltest.Env) { return open(t, here()), &tooltest.Env{Chars: 100_000} },
		Params: skill.Params{},
		Good:   `{"name":"bake"}`,
		Bad: map[string]string{
			`{"name":"fly"}`: `there is no skill "fly"; there are bake, eat, long.`,
			`{"name":"bake","file":"../eat/SKILL.md"}`: "it must be a path in the skill's folder",
			`{"name":"bake","file":"/etc/passwd"}`:     "it must be a path in the skill's folder",
			`{"name":"bake","file":"scripts"}`:         "it is no regular file",
			`{"name":"bake","file":"x.py"}`:            "the skill bake has no x.py",
			`{"name":"bake","file":"assets/a.png"}`:    "/tmp/skills/bake/assets/a.png is no text (5 B)",
		},
		Large: `{"name":"long"}`,
	})
}

func run(t *testing.T, s *skill.Tool, env tool.Env, args string) tool.Result {
	t.Helper()
	r, err := s.Run(t.Context(), env, json.RawMessage(args))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLoad(t *testing.T) {
	s := open(t, here())
	want := "Skill bake (built-in). It needs: an oven\nFiles in /tmp/skills/bake: assets/a.png (5 B), scripts/run.py (13 B)\n\n# Bake\n\nAt 250 °C."
	for _, args := range []string{`{"name":"bake"}`, `{"name":"/bake "}`, `{"name":"bake","file":"SKILL.md"}`, `{"name":"bake","file":" "}`} {
		if r := run(t, s, &tooltest.Env{}, args); !r.OK || r.Output != want {
			t.Errorf("%s: %+v", args, r)
		}
	}
	if r := run(t, s, &tooltest.Env{}, `{"name":"eat"}`); r.Output != "Skill eat (built-in).\n\nEat it." {
		t.Errorf("%+v", r)
	}
	if r := run(t, s, &tooltest.Env{}, `{"name":"bake","file":"./scripts/run.py"}`); r.Output != "scripts/run.py of the skill bake, /tmp/skills/bake/scripts/run.py:\n\nprint('hot')\n" {
		t.Errorf("%+v", r)
	}
	if risk := s.Risk(json.RawMessage(`{"name":"bake"}`)); !risk.ReadOnly() || risk.Effect != event.Pure || risk.Outside || risk.Gate != tool.Open {
		t.Errorf("%+v", risk)
	}
	r := run(t, s, &tooltest.Env{Chars: 1000}, `{"name":"long"}`)
	if n := utf8.RuneCountInString(r.Output); !r.OK || n > 1000 || n < 900 || !strings.HasSuffix(r.Output, "word after word\n… the rest is left out: it is too long for one result …") {
		t.Errorf("%d characters: …%s", n, r.Output[len(r.Output)-100:])
	}
}

// Where commands run elsewhere the files are read with the tool.
func TestInASandbox(t *testing.T) {
	s := open(t, skill.Options{Skills: shelf()})
	if r := run(t, s, &tooltest.Env{}, `{"name":"bake"}`); !strings.Contains(r.Output, "not where bash runs") || !strings.Contains(r.Output, "scripts/run.py (13 B)") {
		t.Errorf("%+v", r)
	}
	if r := run(t, s, &tooltest.Env{}, `{"name":"bake","file":"scripts/run.py"}`); r.Output != "scripts/run.py of the skill bake:\n\nprint('hot')\n" {
		t.Errorf("%+v", r)
	}
	o := here()
	o.Place = func(skills.Entry) (string, error) { return "", errors.New("the disk is full") }
	for _, args := range []string{`{"name":"bake"}`, `{"name":"bake","file":"scripts/run.py"}`} {
		if r := run(t, open(t, o), &tooltest.Env{}, args); r.OK || !strings.Contains(r.Output, "the disk is full") {
			t.Errorf("%+v", r)
		}
	}
}

// The description names every built-in skill with its line; what people add has
// a bound, and stands there by name behind it.
func TestDescription(t *testing.T) {
	text := open(t, here()).Spec().Description
	if !strings.HasSuffix(text, "\n- bake: Bake bread. Use it for dough.\n- eat: Eat.\n- long: Long.") {
		t.Error(text)
	}
	var many []skills.Entry
	for i := range 100 {
		many = append(many, skills.Entry{Kind: skills.Skill, Origin: skills.User, Name: fmt.Sprintf("own-%d", i), Description: strings.Repeat("word ", 200)})
	}
	many = append(many, shelf()...)
	text = open(t, skill.Options{Skills: many}).Spec().Description
	if n := utf8.RuneCountInString(text); n > 4000+1000+300 {
		t.Errorf("%d characters", n)
	}
	for _, want := range []string{"\n- own-8: word word", "word …\n- bake: Bake", "\n- eat: Eat.", "\nand: own-9, own-10, "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if strings.Contains(text, "- own-9:") || strings.Contains(text, "- own-42:") || !strings.HasSuffix(text, "own-99") {
		t.Error(text)
	}
}
