// Package modelid is the grammar of model ids and the table that says which
// provider an id means. It is pure: it is told which keys exist, and knows no
// key, no URL, no catalogue and no network.
package modelid

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names of providers, as events and [llm.Info] carry them.
const (
	Anthropic  = "anthropic"
	OpenAI     = "openai"
	Router     = "hf-router"
	OpenRouter = "openrouter"
	Ollama     = "ollama"
	VLLM       = "vllm"
	LMStudio   = "lm_studio"
	LlamaCPP   = "llamacpp"
	Replay     = "replay"
)

const (
	// maxChars bounds an id; no provider has longer ones.
	maxChars = 256
	// maxReplayChars bounds a replay id, which may hold a file path.
	maxReplayChars = 4096
	routerPrefix   = "huggingface/"
)

// locals are the prefixes of servers on the user's machine.
var locals = []string{Ollama, VLLM, LMStudio, LlamaCPP}

// ID is a model id that has passed the format check.
type ID struct {
	// Text is the id without surrounding blanks and without "huggingface/".
	Text string
	// Router says that the id had the "huggingface/" prefix.
	Router bool
	// Prefix is the part before the first slash, Name all that follows,
	// including a tag.
	Prefix, Name string
	// Tag is what follows the first colon after the first slash; local and
	// replay ids have none: their colon belongs to the name.
	Tag string
}

// Local reports whether the id names a model on a local server.
func (id ID) Local() bool { return slices.Contains(locals, id.Prefix) }

// Replay reports whether the id names a recording.
func (id ID) Replay() bool { return id.Prefix == Replay }

// Untagged returns the id up to its tag: the key of the router's catalogue.
func (id ID) Untagged() string {
	if id.Tag == "" {
		return id.Text
	}
	return strings.TrimSuffix(id.Text, ":"+id.Tag)
}

// FormatError says why a text is no model id.
type FormatError struct {
	ID     string
	Reason string
	// Suggest are the full ids the user probably meant.
	Suggest []string
}

// Error names the id, the reason and the accepted forms, or what was meant.
func (e *FormatError) Error() string {
	text := fmt.Sprintf("invalid model id %q: %s", e.ID, e.Reason)
	if len(e.Suggest) > 0 {
		return text + "; did you mean " + strings.Join(e.Suggest, " or ") + "?"
	}
	return text + "; accepted are <org>/<model>[:<tag>] (HF router), anthropic/<model>, openai/<model>, " +
		"openrouter/<org>/<model>, ollama/<model>, vllm/<model>, lm_studio/<model> and llamacpp/<model>"
}

// Parse checks the format of a model id. Its error is a *[FormatError].
func Parse(text string) (ID, error) {
	trimmed := strings.TrimSpace(text)
	fail := func(reason string, suggest ...string) (ID, error) {
		return ID{}, &FormatError{ID: clip(trimmed), Reason: reason, Suggest: suggest}
	}
	id := ID{Text: trimmed}
	id.Text, id.Router = strings.CutPrefix(trimmed, routerPrefix)
	id.Prefix, id.Name, _ = strings.Cut(id.Text, "/")
	if reason := badChars(id); reason != "" {
		return fail(reason)
	}
	if !strings.Contains(id.Text, "/") {
		return fail("it has no provider or organisation in front", Suggest(id.Text)...)
	}
	switch {
	case id.Prefix == "openai-compat":
		return fail("unsupported local model id: " + id.Text)
	case id.Local(), id.Replay():
		if id.Name == "" {
			return fail("nothing follows " + id.Prefix + "/")
		}
		return id, nil
	}
	path := id.Text
	if name, tag, tagged := strings.Cut(id.Name, ":"); tagged {
		if tag == "" {
			return fail("the tag after the colon is empty")
		}
		id.Tag, path = tag, id.Prefix+"/"+name
	}
	if slices.Contains(strings.Split(path, "/"), "") {
		return fail("a part between slashes is empty")
	}
	return id, nil
}

// badChars says which character rule an id breaks, if any.
func badChars(id ID) string {
	limit := maxChars
	if id.Replay() {
		limit = maxReplayChars
	}
	switch {
	case id.Text == "":
		return "it is empty"
	case !utf8.ValidString(id.Text):
		return "it is not valid UTF-8"
	case utf8.RuneCountInString(id.Text) > limit:
		return fmt.Sprintf("it is longer than %d characters", limit)
	case strings.ContainsFunc(id.Text, unprintable):
		return "it contains a control character"
	case !id.Replay() && strings.ContainsFunc(id.Text, unicode.IsSpace):
		return "it contains whitespace"
	}
	return ""
}

func unprintable(r rune) bool {
	return unicode.IsControl(r) && !unicode.IsSpace(r) || r == '\n' || r == '\r' || unicode.Is(unicode.Cf, r)
}

// clip shortens an id for a message.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 100 {
		return string(runes[:100]) + "…"
	}
	return s
}

var (
	openaiName = regexp.MustCompile(`^(gpt-|chatgpt-|codex-|o\d)`)
	// versionDot finds claude-opus-4.8: router ids use dots, direct ids dashes.
	versionDot  = regexp.MustCompile(`\d\.\d`)
	versionDash = regexp.MustCompile(`(-\d+)-(\d{1,2})$`)
)

// Suggest returns the full ids that a bare name without slash probably means.
func Suggest(name string) []string {
	low := strings.ToLower(name)
	var out []string
	add := func(id string) {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	if strings.HasPrefix(low, "claude-") {
		if versionDot.MatchString(low) {
			add("anthropic/" + strings.ReplaceAll(low, ".", "-"))
		} else {
			add("anthropic/" + low)
		}
	}
	if openaiName.MatchString(low) && !strings.HasPrefix(low, "gpt-oss") {
		add("openai/" + low)
	}
	dotted := versionDash.ReplaceAllString(low, "$1.$2")
	for _, row := range suggested {
		last := strings.ToLower(row.ID[strings.LastIndex(row.ID, "/")+1:])
		last, _, _ = strings.Cut(last, ":")
		if last == low || last == dotted {
			add(row.ID)
		}
	}
	if strings.HasPrefix(low, "gpt-oss") {
		add("openai/" + low)
	}
	if len(out) == 0 && strings.Contains(name, ":") {
		add(Ollama + "/" + name)
	}
	return out
}

// Match returns the candidates that contain text, whatever the case; an equal
// one comes alone.
func Match(text string, candidates []string) []string {
	low := strings.ToLower(strings.TrimSpace(text))
	if low == "" {
		return nil
	}
	var out []string
	for _, c := range candidates {
		switch lc := strings.ToLower(c); {
		case lc == low:
			return []string{c}
		case strings.Contains(lc, low) && !slices.Contains(out, c):
			out = append(out, c)
		}
	}
	return out
}
