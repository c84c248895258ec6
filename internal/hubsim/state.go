package hubsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/ml-intern/ml-intern/internal/hubsim/seed"
	"github.com/ml-intern/ml-intern/internal/hubsim/statefile"
)

// stateVersion is the form of the state file, which holds everything but git
// objects, contents and buckets.
const stateVersion = 1

// stored is the state file.
type stored struct {
	Version int                        `json:"version"`
	Areas   map[string]json.RawMessage `json:"areas"`
}

// open makes the world: from the stored state, else from the seed.
func (h *Hub) open() (err error) {
	var before []byte
	if h.o.StateDir != "" {
		if h.file, before, err = statefile.Open(h.o.StateDir); err != nil {
			return err
		}
	}
	w, err := h.create(before)
	if err != nil {
		if h.file != nil {
			err = errors.Join(err, h.file.Close(nil))
		}
		return err
	}
	h.world.Store(w)
	if h.file != nil {
		h.file.Keep(h.Save, h.o.Say)
		h.file.Changed()
	}
	return nil
}

// create builds a world from a stored state, or from the seed where there is
// none. What the services around the Hub show is the seed's in any case.
func (h *Hub) create(before []byte) (*world, error) {
	s, err := seed.Open(h.o.Seed)
	if err != nil {
		return nil, err
	}
	w, err := h.build(s.Neighbours)
	if err != nil {
		return nil, err
	}
	if before == nil {
		err = w.plant(s)
	} else {
		var s stored
		if err = json.Unmarshal(before, &s); err == nil && s.Version != stateVersion {
			err = fmt.Errorf("it has version %d, not %d", s.Version, stateVersion)
		}
		if err == nil {
			err = w.load(s.Areas)
		}
		if err != nil {
			err = fmt.Errorf("read %s: %w", filepath.Join(h.o.StateDir, statefile.Name), err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// changed notes that there may be something to save.
func (h *Hub) changed() {
	if h.file != nil {
		h.file.Changed()
	}
}

// Save writes the state now. Without a state directory it does nothing.
func (h *Hub) Save() error {
	if h.file == nil {
		return nil
	}
	h.change.Lock()
	defer h.change.Unlock()
	areas, err := h.world.Load().save()
	if err != nil {
		return err
	}
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(stored{stateVersion, areas}); err != nil {
		return err
	}
	return h.file.Write(raw.Bytes())
}
