package remote_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote"
	"github.com/ml-intern/ml-intern/internal/app/toolserver"
	"github.com/ml-intern/ml-intern/internal/domain/workspace/workspacetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sandbox is a tool server on loopback with what stands before it.
type sandbox struct {
	dir, token string
	server     *toolserver.Server
	url        string
}

// serve starts a tool server. Before, when it is not nil, sees every request
// first.
func serve(t *testing.T, before func(http.Handler) http.Handler) *sandbox {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &sandbox{dir: dir, token: rand.Text() + rand.Text()}
	s.server = newServer(t, s)
	var h http.Handler = s.server
	if before != nil {
		h = before(h)
	}
	front := httptest.NewServer(h)
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	s.url = front.URL
	return s
}

func newServer(t *testing.T, s *sandbox) *toolserver.Server {
	t.Helper()
	server, err := toolserver.New(toolserver.Options{
		Token: s.token, Dir: s.dir, Temp: s.dir + "-temp", Version: "test",
		Environ: []string{"PATH=" + os.Getenv("PATH")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// client returns a client of the sandbox.
func (s *sandbox) client(t *testing.T, change ...func(*remote.Options)) *remote.Client {
	t.Helper()
	o := remote.Options{URL: s.url, Token: s.token, Version: "test"}
	for _, c := range change {
		c(&o)
	}
	c, err := remote.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.Hurry(15 * time.Second)
	return c
}

func TestConformance(t *testing.T) {
	workspacetest.Run(t, func(t *testing.T) workspacetest.Place {
		s := serve(t, nil)
		return workspacetest.Place{Workspace: s.client(t), Dir: s.dir}
	})
}

// A server below a path, as a gateway has it.
func TestConformanceBelowAPath(t *testing.T) {
	workspacetest.Run(t, func(t *testing.T) workspacetest.Place {
		s := serve(t, func(h http.Handler) http.Handler { return http.StripPrefix("/__jobs/1/49983", h) })
		s.url += "/__jobs/1/49983/"
		return workspacetest.Place{Workspace: s.client(t), Dir: s.dir}
	})
}
