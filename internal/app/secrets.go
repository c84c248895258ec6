package app

import (
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

// secrets are the values this process holds and must not show. Some come while
// it runs, such as a fresh token.
type secrets struct {
	mu   sync.Mutex
	held []string
	now  *redact.Scrubber
}

// hold takes values in.
func (s *secrets) hold(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if v != "" && !slices.Contains(s.held, v) {
			s.held, s.now = append(s.held, v), nil
		}
	}
}

// scrubber removes them and all that looks like a secret.
func (s *secrets) scrubber() *redact.Scrubber {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		s.now = redact.New(redact.Options{Held: s.held})
	}
	return s.now
}

// scrub removes secrets from an event before it is written.
func (a *App) scrub(raw []byte) ([]byte, error) {
	out, _, err := a.secrets.scrubber().JSON(raw)
	return out, err
}

// Scrub removes secrets from a text for people.
func (a *App) Scrub(text string) string {
	out, _ := a.secrets.scrubber().String(text)
	return out
}
