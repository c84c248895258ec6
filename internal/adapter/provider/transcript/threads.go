package transcript

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// How much [Threads] keeps: conversations, and bytes in all.
const (
	maxThreads = 8
	maxWeight  = 32 << 20
)

// Threads keeps the newest conversations between two requests. Clients may
// share it. It is safe for concurrent use; its zero value is ready.
type Threads struct {
	mu   sync.Mutex
	kept []*Thread // the newest last
}

// key is what the text of a message depends on beside the conversation, and
// which conversation it is.
type key struct {
	scope, session, model string
	kind                  llm.Kind
	adjust, naming        string
}

func keyOf(scope string, req llm.Request) key {
	names := make([]string, len(req.Tools))
	for i, t := range req.Tools {
		names[i] = t.Name
	}
	return key{
		scope: scope, session: req.SessionID, model: req.Model, kind: req.Kind,
		adjust: fmt.Sprintf("%#v", req.Adjust), naming: strings.Join(names, "\x00"),
	}
}

// Take returns the thread of a request's conversation, or a new one, for the
// caller alone. The scope names the wire and whatever else makes the text of
// the same request differ: it is the same only where the text is.
func (s *Threads) Take(scope string, req llm.Request) *Thread {
	k := keyOf(scope, req)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range slices.Backward(s.kept) {
		if t.key == k && t.opens(req.Messages) {
			s.kept = slices.Delete(s.kept, i, i+1)
			return t
		}
	}
	return &Thread{key: k}
}

// Put keeps a thread for the next request of its conversation. Requests
// without a session have none.
func (s *Threads) Put(t *Thread) {
	if t.key.session == "" || len(t.seen) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, t)
	weight := 0
	for _, t := range s.kept {
		weight += t.weight()
	}
	for len(s.kept) > maxThreads || len(s.kept) > 1 && weight > maxWeight {
		weight -= s.kept[0].weight()
		s.kept = slices.Delete(s.kept, 0, 1)
	}
}

// opens reports whether the conversation begins like msgs: several of one
// session, such as those of research side by side, differ there.
func (t *Thread) opens(msgs []llm.Message) bool {
	for i := range min(2, len(t.seen), len(msgs)) {
		if !t.seen[i].fits(&msgs[i]) {
			return false
		}
	}
	return true
}
