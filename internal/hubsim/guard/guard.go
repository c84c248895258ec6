// Package guard keeps web pages of other people away from a server of this
// machine. A browser reaches loopback addresses for every page it shows, and
// the simulator's tokens are known to all: without the guard any page could
// start jobs, which are commands of the user. It knows no route.
package guard

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Guard is the rules; both members are needed.
type Guard struct {
	// Own are the origins of the server itself. No page of its own changes
	// anything but through Apps: a page found there is a user's file.
	Own func() []string
	// Apps reports whether a path is that of a program behind the server.
	Apps func(path string) bool
}

// Refuses says why a request is not served: only programs of this machine are,
// and pages that lie on it. It is empty for those.
func (g Guard) Refuses(r *http.Request) string {
	if !Local(r.Host) { // a name that was bent to this address
		return fmt.Sprintf("The simulator answers to localhost and 127.0.0.1, not to the name %q", r.Host)
	}
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	origin := r.Header.Get("Origin")
	u, err := url.Parse(origin)
	switch {
	case origin == "":
		// Browsers name no origin for images and the like, but say this much.
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			return "The simulator serves nothing to pages of other machines"
		}
	case err != nil || !Local(u.Host):
		return fmt.Sprintf("The simulator serves nothing to pages of other machines, such as those of %q", origin)
	case !safe && g.own(u) && !g.Apps(r.URL.Path):
		return "A page on the simulator may change nothing but through its own app"
	}
	return ""
}

// own reports whether a local origin is the server's, under whichever name.
func (g Guard) own(origin *url.URL) bool {
	for _, s := range g.Own() {
		if u, err := url.Parse(s); err == nil && u.Port() == origin.Port() {
			return true
		}
	}
	return false
}

// Local reports whether a host, with or without a port, is this machine itself.
func Local(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.Trim(addr, "[]")
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
