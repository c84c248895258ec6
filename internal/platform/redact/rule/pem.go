package rule

import "strings"

// pem finds a private key block from its BEGIN line through its END line, with
// real or escaped line breaks. Where the END line is missing, the lines of
// base64 that follow the BEGIN line go, and where the BEGIN line is missing,
// those above the END line; either line without any is prose.
func (sc *Scan) pem(p int, w view) (Match, Verdict) {
	body, v := sc.pemLine(p, w, "-----BEGIN ")
	if v == None {
		return sc.pemEnd(p, w)
	}
	if v == More {
		return Match{}, More
	}
	if !strings.Contains(sc.Src[p:body], "PRIVATE KEY") {
		return Match{}, None
	}
	for q := body; q < w.end; q++ {
		c := sc.Src[q]
		if c == '-' {
			end, v := sc.pemLine(q, w, "-----END ")
			if v == More {
				return Match{}, More
			}
			if v == Found {
				return Match{Start: p, End: end, Kind: kindPrivateKey}, Found
			}
		}
		if !isPEMByte(c) || c == '-' && strings.HasPrefix(sc.Src[q:w.end], "-----BEGIN ") {
			return sc.pemLines(p, body, w)
		}
	}
	if w.open {
		return Match{}, More
	}
	return sc.pemLines(p, body, w)
}

// pemLine matches lead, a label in capitals and five dashes; it returns the
// end of the line.
func (sc *Scan) pemLine(p int, w view, lead string) (int, Verdict) {
	if v := sc.lead(p, w, lead); v != Found {
		return 0, v
	}
	label := p + len(lead)
	end := runEnd(sc.Src, label, min(w.end, label+64), func(c byte) bool { return isUpperAlnum(c) || c == ' ' })
	if v := sc.lead(end, w, "-----"); v != Found {
		return 0, v
	}
	return end + len("-----"), Found
}

// pemLines takes the lines of base64 after a BEGIN line.
func (sc *Scan) pemLines(p, body int, w view) (Match, Verdict) {
	end := body
	for {
		line := runEnd(sc.Src, end, w.end, isPEMBreak)
		// "\n" as two characters: its letter is no base64.
		for line > end && line+1 < w.end && sc.Src[line-1] == '\\' && (sc.Src[line] == 'n' || sc.Src[line] == 'r') {
			line = runEnd(sc.Src, line+1, w.end, isPEMBreak)
		}
		stop := runEnd(sc.Src, line, w.end, isBase64)
		if line == end || stop-line < 16 {
			break
		}
		end = stop
	}
	if end == body {
		return Match{}, None
	}
	return Match{Start: p, End: end, Kind: kindPrivateKey}, Found
}

func isPEMBreak(c byte) bool { return isSpace(c) || c == '\\' || c == '"' || c == '\'' }

func isPEMByte(c byte) bool {
	return isBase64(c) || isPEMBreak(c) || strings.IndexByte(",:.-", c) >= 0
}
