package observe

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// tickEvery is how often a log that says nothing is noticed to do so.
const tickEvery = 30 * time.Second

// Desk is where the jobs of a session are looked at. All who read the log of a
// job share its watch. It is safe for concurrent use.
type Desk struct {
	dir func(session string) string

	mu      sync.Mutex
	session tool.Session // nil for a single call outside of a session
	watches map[string]*Watch

	telling sync.Mutex                 // one finding after the other
	waiting map[string][]*func(string) // progress of calls, by job
}

// NewDesk returns a desk. dir is where a session remembers what was told; nil
// remembers nothing.
func NewDesk(dir func(session string) string) *Desk {
	return &Desk{dir: dir, watches: map[string]*Watch{}, waiting: map[string][]*func(string){}}
}

// Attach says who is told.
func (d *Desk) Attach(s tool.Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session = s
}

// Watch is how a job is looked at.
func (d *Desk) Watch(namespace, id string) *Watch {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watches[id] == nil {
		dir := ""
		if d.dir != nil && d.session != nil {
			dir = d.dir(d.session.ID())
		}
		d.watches[id] = Open(dir, namespace, id)
	}
	return d.watches[id]
}

// Tell tells what was found in the log of a job: people as an event, the model
// as a line, calls that wait for the job as progress.
func (d *Desk) Tell(w *Watch) {
	found := w.Found()
	if len(found) == 0 {
		return
	}
	d.telling.Lock()
	defer d.telling.Unlock()
	d.mu.Lock()
	session := d.session
	d.mu.Unlock()
	for _, f := range found {
		for _, log := range d.waiting[w.id] {
			(*log)(f.String())
		}
		if session != nil {
			session.Emit(f)
			session.Notice(f.String())
		}
	}
}

// Hear has findings about a job told to log, too, until the function that is
// returned is called: afterwards nothing comes.
func (d *Desk) Hear(id string, log func(string)) (stop func()) {
	d.telling.Lock()
	defer d.telling.Unlock()
	d.waiting[id] = append(d.waiting[id], &log)
	return func() {
		d.telling.Lock()
		defer d.telling.Unlock()
		d.waiting[id] = slices.DeleteFunc(d.waiting[id], func(other *func(string)) bool { return other == &log })
	}
}

// Tick notices silence until the function that is returned is called, which
// waits for it.
func (d *Desk) Tick(ctx context.Context, w *Watch) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		ticker := time.NewTicker(tickEvery)
		defer ticker.Stop()
		for {
			w.Tick(time.Now())
			d.Tell(w)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}
