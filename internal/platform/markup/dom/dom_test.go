package dom_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ml-intern/ml-intern/internal/platform/markup/dom"
)

// outline shows a tree as names in brackets.
func outline(n *html.Node) string {
	var b strings.Builder
	if n.Type == html.TextNode {
		return n.Data
	}
	b.WriteString(n.Data + "(")
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(outline(c))
	}
	b.WriteString(")")
	return b.String()
}

func TestParse(t *testing.T) {
	for page, want := range map[string]string{
		`<p>a<p>b`:                                 "p(a)p(b)",
		`<ul><li>a<ul><li>b</ul><li>c</ul>d`:       "ul(li(aul(li(b)))li(c))d",
		`<table><tr><td>1<td>2<tr><th>3</table>4`:  "table(tr(td(1)td(2))tr(th(3)))4",
		`<dl><dt>a<dd>b<dt>c</dl>`:                 "dl(dt(a)dd(b)dt(c))",
		`a</b></p>b<br/>c<img src=x>d`:             "abbr()cimg()d",
		`<div/>in</div>out`:                        "div(in)out",
		`<svg><path/><g>x</g></svg>y`:              "svg(path()g(x))y",
		`<math><mi/><mo>x</mo></math>`:             "math(mi()mo(x))",
		`<b><i>x</b>y</i>z`:                        "b(i(x))yz",
		`<script>if (a < b) "</p>"</script><p>x`:   `script(if (a < b) "</p>")p(x)`,
		`<!doctype html><!-- c --><html><body>x`:   "html(body(x))",
		`<td><p>a<td>b`:                            "td(p(a))td(b)",
		`<p><span><div>x</div></span>`:             "p(span(div(x)))",
		`<title>a <b> c</title>`:                   "title(a <b> c)",
		`<head><title>t</title><body><p>x</p>`:     "head(title(t))body(p(x))",
		`<tbody><tr><td>a<tbody><tr><td>b</tbody>`: "tbody(tr(td(a)))tbody(tr(td(b)))",
		``: "",
	} {
		got := outline(dom.Parse([]byte(page)))
		if want = "(" + want + ")"; got != want {
			t.Errorf("%s: %s, want %s", page, got, want)
		}
	}
}

func TestDepth(t *testing.T) {
	root := dom.Parse([]byte(strings.Repeat("<div>", 10_000) + "deep" + strings.Repeat("</div>", 10_000) + "<p>after</p>"))
	depth := 0
	for n := root; n != nil; n = n.FirstChild {
		depth++
	}
	if depth > dom.MaxDepth+3 {
		t.Errorf("the tree is %d deep", depth)
	}
	after := dom.Find(root, func(n *html.Node) bool { return n.DataAtom == atom.P })
	if after == nil || after.Parent != root || dom.Text(after) != "after" || !strings.Contains(dom.Text(root), "deep") {
		t.Errorf("what follows is lost: %v", after)
	}
}

func TestLookUps(t *testing.T) {
	root := dom.Parse([]byte(`<div id=a class="x  y"><p hidden>1<br>2</p><div class=y><div class=y>3</div></div></div>`))
	div := root.FirstChild
	if dom.Attr(div, "id") != "a" || dom.Attr(div, "none") != "" || !dom.Class(div, "y") || dom.Class(div, "x  y", "z") || !dom.HasAttr(div.FirstChild, "hidden") {
		t.Error("attributes")
	}
	if got := dom.Text(div.FirstChild); got != "1\n2" {
		t.Errorf("%q", got)
	}
	y := func(n *html.Node) bool { return n != div && dom.Class(n, "y") }
	if got := dom.All(root, y); len(got) != 1 || dom.Find(root, y) != got[0] {
		t.Errorf("%v", got)
	}
	if dom.Find(root, func(n *html.Node) bool { return n.DataAtom == atom.H1 }) != nil {
		t.Error("found what is not there")
	}
}
