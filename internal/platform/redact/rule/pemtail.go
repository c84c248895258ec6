package rule

import "strings"

const (
	// minLine is the length in bytes from which a line of base64 counts as one
	// of a key. Its last line may be shorter.
	minLine = 16
	// checksum is the length in bytes of the line "=abcd" that ends the base64
	// of a PGP key, behind a last line of any length.
	checksum = 5
	// maxBreak bounds, in bytes, what stands between two such lines: line ends,
	// quotes, indentation and a line number.
	maxBreak = 128
	// maxNumber is the most digits of a line number.
	maxNumber = 7
)

// pemEnd finds the END line of a private key at p together with the lines of
// base64 above it: a block whose BEGIN line was cut off.
func (sc *Scan) pemEnd(p int, w view) (Match, Verdict) {
	end, v := sc.pemLine(p, w, "-----END ")
	if v != Found {
		return Match{}, v
	}
	start := sc.linesAbove(p, sc.lowest(p), true)
	if start == p || !strings.Contains(sc.Src[p:end], "PRIVATE KEY") {
		return Match{}, None
	}
	return Match{Start: start, End: end, Kind: kindPrivateKey}, Found
}

// Held returns the place from which a text has to be held back that was
// decided up to p: where the lines of base64 begin that an END line could take
// which comes at p or later. It lies at most MaxSpan before p.
func (sc *Scan) Held(p int) int {
	lo := sc.lowest(p)
	held := sc.linesAbove(p, lo, true)
	// The line that p stands in, or behind whose closing quote.
	end := p
	for end > lo && isWrapping(sc.Src[end-1]) {
		end--
	}
	start := sc.run(end, lo)
	if start == end {
		return held
	}
	if _, ok := sc.lineBreak(start); !ok {
		return held
	}
	// What may become a checksum or a line number can follow a short line.
	line := sc.Src[start:end]
	short := line[0] == '=' && len(line) <= checksum || len(line) <= maxNumber && isNumber(line)
	return min(held, sc.linesAbove(start, lo, short))
}

// lowest is the first place from which a block that ends at p may be taken.
func (sc *Scan) lowest(p int) int { return max(sc.Floor, sc.Shown, p-MaxSpan) }

// linesAbove returns where the lines of a key begin that end above p, or p.
// short says that the last of them may be short.
func (sc *Scan) linesAbove(p, lo int, short bool) int {
	start := p
	for {
		end, ok := sc.lineBreak(p)
		if !ok {
			return start
		}
		p = sc.run(end, lo)
		n := end - p
		if n == 0 || n < minLine && !short {
			return start
		}
		if _, ok = sc.lineBreak(p); !ok {
			return start
		}
		if n >= minLine {
			start = p
		}
		short = short && n == checksum && sc.Src[p] == '='
	}
}

// run returns where the run of base64 that ends at end begins, but not before
// lo. The letter of an escaped line break does not belong to it.
func (sc *Scan) run(end, lo int) int {
	start := end
	for start > lo && isBase64(sc.Src[start-1]) {
		start--
	}
	if start < end && sc.escapedBreak(start+1) {
		start++
	}
	return start
}

// escapedBreak reports whether an escaped line break, two characters, ends at p.
func (sc *Scan) escapedBreak(p int) bool {
	return p-2 >= sc.Floor && sc.Src[p-2] == '\\' && (sc.Src[p-1] == 'n' || sc.Src[p-1] == 'r')
}

// lineBreak reports whether a line begins at p, behind no more than quotes,
// indentation and a line number, and where the line above it ends.
func (sc *Scan) lineBreak(p int) (end int, ok bool) {
	lo := max(sc.Floor, p-maxBreak)
	numbered := false
	for end = p; end > lo; {
		switch c := sc.Src[end-1]; {
		case c == '\n' || c == '\r':
			ok = true
			end--
		case sc.escapedBreak(end):
			ok = true
			end -= 2
		case isWrapping(c), !ok && isMargin(c):
			end--
		case !ok && !numbered && end < p && isMargin(sc.Src[end]) && isDigit(c):
			numbered = true
			for k := 0; k < maxNumber && end > lo && isDigit(sc.Src[end-1]); k++ {
				end--
			}
		default:
			return end, ok
		}
	}
	return end, ok || end == 0
}

// isWrapping: a byte that may stand on either side of a line of base64.
func isWrapping(c byte) bool { return c == '\\' || c == '"' || c == '\'' }

// isMargin: a byte that may stand before a line, beside its number.
func isMargin(c byte) bool { return isBlank(c) || c == ':' || c == '|' || c == '>' }
