package mention_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/app/mention"
)

func TestFind(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                nil,
		"nothing here":                    nil,
		"look at @a.py":                   {"a.py"},
		"@a.py":                           {"a.py"},
		"@a.py, @b.py; (@c/d.py) and @e.": {"a.py", "b.py", "c/d.py", "e"},
		`"@a.py" '@b.py' [@c.py] {@d.py}`: {"a.py", "b.py", "c.py", "d.py"},
		`@"my plot.png" and @"x"`:         {"my plot.png", "x"},
		`@"open`:                          {`"open`},
		"@\"two\nlines\"":                 {`"two`},
		"me@example.com, a.b@c":           nil,
		"@@ -1,3 +1,4 @@ def f():":        nil,
		"@property\ndef f(self): pass":    {"property"},
		"@ alone, @":                      nil,
		"@src/ @. @.. @~/x":               {"src/", ".", "..", "~/x"},
		"@hf:org/name, @hf:datasets/a/b.": {"hf:org/name", "hf:datasets/a/b"},
		"日本語 @データ/訓練.csv。":                {"データ/訓練.csv"},
		"see:@a.py=@b.py":                 {"a.py=@b.py"},
		"@" + strings.Repeat("a", 2000):   nil,
		"@\x00x":                          nil,
	} {
		var got []string
		for _, m := range mention.Find(text) {
			got = append(got, m.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestHub(t *testing.T) {
	for text, want := range map[string][2]string{
		"@hf:org/name":     {"models", "org/name"},
		"@hf:gpt2":         {"models", "gpt2"},
		"@hf:models/a/b":   {"models", "a/b"},
		"@hf:datasets/a/b": {"datasets", "a/b"},
		"@hf:spaces/a/b":   {"spaces", "a/b"},
		"@hf:":             {},
		"@hf:datasets/":    {},
		`@"hf:org/name"`:   {},
		"@src/hf:a":        {},
	} {
		found := mention.Find(text)
		if len(found) != 1 {
			t.Fatalf("%s: %v", text, found)
		}
		kind, id, ok := found[0].Hub()
		if got := [2]string{kind, id}; ok != (want != [2]string{}) || ok && got != want {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
}

func TestLooksLikeFile(t *testing.T) {
	for text, want := range map[string]bool{
		"@property": false, "@dataclass": false, "@app.route": false, "@torch.no_grad()": false, "@julien": false, "@0x3a": false, "@3.14": false, "@v1.2": false,
		`@app.route("/x")`: false, "@a.py": true, "@src/thing": true, "@src/": true, `@"any thing"`: true, "@data.csv": true, "@README.md": true, "@types/node": true,
	} {
		if got := mention.Find(text)[0].LooksLikeFile(); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, text := range []string{"look at @a.py, @\"b c\" and @hf:org/name.", "me@x @@ @", "@\"", "(@日本語)。", "@a@b @c\x00d \xff@e"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, m := range mention.Find(text) {
			if m.Start < end || m.End <= m.Start || m.End > len(text) || text[m.Start] != '@' {
				t.Fatalf("%q: a mention at %d to %d behind %d", text, m.Start, m.End, end)
			}
			end = m.End
			inside := text[m.Start:m.End]
			if m.Quoted && inside != `@"`+m.Name+`"` || !m.Quoted && inside != "@"+m.Name {
				t.Fatalf("%q: %q is called %q", text, inside, m.Name)
			}
			if m.Name == "" || strings.ContainsAny(m.Name, "\n") || !strings.HasPrefix(m.Longer, m.Name) || utf8.ValidString(text) && !utf8.ValidString(m.Name) {
				t.Fatalf("%q: the name %q", text, m.Name)
			}
			// A mention that is alone is the same.
			again := mention.Find(inside)
			if len(again) != 1 || again[0].Name != m.Name {
				t.Fatalf("%q: alone it is %v", inside, again)
			}
			m.LooksLikeFile()
			m.Hub()
		}
	})
}
