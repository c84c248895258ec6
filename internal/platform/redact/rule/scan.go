package rule

import "strings"

// Verdict is what a rule says at a place.
type Verdict uint8

const (
	// None: no secret begins here, whatever follows.
	None Verdict = iota
	// Found: a secret begins here and its end is known.
	Found
	// More: what follows decides.
	More
)

// Match is a secret at Src[Start:End]. Cut says that it filled the whole view,
// so that what follows up to a blank or quote belongs to it.
type Match struct {
	Start, End int
	Kind       Kind
	Cut        bool
}

// Scan looks for secrets in Src. Floor is the end of the last replacement (or
// of a mark that stood there already), which no rule looks behind: the caller
// moves it after each replacement. No match begins before Shown either, up to
// where Src is out already. Final says that nothing follows Src.
type Scan struct {
	Set   *Set
	Src   string
	Floor int
	Shown int
	Final bool
}

// view is what a rule may see ahead: src up to end. open says that more may
// follow there.
type view struct {
	end  int
	open bool
}

func (sc *Scan) view(i int) view {
	if i+MaxSpan <= len(sc.Src) {
		return view{end: i + MaxSpan}
	}
	return view{end: len(sc.Src), open: !sc.Final}
}

// Next finds the first secret at or after i; the block of an END line found
// there may begin before i. With More, Match.Start is the place from which the
// text is undecided; None means that all of Src is decided. Held tells how much
// of what is decided has to be held back.
func (sc *Scan) Next(i int) (Match, Verdict) {
	src, s := sc.Src, sc.Set
	for last := len(src) - 1; i < last; i++ {
		c, d := src[i], src[i+1]
		if s.pairs[c][d>>6]&(1<<(d&63)) == 0 {
			continue
		}
		if c == '[' {
			end, v := markEnd(src, i, sc.view(i))
			if v == More {
				return Match{Start: i}, More
			}
			if v == Found {
				sc.Floor, i = end, end-1
				continue
			}
		}
		if m, v := sc.at(i); v != None {
			return m, v
		}
	}
	if i < len(src) && !sc.Final && s.first[src[i]] {
		if c := src[i]; c != '=' || sc.namesSecret(i) {
			return Match{Start: i}, More
		}
	}
	return Match{}, None
}

// at asks every rule about place i, takes the longest answer and widens it by
// the secrets that overlap its end.
func (sc *Scan) at(i int) (Match, Verdict) {
	w := sc.view(i)
	m, v := sc.token(i, w)
	if v == More {
		return Match{Start: i}, More
	}
	if c := sc.Src[i]; c == '=' || c == ':' {
		a, av := sc.assignment(i, w)
		if av == More {
			return Match{Start: i}, More
		}
		if av == Found && (v == None || a.End > m.End) {
			m, v = a, Found
		}
	}
	if v == None {
		return Match{}, None
	}
	for p := i + 1; p < m.End; p++ {
		if !sc.Set.first[sc.Src[p]] {
			continue
		}
		t, tv := sc.token(p, w)
		if tv == More {
			return Match{Start: i}, More
		}
		if tv == None {
			continue
		}
		m = widen(m, t)
	}
	m.Cut = m.Cut || m.End == w.end && m.End == i+MaxSpan
	return m, Found
}

// widen joins two matches that overlap or touch in order.
func widen(m, t Match) Match {
	if t.Start < m.Start {
		m.Start = t.Start
	}
	if t.End > m.End {
		if t.Start == m.Start {
			m.Kind = t.Kind
		}
		m.End = t.End
	}
	return m
}

// token asks the rules that know a secret by its own shape, and the held
// values, about place p.
func (sc *Scan) token(p int, w view) (Match, Verdict) {
	best, v := Match{}, None
	take := func(m Match, mv Verdict) {
		if mv == More || v == More {
			v = More
			return
		}
		if mv == Found && (v == None || m.End > best.End) {
			best, v = m, Found
		}
	}
	c := sc.Src[p]
	if forms := sc.Set.held[c]; forms != nil {
		take(sc.heldAt(p, w, forms))
	}
	if rules := sc.Set.rules[c]; rules != nil {
		take(sc.prefixed(p, w, rules))
	}
	switch c {
	case 'h':
		take(sc.hub(p, w))
	case 's':
		take(sc.provider(p, w))
	case 'b', 'B':
		take(sc.bearer(p, w))
	case 'e':
		take(sc.jwt(p, w))
	case '-':
		take(sc.pem(p, w))
	case 'w':
		take(sc.wandb(p, w))
	case ':':
		take(sc.userinfo(p, w))
	}
	return best, v
}

