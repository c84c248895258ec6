package hubsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/bucket"
	"github.com/ml-intern/ml-intern/internal/hubsim/catalogue"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/collection"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/discussion"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/identity"
	"github.com/ml-intern/ml-intern/internal/hubsim/job"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/space"
	"github.com/ml-intern/ml-intern/internal/hubsim/webhook"
)

// world is everything that exists on the simulated Hub. A reset puts a new one
// in its place.
type world struct {
	dir  string // files: git objects, contents, buckets, running jobs
	temp bool   // close removes dir

	clock       *clock.Clock
	accounts    *account.Book
	identity    *identity.Area
	content     *content.Store
	repos       *repo.Store
	catalogue   *catalogue.Catalogue
	collections *collection.Area
	buckets     *bucket.Area
	runner      *exec.Runner
	jobs        *job.Jobs
	spaces      *space.Spaces
	webhooks    *webhook.Area
	discussions *discussion.Area
	services    *neighbour.Services

	hub, cdn http.Handler
	areas    []area
}

// area is a part of the world with the name its state is stored under.
type area struct {
	name string
	part any
}

// What a part of the world may be able to do.
type (
	routed interface{ Routes(mux *http.ServeMux) }
	saved  interface {
		Save() (json.RawMessage, error)
		Load(json.RawMessage) error
	}
)

// save writes the state of all parts down.
func (w *world) save() (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, a := range w.areas {
		s, ok := a.part.(saved)
		if !ok {
			continue
		}
		raw, err := s.Save()
		if err != nil {
			return nil, fmt.Errorf("save %s: %w", a.name, err)
		}
		all[a.name] = raw
	}
	return all, nil
}

// load fills the parts with a stored state.
func (w *world) load(all map[string]json.RawMessage) error {
	for _, a := range w.areas {
		s, ok := a.part.(saved)
		if raw := all[a.name]; ok && raw != nil {
			if err := s.Load(raw); err != nil {
				return fmt.Errorf("load %s: %w", a.name, err)
			}
		}
	}
	return nil
}

// close ends what runs, the youngest part first, and removes temporary files.
func (w *world) close() error {
	var errs []error
	for i := len(w.areas) - 1; i >= 0; i-- {
		switch p := w.areas[i].part.(type) {
		case io.Closer:
			errs = append(errs, p.Close())
		case interface{ Close() }:
			p.Close()
		}
	}
	if w.clock != nil {
		w.clock.Stop()
	}
	if w.temp {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}
