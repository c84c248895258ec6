package inline_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown/inline"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// shown writes spans with their styles: {S strong}, <address>.
func shown(spans []theme.Span) string {
	signs := []struct {
		role theme.Role
		sign string
	}{{theme.Emphasis, "E"}, {theme.Strong, "S"}, {theme.Struck, "X"}, {theme.Code, "C"}, {theme.Link, "L"}, {theme.Dim, "D"}}
	var b strings.Builder
	for _, s := range spans {
		mark := ""
		for _, r := range signs {
			if s.Style.Has(r.role) {
				mark += r.sign
			}
		}
		text := s.Text
		if s.Link != "" {
			text += "<" + s.Link + ">"
		}
		if mark != "" {
			text = "{" + mark + " " + text + "}"
		}
		b.WriteString(text)
	}
	return b.String()
}

func TestRead(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                   "plain",
		"":                        "",
		"a *b* **c** ***d*** _e_": "a {E b} {S c} {ES d} {E e}",
		"snake_case_name 2*3*4":   "snake_case_name 2{E 3}4",
		"**open":                  "**open",
		"`code` ``a`b`` `a\nb`":   "{C code} {C a`b} {C a b}",
		"~~gone~~ ~5 ~6~":         "{X ~~gone~~} ~5 ~6~",
		"soft\nbreak":             "soft break",
		"hard  \nbreak\\\nagain":  "hard\nbreak\nagain",
		"a<br>b<br/>c</BR>d":      "a\nb\nc\nd",
		"H<sub>2</sub>O":          "H{D <sub>}2{D </sub>}O",
		`\*a\* \q C:\dir`:         `*a* \q C:\dir`,
		"&amp; &lt;b&gt; &hellip; &nope; &#65;&#x42; & AT&T;": "& <b> … &nope; AB & AT&T;",
		"\\&amp;":                            "&amp;",
		"a&#10;b&Tab;c&#27;[31md":            "a b c[31md",
		"&#x202e;x&shy;y":                    "\ufffdxy",
		"[text](http://a.b/c)":               "text ({L http://a.b/c})",
		"[*a* b](c.py \"title\")":            "{E a} b ({L c.py})",
		"[http://a.b](http://a.b/)":          "{L http://a.b/}",
		"[a.b/](https://a.b)":                "{L https://a.b}",
		"[](http://a.b)":                     "{L http://a.b}",
		"[a]()":                              "a",
		"![plot](p.png) ![](q.png)":          "plot ({L p.png}) {L q.png}",
		"[![i](a.png)](http://l.k)":          "i ({L a.png}) ({L http://l.k})",
		"<http://a.b> <me@a.b>":              "{L http://a.b} {L me@a.b}",
		"see http://a.b/c_d_e?x=1, ok":       "see {L http://a.b/c_d_e?x=1}, ok",
		"(https://a.b/c(d)). www.x.y!":       "({L https://a.b/c(d)}). {L www.x.y}!",
		"**http://a.b** http:// xhttp://a.b": "{SL http://a.b} http:// xhttp://a.b",
		"http://a.b。日本":                      "{L http://a.b}。日本",
		"[S12] [s3][S4] [x] [x][y]":          "[S12] [s3][S4] [x] [x][y]",
		"[S1]: http://a.b":                   "{D [S1]: http://a.b}",
		"[k]: http://k.l 'T'\n[k] text":      "{D [k]: http://k.l 'T'}\nk ({L http://k.l}) text",
		"[a]: <b\nc":                         "[a]: <b c",
	} {
		if got := shown(inline.New(inline.Options{}).Paragraph(in)); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	marks := inline.New(inline.Options{Marks: true, ASCII: true})
	in := "*a* **b** `c` ~~d~~ &amp; &hellip; &#8230; &#x41;"
	want := "{E *a*} {S **b**} {C `c`} {X ~~d~~} & &hellip; &#8230; A"
	if got := shown(marks.Paragraph(in)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	links := inline.New(inline.Options{Hyperlinks: true})
	in = "[a](http://x.y/ü%20) [j](javascript:alert) <m@x.y> www.x.y [f](file:///etc)"
	want = "a (<http://x.y/%C3%BC%20>{L http://x.y/ü%20<http://x.y/%C3%BC%20>})<http://x.y/%C3%BC%20> " +
		"j ({L javascript:alert}) {L m@x.y<mailto:m@x.y>} {L www.x.y<https://www.x.y>} f ({L file:///etc})"
	if got := shown(links.Paragraph(in)); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// A definition counts for what comes after it, in a fork as well; what a fork
// learns it keeps to itself.
func TestDefinitions(t *testing.T) {
	r := inline.New(inline.Options{})
	read := func(r *inline.Reader, s string) string { return shown(r.Paragraph(s)) }
	if got := read(r, "[a] and [b][a]"); got != "[a] and [b][a]" {
		t.Error(got)
	}
	fork := r.Fork()
	read(fork, "[a]: http://f.k")
	if got := read(fork, "[a]"); got != "a ({L http://f.k})" {
		t.Error(got)
	}
	if got := read(r, "[a]"); got != "[a]" {
		t.Error(got)
	}
	read(r, "[S1]: http://s")
	if got := read(r, "[S1] [a][s1]"); got != "[S1] [a][s1]" {
		t.Error(got)
	}
	read(r, "[A]: http://one")
	read(r, "[a]: http://two")
	if got := read(r.Fork(), "[b][a]"); got != "b ({L http://one})" {
		t.Error(got)
	}
}

// Images in images are read once, however deep they are.
func TestDeepImages(t *testing.T) {
	const depth = 60
	got := shown(inline.New(inline.Options{}).Paragraph(strings.Repeat("![", depth) + "a" + strings.Repeat("](b)", depth)))
	if want := "a" + strings.Repeat(" ({L b})", depth); got != want {
		t.Errorf("%q", got)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, s := range []string{"*a **a ", "[", "![a](", "`a ``b ", "<a ", "plain words with `code` and **strong** ones. ", "&amp;", "http://a.b/( ", "[a](<b", "_a *b "} {
		text := strings.Repeat(s, 8192/len(s))
		b.Run(fmt.Sprintf("%.8q", s), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				inline.New(inline.Options{}).Paragraph(text)
			}
		})
	}
}
