package dom

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Visible removes from the tree what a reader of the page does not see:
// scripts, styles and templates, elements that are hidden by attribute or inline
// style, and text without size or in the colour of its background.
func Visible(root *html.Node) { prune(root, look{paper: white}) }

// look is what text inherits from the elements around it.
type look struct {
	ink, paper string // colours as #rrggbb; "" is not known
	tiny       bool
}

const white = "#ffffff"

func prune(n *html.Node, l look) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		switch {
		case c.Type == html.TextNode:
			if l.tiny || l.ink != "" && l.ink == l.paper {
				n.RemoveChild(c)
			}
		case c.DataAtom == atom.Svg && keepText(c):
			prune(c, l)
		case c.Type != html.ElementNode, unseen(c):
			n.RemoveChild(c)
		default:
			style := declarations(Attr(c, "style"))
			if hiding(style) {
				n.RemoveChild(c)
				break
			}
			prune(c, l.with(c, style))
		}
		c = next
	}
}

// keepText reduces a picture to the HTML in it, such as the text in a drawn box,
// and reports whether there is any.
func keepText(svg *html.Node) bool {
	parts := All(svg, func(n *html.Node) bool { return strings.EqualFold(n.Data, "foreignobject") })
	if len(parts) == 0 {
		return false
	}
	for svg.FirstChild != nil {
		svg.RemoveChild(svg.FirstChild)
	}
	for _, p := range parts {
		if p.Parent != nil {
			p.Parent.RemoveChild(p)
		}
		p.Data, p.DataAtom = "div", atom.Div
		svg.AppendChild(p)
	}
	return true
}

// unseen reports whether an element is not shown, whatever its style.
func unseen(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Iframe, atom.Object, atom.Embed, atom.Canvas,
		atom.Audio, atom.Video, atom.Svg, atom.Noembed, atom.Noframes, atom.Link, atom.Meta, atom.Datalist, atom.Textarea,
		atom.Select, atom.Input:
		return true
	case atom.Dialog:
		return !HasAttr(n, "open")
	case atom.Span, atom.I, atom.A, atom.Sup, atom.B, atom.Em:
		// Formulas and icons come twice: once for the eye, once for readers.
		if strings.EqualFold(Attr(n, "aria-hidden"), "true") {
			return true
		}
	}
	return HasAttr(n, "hidden")
}

// declarations reads an inline style; names and values are in lower case.
func declarations(style string) map[string]string {
	if style == "" {
		return nil
	}
	out := map[string]string{}
	for d := range strings.SplitSeq(uncommented(style), ";") {
		name, value, ok := strings.Cut(d, ":")
		if ok {
			value = strings.ToLower(strings.TrimSpace(value))
			out[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(strings.TrimSuffix(value, "!important"))
		}
	}
	return out
}

func uncommented(style string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(style, "/*")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, style, _ = strings.Cut(rest, "*/")
	}
}

// hiding reports whether a style takes the element and all in it out of sight.
func hiding(style map[string]string) bool {
	if style == nil {
		return false
	}
	if style["display"] == "none" || style["visibility"] == "hidden" || style["visibility"] == "collapse" ||
		style["content-visibility"] == "hidden" {
		return true
	}
	if v, ok := number(style["opacity"]); ok && v < 0.05 {
		return true
	}
	for _, size := range [...]string{"width", "height", "max-width", "max-height", "line-height"} {
		if v, ok := number(style[size]); ok && v == 0 && (size == "line-height" || clips(style)) {
			return true
		}
	}
	for _, place := range [...]string{"left", "top", "right", "bottom", "text-indent", "margin-left", "margin-top"} {
		if v, ok := number(style[place]); ok && (v <= -500 || v >= 9000) {
			return true
		}
	}
	cut := style["clip"] + style["clip-path"]
	scaled := strings.ReplaceAll(style["transform"], " ", "")
	return strings.Contains(cut, "rect(0") || strings.Contains(cut, "rect(1px") || strings.Contains(cut, "inset(50%") ||
		strings.Contains(cut, "inset(100%") || strings.Contains(cut, "circle(0") || strings.Contains(scaled, "scale(0)")
}

