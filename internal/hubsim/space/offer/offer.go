// Package offer is what the simulated Hub has for Spaces in general: hardware
// with prices, templates, shared accelerators. It knows no Space.
package offer

import (
	"net/http"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/flavor"
)

// Routes registers the routes.
func Routes(c *clock.Clock, handle func(pattern string, h answer.Handler)) {
	handle("GET /api/spaces/hardware", func(w http.ResponseWriter, _ *http.Request) error {
		answer.JSON(w, http.StatusOK, flavor.Spaces())
		return nil
	})
	handle("GET /api/spaces/templates", templates)
	handle("GET /api/spaces/zero-gpu/quota", func(w http.ResponseWriter, r *http.Request) error { return quota(c, w, r) })
}

// quota is how many seconds of shared accelerators the caller has a day; none
// are ever used here.
func quota(c *clock.Clock, w http.ResponseWriter, r *http.Request) error {
	caller := account.From(r.Context())
	if caller == nil {
		return answer.Login("")
	}
	const free, pro = 210, 1500
	base := free
	if caller.User.Paying() {
		base = pro
	}
	midnight := c.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	answer.JSON(w, http.StatusOK, map[string]any{"base": base, "current": base, "resetsAt": clock.Format(midnight)})
	return nil
}

func templates(w http.ResponseWriter, _ *http.Request) error {
	type template struct {
		Name    string `json:"name"`
		RepoID  string `json:"repoId"`
		SDK     string `json:"sdk"`
		Private bool   `json:"preferredPrivate"`
	}
	answer.JSON(w, http.StatusOK, map[string][]template{"templates": {
		{"JupyterLab", "SpacesExamples/jupyterlab", "docker", true},
		{"Shiny (Python)", "posit/shiny-for-python-template", "docker", false},
		{"Trackio", "trackio/template", "gradio", false},
	}})
	return nil
}
