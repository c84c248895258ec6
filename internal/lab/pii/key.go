package pii

import "strings"

// form is how keys of one service look.
type form struct {
	prefix string
	// tail is how many characters follow at least.
	tail int
	is   func(byte) bool
	// mixed tells that the prefix is so common that only a tail with a digit and
	// a letter in upper case counts.
	mixed bool
}

// plain and dashed are the characters of keys.
func plain(c byte) bool  { return alnum(c) }
func dashed(c byte) bool { return alnum(c) || c == '-' || c == '_' }
func capital(c byte) bool {
	return upper(c) || digit(c)
}

// forms is the forms whose prefix begins with c, longer prefixes first.
func forms(c byte) []form {
	switch c {
	case 'h':
		return []form{{prefix: "hf_oauth_", tail: 20, is: dashed}, {prefix: "hf_jwt_", tail: 20, is: dashed}, {prefix: "hf_", tail: 20, is: plain}}
	case 's':
		return []form{
			{prefix: "sk-ant-", tail: 20, is: dashed},
			{prefix: "sk-proj-", tail: 20, is: dashed},
			{prefix: "sk-or-v1-", tail: 32, is: plain},
			{prefix: "sk_live_", tail: 16, is: plain},
			{prefix: "sk_test_", tail: 16, is: plain},
			{prefix: "shpat_", tail: 32, is: plain},
			{prefix: "sk-", tail: 20, is: dashed, mixed: true},
		}
	case 'g':
		return []form{
			{prefix: "github_pat_", tail: 30, is: dashed},
			{prefix: "glpat-", tail: 20, is: dashed},
			{prefix: "gsk_", tail: 30, is: plain},
			{prefix: "ghp_", tail: 30, is: plain},
			{prefix: "gho_", tail: 30, is: plain},
			{prefix: "ghu_", tail: 30, is: plain},
			{prefix: "ghs_", tail: 30, is: plain},
			{prefix: "ghr_", tail: 30, is: plain},
		}
	case 'A':
		return []form{{prefix: "AKIA", tail: 16, is: capital}, {prefix: "ASIA", tail: 16, is: capital}, {prefix: "AIza", tail: 30, is: dashed}}
	case 'x':
		return []form{
			{prefix: "xoxb-", tail: 20, is: dashed},
			{prefix: "xoxp-", tail: 20, is: dashed},
			{prefix: "xoxa-", tail: 20, is: dashed},
			{prefix: "xoxs-", tail: 20, is: dashed},
			{prefix: "xai-", tail: 40, is: plain},
		}
	case 'n':
		return []form{{prefix: "npm_", tail: 36, is: plain}, {prefix: "nvapi-", tail: 40, is: dashed}}
	case 'p':
		return []form{{prefix: "pypi-AgE", tail: 40, is: dashed}, {prefix: "pk_live_", tail: 16, is: plain}}
	case 'r':
		return []form{{prefix: "rk_live_", tail: 16, is: plain}, {prefix: "r8_", tail: 36, is: plain}}
	case 'd':
		return []form{{prefix: "dop_v1_", tail: 60, is: plain}, {prefix: "dckr_pat_", tail: 24, is: dashed}}
	case 'e':
		return []form{{prefix: "eyJ", tail: 20, is: dashed}}
	case 'S':
		return []form{{prefix: "SG.", tail: 16, is: dashed}}
	}
	return nil
}

// longest is where the search for the end of a key stops.
const longest = 1024

// key is the key that begins at i.
func key(s string, i int) (Match, bool) {
	switch s[i] { // most letters begin none
	case 'h', 's', 'g', 'A', 'x', 'n', 'p', 'r', 'd', 'e', 'S':
	default:
		return Match{}, false
	}
	for _, f := range forms(s[i]) {
		if !strings.HasPrefix(s[i:], f.prefix) {
			continue
		}
		start := i + len(f.prefix)
		end := span(s, start, longest, f.is)
		tail := s[start:end]
		if len(tail) < f.tail || f.mixed && !(one(tail, digit) && one(tail, upper) && one(tail, lower)) {
			continue
		}
		if f.prefix == "eyJ" || f.prefix == "SG." {
			if end, tail = dotted(s, end); tail == "" {
				continue
			}
		}
		return Match{Kind: Key, Start: i, End: end, Masked: f.prefix + "***"}, true
	}
	return Match{}, false
}

// dotted passes over the parts of a token that stand behind dots.
func dotted(s string, i int) (int, string) {
	if i >= len(s) || s[i] != '.' {
		return i, ""
	}
	end := span(s, i+1, longest, dashed)
	if end-i < 17 {
		return i, ""
	}
	if end < len(s) && s[end] == '.' {
		end = span(s, end+1, longest, dashed)
	}
	return end, s[i:end]
}

// privateKey is the first line of a private key.
func privateKey(s string, i int) (Match, bool) {
	rest, ok := strings.CutPrefix(s[i:], "-----BEGIN ")
	if !ok {
		return Match{}, false
	}
	line := rest[:min(len(rest), 60)]
	if at := strings.Index(line, "PRIVATE KEY"); at >= 0 && !strings.Contains(line[:at], "\n") {
		end := len(s) - len(rest) + at + len("PRIVATE KEY")
		const ending = "-----END "
		if stop := strings.Index(s[end:min(len(s), end+8<<10)], ending); stop >= 0 {
			end = span(s, end+stop+len(ending), 60, func(c byte) bool { return c != '\n' })
		}
		return Match{Kind: Key, Start: i, End: end, Masked: "-----BEGIN " + line[:at] + "PRIVATE KEY-----***"}, true
	}
	return Match{}, false
}
