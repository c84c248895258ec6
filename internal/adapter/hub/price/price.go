// Package price keeps what the Hub's hardware costs by the hour: the Hub's own
// lists, kept for an hour on disk, and a table for when there is none. It
// neither reserves nor spends.
package price

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// How long a list counts.
const (
	fresh     = time.Hour
	afterFail = time.Minute
	stale     = 24 * time.Hour
	fetchWait = 3 * time.Second
)

// Where a price comes from.
const (
	// Live: the Hub's list of the last hour.
	Live = "live"
	// Static: an older list or the built-in table, so an estimate.
	Static = "static"
)

// PortPerHour is what a job with exposed ports costs beside its machine, in USD.
const PortPerHour = 0.01

// Flavor is a kind of machine.
type Flavor struct {
	Name       string  `json:"name"`
	Title      string  `json:"title"`
	CPU        string  `json:"cpu,omitempty"`
	RAM        string  `json:"ram,omitempty"`
	Disk       string  `json:"disk,omitempty"`
	GPU        string  `json:"gpu,omitempty"` // such as "4x A10G (96 GB)"; empty without one
	USDPerHour float64 `json:"usdPerHour"`
}

// List is a price list and where it comes from.
type List struct {
	Flavors []Flavor
	Source  string
}

// Find looks a flavor up.
func (l List) Find(name string) (Flavor, bool) {
	i := slices.IndexFunc(l.Flavors, func(f Flavor) bool { return f.Name == name })
	if i < 0 {
		return Flavor{}, false
	}
	return l.Flavors[i], true
}

// Names lists the flavors in the list's order.
func (l List) Names() []string {
	names := make([]string, len(l.Flavors))
	for i, f := range l.Flavors {
		names[i] = f.Name
	}
	return names
}

// Options of a book.
type Options struct {
	// Fetch asks the Hub for its list.
	Fetch func(ctx context.Context) ([]Flavor, error)
	// File keeps the list between runs of the program; empty keeps it in memory.
	File string
	// Table is what counts when there is no list.
	Table []Flavor
}

// Book is one price list, of jobs or of Spaces. It is safe for concurrent use.
type Book struct {
	opts Options

	mu      sync.Mutex
	flavors []Flavor
	at      time.Time // when flavors was fetched
	failed  time.Time // when fetching failed last
	loaded  bool
}

// New returns a book; nothing is asked yet.
func New(o Options) *Book { return &Book{opts: o} }

// kept is the list on disk.
type kept struct {
	FetchedAt time.Time `json:"fetched_at"`
	Flavors   []Flavor  `json:"flavors"`
}

// Ask returns the list, asking the Hub for up to three seconds when the one at
// hand is older than an hour. It always has an answer.
func (b *Book) Ask(ctx context.Context) List {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.load()
	if now := time.Now(); now.Sub(b.at) >= fresh && now.Sub(b.failed) >= afterFail {
		ctx, cancel := context.WithTimeout(ctx, fetchWait)
		defer cancel()
		if flavors, err := b.opts.Fetch(ctx); err != nil || len(flavors) == 0 {
			b.failed = now
		} else {
			b.flavors, b.at = flavors, now
			b.store()
		}
	}
	return b.list()
}

// Known returns the list at hand without asking anybody.
func (b *Book) Known() List {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.load()
	return b.list()
}

func (b *Book) list() List {
	switch age := time.Since(b.at); {
	case len(b.flavors) == 0 || age >= stale:
		return List{Flavors: b.opts.Table, Source: Static}
	case age >= fresh:
		return List{Flavors: b.flavors, Source: Static}
	}
	return List{Flavors: b.flavors, Source: Live}
}

// load reads the file once. One that cannot be read is as good as none.
func (b *Book) load() {
	if b.loaded || b.opts.File == "" {
		return
	}
	b.loaded = true
	data, err := os.ReadFile(b.opts.File)
	if err != nil {
		return
	}
	var k kept
	if json.Unmarshal(data, &k) == nil && !k.FetchedAt.After(time.Now()) {
		b.flavors, b.at = k.Flavors, k.FetchedAt
	}
}

// store writes the file; the list in memory counts when that fails.
func (b *Book) store() {
	if b.opts.File == "" {
		return
	}
	data, err := json.Marshal(kept{FetchedAt: b.at, Flavors: b.flavors})
	if err != nil || os.MkdirAll(filepath.Dir(b.opts.File), 0o700) != nil {
		return
	}
	tmp, err := os.CreateTemp(filepath.Dir(b.opts.File), ".prices-*")
	if err != nil {
		return
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if closeErr := tmp.Close(); err == nil && closeErr == nil {
		_ = os.Rename(tmp.Name(), b.opts.File)
	}
}

// MicroUSD is what d of a machine costs at most, in millionths of a dollar:
// every started minute counts.
func MicroUSD(usdPerHour float64, d time.Duration) int64 {
	return MinutesMicroUSD(usdPerHour, int64((d+time.Minute-1)/time.Minute))
}

// MinutesMicroUSD is what a number of minutes cost, in millionths of a dollar.
func MinutesMicroUSD(usdPerHour float64, minutes int64) int64 {
	return int64(usdPerHour*float64(minutes)/60*1e6 + 0.5)
}
