package text_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/text"
)

func TestMrkdwn(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "nothing special", "nothing special"},
		{"bold", "A **run** is __done__", "A *run* is __done__"},
		{"italic", "an *old* word", "an _old_ word"},
		{"both", "***x*** and **a *b* c**", "*_x_* and *a _b_ c*"},
		{"struck", "~~x~~ and ~y~ and ~~~", "~x~ and ~y~ and ~~~"},
		{"link", "See [details](https://example.com).", "See <https://example.com|details>."},
		{"link with a title", `[d](https://e.com "hover")`, "<https://e.com|d>"},
		{"link with brackets", "[a [b]](https://e.com/x_(y))", "<https://e.com/x_(y)|a [b]>"},
		{"link with markup", "[**b** `c` <i>](<https://e.com?a=1&b=2>)", "<https://e.com?a=1&amp;b=2|b c &lt;i&gt;>"},
		{"image", "![plot](https://e.com/p.png)", "<https://e.com/p.png|plot>"},
		{"link without text", "[](https://e.com)", "<https://e.com|https://e.com>"},
		{"a path is no link", "[t](../a.md)", "[t](../a.md)"},
		{"a command is no link", "[t](!channel) [t](@U1)", "[t](!channel) [t](@U1)"},
		{"an address cannot end its link", "[t](https://e.com/|x><!here>)", "<https://e.com/%7Cx%3E%3C!here%3E|t>"},
		{"mail", "[me](mailto:a@b.c)", "<mailto:a@b.c|me>"},
		{"bare address", "https://e.com/**a**?x=1&y=*z* and *https://e.com/a*", "https://e.com/**a**?x=1&amp;y=*z* and _https://e.com/a_"},
		{"heading", "# One\n## Two ##\n### C#\n#tag\n# **b** and *i*", "*One*\n*Two*\n*C#*\n#tag\n*b and _i_*"},
		{"escaped once", "Escape <raw> & text &amp; &lt;b&gt;", "Escape &lt;raw&gt; &amp; text &amp; &lt;b&gt;"},
		{"kept", "<https://e.com|x> <#C1> <mailto:a@b.c> <tel:+49> <!date^1^x|y>", "<https://e.com|x> <#C1> <mailto:a@b.c> <tel:+49> <!date^1^x|y>"},
		{"mentions", "<!channel> <!here> <!everyone> <@U1> <!subteam^S1>", "&lt;!channel&gt; &lt;!here&gt; &lt;!everyone&gt; &lt;@U1&gt; &lt;!subteam^S1&gt;"},
		{"mention in code", "`<!channel>` and `a < b`", "`&lt;!channel>` and `a < b`"},
		{"quote", "> a > b\n>> c\n x > y", "> a &gt; b\n>> c\n x &gt; y"},
		{"bullets", "* one\n  * **two**\n+ three\n- four\n* * *", "• one\n  • *two*\n• three\n- four\n* * *"},
		{"products", "a * b * c, 2*3*4, 2**3**4, f(*args, **kwargs)", "a * b * c, 2*3*4, 2**3**4, f(*args, **kwargs)"},
		{"unclosed", "**a *b", "**a *b"},
		{"stars", "**** and *****a*****", "**** and *****a*****"},
		{"escaped marks", `\*a\* \_b\_ C:\dir`, `*a* _b_ C:\dir`},
		{"code", "`**a** <b> & [t](https://e.com)` **c**", "`**a** <b> & [t](https://e.com)` *c*"},
		{"code in longer marks", "``a`b**c**`` **d**", "``a`b**c**`` *d*"},
		{"no code", "a ` b **c**", "a ` b *c*"},
		{"fence", "```python\na **b** <c> & # d\n```\n**e**", "```python\na **b** <c> & # d\n```\n*e*"},
		{"other fences", "~~~sh\n* a\n~~~\n````\nb\n````", "```sh\n* a\n```\n```\nb\n```"},
		{"open fence", "```\n**a**", "```\n**a**"},
		{"one-line fence", "```a``` **b**", "```a``` *b*"},
		{"foreign letters", "中**粗**文 ü**b**ü", "中*粗*文 ü*b*ü"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, text.Mrkdwn(tt.in, false)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	const calls = "<!channel> <@U1> `<!here>`"
	if got := text.Mrkdwn(calls, true); got != calls {
		t.Errorf("allowed mentions became %q", got)
	}
}

