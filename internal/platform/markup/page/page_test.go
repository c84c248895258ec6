package page_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/markup/page"
)

func read(t *testing.T, html string) page.Document {
	t.Helper()
	base, err := url.Parse("https://example.com/docs/guide/")
	if err != nil {
		t.Fatal(err)
	}
	d, err := page.Markdown([]byte(html), base)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMarkdown(t *testing.T) {
	for name, c := range map[string]struct{ html, want string }{
		"headings and paragraphs": {`<h1>One  <a href="#one">¶</a></h1><p>Some
			text.</p><p>More.</p><h3>Three</h3>`, "# One\n\nSome text.\n\nMore.\n\n### Three"},
		"emphasis":         {`<p>a <b>bold </b>word, <i>slanted</i>, <code>x  = 1</code> and <b><b>b</b></b></p>`, "a **bold** word, *slanted*, `x = 1` and **b**"},
		"code with ticks":  {"<p><code>a`b</code></p>", "`` a`b ``"},
		"links":            {`<p><a href="../api?q=1#x">the API</a>, <a href="javascript:alert(1)">bad</a>, <a href="https://a.b/(c)">c</a></p>`, "[the API](https://example.com/docs/api?q=1#x), bad, [c](https://a.b/%28c%29)"},
		"picture":          {`<p><img src="a.png" alt="A curve"><img src="b.png"><img src="data:image/png;base64,xx" alt="Inline"></p>`, "![A curve](https://example.com/docs/guide/a.png)[Inline]"},
		"lists":            {`<ul><li>one<li><p>two</p><ol start=3><li>three</li><li>four</li></ol></li></ul><p>after`, "- one\n- two\n  3. three\n  4. four\n\nafter"},
		"item with blocks": {`<ul><li><p>one</p><p>more</p><pre>code</pre></li><li>two</li></ul>`, "- one\n\n  more\n\n  ```\n  code\n  ```\n- two"},
		"definition":       {`<dl><dt>max_length<dd>Longest sequence.</dl>`, "**max_length**\nLongest sequence."},
		"quote":            {`<p>x</p><blockquote><p>a</p><p>b</p></blockquote><p>y</p>`, "x\n\n> a\n>\n> b\n\ny"},
		"code":             {"<pre><code class=\"hljs language-python\">def f():\n    return <span>1</span>\n\n\nx\n</code></pre>", "```python\ndef f():\n    return 1\n\n\nx\n```"},
		"code of sphinx":   {"<div class=\"highlight-python notranslate\"><div class=\"highlight\"><pre><span class=\"linenos\">1</span>import trl\n</pre></div></div>", "```python\nimport trl\n```"},
		"code with fence":  {"<pre>```\nx\n```</pre>", "````\n```\nx\n```\n````"},
		"table": {
			`<table><thead><tr><th>Name<th>Value</thead><tr><td>a|b<td><code>x|y</code><tr><td colspan=2>wide<tr><td rowspan=2>tall<td>1<tr><td>2</table>`,
			"| Name | Value |\n| --- | --- |\n| a\\|b | `x\\|y` |\n| wide |  |\n| tall | 1 |\n| tall | 2 |",
		},
		"table for layout": {`<table><tr><td>1<td><pre>code</pre></table>`, "1\n\n```\ncode\n```"},
		"no heading":       {`<p># not a heading</p><p>#hashtag</p><p>` + "```" + `</p>`, "\\# not a heading\n\n#hashtag\n\n\\```"},
		"formula":          {`<p>loss <span class=katex><math><semantics><mi>L</mi><annotation encoding="application/x-tex">\mathcal{L}</annotation></semantics></math><span aria-hidden="true">L</span></span></p>`, `loss $\mathcal{L}$`},
		"raised":           {`<p>10<sup>2</sup></p>`, "10^2"},
		"controls":         {"<p>a\x1b[31mb\u009bc</p>", "a[31mbc"},
		"entities":         {`<p>a &lt;b&gt; &amp; c&nbsp;d</p>`, "a <b> & c d"},
		"line break":       {`<p>a<br>b</p>`, "a\nb"},
		"unclosed":         {`<p>a <b>b <p>c`, "a **b**\n\nc"},
	} {
		if got := read(t, c.html).Markdown; got != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, c.want)
		}
	}
}

