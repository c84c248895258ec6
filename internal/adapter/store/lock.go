package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// lock is the right to write one session. It is advisory and ends with the
// process, so a crash leaves no stale one.
type lock struct {
	flock *flock.Flock
}

// takeLock takes the lock in dir and writes our process id into it.
func takeLock(session, dir string) (*lock, error) {
	path := filepath.Join(dir, lockName)
	l := flock.New(path, flock.SetPermissions(fileMode))
	ok, err := l.TryLock()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock session %s: %w", session, err), l.Close())
	}
	if !ok {
		return nil, errors.Join(&HeldError{SessionID: session, PID: readPID(path)}, l.Close())
	}
	// The number only serves a better message; where a lock keeps even its owner
	// from writing through another handle, as on Windows, it stays unknown.
	pid := strconv.Itoa(os.Getpid()) + "\n"
	_ = os.WriteFile(path, []byte(pid), fileMode)
	return &lock{l}, nil
}

func readPID(path string) int {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0
	}
	return pid
}

// release gives the lock up. The file stays: removing it would let two
// processes hold two files of the same name.
func (l *lock) release() error {
	if err := l.flock.Close(); err != nil {
		return fmt.Errorf("release lock %s: %w", l.flock.Path(), err)
	}
	return nil
}
