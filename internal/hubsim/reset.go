package hubsim

import (
	"errors"

	"github.com/ml-intern/ml-intern/internal/hubsim/seed"
)

// Reset puts everything back to the seed: accounts, repositories, jobs, faults,
// the clock, limits and the request log.
func (h *Hub) Reset() error {
	h.change.Lock()
	old := h.world.Load()
	err := old.close()
	if h.file != nil {
		err = errors.Join(err, h.file.Wipe())
	}
	if err == nil {
		var w *world
		if w, err = h.create(nil); err == nil {
			h.world.Store(w)
		}
	}
	h.change.Unlock()
	h.Faults.Clear()
	h.log.Clear()
	h.limit.Clear()
	h.requests.Store(0)
	h.changed()
	return err
}

// Plant adds a seed, by name or directory, to what exists: its accounts,
// repositories and collections. What the services around the Hub show stays.
func (h *Hub) Plant(name string) error {
	s, err := seed.Open(name)
	if err != nil {
		return err
	}
	h.change.Lock()
	defer h.change.Unlock()
	defer h.changed()
	return h.world.Load().plant(s)
}
