package store

import (
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Held reports whether a process writes the session now, this one included,
// and which; its number is 0 where that could not be read. It keeps nobody out:
// the lock itself is looked at only where the process that had it last is
// alive.
func (s *Store) Held(session string) (pid int, held bool) {
	dir, err := s.dir(session)
	if err != nil {
		return 0, false
	}
	s.mu.Lock()
	f := s.open[session]
	s.mu.Unlock()
	if f != nil {
		return os.Getpid(), true
	}
	path := filepath.Join(dir, lockName)
	if pid = readPID(path); pid != 0 && !alive(pid) {
		return 0, false
	}
	l := flock.New(path, flock.SetPermissions(fileMode), flock.SetFlag(os.O_RDONLY)) // never makes one
	free, err := l.TryRLock()
	if closed := l.Close(); err != nil || closed != nil || free {
		return 0, false
	}
	return pid, true
}