func TestWhatIsNotSeenIsNotRead(t *testing.T) {
	for _, hidden := range []string{
		`<!-- SECRET -->`, `<script>SECRET</script>`, `<style>SECRET</style>`, `<template><p>SECRET</p></template>`,
		`<noscript>SECRET</noscript>`, `<p hidden>SECRET</p>`, `<dialog>SECRET</dialog>`,
		`<p style="display:none">SECRET</p>`, `<p style="DISPLAY : None !important">SECRET</p>`, `<p style="dis/**/play:none">SECRET</p>`,
		`<p style="visibility:hidden">SECRET</p>`, `<p style="opacity:0.0">SECRET</p>`, `<p style="font-size:0">SECRET</p>`,
		`<p style="font-size:0px">SECRET</p>`, `<p style="font:0/0 a">SECRET</p>`, `<p style="font-size:1px">SECRET</p>`, `<div style="font-size:0"><p style="font-size:2em">SECRET</p></div>`,
		`<p style="width:0;height:0;overflow:hidden">SECRET</p>`, `<p style="position:absolute;left:-9999px">SECRET</p>`,
		`<p style="text-indent:-9999em">SECRET</p>`, `<p style="clip:rect(0,0,0,0)">SECRET</p>`, `<p style="clip-path: inset(50%)">SECRET</p>`,
		`<p style="transform: scale( 0 )">SECRET</p>`,
		`<p style="color:white">SECRET</p>`, `<p style="color:#FFF">SECRET</p>`, `<p style="color:rgb(255, 255,255)">SECRET</p>`,
		`<p style="color:hsl(0 0% 100%)">SECRET</p>`, `<p style="color:transparent">SECRET</p>`, `<p style="color:rgba(0,0,0,0)">SECRET</p>`,
		`<p style="color:#000;background:#000">SECRET</p>`, `<div style="background-color:black"><p style="color:#000000">SECRET</p></div>`,
		`<font color="#ffffff">SECRET</font>`, `<input type="hidden" value="SECRET">`, `<svg><title>SECRET</title></svg>`,
		`<div style="color:white"><span>SE</span>CRET</div>`, `<nav>SECRET</nav>`, `<div class="cookie-banner">SECRET</div>`,
	} {
		got := read(t, `<title>T</title><body><h1>Shown</h1>`+hidden+`<p>Seen too.</p></body>`)
		if strings.Contains(got.Markdown, "SECRET") || !strings.Contains(got.Markdown, "Seen too.") || strings.Contains(got.Title, "SECRET") {
			t.Errorf("%s:\n%s", hidden, got.Markdown)
		}
	}
	for _, shown := range []string{
		`<div style="background:#000;color:#fff">SEEN</div>`, `<div style="color:#fff"><p style="color:#000">SEEN</p></div>`,
		`<div style="font-size:0"><p style="font-size:14px">SEEN</p></div>`, `<p style="height:0">SEEN</p>`, `<dialog open>SEEN</dialog>`,
		`<details><summary>More</summary>SEEN</details>`, `<p style="color:#fff;background:url(x.png)">SEEN</p>`, `<p style="opacity:0.6;margin-left:-10px">SEEN</p>`,
	} {
		if got := read(t, `<body><p>Other.</p>`+shown); !strings.Contains(got.Markdown, "SEEN") {
			t.Errorf("%s:\n%s", shown, got.Markdown)
		}
	}
}

func TestMainContent(t *testing.T) {
	words := strings.Repeat("Words that matter. ", 20)
	for name, html := range map[string]string{
		"main":        `<header><a href=/>Site</a> MENU</header><nav>MENU</nav><main><h1>Guide</h1><p>` + words + `</p></main><footer>MENU</footer>`,
		"role":        `<div>MENU</div><div role="main"><h1>Guide</h1><p>` + words + `</p></div>`,
		"article":     `<div class=x>MENU</div><article><header><h1>Guide</h1></header><p>` + words + `</p></article>`,
		"body":        `<header>MENU</header><div class="sidebar">MENU</div><h1>Guide</h1><p>` + words + `</p><aside>MENU</aside>`,
		"small main":  `<main></main><nav>MENU</nav><div><h1>Guide</h1><p>` + words + `</p></div>`,
		"hidden main": `<main style="display:none">MENU ` + words + words + `</main><div><h1>Guide</h1><p>` + words + `</p></div>`,
	} {
		got := read(t, `<html><head><title> A
			guide </title></head><body>`+html).Markdown
		if want := "# Guide\n\n" + strings.TrimSpace(words); got != want {
			t.Errorf("%s:\n%s", name, got)
		}
	}
	several := read(t, `<body><article>One `+words+`</article><article>Two `+words+`</article><article>Three `+words+`</article>`).Markdown
	for _, want := range []string{"One", "Two", "Three"} {
		if !strings.Contains(several, want) {
			t.Errorf("a list of articles lacks %s", want)
		}
	}
	if got := read(t, `<title>x</title><nav>Only <a href="a">navigation</a></nav>`).Markdown; got != "Only [navigation](https://example.com/docs/guide/a)" {
		t.Errorf("a page of navigation: %q", got)
	}
}

