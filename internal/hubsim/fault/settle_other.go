//go:build !linux

package fault

import (
	"net"
	"time"
)

// settle gives what was sent a moment to arrive, because a reset throws away
// what still waits here.
func settle(net.Conn) { time.Sleep(50 * time.Millisecond) }
