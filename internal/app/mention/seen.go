package mention

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/config/place"
)

// mostSeen is how many repositories are remembered.
const mostSeen = 200

// Seen are the repositories that were read lately, in a file; a nil Seen
// remembers none. It is safe for concurrent use.
type Seen struct {
	path string
	mu   sync.Mutex
}

// OpenSeen remembers in a file, which need not be there.
func OpenSeen(path string) *Seen { return &Seen{path: path} }

// Add remembers a repository: org/name, or with datasets/ or spaces/ in front.
// Where that is not possible it is forgotten.
func (s *Seen) Add(name string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.DeleteFunc(s.read(), func(old string) bool { return old == name })
	names = append([]string{name}, names...)
	if raw, err := json.Marshal(names[:min(len(names), mostSeen)]); err == nil {
		_ = place.WritePrivate(s.path, raw)
	}
}

// Names are those that were read, the newest first.
func (s *Seen) Names() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read()
}

func (s *Seen) read() []string {
	raw, err := os.ReadFile(s.path)
	if err != nil {
		return nil
	}
	var names []string
	if json.Unmarshal(raw, &names) != nil {
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool { return strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' }) })
}

// Cached are the repositories whose files lie in a cache of the Hub's clients.
func Cached(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.Readdirnames(10_000)
	var out []string
	for _, e := range entries {
		kind, rest, ok := strings.Cut(filepath.Base(e), "--")
		if !ok {
			continue
		}
		id := strings.Replace(rest, "--", "/", 1)
		switch kind {
		case "models":
			out = append(out, id)
		case "datasets", "spaces":
			out = append(out, kind+"/"+id)
		}
	}
	slices.Sort(out)
	return out
}
