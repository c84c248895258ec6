package job

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/flavor"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/proxy"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/stream"
)

// metrics streams what the machine does, until the reader goes; the job's end
// ends the samples only.
func (js *Jobs) metrics(w http.ResponseWriter, r *http.Request) error {
	j, err := js.read(r)
	if err != nil {
		return err
	}
	js.mu.Lock()
	final := j.final()
	f, _ := flavor.Find(j.Spec.Flavor)
	js.mu.Unlock()
	if final {
		return answer.Refuse(http.StatusInternalServerError, "Internal Server Error")
	}
	js.streams.Samples(w, r, func() (stream.Entry, bool) {
		js.mu.Lock()
		defer js.mu.Unlock()
		return stream.JSON("metric", f.Sample()), j.Stage == Running
	})
	return nil
}

// proxy passes requests on to a running job's port.
func (js *Jobs) proxy(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	port, err := strconv.Atoi(r.PathValue("port"))
	js.mu.Lock()
	j, ok := js.jobs[id]
	if err != nil || !ok {
		js.mu.Unlock()
		return answer.Refuse(http.StatusNotFound, "Job not found")
	}
	open, public := j.exposed(port)
	running, process, owner := j.Stage == Running, j.process, j.Owner.Name
	js.mu.Unlock()
	caller := account.From(r.Context())
	switch {
	case !public && caller == nil:
		return answer.Login("")
	case !public && !may(caller, false, owner):
		return answer.Refuse(http.StatusForbidden, "You don't have access to this job")
	case !open:
		return answer.Refuse(http.StatusNotFound, "Port not exposed")
	case !running || process == nil:
		return answer.Refuse(http.StatusServiceUnavailable, "The job is not running")
	}
	// A port exposed since the start has nothing behind it: the same number on
	// this machine is another program's.
	local, ok := process.Port(port)
	if !ok {
		return answer.Refuse(http.StatusBadGateway, "The job does not listen on this port")
	}
	prefix := "/__jobs/" + id + "/" + r.PathValue("port")
	if r.URL.Path == prefix && !strings.HasSuffix(r.URL.Path, "/") {
		http.Redirect(w, r, prefix+"/", http.StatusTemporaryRedirect)
		return nil
	}
	proxy.Target{Port: local, Prefix: prefix, DropToken: caller != nil}.ServeHTTP(w, r)
	return nil
}