// pieces are what texts are made of that could go wrong.
func pieces() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{
			"word", " ", "\n", "```", "```\n", "```python\n", "`", "``", "*", "**", "***", "~~", "~~~\n", "_", "<", ">", "&", "&amp;", "|", "<!channel>", "<@U1>",
			"[t](https://e.com)", "[", "](", ")", "!", "# ", "> ", "https://e.com/a*b", "ü", "漢", "🤗", "\\", strings.Repeat("x", 40), "* ", "+ ", "\t",
		}), 0, 60).Draw(t, "parts")
		return strings.Join(parts, "")
	})
}

func TestCodeIsUntouchedAndNobodyIsCalled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringMatching(`[a-z*_#<>&\[\]()~ !@]{1,40}`).Draw(t, "code")
		before := rapid.SampledFrom([]string{"", "text\n", "**a**\n", "* b\n"}).Draw(t, "before")
		shown := strings.NewReplacer("<@", "&lt;@", "<!", "&lt;!").Replace(code)
		if got := text.Mrkdwn(before+"```\n"+code+"\n```\nend", false); !strings.Contains(got, "```\n"+shown+"\n```\nend") {
			t.Errorf("block %q became %q", code, got)
		}
		if got := text.Mrkdwn("x `"+code+"` y", false); got != "x `"+shown+"` y" {
			t.Errorf("code %q became %q", code, got)
		}
		got := text.Mrkdwn(pieces().Draw(t, "text"), false)
		if strings.Contains(got, "<!") || strings.Contains(got, "<@") {
			t.Errorf("%q calls somebody", got)
		}
	})
}

func TestCutsFit(t *testing.T) {
	sizes := map[string]text.Measure{"characters": text.Characters, "bytes": text.Bytes, "units": text.Units}
	rapid.Check(t, func(t *rapid.T) {
		whole := pieces().Draw(t, "text")
		size := sizes[rapid.SampledFrom([]string{"characters", "bytes", "units"}).Draw(t, "size")]
		limit := rapid.IntRange(32, 200).Draw(t, "limit")
		parts := text.Split(whole, limit, size)
		for _, p := range parts {
			if n := size.Size(p); n > limit {
				t.Errorf("a part takes %d of %d: %q", n, limit, p)
			}
			if !utf8.ValidString(p) {
				t.Errorf("half a character in %q", p)
			}
			if strings.Count(p, "```")%2 != 0 {
				t.Errorf("open fence in %q", p)
			}
		}
		bare := strings.NewReplacer("`", "", " ", "", "\n", "", "\t", "")
		if got, want := bare.Replace(strings.Join(parts, "")), bare.Replace(whole); got != want {
			t.Errorf("%q became %q", want, got)
		}
	})
}

func TestCutsBetweenLines(t *testing.T) {
	code := "intro\n```python\n" + strings.Repeat("line = 1\n", 20) + "```\nend"
	head, rest := text.Cut(code, 100, text.Characters)
	if !strings.HasSuffix(head, "\nline = 1\n```") || !strings.HasPrefix(rest, "```\nline = 1\n") || !strings.HasSuffix(rest, "```\nend") {
		t.Errorf("head %q, rest %q", head, rest)
	}
	head, rest = text.Cut(strings.Repeat("word ", 40), 64, text.Characters)
	if strings.HasSuffix(head, "wor") || !strings.HasPrefix(rest, "word ") || len(head) < 50 {
		t.Errorf("head %q, rest %q", head, rest)
	}
	if head, _ = text.Cut(strings.Repeat("x", 50)+"&amp;"+strings.Repeat("x", 50), 57, text.Characters); strings.Contains(head, "&") {
		t.Errorf("half an entity in %q", head)
	}
	if head, _ = text.Cut(strings.Repeat("x", 50)+"<https://e.com|t>"+strings.Repeat("x", 50), 66, text.Characters); strings.Contains(head, "<") {
		t.Errorf("half a link in %q", head)
	}
	head, rest = text.Cut(strings.Repeat("x", 40)+"\n```\ncode code code code", 50, text.Characters)
	if strings.Contains(head, "```") || !strings.HasPrefix(rest, "```\ncode") {
		t.Errorf("an empty block: head %q, rest %q", head, rest)
	}
}

