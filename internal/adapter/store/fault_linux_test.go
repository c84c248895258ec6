package store_test

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/ml-intern/ml-intern/internal/engine/journal/journaltest"
)

const limitEnv = "STORE_TEST_LIMIT" // be the process whose files may not grow

// The kernel itself refuses to let a file grow, in the middle of a line. The
// limit is that of a process, so another one runs this test.
func TestFileSizeLimit(t *testing.T) {
	if os.Getenv(limitEnv) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFileSizeLimit$", "-test.v")
		cmd.Env = append(os.Environ(), limitEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(unix.SIGXFSZ)
	root, id := t.TempDir(), uuid.NewString()
	s := open(t, root)
	if err := s.Append(t.Context(), id, 0, journaltest.Events(id, 1, 3)); err != nil {
		t.Fatal(err)
	}
	before := size(t, s, id)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = uint64(before) + 100
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &low); err != nil {
		t.Fatal(err)
	}
	err := s.Append(t.Context(), id, 0, ended(id, 4))
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("error is %v, want that the file is too large", err)
	}
	if got := size(t, s, id); got != before {
		t.Errorf("the file has %d bytes, want the %d from before", got, before)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), id, 0, ended(id, 4)); err != nil {
		t.Errorf("with room again: %v", err)
	}
	reopened(t, s, root, id, 3+many)
}
