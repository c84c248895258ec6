package pdf

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Distances, in sizes of the type.
const (
	// wordGap is what separates words, pieceGap what separates columns or cells.
	wordGap  = 0.16
	pieceGap = 1.3
	// sameLine is how far apart the baselines of one line may be, as with
	// indices.
	sameLine = 0.5
)

// piece is a run of text on one baseline without large gaps.
type piece struct {
	text        string
	from, to, y float64
	size        float64
	bold        bool
	// weights of the characters so far by size and boldness, to tell those of
	// the whole.
	chars, strong int
	sizes         map[float64]int
	ends          float64 // of the last character
}

// line is a line of a column.
type line struct {
	text    string
	from, y float64
	to      float64
	size    float64
	bold    bool
	page    int
	left    float64 // of the column
	right   float64
}

// pieces joins glyphs in the order in which they are drawn.
func pieces(glyphs []glyph) []*piece {
	var out []*piece
	var p *piece
	for _, g := range glyphs {
		blank := strings.TrimSpace(g.text) == ""
		if p != nil && !blank {
			size := max(g.size, p.size)
			gap := g.x - p.ends
			if math.Abs(g.y-p.y) > sameLine*size || gap > pieceGap*size || gap < -0.6*size {
				p = nil
			} else if gap > wordGap*size && !strings.HasSuffix(p.text, " ") {
				p.text += " "
			}
		}
		if blank {
			if p != nil && !strings.HasSuffix(p.text, " ") {
				p.text += " "
			}
			continue
		}
		if p == nil {
			p = &piece{from: g.x, y: g.y, size: g.size, sizes: map[float64]int{}}
			out = append(out, p)
		}
		p.take(g)
	}
	return out
}

// longestPiece bounds a piece in bytes: joining text costs its square.
const longestPiece = 4000

func (p *piece) take(g glyph) {
	if len(p.text) < longestPiece {
		p.text += g.text
	}
	p.ends = g.x + g.width
	p.to = max(p.to, p.ends)
	p.chars++
	if g.bold {
		p.strong++
	}
	// The size of most characters, and the baseline of the largest.
	key := math.Round(g.size*10) / 10
	p.sizes[key]++
	if g.size > p.size*1.1 {
		p.y = g.y
	}
	if p.sizes[key] >= p.sizes[math.Round(p.size*10)/10] || g.size > p.size && p.chars < 3 {
		p.size = g.size
	}
	p.bold = p.strong*5 >= p.chars*4
}

// gutter finds the space between two columns: the place near the middle that
// the fewest characters cross, when most of the page leaves it free and both
// sides are prose. It is 0 on a page with one column.
func gutter(ps []*piece) float64 {
	left, right := math.Inf(1), math.Inf(-1)
	total := 0
	for _, p := range ps {
		left, right = min(left, p.from), max(right, p.to)
		total += p.chars
	}
	width := right - left
	if width < 100 || width > 5000 {
		return 0
	}
	best, least := 0.0, total+1
	widest := 0
	run := 0
	for x := left + 0.35*width; x <= left+0.65*width; x += 2 {
		crossing := 0
		for _, p := range ps {
			if p.from < x-1 && p.to > x+1 {
				crossing += p.chars
			}
		}
		if crossing == least {
			run++
		} else {
			run = 1
		}
		// Of equal places take the middle of the widest run.
		if crossing < least || run > widest {
			if crossing <= least {
				best, least, widest = x-float64(run-1), crossing, run
			}
		}
	}
	if least*10 > total*4 || !columns(ps, best, left, right) {
		return 0
	}
	return best
}

// columns reports whether the pieces at the sides of x are prose: enough of them
// and most as wide as their column. The cells of a table are not.
func columns(ps []*piece, x, left, right float64) bool {
	const lines = 4 // that a column has at least
	full := func(side func(*piece) bool, width float64) bool {
		n, wide := 0, 0
		for _, p := range ps {
			if side(p) {
				n++
				if p.to-p.from > 0.6*width {
					wide++
				}
			}
		}
		return n >= lines && wide*2 >= n
	}
	return full(func(p *piece) bool { return p.to <= x+1 }, x-left) && full(func(p *piece) bool { return p.from >= x-1 }, right-x)
}

// lines returns the lines of a page in reading order: what goes across stands
// between what is above and below it, with the left column before the right one.
func lines(s sheet, number int) []line {
	ps := pieces(s.glyphs)
	slices.SortStableFunc(ps, func(a, b *piece) int { return cmp.Compare(b.y, a.y) })
	x := gutter(ps)
	var out []line
	var left, right, across []*piece
	flush := func() {
		for _, column := range [...][]*piece{left, right} {
			out = append(out, joined(column, number)...)
		}
		left, right = nil, nil
	}
	for _, p := range ps {
		switch {
		case x == 0:
			across = append(across, p)
			continue
		case p.to <= x+1:
			if across != nil && p.y < across[len(across)-1].y-sameLine*p.size {
				out, across = append(out, joined(across, number)...), nil
			}
			left = append(left, p)
		case p.from >= x-1:
			if across != nil && p.y < across[len(across)-1].y-sameLine*p.size {
				out, across = append(out, joined(across, number)...), nil
			}
			right = append(right, p)
		default:
			if across == nil {
				flush()
			}
			across = append(across, p)
		}
	}
	out = append(out, joined(across, number)...)
	flush()
	return out
}

// joined makes lines of the pieces of a column, which are sorted from top to
// bottom.
func joined(ps []*piece, page int) []line {
	if len(ps) == 0 {
		return nil
	}
	left, right := math.Inf(1), math.Inf(-1)
	for _, p := range ps {
		left, right = min(left, p.from), max(right, p.to)
	}
	var out []line
	for i := 0; i < len(ps); {
		j := i + 1
		// Indices and exponents drawn on their own belong to the larger text.
		for j < len(ps) && ps[i].y-ps[j].y < sameLine*max(ps[i].size, ps[j].size) {
			j++
		}
		row := slices.Clone(ps[i:j])
		slices.SortStableFunc(row, func(a, b *piece) int { return cmp.Compare(a.from, b.from) })
		out = append(out, row2line(row, page, left, right))
		i = j
	}
	return out
}

func row2line(row []*piece, page int, left, right float64) line {
	l := line{from: row[0].from, page: page, left: left, right: right}
	var b strings.Builder
	most := 0
	end := row[0].from
	for i, p := range row {
		if i > 0 && p.from-end > wordGap*p.size {
			b.WriteByte(' ')
			if p.from-end > pieceGap*p.size {
				b.WriteString("  ") // a cell of a table
			}
		}
		b.WriteString(strings.TrimSpace(p.text))
		end = p.to
		l.to = max(l.to, p.to)
		if p.chars > most {
			most, l.size, l.y, l.bold = p.chars, p.size, p.y, p.bold
		}
	}
	l.text = strings.TrimSpace(b.String())
	return l
}