func TestTitleAndNothing(t *testing.T) {
	if d := read(t, `<h1>Only a <i>heading</i></h1>`); d.Title != "Only a heading" {
		t.Errorf("title %q", d.Title)
	}
	d, err := page.Markdown([]byte(`<title>App</title><script>run()</script><div id=root></div>`), nil)
	if err == nil || d.Title != "App" {
		t.Errorf("a page of scripts: %+v, %v", d, err)
	}
	d, err = page.Markdown([]byte(`<p><a href="../x">x</a></p>`), nil)
	if err != nil || d.Markdown != "[x](../x)" {
		t.Errorf("without a base: %+v, %v", d, err)
	}
	d = read(t, `<base href="/other/"><p><a href="x">x</a></p>`)
	if d.Markdown != "[x](https://example.com/other/x)" {
		t.Errorf("with a base of its own: %s", d.Markdown)
	}
}

// Pages made to cost time or memory. The time is what a busy machine with the
// race detector needs; what grows with the square of the page needs minutes.
func TestHostilePages(t *testing.T) {
	const n = 100_000
	rep := strings.Repeat
	for name, html := range map[string]string{
		"deep":           rep("<div>", n) + "deep" + rep("</div>", n) + "<p>after",
		"deep lists":     rep("<ul><li>x", n),
		"deep quotes":    rep("<blockquote>x", n),
		"deep tables":    rep("<table><tr><td>x", n),
		"deep marks":     rep("<b><i><a href=x><sup>x", n/4),
		"formatting":     rep("<font color=1><b id=2><i>", 500) + rep("</div><div>x", n),
		"unclosed":       rep("<p>x", n) + rep("<li>x", n) + rep("<td>x", n),
		"wrong ends":     rep("</div></b></p>", n) + "x",
		"wide table":     "<table><tr>" + rep("<td colspan=99999 rowspan=99999>x", n),
		"tall cells":     "<table>" + "<tr>" + rep("<td rowspan=1000>"+rep("word ", 200), 60) + rep("<tr><td>x", 5000),
		"attributes":     "<p " + rep("a=b ", n) + ">x",
		"long attribute": `<p style="` + rep("color:red;", n) + `">x`,
		"entities":       rep("&amp;&lt;&#x41;", n),
		"open comment":   rep("<!-- ", n) + "x",
		"open tag":       "x" + rep("<a ", n),
		"articles":       rep("<article>", n) + "x" + rep("<article>x</article>", n),
		"headers":        rep("<header>", n) + "x" + rep("<header>x</header>", n),
		"ticks":          "<pre>" + rep("`", n) + "</pre>",
		"styles":         rep(`<p style="/*/*">`, n) + "x",
		"foreign":        rep("<svg><p><math>", n) + "x",
		"block in pre":   "<pre>" + rep("<div>x</div>", n) + "</pre>",
	} {
		began := time.Now()
		d, err := page.Markdown([]byte(html), nil)
		took := time.Since(began)
		if took > 10*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if err == nil && len(d.Markdown) > 9<<20 {
			t.Errorf("%s makes %d bytes", name, len(d.Markdown))
		}
	}
}

// The simulator's pages are what a test of the whole program reads.
func TestSeededPages(t *testing.T) {
	files, err := filepath.Glob("../../../hubsim/seed/acme/*/*.html")
	more, err2 := filepath.Glob("../../../hubsim/seed/acme/web/*/*/*.html")
	files = append(files, more...)
	if err != nil || err2 != nil || len(files) == 0 {
		t.Fatalf("seeded pages: %v %v %v", files, err, err2)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		d, err := page.Markdown(data, nil)
		if err != nil || d.Title == "" || len(d.Markdown) < 200 || strings.Contains(d.Markdown, "<p") {
			t.Errorf("%s: %v %q\n%s", f, err, d.Title, d.Markdown)
		}
	}
}

func FuzzMarkdown(f *testing.F) {
	f.Add([]byte(`<title>t</title><main><h1>a</h1><ul><li>x<pre>y</pre></ul><table><tr><td>1<td colspan=3>2</table>`))
	f.Add([]byte("<p style='color:#fff'><math alttext=x><svg/></p><a href='http://[::1'>x</a><blockquote><ol start=-1><li>"))
	base, _ := url.Parse("https://example.com/a")
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := page.Markdown(data, base)
		if err == nil && d.Markdown == "" {
			t.Error("no text and no error")
		}
		if strings.ContainsAny(d.Markdown, "\x1b\x07\x00") {
			t.Errorf("control characters in %q", d.Markdown)
		}
	})
}
