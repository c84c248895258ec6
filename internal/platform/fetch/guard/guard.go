// Package guard keeps requests to addresses that come from outside (a model, a
// page, a redirect) on the public internet. It judges an address by its text
// and, because names lead where their owners like, every connection once more
// by the number it goes to. It knows no service and makes no requests.
package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Refused says why an address is not asked.
type Refused struct {
	// Host is the name or number in question, Reason goes on after it:
	// "is no public address".
	Host, Reason string
}

// Error is one sentence.
func (e *Refused) Error() string { return e.Host + " " + e.Reason }

// URL judges the text of an address: https, a public name, the default port,
// nobody's name or password. Where the name leads is judged by [Dial].
func URL(u *url.URL) error {
	host := strings.ToLower(u.Hostname())
	switch {
	case u.Opaque != "" || host == "":
		return &Refused{u.Scheme + ":", "is no address of a host"}
	case !strings.EqualFold(u.Scheme, "https"):
		return &Refused{host, fmt.Sprintf("is asked over https only, not %q", u.Scheme)}
	case u.User != nil:
		return &Refused{host, "is not asked with a user name in the address"}
	case u.Port() != "" && u.Port() != "443":
		return &Refused{host, "is asked on port 443 only, not on " + u.Port()}
	}
	return Name(host)
}

// Name judges the name of a host.
func Name(host string) error {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if len(host) > 253 {
		return &Refused{"the host", "has a name that is too long"}
	}
	for _, r := range host {
		if r > '~' {
			return &Refused{host, "must be written in ASCII (xn--…)"}
		}
		if r <= ' ' || strings.ContainsRune(`%:[]\/@?#"<>^{|}`+"`", r) {
			return &Refused{"the host", "is a number or no name at all; only names are asked"}
		}
	}
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	switch {
	case numeric(last):
		// Also 2130706433, 0x7f.1 and 0177.0.0.1, which many programs read as
		// numbers of hosts.
		return &Refused{host, "is a number; only names of hosts are asked"}
	case len(labels) == 1, local(host):
		return &Refused{host, "is a name of this machine or of a local network"}
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 {
			return &Refused{host, "is no name of a host"}
		}
	}
	return nil
}

// numeric reports whether the last label of a name makes it a number.
func numeric(label string) bool {
	digits := label != ""
	for _, r := range label {
		digits = digits && r >= '0' && r <= '9'
	}
	hex, is := strings.CutPrefix(label, "0x")
	return digits || is && strings.Trim(hex, "0123456789abcdef") == ""
}

// local reports whether a name is one that public DNS does not have.
func local(host string) bool {
	for _, suffix := range [...]string{
		"localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "arpa", "onion",
	} {
		if strings.HasSuffix(host, "."+suffix) {
			return true
		}
	}
	return false
}

// Address judges the number of a host: only those of the public internet pass.
func Address(ip netip.Addr) error {
	if !public(ip.WithZone("")) {
		return &Refused{ip.String(), "is no public address"}
	}
	return nil
}

func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsValid() || !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	if ip.Is4() {
		return !within(ip, closed4[:])
	}
	if nat64.Contains(ip) {
		b := ip.As16()
		return public(netip.AddrFrom4([4]byte(b[12:])))
	}
	return global6.Contains(ip) && !within(ip, closed6[:])
}

func within(ip netip.Addr, nets []netip.Prefix) bool {
	for _, n := range nets {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// net4 and net6 spare the program parsing at its start.
func net4(a, b, c, d byte, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, d}), bits)
}

func net6(a, b, c uint16, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{byte(a >> 8), byte(a), byte(b >> 8), byte(b), byte(c >> 8), byte(c)}), bits)
}

var (
	closed4 = [...]netip.Prefix{
		net4(0, 0, 0, 0, 8),        // this network
		net4(100, 64, 0, 0, 10),    // shared by customers of a provider
		net4(168, 63, 129, 16, 32), // what a cloud tells its machines
		net4(192, 0, 0, 0, 24),     // protocols
		net4(192, 0, 2, 0, 24),     // examples
		net4(192, 88, 99, 0, 24),   // 6to4 relays
		net4(198, 18, 0, 0, 15),    // measurements
		net4(198, 51, 100, 0, 24),  // examples
		net4(203, 0, 113, 0, 24),   // examples
		net4(240, 0, 0, 0, 4),      // reserved, and broadcast
	}
	global6 = net6(0x2000, 0, 0, 3)
	nat64   = netip.PrefixFrom(net6(0x64, 0xff9b, 0, 96).Addr(), 96)
	closed6 = [...]netip.Prefix{
		net6(0x2001, 0, 0, 23),     // protocols, Teredo among them
		net6(0x2001, 0xdb8, 0, 32), // examples
		net6(0x2002, 0, 0, 16),     // 6to4, which holds any IPv4 address
		net6(0x3fff, 0, 0, 20),     // examples
	}
)

// Control is for [net.Dialer.ControlContext]: it sees the number that a
// connection goes to, after every resolution of names.
func Control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Refused{address, "is no address"}
	}
	return Address(at.Addr())
}

// Dialer connects to public addresses only.
func Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, ControlContext: Control}
}

// Resolved judges a name by what it resolves to here, for connections that a
// proxy makes. A name that does not resolve passes: then only the proxy knows
// it, and guards its own network.
func Resolved(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for _, ip := range ips {
		if err := Address(ip); err != nil {
			return &Refused{host, "leads to " + ip.String() + ", which is no public address"}
		}
	}
	return nil
}

// Is reports whether err is a refusal, and returns it.
func Is(err error) (*Refused, bool) {
	var r *Refused
	ok := errors.As(err, &r)
	return r, ok
}
