package pdf

import (
	"strings"
	"unicode"
	"unicode/utf8"

	lib "github.com/ledongthuc/pdf"
)

// usual is the width of a character, in the font's size, where a font says none.
const usual = 0.5

// font reads characters; each is read once.
type font struct {
	from  lib.Font
	bytes int // of a character
	bold  bool
	chars map[string]char
	wide  map[int]float64 // of fonts with two bytes
	rest  float64
}

type char struct {
	text  string
	width float64
}

// fontOf returns the font a dictionary describes. Equal ones are shared.
func (p *painter) fontOf(v lib.Value) *font {
	key := v.String() // the dictionary with its references
	if f, ok := p.fonts[key]; ok {
		return f
	}
	f := &font{from: lib.Font{V: v}, bytes: 1, chars: map[string]char{}, bold: boldName(v.Key("BaseFont").Name())}
	if v.Key("Subtype").Name() == "Type0" {
		f.bytes = 2
		f.widths(v.Key("DescendantFonts").Index(0))
	}
	p.fonts[key] = f
	return f
}

// widths reads the widths of a font with two bytes a character: runs of "first
// [widths]" and "first last width".
func (f *font) widths(v lib.Value) {
	f.wide, f.rest = map[int]float64{}, 1
	if dw := v.Key("DW"); !dw.IsNull() {
		f.rest = finite(dw.Float64()) / 1000
	}
	w := v.Key("W")
	for i := 0; i+1 < w.Len() && len(f.wide) < 1<<16; {
		first := int(w.Index(i).Int64())
		if list := w.Index(i + 1); list.Kind() == lib.Array {
			for j := range min(list.Len(), 1<<16) {
				f.wide[first+j] = finite(list.Index(j).Float64()) / 1000
			}
			i += 2
			continue
		}
		width := finite(w.Index(i+2).Float64()) / 1000
		for c := first; c <= min(int(w.Index(i+1).Int64()), first+1<<16); c++ {
			f.wide[c] = width
		}
		i += 3
	}
}

func (f *font) char(raw string) char {
	if c, ok := f.chars[raw]; ok {
		return c
	}
	c := char{text: readable(f.from.Encoder().Decode(raw)), width: usual}
	if f.bytes == 2 {
		code := int(raw[0])
		if len(raw) == 2 {
			code = code<<8 | int(raw[1])
		}
		c.width = f.rest
		if w, ok := f.wide[code]; ok {
			c.width = w
		}
	} else if w := finite(f.from.Width(int(raw[0]))) / 1000; w > 0 {
		c.width = w
	}
	f.chars[raw] = c
	return c
}

// readable returns text without control characters, ligatures as letters.
func readable(s string) string {
	s = strings.NewReplacer("ﬀ", "ff", "ﬁ", "fi", "ﬂ", "fl", "ﬃ", "ffi", "ﬄ", "ffl", "ﬅ", "st", "ﬆ", "st", "\u00a0", " ").Replace(s)
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Co, r) || unicode.Is(unicode.Cf, r) && r != '\u00ad' {
			return -1
		}
		return r
	}, s)
}
