//go:build !linux

package attach

import "net"

// samePeer trusts the permissions of the socket and its folder.
func samePeer(net.Conn) error { return nil }
