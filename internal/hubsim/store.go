package hubsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/ml-intern/ml-intern/internal/hubsim/seed"
)

// stateFile holds everything but git objects, contents and buckets.
const stateFile = "state.json"

// stateVersion is the form of the file.
const stateVersion = 1

// saveDelay is how long after a change the state is written, real time: many
// changes in a row cost one write.
const saveDelay = 300 * time.Millisecond

// saveInterval is how often the state is looked at without a request: jobs and
// Spaces go on by themselves.
const saveInterval = 5 * time.Second

// stored is the state file.
type stored struct {
	Version int                        `json:"version"`
	Areas   map[string]json.RawMessage `json:"areas"`
}

// store writes the state of a hub in the background.
type store struct {
	dir   string
	lock  *flock.Flock
	last  []byte        // as it is on disk
	dirty chan struct{} // holds one: something changed
	stop  chan struct{}
	ended sync.WaitGroup
}

// open makes the world: from the stored state, else from the seed.
func (h *Hub) open() error {
	var before []byte
	if dir := h.o.StateDir; dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("state directory: %w", err)
		}
		lock := flock.New(filepath.Join(dir, "lock"))
		if ok, err := lock.TryLock(); err != nil || !ok {
			return fmt.Errorf("state directory %s is in use by another simulator", dir)
		}
		h.store = &store{dir: dir, lock: lock, dirty: make(chan struct{}, 1), stop: make(chan struct{})}
		var err error
		before, err = os.ReadFile(filepath.Join(dir, stateFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, lock.Unlock())
		}
	}
	w, err := h.create(before)
	if err != nil {
		if h.store != nil {
			err = errors.Join(err, h.store.lock.Unlock())
		}
		return err
	}
	h.world.Store(w)
	if h.store != nil {
		h.store.ended.Go(h.keepSaving)
		h.changed()
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
			err = fmt.Errorf("read %s: %w", filepath.Join(h.o.StateDir, stateFile), err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// changed notes that there may be something to save.
func (h *Hub) changed() {
	if h.store == nil {
		return
	}
	select {
	case h.store.dirty <- struct{}{}:
	default: // noted already
	}
}

// keepSaving writes the state some time after each change.
func (h *Hub) keepSaving() {
	regular := time.NewTicker(saveInterval)
	defer regular.Stop()
	for {
		select {
		case <-h.store.stop:
			return
		case <-h.store.dirty:
		case <-regular.C:
		}
		select {
		case <-h.store.stop:
			return
		case <-time.After(saveDelay):
		}
		if err := h.Save(); err != nil {
			h.o.Say("the state could not be saved: " + err.Error())
		}
	}
}

// Save writes the state now. Without a state directory it does nothing.
func (h *Hub) Save() error {
	if h.store == nil {
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
	if bytes.Equal(raw.Bytes(), h.store.last) {
		return nil
	}
	if err := replace(filepath.Join(h.store.dir, stateFile), raw.Bytes()); err != nil {
		return err
	}
	h.store.last = raw.Bytes()
	return nil
}

// replace writes a file so that it is whole at every moment. Others may not
// read it: tokens and secrets are in it.
func replace(path string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".state-*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// closeStore saves for the last time; the world is still there, at rest.
func (h *Hub) closeStore() error {
	if h.store == nil {
		return nil
	}
	close(h.store.stop)
	h.store.ended.Wait()
	return errors.Join(h.Save(), h.store.lock.Unlock())
}
