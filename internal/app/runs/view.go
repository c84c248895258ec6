package runs

import (
	"context"
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/curve"
)

// View is a run that is watched: what was learnt about it, for who draws it
// again and again. It is safe for concurrent use.
type View struct {
	board *Board

	mu     sync.Mutex
	row    Row
	run    *curve.Run
	lines  []string
	err    error
	closed bool
}

// keptLines are the newest lines of a view.
const keptLines = 20

// Open looks for a run and returns its view; Follow fills it.
func (b *Board) Open(ctx context.Context, id string) (*View, error) {
	row, err := b.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return b.View(row), nil
}

// View is the view of a run of Rows.
func (b *Board) View(row Row) *View {
	return &View{board: b, row: row, run: curve.New(curve.Options{Source: row.Source})}
}

// Follow takes what the run tells until it is over or ctx is done. each, if not
// nil, is given everything as it comes, errors too.
func (v *View) Follow(ctx context.Context, each func(Update, error)) {
	v.mu.Lock()
	row := v.row
	v.mu.Unlock()
	for u, err := range v.board.follow(ctx, row, &v.mu) {
		v.mu.Lock()
		v.run = u.Run
		if u.Row != nil {
			v.row = *u.Row
		}
		if u.Line != "" {
			if v.lines = append(v.lines, u.Line); len(v.lines) > keptLines {
				v.lines = slices.Delete(v.lines, 0, 1)
			}
		}
		if err != nil && ctx.Err() == nil {
			v.err = err
		}
		v.mu.Unlock()
		if each != nil {
			each(u, err)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
}

// Snapshot is a view at one moment.
type Snapshot struct {
	Row      Row
	Series   []curve.Series
	Newest   string // the newest numbers in a line
	Findings []event.Finding
	Lines    []string
	// Err is why the run can no longer be followed; Closed that it is not.
	Err    error
	Closed bool
}

// Snapshot is how the view is now.
func (v *View) Snapshot() Snapshot {
	v.mu.Lock()
	defer v.mu.Unlock()
	return Snapshot{
		Row: v.row, Series: v.run.Series(), Newest: v.run.Newest(), Findings: v.run.Findings(), Lines: slices.Clone(v.lines), Err: v.err, Closed: v.closed,
	}
}
