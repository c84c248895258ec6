// Package stagetest is a simulated Hub with clients, for the tests of the tools
// that act on the Hub: in memory, so that it lives in a bubble of
// testing/synctest, or on real connections. It knows no tool.
package stagetest

import (
	"net/http"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/hubsim/requestlog"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// Tokens of the seed.
const (
	Bob   = "hf_bob_write"
	Alice = "hf_alice_write"
)

// Stage is a simulator and who asks it.
type Stage struct {
	testing.TB
	Sim  *hubsim.Hub
	http *http.Client
	base string
}

// Memory starts a simulator without sockets, whose time is the test's. Its
// content host cannot be reached.
func Memory(t testing.TB, scripts ...exec.Script) *Stage {
	t.Helper()
	sim := hubsimtest.New(t, hubsim.Options{Clock: clock.Options{Scale: 1}, Scripts: scripts})
	net := hubtest.New(t)
	net.ServeHub(sim.Handler().ServeHTTP)
	s := &Stage{TB: t, Sim: sim, http: net.Client(), base: hubtest.Hub}
	return s
}

// Sockets starts a simulator that listens; its jobs are processes of this
// machine when local is set.
func Sockets(t testing.TB, local bool, scripts ...exec.Script) *Stage {
	t.Helper()
	o := hubsim.Options{
		Clock: clock.Options{Scale: 1}, Scripts: scripts, MultipartAbove: 2 << 20, PartSize: 1 << 20,
	}
	if local {
		o.Exec = hubsim.Local
	}
	s := &Stage{TB: t, Sim: hubsimtest.Start(t, o)}
	s.base = s.Sim.URL()
	var err error
	if s.http, err = httpx.New(httpx.Options{Version: "1.0"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.http.CloseIdleConnections)
	return s
}

// Client asks as the owner of a token.
func (s *Stage) Client(token string) *hub.Client {
	s.Helper()
	c, err := hub.New(hub.Options{HTTP: s.http, Endpoint: s.base, Token: token})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(c.Close)
	return c
}

// Base is the Hub's address.
func (s *Stage) Base() string { return s.base }

// Fault adds rules.
func (s *Stage) Fault(text string) {
	s.Helper()
	rules, err := fault.Parse([]byte(text))
	if err == nil {
		err = s.Sim.Faults.Add(rules...)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// Sent are the requests so far that change something.
func (s *Stage) Sent() []requestlog.Request {
	var out []requestlog.Request
	for _, r := range s.Sim.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			out = append(out, r)
		}
	}
	return out
}

// Asked counts requests of a method to a path.
func (s *Stage) Asked(method, path string) int {
	n := 0
	for _, r := range s.Sim.Requests() {
		if r.Method == method && r.Path == path {
			n++
		}
	}
	return n
}
