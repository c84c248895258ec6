package skills_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
)

// Whatever stands in a SKILL.md, it is left out with one line, or it is what the
// layout allows.
func FuzzSkill(f *testing.F) {
	f.Add(skill("x"))
	f.Add("---\nname: x\ndescription: &a [*a]\n---\n")
	f.Add("---\na: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n---\nb")
	f.Add("---\n" + strings.Repeat("[", 3000) + "\n---\nb")
	f.Add("---\nname: x\ndescription: |\n  a\n\n  b\nmetadata:\n  ? [a]\n  : b\n---\nb")
	f.Add("---\nname: x\ndescription: !!binary aGk=\n<<: {a: b}\n---\nb")
	f.Add("---\n\x00\n---\n")
	f.Fuzz(func(t *testing.T, text string) {
		l := skills.Load(skills.Options{BuiltIn: fstest.MapFS{"x/SKILL.md": {Data: []byte(text)}}})
		for _, p := range l.Problems {
			if strings.TrimSpace(p.Reason) == "" {
				t.Error("a problem without a reason")
			}
		}
		for _, e := range l.Entries {
			body, err := e.Body()
			if e.Name != "x" || e.Description == "" || utf8.RuneCountInString(e.Description) > 1024 || err != nil || strings.TrimSpace(body) == "" {
				t.Errorf("%+v, %q, %v", e, body, err)
			}
			for _, text := range []string{e.Description, e.Hint, e.Model, strings.Join(e.Allow, " "), e.License} {
				if strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
					t.Errorf("not one plain line: %q", text)
				}
			}
		}
		if len(l.Entries) == 0 && len(l.Problems) == 0 {
			t.Error("it is gone and nobody is told")
		}
	})
}
