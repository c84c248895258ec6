package hubsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
)

const (
	clients = 8               // work at once
	rounds  = 10              // of requests that each makes
	enough  = 5 * time.Second // after which none begins another, on a slow machine
)

// Eight clients read, commit, run jobs and talk at once while the clock moves
// and the state is written: nothing is lost, nothing fails, all is at rest
// after.
func TestManyClientsAtOnce(t *testing.T) {
	began := time.Now()
	h := hubsimtest.Start(t, hubsim.Options{StateDir: t.TempDir()})
	must(t, 200, "POST", h.URL()+"/api/repos/create", bob, `{"name":"shared"}`)
	var wg sync.WaitGroup
	var requests, done atomic.Int64
	for i := range clients {
		wg.Go(func() {
			w := &worker{TB: t, hub: h, client: client(t), requests: &requests, repo: "bob/own-" + strconv.Itoa(i), id: i}
			w.ask(200, "POST", "/api/repos/create", fmt.Sprintf(`{"name":"own-%d"}`, i))
			for n := 0; n < rounds && (n == 0 || time.Since(began) < enough); n++ {
				w.round(n)
				done.Add(1)
			}
		})
	}
	var others sync.WaitGroup
	busy := make(chan struct{})
	others.Go(func() {
		for {
			select {
			case <-busy:
				return
			case <-time.After(10 * time.Millisecond):
			}
			h.Advance(time.Second)
			if err := h.Save(); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	close(busy)
	others.Wait()
	t.Logf("%d requests in %v", requests.Load(), time.Since(began))
	atRest(t, h, int(done.Load()))
}

// atRest checks what so many rounds must have left behind.
func atRest(t *testing.T, h *hubsim.Hub, rounds int) {
	t.Helper()
	// Every commit to the shared branch is in its history, behind the first one.
	log := must(t, 200, "GET", h.URL()+"/api/models/bob/shared/commits/main?limit=1000", bob, "")
	if got := log.header.Get("X-Total-Count"); got != strconv.Itoa(1+rounds) {
		t.Errorf("%s commits of %d", got, 1+rounds)
	}
	tree := must(t, 200, "GET", h.URL()+"/api/models/bob/shared/tree/main", bob, "")
	if n := strings.Count(string(tree.body), `"type":"file"`); n != 1+rounds {
		t.Errorf("%d files", n)
	}
	talk := must(t, 200, "GET", h.URL()+"/api/models/bob/shared/discussions", bob, "").json(t)
	if talk["count"] != float64(rounds) {
		t.Errorf("%v discussions", talk["count"])
	}
	count := must(t, 200, "GET", h.URL()+"/api/jobs/bob/count?stage=COMPLETED", bob, "").json(t)
	if count["count"] != float64(rounds) {
		t.Errorf("%v jobs are completed", count["count"])
	}
}

// worker is one client.
type worker struct {
	testing.TB
	hub      *hubsim.Hub
	client   *http.Client
	requests *atomic.Int64
	repo     string
	id       int
}

// ask sends a request that has to be answered with status.
func (w *worker) ask(status int, method, path, body string) reply {
	kind := "Content-Type: application/json"
	if strings.Contains(path, "/commit/") {
		kind = ndjson
	}
	r, err := send(w, w.client, method, w.hub.URL()+path, bob, body, kind)
	if err != nil || r.status != status {
		w.Errorf("%s %s: %d, want %d: %.300s, %v", method, path, r.status, status, r.body, err)
	}
	w.requests.Add(1)
	return r
}

func (w *worker) round(n int) {
	name := fmt.Sprintf("f-%d-%d.txt", w.id, n)
	w.ask(200, "POST", "/api/models/bob/shared/commit/main", commitBody(name, "by "+w.repo))
	if got := w.ask(200, "GET", "/bob/shared/raw/main/"+name, ""); string(got.body) != "by "+w.repo {
		w.Errorf("%s: %s", name, got.body)
	}
	w.ask(200, "POST", "/api/models/"+w.repo+"/commit/main", commitBody("README.md", `---\nlicense: mit\n---\n`+strconv.Itoa(n)))
	w.ask(200, "GET", "/api/models/"+w.repo+"?blobs=true", "")
	w.ask(200, "GET", "/api/models?author=bob&full=true&sort=lastModified", "")
	w.ask(200, "GET", "/api/whoami-v2", "")
	w.ask(200, "POST", "/api/models/bob/shared/discussions", `{"title":"From `+w.repo+`","description":"x"}`)
	job := w.ask(200, "POST", "/api/jobs/bob", `{"dockerImage":"x","command":["true"],"flavor":"cpu-basic"}`)
	var made struct{ ID string }
	if err := json.Unmarshal(job.body, &made); err != nil {
		w.Errorf("job: %v", err)
	}
	if log := w.ask(200, "GET", "/api/jobs/bob/"+made.ID+"/logs", ""); !strings.Contains(string(log.body), "Job started at") {
		w.Errorf("log %q", log.body)
	}
	w.ask(200, "GET", "/api/settings/billing/usage/jobs", "")
	w.ask(404, "GET", "/api/models/bob/none-"+strconv.Itoa(n)+"/tree/main", "")
}
