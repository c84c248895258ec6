package pdf

import (
	"bytes"
	"errors"
	"math"
	"strings"

	lib "github.com/ledongthuc/pdf"
)

const (
	// maxGlyphs bounds the characters of a page, maxForms how deep drawings may
	// be in each other, maxSaved the saved states.
	maxGlyphs = 100_000
	maxForms  = 4
	maxSaved  = 64
	// tiny is the size in points below which nobody reads.
	tiny = 2.5
)

// glyph is a character on a page; the origin is at the bottom left, the unit a
// point.
type glyph struct {
	text        string
	x, y, width float64
	size        float64
	bold        bool
}

// sheet is a page.
type sheet struct {
	glyphs []glyph
	height float64
}

// interpret reads the pages; code says why it cannot.
func interpret(data []byte) (pages []sheet, code int) {
	data = repaired(data)
	r, err := lib.NewReader(bytes.NewReader(data), int64(len(data)))
	if errors.Is(err, lib.ErrInvalidPassword) {
		return nil, exitLocked
	} else if err != nil {
		return nil, exitBroken
	}
	for _, v := range leaves(r.Trailer().Key("Root").Key("Pages")) {
		if s, ok := page(v); ok {
			pages = append(pages, s)
		}
	}
	return pages, 0
}

// leaves returns the pages below a node in order. What nodes say of how many
// there are is not believed: they may lie, and be their own children.
func leaves(root lib.Value) []lib.Value {
	const deepest, most = 32, 20_000
	var out []lib.Value
	nodes := 0
	var walk func(v lib.Value, depth int)
	walk = func(v lib.Value, depth int) {
		kids := v.Key("Kids")
		if kids.Kind() != lib.Array {
			if v.Kind() == lib.Dict {
				out = append(out, v)
			}
			return
		}
		for i := 0; i < kids.Len() && depth < deepest && nodes < most && len(out) < MaxPages; i++ {
			nodes++
			walk(kids.Index(i), depth+1)
		}
	}
	walk(root, 0)
	return out
}

// repaired makes documents readable that other readers accept: newer versions,
// and bytes behind the end.
func repaired(data []byte) []byte {
	data = bytes.Clone(data)
	if len(data) > 9 {
		copy(data[5:], "1.7\n")
	}
	const end = "%%EOF"
	if i := bytes.LastIndex(data, []byte(end)); i >= 0 {
		data = data[:i+len(end)]
	}
	return data
}

// page reads a page; a broken one gives what was read before it broke.
func page(from lib.Value) (s sheet, ok bool) {
	p := painter{fonts: map[string]*font{}}
	defer func() {
		_ = recover() // the library panics at what it does not understand
		s = sheet{p.inside(), p.top - p.bottom}
		ok = len(s.glyphs) > 0
	}()
	p.left, p.bottom, p.right, p.top = 0, 0, 612, 792
	box := inherited(from, "CropBox")
	if box.Len() != 4 {
		box = inherited(from, "MediaBox")
	}
	if box.Len() == 4 {
		p.left, p.bottom = box.Index(0).Float64(), box.Index(1).Float64()
		p.right, p.top = box.Index(2).Float64(), box.Index(3).Float64()
	}
	p.run(from.Key("Contents"), inherited(from, "Resources"), state{scale: 1, ctm: identity(), tm: identity(), line: identity()}, 0)
	return s, true
}

// inherited returns what a page or the nodes above it say under a key.
func inherited(v lib.Value, key string) lib.Value {
	for range 32 { // parents may go in a circle
		if r := v.Key(key); !r.IsNull() || v.IsNull() {
			return r
		}
		v = v.Key("Parent")
	}
	return lib.Value{}
}

// matrix is [a b c d e f] of a transformation.
type matrix [6]float64

func identity() matrix { return matrix{1, 0, 0, 1, 0, 0} }

