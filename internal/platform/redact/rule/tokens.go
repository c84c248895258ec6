package rule

import "strings"

// hub finds Hub tokens: hf_, hf_oauth_ or hf_jwt_ and 30 or more letters and
// digits. The last two may carry a whole JWT, which goes with its dots.
func (sc *Scan) hub(p int, w view) (Match, Verdict) {
	if v := sc.lead(p, w, "hf_"); v != Found {
		return Match{}, v
	}
	body := p + len("hf_")
	for _, sub := range []string{"oauth_", "jwt_"} {
		switch sc.lead(body, w, sub) {
		case More:
			return Match{}, More
		case Found:
			body += len(sub)
		}
	}
	class := isAlnum
	if body > p+len("hf_") {
		switch sc.lead(body, w, "eyJ") {
		case More:
			return Match{}, More
		case Found:
			class = isDotted
		}
	}
	end := runEnd(sc.Src, body, w.end, class)
	if end == w.end && w.open {
		return Match{}, More
	}
	for end > body && sc.Src[end-1] == '.' {
		end--
	}
	if end-body < 30 {
		return Match{}, None
	}
	return Match{Start: p, End: end, Kind: kindHub}, Found
}

// provider finds the keys of model providers: sk-ant- and 20 or more, sk- and
// 40 or more, and shorter ones that look like a key and not like words.
func (sc *Scan) provider(p int, w view) (Match, Verdict) {
	v := sc.lead(p, w, "sk-")
	if v != Found || !sc.keyEdge(p) {
		if v == More && sc.keyEdge(p) {
			return Match{}, More
		}
		return Match{}, None
	}
	body := p + len("sk-")
	end := runEnd(sc.Src, body, w.end, isKeyByte)
	if end == w.end && w.open {
		return Match{}, More
	}
	rest := sc.Src[body:end]
	ant, isAnt := strings.CutPrefix(rest, "ant-")
	if isAnt && len(ant) >= 20 || !isAnt && len(rest) >= 40 || looksLikeKey(rest) {
		return Match{Start: p, End: end, Kind: kindProvider}, Found
	}
	return Match{}, None
}

// keyEdge keeps "disk-" and "task-" from beginning a key, while "my_sk-" may.
func (sc *Scan) keyEdge(p int) bool {
	return p > sc.Floor && sc.Src[p-1] == '_' || sc.edge(p)
}

// looksLikeKey reports whether s holds 12 or more letters and digits in a row
// with at least two of each, which no hyphenated name does.
func looksLikeKey(s string) bool {
	letters, digits := 0, 0
	for i := range len(s) {
		switch {
		case isLetter(s[i]):
			letters++
		case isDigit(s[i]):
			digits++
		default:
			letters, digits = 0, 0
			continue
		}
		if letters+digits >= 12 && letters >= 2 && digits >= 2 {
			return true
		}
	}
	return false
}

// bearer finds an authorization value: the scheme in any case, blanks and 20
// or more characters. A token of a known kind behind it keeps its own mark.
func (sc *Scan) bearer(p int, w view) (Match, Verdict) {
	n := min(len(bearerLead), w.end-p)
	for k := range n {
		if lower(sc.Src[p+k]) != bearerLead[k] {
			return Match{}, None
		}
	}
	blanks := p + n
	value := runEnd(sc.Src, blanks, w.end, isSpace)
	if value == w.end && w.open {
		return Match{}, More
	}
	if n < len(bearerLead) || value == blanks {
		return Match{}, None
	}
	end := runEnd(sc.Src, value, w.end, isBearer)
	if end == w.end && w.open {
		return Match{}, More
	}
	if end-value < 20 {
		return Match{}, None
	}
	if m, v := sc.token(value, w); v == More {
		return Match{}, More
	} else if v == Found && m.Start == value && m.End >= end {
		return m, Found
	}
	return Match{Start: p, End: end, Kind: kindBearer}, Found
}

// jwt finds three base64url segments, the first of which is a JSON object.
func (sc *Scan) jwt(p int, w view) (Match, Verdict) {
	v := sc.lead(p, w, "eyJ")
	if v == None || !sc.edge(p) || p > sc.Floor && sc.Src[p-1] == '-' {
		return Match{}, None
	}
	if v == More {
		return Match{}, More
	}
	end := p
	for segment := range 3 {
		start := end
		end = runEnd(sc.Src, start, w.end, isKeyByte)
		if end == w.end && w.open {
			return Match{}, More
		}
		if end-start < 10 {
			return Match{}, None
		}
		if segment < 2 {
			if end == w.end || sc.Src[end] != '.' {
				return Match{}, None
			}
			end++
		}
	}
	return Match{Start: p, End: end, Kind: kindJWT}, Found
}

// wandb finds the key of 40 hexadecimal digits in `wandb login KEY` and
// `wandb.login(key="KEY")`, which has no shape of its own.
func (sc *Scan) wandb(p int, w view) (Match, Verdict) {
	at := 0
	for _, lead := range []string{"wandb login", "wandb.login("} {
		switch sc.lead(p, w, lead) {
		case More:
			return Match{}, More
		case Found:
			at = p + len(lead)
		}
	}
	if at == 0 {
		return Match{}, None
	}
	limit := view{end: min(w.end, at+80), open: w.open && w.end < at+80}
	for {
		next := runEnd(sc.Src, at, limit.end, func(c byte) bool { return isBlank(c) || isQuote(c) })
		word := runEnd(sc.Src, next, limit.end, func(c byte) bool { return isKeyByte(c) || c == '=' })
		if word == limit.end && limit.open {
			return Match{}, More
		}
		value := next
		if strings.HasPrefix(sc.Src[next:word], "key=") {
			value += len("key=")
			if value == word && word < limit.end && isQuote(sc.Src[word]) {
				at = word
				continue
			}
		}
		if end := runEnd(sc.Src, value, word, isHex); end-value >= 40 {
			return Match{Start: value, End: end, Kind: kindNamed}, Found
		}
		if !strings.HasPrefix(sc.Src[next:word], "--") {
			return Match{}, None
		}
		at = word
	}
}

// userinfo finds credentials in a URL, from the colon before "//" on. The
// password goes, the user stays unless it is long enough to be a token.
// Placeholders such as {token} and $TOKEN are code and stay.
func (sc *Scan) userinfo(p int, w view) (Match, Verdict) {
	if p <= sc.Floor || !isAlnum(sc.Src[p-1]) {
		return Match{}, None
	}
	if v := sc.lead(p, w, "://"); v != Found {
		return Match{}, v
	}
	start := p + len("://")
	end, limit := start, min(w.end, start+1024)
	at := -1
	for end < limit && !isHostEnd(sc.Src[end]) {
		if sc.Src[end] == '@' {
			at = end
		}
		end++
	}
	if end == w.end && w.open {
		return Match{}, More
	}
	if at < 0 {
		return Match{}, None
	}
	user, password, both := strings.Cut(sc.Src[start:at], ":")
	if strings.Contains(sc.Src[start:end], markLead) {
		return Match{}, None
	}
	secretUser := looksLikeKey(user) && len(user) >= 20
	switch {
	case secretUser:
		return Match{Start: start, End: at, Kind: kindURL}, Found
	case !both || password == "" || strings.ContainsAny(password, "${}<>") || strings.Trim(password, "*") == "":
		return Match{}, None
	}
	return Match{Start: at - len(password), End: at, Kind: kindURL}, Found
}

func isHostEnd(c byte) bool {
	return isBlankOrQuote(c) || c == '/' || c == '?' || c == '#' || c == '\\' || c == '<' || c == '>' || c == ')' || c == '('
}
