package audit

import (
	"strings"
	"sync"

	lab "github.com/ml-intern/ml-intern/internal/lab/audit"
)

// teller passes on how far an audit is. Files are read on one goroutine and
// judged on others; what it shows comes one at a time.
type teller struct {
	show func(lab.Progress)
	// files tells that rows come from files while they are judged, so that the
	// files tell how far it is.
	files bool

	mu    sync.Mutex
	again bool // files are read a second time, to compare
}

// read tells how far a file or a data set has been read.
func (t *teller) read(what string, done, total int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if rest, ok := strings.CutPrefix(what, "reading "); ok && t.again {
		what = "comparing " + rest
	}
	if t.show != nil {
		t.show(lab.Progress{Phase: what, Done: done, Total: total})
	}
}

// judge tells how far the lab is.
func (t *teller) judge(p lab.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.again = t.again || p.Phase == "comparing"
	if t.files || t.show == nil || p.Total == 0 {
		return
	}
	if p.Phase == "reading" { // the rows are in memory
		p.Phase = "checking"
	}
	t.show(p)
}
