// Package sources keeps what a session looks up while it runs: the numbers of
// its evidence, what of it was read since a person spoke last, and which
// references of an answer it stands behind. It looks nothing up itself and
// decides nothing about calls.
package sources

import (
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Sources are those of one session. It is safe for concurrent use: tools look
// things up side by side.
type Sources struct {
	mu      sync.Mutex
	ledger  *evidence.Ledger
	outside []event.Origin
	kept    []kept
	size    int // of kept, in bytes
}

// New returns Sources that go on from what a session's journal says.
func New(s *history.State) *Sources {
	all := &Sources{ledger: evidence.New(s.Evidence), outside: slices.Clone(s.Outside)}
	for _, m := range s.Messages {
		if m.Role == llm.ToolRole && !cited(m.Text) {
			all.Keep(m.Text)
		}
	}
	return all
}

// Note numbers what was looked up, tells it, and returns it as it stands in the
// ledger. Its mark is empty where the ledger is full or nothing can be told any
// more. The journal has the entries in the order of their numbers.
func (s *Sources) Note(e event.Evidence, tell func(ps ...event.Payload) error) event.Evidence {
	s.mu.Lock()
	defer s.mu.Unlock()
	e = s.ledger.Add(e)
	s.outside = history.ReadOutside(s.outside, e)
	if tell(e) != nil {
		e.ID = ""
	}
	return e
}

// Heard tells text from outside that is no evidence: it gets no number.
func (s *Sources) Heard(e event.Evidence, tell func(ps ...event.Payload) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e = evidence.Unnumbered(e)
	s.outside = history.ReadOutside(s.outside, e)
	_ = tell(e) // the session knows and ends
}

// Asked says that a person has spoken: what was read before is behind it.
func (s *Sources) Asked() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outside = nil
}

// Outside is the text from outside that was read since a person spoke last.
func (s *Sources) Outside() []event.Origin {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.outside)
}

// Unverified lists the references of an answer that nothing looked up stands
// behind. repos, as TYPE/NAMESPACE/NAME, are those the session has changed: an
// answer that names its own work cites nobody.
func (s *Sources) Unverified(answer *string, repos []string) []string {
	if answer == nil {
		return nil
	}
	own := make([]string, 0, len(repos))
	for _, repo := range repos {
		kind, id, _ := strings.Cut(repo, "/")
		if kind != "model" {
			id = kind + "s/" + id
		}
		own = append(own, "https://huggingface.co/"+id)
	}
	return evidence.Unverified(*answer, s.ledger.Entries(), own...)
}
