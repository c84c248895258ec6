// Package redact removes secrets from text and from JSON: tokens that are
// known by their shape, values that stand behind a name such as HF_TOKEN, and
// the exact values this process holds.
//
// One scanner reads a text from left to right and decides at each place with
// a bounded view. What was replaced counts as a wall that no rule looks through. From this
// follow the three promises: scrubbing twice is scrubbing once, a text that
// arrives in pieces gives the same result as the whole, and code that merely
// speaks of tokens (tokenizer.pad_token = tokenizer.eos_token) stays as it is.
//
// The package does not know where secrets come from, what an event or a
// message is, or where a text goes; it reads no file and no environment.
package redact

import (
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/redact/rule"
)

// Options say what New shall know besides the patterns.
type Options struct {
	// Held are the exact secret values this process holds. Those of 8 or more
	// characters are removed wherever they stand, as they are and in base64,
	// URL-encoded and JSON-escaped form; shorter ones are ignored.
	Held []string
}

// Scrubber removes secrets. It never changes and may be used by many
// goroutines at once.
type Scrubber struct {
	values []string // as given, for With
	rules  *rule.Set
}

// New returns a scrubber that knows all patterns and the held values.
func New(o Options) *Scrubber {
	return &Scrubber{values: slices.Clone(o.Held), rules: rule.NewSet(o.Held)}
}

// With returns a scrubber that removes these values too.
func (s *Scrubber) With(held ...string) *Scrubber {
	return New(Options{Held: slices.Concat(s.values, held)})
}

// String returns the text without its secrets and how many were replaced. A
// text without secrets comes back as it is, without an allocation.
func (s *Scrubber) String(text string) (string, int) {
	edits := s.edits(text)
	return apply(text, edits), len(edits)
}

// Report is String with the number of replacements by kind: "hf_token",
// "provider_api_key", "github_token", "aws_key_id", "bearer", "slack_token",
// "google_key", "jwt", "private_key", "url_credentials", "webhook",
// "service_token", "named" (known by the name before it) and "held".
func (s *Scrubber) Report(text string) (string, map[string]int) {
	edits := s.edits(text)
	return apply(text, edits), tally(edits)
}

// edit replaces src[start:end] by text.
type edit struct {
	start, end int
	text       string
	kind       rule.Kind
	note       bool // an added remark, not a removed secret
}

// edits returns the replacements text needs, in order and without overlap.
func (s *Scrubber) edits(text string) []edit {
	var all []edit
	sc := rule.Scan{Set: s.rules, Src: text, Final: true}
	for pos := 0; pos < len(text); {
		m, v := sc.Next(pos)
		if v != rule.Found {
			break
		}
		if m.Cut {
			m.End = rule.TailEnd(text, m.End)
		}
		all = append(all, edit{start: m.Start, end: m.End, text: m.Kind.Mark(), kind: m.Kind})
		pos, sc.Floor = m.End, m.End
	}
	return all
}

func apply(src string, edits []edit) string {
	if len(edits) == 0 {
		return src
	}
	var b strings.Builder
	b.Grow(len(src) + 16*len(edits))
	pos := 0
	for _, e := range edits {
		b.WriteString(src[pos:e.start])
		b.WriteString(e.text)
		pos = e.end
	}
	b.WriteString(src[pos:])
	return b.String()
}

func tally(edits []edit) map[string]int {
	counts := map[string]int{}
	for _, e := range edits {
		if !e.note {
			counts[e.kind.String()]++
		}
	}
	return counts
}