func (m matrix) then(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// state is what the operators of a page change.
type state struct {
	font          *font
	size, scale   float64
	chars, words  float64 // extra space
	leading, rise float64
	hidden        bool // drawn in no way
	white         bool
	ctm, tm, line matrix
}

type painter struct {
	glyphs                   []glyph
	fonts                    map[string]*font
	left, bottom, right, top float64
	state
	saved []state
}

// inside returns the glyphs on the page that can be seen.
func (p *painter) inside() []glyph {
	out := p.glyphs[:0]
	for _, g := range p.glyphs {
		if g.x >= p.left-1 && g.x <= p.right && g.y >= p.bottom-1 && g.y <= p.top && g.size >= tiny {
			out = append(out, g)
		}
	}
	return out
}

func (p *painter) run(content, resources lib.Value, s state, depth int) {
	before, saved := p.state, p.saved
	p.state, p.saved = s, nil
	lib.Interpret(content, func(stack *lib.Stack, op string) {
		args := make([]lib.Value, stack.Len())
		for i := stack.Len() - 1; i >= 0; i-- {
			args[i] = stack.Pop()
		}
		if len(p.glyphs) < maxGlyphs {
			p.do(op, args, resources, depth)
		}
	})
	p.state, p.saved = before, saved
}

func (p *painter) do(op string, args []lib.Value, resources lib.Value, depth int) {
	number := func(i int) float64 {
		if i >= len(args) {
			return 0
		}
		return finite(args[i].Float64())
	}
	switch op {
	case "q":
		if len(p.saved) < maxSaved {
			p.saved = append(p.saved, p.state)
		}
	case "Q":
		if n := len(p.saved); n > 0 {
			p.state, p.saved = p.saved[n-1], p.saved[:n-1]
		}
	case "cm":
		p.ctm = matrix{number(0), number(1), number(2), number(3), number(4), number(5)}.then(p.ctm)
	case "Do":
		if len(args) == 1 && depth < maxForms {
			p.form(resources.Key("XObject").Key(args[0].Name()), resources, depth)
		}
	case "g":
		p.white = len(args) == 1 && number(0) >= 0.98
	case "rg":
		p.white = len(args) == 3 && min(number(0), number(1), number(2)) >= 0.98
	case "k":
		p.white = len(args) == 4 && max(number(0), number(1), number(2), number(3)) <= 0.02
	case "sc", "scn":
		switch len(args) {
		case 1:
			p.white = args[0].Kind() != lib.Name && number(0) >= 0.98
		case 3:
			p.white = min(number(0), number(1), number(2)) >= 0.98
		case 4:
			p.white = max(number(0), number(1), number(2), number(3)) <= 0.02
		}
	case "cs":
		p.white = false
	default:
		p.text(op, args, number, resources)
	}
}

func (p *painter) form(x, resources lib.Value, depth int) {
	if x.Key("Subtype").Name() != "Form" {
		return
	}
	s := p.state
	if m := x.Key("Matrix"); m.Len() == 6 {
		var own matrix
		for i := range own {
			own[i] = finite(m.Index(i).Float64())
		}
		s.ctm = own.then(s.ctm)
	}
	if r := x.Key("Resources"); !r.IsNull() {
		resources = r
	}
	p.run(x, resources, s, depth+1)
}

// text does the operators of text.
func (p *painter) text(op string, args []lib.Value, number func(int) float64, resources lib.Value) {
	switch op {
	case "BT":
		p.tm, p.line = identity(), identity()
	case "Tf":
		if len(args) == 2 {
			p.font, p.size = p.fontOf(resources.Key("Font").Key(args[0].Name())), number(1)
		}
	case "Tc":
		p.chars = number(0)
	case "Tw":
		p.words = number(0)
	case "Tz":
		p.scale = number(0) / 100
	case "TL":
		p.leading = number(0)
	case "Ts":
		p.rise = number(0)
	case "Tr":
		p.hidden = number(0) == 3 || number(0) == 7
	case "Td":
		p.move(number(0), number(1))
	case "TD":
		p.leading = -number(1)
		p.move(number(0), number(1))
	case "Tm":
		p.line = matrix{number(0), number(1), number(2), number(3), number(4), number(5)}
		p.tm = p.line
	case "T*":
		p.move(0, -p.leading)
	case "\"", "'":
		if op == "\"" {
			p.words, p.chars = number(0), number(1)
		}
		p.move(0, -p.leading)
		if len(args) > 0 {
			p.show(args[len(args)-1].RawString())
		}
	case "Tj":
		if len(args) == 1 {
			p.show(args[0].RawString())
		}
	case "TJ":
		if len(args) != 1 {
			return
		}
		for i := range min(args[0].Len(), maxGlyphs) {
			if x := args[0].Index(i); x.Kind() == lib.String {
				p.show(x.RawString())
			} else {
				p.advance(-finite(x.Float64()) / 1000 * p.size * p.scale)
			}
		}
	}
}

func (p *painter) move(x, y float64) {
	p.line = matrix{1, 0, 0, 1, x, y}.then(p.line)
	p.tm = p.line
}

func (p *painter) advance(x float64) { p.tm = matrix{1, 0, 0, 1, x, 0}.then(p.tm) }

// show draws a string.
func (p *painter) show(raw string) {
	if p.font == nil {
		return
	}
	for len(raw) > 0 && len(p.glyphs) < maxGlyphs {
		n := min(p.font.bytes, len(raw))
		c := p.font.char(raw[:n])
		space := p.chars
		if n == 1 && raw[0] == ' ' {
			space += p.words
		}
		raw = raw[n:]
		at := matrix{p.size * p.scale, 0, 0, p.size, 0, p.rise}.then(p.tm).then(p.ctm)
		// Text on its side, such as a stamp on the margin, is no part of a line.
		upright := math.Abs(at[1]) < 0.1*math.Abs(at[0]) && at[0] > 0
		if upright && !p.hidden && !p.white && c.text != "" {
			p.glyphs = append(p.glyphs, glyph{
				text: c.text, x: finite(at[4]), y: finite(at[5]), width: finite(c.width * at[0]), size: finite(math.Abs(at[3])), bold: p.font.bold,
			})
		}
		p.advance((c.width*p.size + space) * p.scale)
	}
}

func finite(v float64) float64 {
	if math.IsNaN(v) || math.Abs(v) > 1e6 {
		return 0
	}
	return v
}

// boldNames are what the names of bold fonts hold.
func boldName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range [...]string{"bold", "cmbx", "-medi", "heavy", "black", "sfbx", "-bd", "demi"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
