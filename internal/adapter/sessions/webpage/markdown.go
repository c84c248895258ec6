package webpage

import (
	"bytes"
	"html"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// markdown renders what models write. HTML in it is shown as the text it is,
// nothing is loaded, and links lead to web pages and mail only.
var markdown = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), extension.Strikethrough, extension.TaskList, extension.Linkify,
			extension.NewFootnote(extension.WithFootnoteIDPrefixFunction(prefixOf)),
		),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(careful{}, 100))),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(named{}, 999))),
	)
})

// prefixKey holds, in the context of one rendering, what the ids of its
// footnotes begin with: a page has many texts.
var prefixKey = parser.NewContextKey()

const prefixAttribute = "prefix"

// named notes the prefix at the document, where the renderer finds it.
type named struct{}

// Transform implements the interface of goldmark.
func (named) Transform(doc *ast.Document, _ text.Reader, pc parser.Context) {
	if prefix, ok := pc.Get(prefixKey).(string); ok {
		doc.SetAttributeString(prefixAttribute, prefix)
	}
}

func prefixOf(n ast.Node) []byte {
	if prefix, ok := n.OwnerDocument().AttributeString(prefixAttribute); ok {
		if s, ok := prefix.(string); ok {
			return []byte(s)
		}
	}
	return nil
}

// render returns Markdown as HTML. What goldmark cannot render is shown as it is.
func render(source, prefix string) string {
	pc := parser.NewContext()
	pc.Set(prefixKey, prefix)
	var out bytes.Buffer
	if err := markdown().Convert([]byte(source), &out, parser.WithContext(pc)); err != nil {
		return "<pre>" + html.EscapeString(source) + "</pre>\n"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || plain.Reorders(r) { // it was written as &#x202e;
			return utf8.RuneError
		}
		return r
	}, out.String())
}

// careful renders links, images, headings and HTML in its own way.
type careful struct{}

// RegisterFuncs implements the interface of goldmark.
func (careful) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindLink, link)
	r.Register(ast.KindAutoLink, autoLink)
	r.Register(ast.KindImage, image)
	r.Register(ast.KindHeading, heading)
	r.Register(ast.KindHTMLBlock, htmlBlock)
	r.Register(ast.KindRawHTML, rawHTML)
}

// webAddress returns an address that may be followed.
func webAddress(address string) (string, bool) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return "", false
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		return u.String(), u.Host != ""
	case "mailto":
		return u.String(), true
	}
	return "", false
}

func openLink(w util.BufWriter, address string) {
	_, _ = w.WriteString(`<a href="` + html.EscapeString(address) + `" rel="noopener noreferrer nofollow">`)
}

func link(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	address, ok := webAddress(string(node.(*ast.Link).Destination))
	switch {
	case !ok: // its text stays
	case entering:
		openLink(w, address)
	default:
		_, _ = w.WriteString("</a>")
	}
	return ast.WalkContinue, nil
}

func autoLink(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n := node.(*ast.AutoLink)
	if !entering {
		return ast.WalkContinue, nil
	}
	address := string(n.URL(source))
	if n.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(strings.ToLower(address), "mailto:") {
		address = "mailto:" + address
	}
	label := html.EscapeString(string(n.Label(source)))
	if address, ok := webAddress(address); ok {
		openLink(w, address)
		label += "</a>"
	}
	_, _ = w.WriteString(label)
	return ast.WalkContinue, nil
}

// image shows where a picture is, and what it is said to show: nothing is
// loaded from elsewhere.
func image(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	label := "image"
	if alt := strings.TrimSpace(plainText(source, node)); alt != "" {
		label += ": " + alt
	}
	label = "[" + html.EscapeString(label) + "]"
	if address, ok := webAddress(string(node.(*ast.Image).Destination)); ok && insideLink(node) == nil {
		openLink(w, address)
		label += "</a>"
	}
	_, _ = w.WriteString(label)
	return ast.WalkSkipChildren, nil
}

func insideLink(n ast.Node) ast.Node {
	for n = n.Parent(); n != nil; n = n.Parent() {
		if n.Kind() == ast.KindLink {
			return n
		}
	}
	return nil
}

// plainText is the text in a node.
func plainText(source []byte, node ast.Node) string {
	var b strings.Builder
	_ = ast.Walk(node, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // it returns none
		if piece, ok := n.(*ast.Text); ok && entering {
			b.Write(piece.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// above is how many levels of headings the page has of its own.
const above = 2

func heading(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	tag := "h" + strconv.Itoa(min(6, node.(*ast.Heading).Level+above))
	if entering {
		_, _ = w.WriteString("<" + tag + ">")
	} else {
		_, _ = w.WriteString("</" + tag + ">\n")
	}
	return ast.WalkContinue, nil
}

// htmlBlock and rawHTML show HTML as the text it is.
func htmlBlock(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n := node.(*ast.HTMLBlock)
	if !entering {
		return ast.WalkContinue, nil
	}
	_, _ = w.WriteString("<pre>")
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		_, _ = w.WriteString(html.EscapeString(string(line.Value(source))))
	}
	if n.HasClosure() {
		_, _ = w.WriteString(html.EscapeString(string(n.ClosureLine.Value(source))))
	}
	_, _ = w.WriteString("</pre>\n")
	return ast.WalkContinue, nil
}

func rawHTML(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkSkipChildren, nil
	}
	n := node.(*ast.RawHTML)
	for i := range n.Segments.Len() {
		segment := n.Segments.At(i)
		_, _ = w.WriteString(html.EscapeString(string(segment.Value(source))))
	}
	return ast.WalkSkipChildren, nil
}
