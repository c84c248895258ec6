package theme

import (
	"image/color"
	"math/bits"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Role is what a piece of text is.
type Role uint8

// The roles. Where several meet in one text, the last in this order gives the
// colour.
const (
	// Text is the terminal's own foreground.
	Text Role = iota
	// Dim is what may be overlooked.
	Dim
	// Border is frames, rules and bars.
	Border
	// User is what the person has said.
	User
	// Heading is a heading of the first two levels.
	Heading
	Emphasis
	Strong
	// Struck is text that counts as deleted.
	Struck
	// Accent draws the eye: the prompt, the chosen item.
	Accent
	Success
	Warning
	Danger
	// Added and Removed are the lines of a diff.
	Added
	Removed
	// Code is code in a sentence, or in a language nothing is known of.
	Code
	// Keyword and the four after it are parts of highlighted code.
	Keyword
	String
	Number
	Comment
	Function
	// Link is an address.
	Link

	roleCount
)

// Style is a set of roles.
type Style uint32

// In returns the style of these roles.
func In(roles ...Role) Style {
	var s Style
	for _, r := range roles {
		s |= 1 << r
	}
	return s
}

// With returns the style with one more role.
func (s Style) With(r Role) Style { return s | 1<<r }

// Has reports whether the style has a role.
func (s Style) Has(r Role) bool { return s&(1<<r) != 0 }

// Span is a piece of text in one style.
type Span struct {
	Text  string
	Style Style
	// Link is the address behind the text, for terminals that follow such;
	// printable ASCII. Empty for none.
	Link string
}

const reset = ansi.ResetStyle

// attribute is a set of what a text can be beside its colour.
type attribute uint8

const (
	bold attribute = 1 << iota
	faint
	italic
	underline
	struck
)

// look is one role on one terminal.
type look struct {
	attributes attribute
	// color is the parameters that set it; empty leaves it.
	color string
}

// row is a role in the table of colours.
type row struct {
	attributes attribute
	// dark and light are for backgrounds that are so; the zero colour leaves
	// the terminal's own.
	dark, light ansi.RGBColor
	// basic is the colour of the sixteen; 0 leaves the terminal's own, since
	// nothing is painted black.
	basic ansi.BasicColor
}

// table holds what the roles look like. Those on dark that upstream has are
// upstream's; those on light have the same hues, dark enough to read on white.
func table() [roleCount]row {
	gold := row{dark: rgb(255, 200, 80), light: rgb(138, 90, 0), basic: ansi.Yellow}
	return [roleCount]row{
		Dim:      {dark: rgb(148, 148, 148), light: rgb(105, 105, 105)},
		Border:   {dark: rgb(98, 98, 98), light: rgb(148, 148, 148)},
		User:     {bold, rgb(210, 215, 225), rgb(40, 45, 60), 0},
		Heading:  {bold, gold.dark, gold.light, gold.basic},
		Emphasis: {italic, rgb(180, 140, 40), rgb(120, 85, 10), gold.basic},
		Strong:   {bold, gold.dark, gold.light, gold.basic},
		Struck:   {struck, rgb(148, 148, 148), rgb(105, 105, 105), 0},
		Accent:   {0, gold.dark, gold.light, gold.basic},
		Success:  {0, rgb(110, 200, 120), rgb(0, 110, 45), ansi.Green},
		Warning:  {0, rgb(240, 180, 60), rgb(145, 85, 0), ansi.Yellow},
		Danger:   {0, rgb(255, 110, 105), rgb(185, 20, 25), ansi.Red},
		Added:    {0, rgb(120, 205, 125), rgb(0, 105, 45), ansi.Green},
		Removed:  {0, rgb(250, 120, 115), rgb(175, 25, 30), ansi.Red},
		Code:     {0, rgb(120, 220, 255), rgb(0, 98, 140), ansi.Cyan},
		Keyword:  {0, rgb(205, 150, 245), rgb(120, 40, 165), ansi.Magenta},
		String:   {0, rgb(150, 205, 130), rgb(45, 105, 20), ansi.Green},
		Number:   {0, rgb(240, 170, 115), rgb(155, 70, 0), ansi.Yellow},
		Comment:  {italic, rgb(142, 148, 158), rgb(100, 105, 112), 0},
		Function: {0, rgb(125, 180, 255), rgb(10, 85, 175), ansi.Blue},
		Link:     {underline, rgb(90, 180, 255), rgb(0, 85, 190), ansi.Blue},
	}
}

func rgb(r, g, b uint8) ansi.RGBColor { return ansi.RGBColor{R: r, G: g, B: b} }

// looks turns the table into what a terminal understands.
func looks(o Options) [roleCount]look {
	var all [roleCount]look
	if o.Color == None {
		return all
	}
	for role, r := range table() {
		l := look{attributes: r.attributes}
		if o.Color == Basic {
			l.color = basicColor(r.basic)
			// Grey is not among the sixteen everywhere: bright black may be
			// the background.
			if r.basic == 0 && r.dark != (ansi.RGBColor{}) && Role(role) != User {
				l.attributes |= faint
			}
		} else {
			c := r.light
			if o.Dark {
				c = r.dark
			}
			l.color = exactColor(c, o.Color)
		}
		all[role] = l
	}
	return all
}

func basicColor(c ansi.BasicColor) string {
	if c == 0 {
		return ""
	}
	return parameters(ansi.NewStyle().ForegroundColor(c))
}

func exactColor(c ansi.RGBColor, level Level) string {
	if c == (ansi.RGBColor{}) {
		return ""
	}
	var shown color.Color = c
	if level == Palette {
		shown = ansi.Convert256(c)
	}
	return parameters(ansi.NewStyle().ForegroundColor(shown))
}

// parameters returns what stands between the introducer and the end of a
// sequence.
func parameters(s ansi.Style) string {
	return strings.TrimSuffix(strings.TrimPrefix(s.String(), "\x1b["), "m")
}

// start returns the sequence that begins a style; empty where it changes
// nothing.
func (t *Theme) start(s Style) string {
	var attributes attribute
	color := ""
	for s != 0 {
		l := t.roles[bits.TrailingZeros32(uint32(s))]
		s &= s - 1
		attributes |= l.attributes
		if l.color != "" {
			color = l.color
		}
	}
	if attributes == 0 && color == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("\x1b[")
	sep := ""
	for i, code := range [...]string{"1", "2", "3", "4", "9"} {
		if attributes&(1<<i) != 0 {
			b.WriteString(sep + code)
			sep = ";"
		}
	}
	if color != "" {
		b.WriteString(sep + color)
	}
	b.WriteByte('m')
	return b.String()
}