// heldAt looks for a held value. forms come longest first, so the first one
// that is there is the longest.
func (sc *Scan) heldAt(p int, w view, forms []string) (Match, Verdict) {
	rest := sc.Src[p:w.end]
	for _, form := range forms {
		if len(rest) < len(form) {
			if w.open && strings.HasPrefix(form, rest) {
				return Match{}, More
			}
			continue
		}
		if !strings.HasPrefix(rest, form) {
			continue
		}
		switch sc.touchesMark(p, p+len(form), w) {
		case More:
			return Match{}, More
		case None:
			return Match{Start: p, End: p + len(form), Kind: kindHeld}, Found
		}
	}
	return Match{}, None
}

// touchesMark reports whether a mark begins in src[from:to]: a held value that
// ends in "[" must not eat into one.
func (sc *Scan) touchesMark(from, to int, w view) Verdict {
	for p := from; p < to; p++ {
		if sc.Src[p] != '[' {
			continue
		}
		if _, v := markEnd(sc.Src, p, w); v != None {
			return v
		}
	}
	return None
}

func (sc *Scan) prefixed(p int, w view, rules []prefix) (Match, Verdict) {
	for i := range rules {
		r := &rules[i]
		v := sc.lead(p, w, r.lead)
		if v == None || r.edge && !sc.edge(p) {
			continue
		}
		if v == More {
			return Match{}, More
		}
		body := p + len(r.lead)
		end := runEnd(sc.Src, body, w.end, r.class)
		if end == w.end && w.open {
			return Match{}, More
		}
		if end-body < r.min {
			continue
		}
		if r.keep {
			return Match{Start: body, End: end, Kind: r.kind}, Found
		}
		return Match{Start: p, End: end, Kind: r.kind}, Found
	}
	return Match{}, None
}

// lead reports whether src has s at p, or may have it once more has come.
func (sc *Scan) lead(p int, w view, s string) Verdict {
	rest := sc.Src[p:w.end]
	if strings.HasPrefix(rest, s) {
		return Found
	}
	if w.open && len(rest) < len(s) && strings.HasPrefix(s, rest) {
		return More
	}
	return None
}

// edge reports whether a word may begin at p: nothing, no letter, digit or
// underscore before it, or the letter of an escape such as \n.
func (sc *Scan) edge(p int) bool {
	if p <= sc.Floor {
		return true
	}
	c := sc.Src[p-1]
	if !isAlnum(c) {
		return c != '_'
	}
	return p-2 >= sc.Floor && sc.Src[p-2] == '\\' && strings.IndexByte("nrtbf", c) >= 0
}

// runEnd returns the end of the run of class that begins at from.
func runEnd(src string, from, end int, class func(byte) bool) int {
	for from < end && class(src[from]) {
		from++
	}
	return from
}

// markEnd returns the end of the mark that begins at p.
func markEnd(src string, p int, w view) (int, Verdict) {
	rest := src[p:w.end]
	if len(rest) < len(markLead) {
		if w.open && strings.HasPrefix(markLead, rest) {
			return 0, More
		}
		return 0, None
	}
	if !strings.HasPrefix(rest, markLead) {
		return 0, None
	}
	end := runEnd(src, p+len(markLead), min(w.end, p+64), func(c byte) bool { return c == '_' || c >= 'A' && c <= 'Z' })
	switch {
	case end == w.end && w.open:
		return 0, More
	case end < w.end && src[end] == ']':
		return end + 1, Found
	}
	return 0, None
}

// TailEnd returns the end of what still belongs to a secret that was cut at
// from: everything up to a blank or quote.
func TailEnd(src string, from int) int {
	return runEnd(src, from, len(src), func(c byte) bool { return !isBlankOrQuote(c) })
}
