//go:build unix

package mention_test

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe is not opened: that would wait for ever.
func TestPipe(t *testing.T) {
	d := newDesk(t)
	if err := syscall.Mkfifo(filepath.Join(d.dir, "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	d.noted("@./pipe", "@./pipe was not read: it is no regular file")
	d.noted("@/dev/zero", "@/dev/zero was not read: it is no regular file")
}
