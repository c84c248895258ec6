// Package secrets holds the values that this process must not show. It does not
// know where they come from.
package secrets

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

// Held are the values this process holds. Some come while it runs, such as a
// fresh token. The zero value holds none; it is safe for concurrent use.
type Held struct {
	mu   sync.Mutex
	held []string
	now  *redact.Scrubber
}

// Hold takes values in.
func (s *Held) Hold(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if v != "" && !slices.Contains(s.held, v) {
			s.held, s.now = append(s.held, v), nil
		}
	}
}

// Scrubber removes them and all that looks like a secret.
func (s *Held) Scrubber() *redact.Scrubber {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		s.now = redact.New(redact.Options{Held: s.held})
	}
	return s.now
}

// Shows reports whether a text shows a secret.
func (s *Held) Shows(text string) bool { return Kind(s.Scrubber(), text) != "" }

// Shown is the kind of the first secret that a text shows, "" for none.
func (s *Held) Shown(text string) string { return Kind(s.Scrubber(), text) }

// Kind is the kind of the first secret a text shows, "" for none. What only
// stands behind a secret's name is not counted: addresses and programs are full
// of such names.
func Kind(s *redact.Scrubber, text string) string {
	_, kinds := s.Report(text)
	delete(kinds, "named")
	if len(kinds) == 0 {
		return ""
	}
	return strings.ReplaceAll(slices.Min(slices.Collect(maps.Keys(kinds))), "_", " ")
}
