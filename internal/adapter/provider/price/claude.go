package price

import (
	"regexp"
	"strconv"
	"strings"
)

// version reads claude-opus-4-8, claude-sonnet-5 and claude-3-5-haiku.
var version = regexp.MustCompile(`^claude-(?:([a-z]+)-)?(\d{1,2})(?:-(\d{1,2}))?(?:-|$)`)

// parseClaude returns family and version of a Claude model, or ok false.
func parseClaude(model string) (family string, major, minor int, ok bool) {
	m := version.FindStringSubmatch(dateSuffix.ReplaceAllString(bare(model), ""))
	if m == nil {
		return "", 0, 0, false
	}
	major, _ = strconv.Atoi(m[2])
	if m[3] != "" {
		minor, _ = strconv.Atoi(m[3])
	}
	return m[1], major, minor, true
}

// MaxOutput returns the largest answer of a model in tokens, thinking
// included, or 0 when nothing is known. An unknown Claude model is taken for a
// new one.
func MaxOutput(model string) int {
	name := bare(model)
	if e, ok := table[name]; ok && e.MaxOutput > 0 {
		return e.MaxOutput
	}
	if !strings.HasPrefix(name, "claude-") {
		if e, ok := Lookup(model); ok {
			return e.MaxOutput
		}
		return 0
	}
	family, major, minor, ok := parseClaude(name)
	switch {
	case !ok || major >= 5 || major == 4 && minor >= 6:
		return 128_000
	case major == 4 && minor == 5, major == 4 && minor == 0 && family != "opus":
		return 64_000
	case major == 4:
		return 32_000
	case major == 3 && minor >= 5:
		return 8_192
	}
	return 4_096
}

// TokenFactor is the first guess of a model's true over estimated prompt
// tokens: the tokenizer of Claude Opus 4.7 and later makes more of them.
func TokenFactor(model string) float64 {
	family, major, minor, ok := parseClaude(model)
	if ok && family == "opus" && (major >= 5 || major == 4 && minor >= 7) {
		return 1.3
	}
	return 1
}
