// Package audience knows who looks at a session: how far each screen has shown it
// and whether a person is there. It shows nothing and knows no event.
package audience

import (
	"context"
	"sync"
)

// Audience are the screens that show a session. It is safe for concurrent use.
type Audience struct {
	mu      sync.Mutex // guards what follows, and the views
	views   map[*View]bool
	changed chan struct{} // closed at the next change
}

// View is one screen.
type View struct {
	of      *Audience
	chapter int
	seq     int64
	watched bool
}

// New returns an empty audience.
func New() *Audience {
	return &Audience{views: map[*View]bool{}, changed: make(chan struct{})}
}

// Join adds a screen. Watched says that a person looks at it.
func (a *Audience) Join(watched bool) *View {
	v := &View{of: a, watched: watched}
	a.change(func() { a.views[v] = true })
	return v
}

func (a *Audience) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
	close(a.changed)
	a.changed = make(chan struct{})
}

// Saw notes that the screen shows everything up to event seq of a chapter, and
// whether a person looks at it.
func (v *View) Saw(chapter int, seq int64, watched bool) {
	v.of.change(func() {
		v.watched = watched
		if chapter > v.chapter || chapter == v.chapter && seq > v.seq {
			v.chapter, v.seq = chapter, seq
		}
	})
}

// Leave takes the screen away.
func (v *View) Leave() {
	v.of.change(func() { delete(v.of.views, v) })
}

// Shown returns when a screen shows event seq of a chapter, when there is no
// screen, or when ctx is done.
func (a *Audience) Shown(ctx context.Context, chapter int, seq int64) {
	for {
		a.mu.Lock()
		done, changed := len(a.views) == 0, a.changed
		for v := range a.views {
			done = done || v.chapter > chapter || v.chapter == chapter && v.seq >= seq
		}
		a.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// Watched reports whether a person looks at one of the screens.
func (a *Audience) Watched() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for v := range a.views {
		if v.watched {
			return true
		}
	}
	return false
}
