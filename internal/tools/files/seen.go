package files

import (
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// snapshot is a file as a session has last seen it.
type snapshot struct {
	size    int64
	modTime time.Time
	// sum is the SHA-256 in hex; empty when only a part of a huge file was
	// read, which size and time then stand for.
	sum string
}

func snap(info workspace.Info, sum string) snapshot {
	return snapshot{size: info.Size, modTime: info.ModTime, sum: sum}
}

// same reports whether the file is still what was seen. A file that was only
// touched has not changed.
func (s snapshot) same(now snapshot) bool {
	if s.sum != "" && now.sum != "" {
		return s.sum == now.sum
	}
	return s.size == now.size && s.modTime.Equal(now.modTime)
}

// seen remembers what each session has seen, by real path, and lets one change
// of a file happen at a time.
type seen struct {
	mu       sync.Mutex
	sessions map[string]map[string]snapshot
	locks    map[string]*sync.Mutex
}

func newSeen() *seen {
	return &seen{sessions: map[string]map[string]snapshot{}, locks: map[string]*sync.Mutex{}}
}

func (s *seen) put(session, real string, shot snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[session] == nil {
		s.sessions[session] = map[string]snapshot{}
	}
	s.sessions[session][real] = shot
}

func (s *seen) last(session, real string) (snapshot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shot, ok := s.sessions[session][real]
	return shot, ok
}

// forget drops what all sessions have seen.
func (s *seen) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

// lock takes the file for a change and returns what gives it back.
func (s *seen) lock(real string) func() {
	s.mu.Lock()
	l := s.locks[real]
	if l == nil {
		l = &sync.Mutex{}
		s.locks[real] = l
	}
	s.mu.Unlock()
	l.Lock()
	return l.Unlock
}
