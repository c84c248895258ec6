package attach

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// pathLimit is what the address of a Unix socket holds on every system, in
// bytes: macOS has 104 with the closing zero, Linux 108.
const pathLimit = 103

// Fits reports whether a socket can have this path.
func Fits(path string) bool { return len(path) <= pathLimit }

// Listen makes the socket of a session. Its folder is made for this user alone,
// and so is the socket. A file that is there already is replaced: the name must
// be the caller's.
func Listen(path string) (net.Listener, error) {
	if !Fits(path) {
		return nil, fmt.Errorf("listen at %s: the path has %d bytes, a socket's may have %d; set ML_INTERN_HOME to a shorter folder", path, len(path), pathLimit)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the session's socket: %w", err)
	}
	if err := private(dir); err != nil {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("make the session's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("make the session's socket private: %w", err), l.Close())
	}
	return l, nil
}
