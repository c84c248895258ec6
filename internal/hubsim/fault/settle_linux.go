package fault

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// settle waits until the other side has what was sent, because a reset throws
// away what still waits here. A client that does not read is not waited for
// longer than two seconds.
func settle(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	for range 2000 {
		waiting := 0
		err := raw.Control(func(fd uintptr) { waiting, _ = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
		if err != nil || waiting == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
