// Package observe looks at the log of a job with the rules of training runs. It
// takes each event of the log once, whoever reads it, and remembers across runs
// of the program what has been told. It does not know who is told.
package observe

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/curve"
)

// Watch looks at one job. It is safe for concurrent use.
type Watch struct {
	id    string
	mu    sync.Mutex
	run   *curve.Run
	taken int
	path  string
	told  map[string]bool
	// found waits to be told.
	found []event.Finding
}

// Open begins to look at a job. What is told is remembered in dir, in a file
// with the job's id; an empty dir keeps nothing.
func Open(dir, namespace, id string) *Watch {
	w := &Watch{id: id, run: curve.New(curve.Options{Source: "job:" + namespace + "/" + id}), told: map[string]bool{}}
	if dir == "" || id != filepath.Base(id) || !filepath.IsLocal(id) {
		return w
	}
	w.path = filepath.Join(dir, id+".told")
	file, err := os.Open(w.path)
	if err != nil {
		return w // nothing was told yet
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan() && len(w.told) < maxTold; {
		w.told[lines.Text()] = true
	}
	return w
}

// maxTold bounds what is remembered of one job.
const maxTold = 1000

// Line takes event number n of the log; those before the newest one are known.
func (w *Watch) Line(n int, at time.Time, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n <= w.taken {
		return
	}
	w.taken = n
	w.keep(w.run.Line(at, text))
}

// Tick says what time it is while no line comes.
func (w *Watch) Tick(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(w.run.Tick(at))
}

// Taken is the number of the newest event that was looked at.
func (w *Watch) Taken() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.taken
}

// keep holds what was not told before.
func (w *Watch) keep(found []event.Finding) {
	for _, f := range found {
		if key := fmt.Sprintf("%s %d %s", f.Rule, w.taken, f.Metric); !w.told[key] && len(w.told) < maxTold {
			w.told[key] = true
			w.write(key)
			w.found = append(w.found, f)
		}
	}
}

// write remembers what is told. Without its file it may be told again by
// another run of the program.
func (w *Watch) write(key string) {
	if w.path == "" {
		return
	}
	file, err := os.OpenFile(w.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	_, _ = file.WriteString(key + "\n")
	_ = file.Close()
}

// Found returns what is to be told, once.
func (w *Watch) Found() []event.Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := w.found
	w.found = nil
	return found
}