func TestLay(t *testing.T) {
	m := messaging.Message{
		Severity: messaging.Error, Title: "Two\nlines", Text: "the text\x1b[31m red", Session: "sess-1", Count: 3,
		Fields: []messaging.Field{{Name: "model", Value: "a/b"}, {Name: "session_id", Value: "sess-1"}},
	}
	style := text.Style{Limit: 400, Size: text.Characters}
	want := "[ERROR] Two lines (3 times)\nthe text red\nmodel: a/b\nsession_id: sess-1"
	if diff := cmp.Diff([]string{want}, text.Lay(m, style)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	m.Text = strings.Repeat("a line of text\n", 60)
	got := text.Lay(m, style)
	if len(got) != 1 || len([]rune(got[0])) > 400 || !strings.Contains(got[0], "\n… (truncated, full reply in session sess-1)\nmodel: a/b\n") {
		t.Errorf("cut: %q", got)
	}
	style.Whole = true
	got = text.Lay(m, style)
	if len(got) != 3 || strings.Count(strings.Join(got, "\n"), "a line of text") != 60 || strings.Contains(got[1], "session_id") {
		t.Errorf("in posts: %q", got)
	}
	if got := text.Lay(messaging.Message{Severity: messaging.Info}, style); !cmp.Equal(got, []string{"[INFO]"}) {
		t.Errorf("nothing to say: %q", got)
	}
}

func TestPostsFitWhateverIsInThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := messaging.Message{
			Severity: messaging.Success, Title: pieces().Draw(t, "title"), Text: strings.Repeat(pieces().Draw(t, "text"), rapid.IntRange(1, 30).Draw(t, "times")),
			Session: "0123", Count: rapid.IntRange(0, 3).Draw(t, "count"),
		}
		for range rapid.IntRange(0, 20).Draw(t, "fields") {
			m.Fields = append(m.Fields, messaging.Field{Name: "key", Value: pieces().Draw(t, "value")})
		}
		s := text.Style{
			Convert: func(s string) string { return text.Mrkdwn(s, false) }, Limit: rapid.IntRange(300, 4000).Draw(t, "limit"),
			Size: text.Characters, Whole: rapid.Bool().Draw(t, "whole"),
		}
		posts := text.Lay(m, s)
		for _, p := range posts {
			if n := utf8.RuneCountInString(p); n > s.Limit {
				t.Errorf("a post has %d characters of %d", n, s.Limit)
			}
			if strings.Count(p, "```")%2 != 0 {
				t.Errorf("open fence in %q", p)
			}
		}
		if !strings.HasPrefix(posts[0], "[SUCCESS]") || len(posts) > 1 && !s.Whole {
			t.Errorf("posts %q", posts)
		}
	})
}

func FuzzMrkdwn(f *testing.F) {
	f.Add("A **run** [t](https://e.com) <!channel> `c` & ***x***\n```\nx\n```", 100)
	f.Add("[[[[[(((<<<>>>***~~~```", 32)
	f.Fuzz(func(t *testing.T, in string, limit int) {
		got := text.Mrkdwn(in, false)
		if strings.Contains(got, "<!") && !strings.Contains(got, "<!date^") || strings.Contains(got, "<@") {
			t.Errorf("%q calls somebody: %q", in, got)
		}
		for _, p := range text.Split(got, limit, text.Characters) {
			if n := utf8.RuneCountInString(p); n > max(limit, 32) {
				t.Errorf("%d characters of %d in %q", n, limit, p)
			}
		}
	})
}

func TestHTML(t *testing.T) {
	in := "# A *b*\n**c** ***d*** ~~e~~ `<f>&amp;` [g<](https://e.com/\"?a&b) <@U1>\n> q\n* item\n```py\nx < **y**\n```\n```\nopen"
	want := "<b>A <i>b</i></b>\n<b>c</b> <b><i>d</i></b> <s>e</s> <code>&lt;f&gt;&amp;amp;</code> <a href=\"https://e.com/%22?a&amp;b\">g&lt;</a> &lt;@U1&gt;\n" +
		"&gt; q\n• item\n<pre>\nx &lt; **y**\n</pre>\n<pre>\nopen\n</pre>"
	if diff := cmp.Diff(want, text.HTML(in)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTagsAreBalanced(t *testing.T) {
	tag := regexp.MustCompile(`<(/?)(b|i|s|code|pre|a)( href="[^"<>]*")?>|<|>`)
	rapid.Check(t, func(t *rapid.T) {
		got := text.HTML(pieces().Draw(t, "text"))
		var open []string
		for _, m := range tag.FindAllStringSubmatch(got, -1) {
			switch {
			case m[2] == "":
				t.Fatalf("a bare bracket in %q", got)
			case m[1] == "":
				open = append(open, m[2])
			case len(open) == 0 || open[len(open)-1] != m[2]:
				t.Fatalf("%s closes nothing in %q", m[0], got)
			default:
				open = open[:len(open)-1]
			}
		}
		if len(open) > 0 {
			t.Errorf("open tags %q in %q", open, got)
		}
	})
}