// clips reports whether what is larger than the element cannot be seen; an
// element without width or height shows its content otherwise.
func clips(style map[string]string) bool {
	for _, name := range [...]string{"overflow", "overflow-x", "overflow-y"} {
		if v := style[name]; strings.HasPrefix(v, "hidden") || strings.HasPrefix(v, "clip") {
			return true
		}
	}
	return false
}

// number reads the number a value begins with, whatever its unit.
func number(value string) (float64, bool) {
	end := 0
	for end < len(value) && strings.IndexByte("+-.0123456789", value[end]) >= 0 {
		end++
	}
	v, err := strconv.ParseFloat(value[:end], 64)
	return v, err == nil
}

// with returns what the content of an element inherits.
func (l look) with(n *html.Node, style map[string]string) look {
	if n.DataAtom == atom.Font || n.DataAtom == atom.Body || n.DataAtom == atom.Td || n.DataAtom == atom.Table {
		if c := Attr(n, "color") + Attr(n, "text"); c != "" {
			l.ink = colour(strings.ToLower(c))
		}
		if c := Attr(n, "bgcolor"); c != "" {
			l.paper = colour(strings.ToLower(c))
		}
	}
	if c, ok := style["color"]; ok && c != "inherit" {
		l.ink = colour(c)
	}
	for _, name := range [...]string{"background-color", "background"} {
		if c, ok := style[name]; ok && c != "inherit" && c != "transparent" && c != "none" {
			l.paper = colour(c)
		}
	}
	if l.ink == clear {
		l.paper = clear // no colour is seen on any ground
	}
	size, set := style["font-size"]
	if font := style["font"]; !set && font != "" {
		for word := range strings.FieldsSeq(font) {
			if v, ok := number(word); ok && v < 100 {
				size, set = word, true
				break
			}
		}
	}
	if v, ok := number(size); set {
		relative := strings.HasSuffix(size, "em") && !strings.HasSuffix(size, "rem") || strings.HasSuffix(size, "%")
		if !ok || !l.tiny || !relative {
			l.tiny = ok && (v == 0 || v <= 1 && strings.HasSuffix(size, "px"))
		}
	}
	return l
}

// clear is the colour of ink that cannot be seen.
const clear = "clear"

// colour returns a colour as #rrggbb; "" for one it cannot tell.
func colour(c string) string {
	c = strings.TrimSpace(c)
	switch c {
	case "white", "snow", "#fffffe", "#fefefe":
		return white
	case "black":
		return "#000000"
	case "transparent":
		return clear
	}
	if digits, ok := strings.CutPrefix(c, "#"); ok {
		switch len(digits) {
		case 4, 8:
			if strings.HasSuffix(digits, "00") || len(digits) == 4 && digits[3] == '0' {
				return clear
			}
			return colour("#" + digits[:len(digits)*3/4])
		case 3:
			return "#" + string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
		case 6:
			return c
		}
		return ""
	}
	if open := strings.IndexByte(c, '('); open > 0 && strings.HasSuffix(c, ")") {
		return function(c[:open], c[open+1:len(c)-1])
	}
	return ""
}

// function returns the colour of rgb(…), rgba(…) and white in hsl(…).
func function(name, list string) string {
	parts := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '/' })
	if len(parts) < 3 {
		return ""
	}
	if len(parts) > 3 {
		if v, ok := number(parts[3]); ok && v == 0 {
			return clear
		}
	}
	if name == "hsl" || name == "hsla" {
		if v, ok := number(parts[2]); ok && v >= 100 {
			return white
		}
		return ""
	}
	if name != "rgb" && name != "rgba" {
		return ""
	}
	out := []byte{'#'}
	for _, p := range parts[:3] {
		v, ok := number(p)
		if !ok {
			return ""
		}
		if strings.HasSuffix(p, "%") {
			v = v * 255 / 100
		}
		b := byte(min(max(v, 0), 255))
		out = append(out, "0123456789abcdef"[b>>4], "0123456789abcdef"[b&15])
	}
	return string(out)
}
