package guard_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch/guard"
)

func TestAddressesByTheirText(t *testing.T) {
	for raw, ok := range map[string]bool{
		"https://example.org/a?b#c":         true,
		"https://example.org:443/":          true,
		"https://EXAMPLE.org./":             true,
		"https://1.example.org/":            true,
		"https://xn--mnchen-3ya.de/":        true,
		"https://0xa.example/":              true,
		"http://example.org/":               false,
		"ftp://example.org/":                false,
		"https:example.org":                 false,
		"https:///x":                        false,
		"https://user@example.org/":         false,
		"https://huggingface.co@evil.t/":    false,
		"https://example.org:8443/":         false,
		"https://127.0.0.1/":                false,
		"https://127.1/":                    false,
		"https://127.0.0.1./":               false,
		"https://2130706433/":               false,
		"https://0x7f000001/":               false,
		"https://0X7F.1/":                   false,
		"https://0177.0.0.1/":               false,
		"https://8.8.8.8/":                  false,
		"https://[::1]/":                    false,
		"https://[::ffff:127.0.0.1]/":       false,
		"https://[2606:4700::1111]/":        false,
		"https://localhost/":                false,
		"https://a.localhost/":              false,
		"https://intranet/":                 false,
		"https://metadata.google.internal/": false,
		"https://printer.local/":            false,
		"https://router.home.arpa/":         false,
		"https://１２７.０.０.１/":                false,
		"https://a..b/":                     false,
		"https://a%2eb/":                    false,
		"https://a%00.org/":                 false,
	} {
		u, err := url.Parse(raw)
		if err == nil {
			err = guard.URL(u)
		}
		if (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestNumbersOfHosts(t *testing.T) {
	for raw, ok := range map[string]bool{
		"8.8.8.8": true, "104.16.0.1": true, "100.63.255.255": true, "172.32.0.1": true, "2606:4700:4700::1111": true, "2a00:1450::1": true,
		"::ffff:8.8.8.8": true, "64:ff9b::808:808": true,
		"127.0.0.1": false, "127.255.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false,
		"169.254.169.254": false, "169.254.170.2": false, "100.64.0.1": false, "100.100.100.200": false, "168.63.129.16": false, "192.0.0.192": false,
		"192.0.2.1": false, "198.18.0.1": false, "203.0.113.9": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false, "fec0::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false,
		"64:ff9b:1::1": false, "2002:7f00:1::1": false, "2001:0:1::1": false, "2001:db8::1": false, "100::1": false, "4000::1": false,
	} {
		if err := guard.Address(netip.MustParseAddr(raw)); (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if guard.Address(netip.Addr{}) == nil {
		t.Error("no address passes")
	}
}

// names answers every question for an IPv4 address with the next of a list.
func names(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	var asked atomic.Int64
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			end := 12
			for end < n && buf[end] != 0 {
				end += int(buf[end]) + 1
			}
			end += 5 // the root label, type and class
			reply := append([]byte{}, buf[:end]...)
			reply[2], reply[3] = 0x81, 0x80
			clear(reply[6:12])
			if binary.BigEndian.Uint16(buf[end-4:]) == 1 {
				i := int(asked.Add(1)) - 1
				ip := netip.MustParseAddr(answers[min(i, len(answers)-1)]).As4()
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				reply = append(reply, ip[:]...)
			}
			_, _ = conn.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name that was public a moment ago leads to this machine now: what counts is
// where the connection goes.
func TestNoNameLeadsToThisMachine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	reached := make(chan struct{}, 9)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			reached <- struct{}{}
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	d := guard.Dialer(5 * time.Second)
	d.Resolver = names(t, "93.184.216.34", "127.0.0.1")
	if ips, err := d.Resolver.LookupNetIP(t.Context(), "ip4", "rebind.example."); err != nil || len(ips) != 1 || guard.Address(ips[0]) != nil {
		t.Fatal(ips, err)
	}
	for _, host := range []string{"rebind.example.", "localhost", "127.0.0.1", "[::1]"} {
		_, err := d.DialContext(t.Context(), "tcp", host+":"+port)
		if _, refused := guard.Is(err); !refused {
			t.Errorf("%s: %v", host, err)
		}
	}
	select {
	case <-reached:
		t.Error("a connection was made")
	default:
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"example.org", "127.1", "[::1]", "a..b", "0x7f.0.0.1", "localhost."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if guard.Name(host) == nil && net.ParseIP(host) != nil {
			t.Errorf("%q is a number", host)
		}
	})
}
