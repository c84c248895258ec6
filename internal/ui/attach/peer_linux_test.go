package attach_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Another user is turned away even where the permissions would let him in. Only
// root can become somebody else to try it.
func TestAnotherUserIsTurnedAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	s := serve(t)
	dir := filepath.Dir(s.path)
	for path, mode := range map[string]os.FileMode{dir: 0o711, s.path: 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	answered := make(chan error)
	go func() {
		runtime.LockOSThread() // it dies with this goroutine: its user is never root again
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			answered <- errno
			return
		}
		conn, err := net.Dial("unix", s.path)
		if err != nil {
			answered <- err
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Write([]byte(`{"hello":{"protocol":1,"version":"1","role":"terminal"}}` + "\n"))
		var got any
		if err := json.NewDecoder(conn).Decode(&got); err == nil {
			t.Errorf("another user was told %v", got)
		}
		answered <- nil
	}()
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	dial(t, s.path)
}
