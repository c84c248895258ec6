package pii

import "strings"

// email is the address around the sign at i.
func email(s string, i, floor int) (Match, bool) {
	const longest = 64 // characters before the sign, as the standard has it
	start := i
	for start > floor && i-start < longest && (alnum(s[start-1]) || strings.IndexByte("._%+-", s[start-1]) >= 0) {
		start--
	}
	for start < i && !alnum(s[start]) {
		start++
	}
	if start == i || !alnum(s[i-1]) && s[i-1] != '_' && s[i-1] != '-' || inURL(s, start) {
		return Match{}, false
	}
	end, top := domain(s, i+1)
	if top == "" || fileEnding(top) {
		return Match{}, false
	}
	if user := s[start:i]; user == "git" || end < len(s) && (s[end] == ':' || s[end] == '/') && end+1 < len(s) && alnum(s[end+1]) {
		return Match{}, false // the address of a repository or of a machine
	}
	return Match{Kind: Email, Start: start, End: end, Masked: s[start:start+1] + "***@***." + top}, true
}

// inURL reports whether the name before the sign is the user of a URL.
func inURL(s string, start int) bool {
	for i := start - 1; i >= 0 && start-i < 200; i-- {
		switch c := s[i]; {
		case c == '/' && i > 1 && s[i-1] == '/' && s[i-2] == ':':
			return true
		case c <= ' ' || c == '"' || c == '<' || c == '(' || c == ',':
			return false
		}
	}
	return false
}

// domain is where the domain at i ends, and its last label; that is empty when
// there is no domain.
func domain(s string, i int) (end int, top string) {
	end = i
	for labels := 0; ; labels++ {
		stop := span(s, end, 63, func(c byte) bool { return alnum(c) || c == '-' })
		label := s[end:stop]
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			break
		}
		if labels > 0 {
			top = ""
			if len(label) >= 2 && len(label) <= 24 && !one(label, func(c byte) bool { return !letter(c) }) {
				top = label
			}
		}
		end = stop
		if stop+1 >= len(s) || s[stop] != '.' || !alnum(s[stop+1]) {
			break
		}
		end++
	}
	if end > i && s[end-1] == '.' {
		end--
	}
	return end, strings.ToLower(top)
}

// fileEnding reports whether what looks like a domain is a file's name.
func fileEnding(top string) bool {
	switch top {
	case "png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "json", "html", "xml", "txt", "yml", "yaml", "gz", "tgz", "whl":
		return true
	}
	return false
}
