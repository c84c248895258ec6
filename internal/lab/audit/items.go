package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/ml-intern/ml-intern/internal/lab/audit/report"
	"github.com/ml-intern/ml-intern/internal/lab/contamination"
	"github.com/ml-intern/ml-intern/internal/lab/schema"
)

// items are those of the benchmarks, and where they were found.
type items struct {
	index     *contamination.Index
	collector *contamination.Collector
	names     []string
	counts    map[string]int64
	refs      map[int]report.Ref // of the rows in which something may have been found
	rows      int
}

// readBenchmarks takes in the benchmarks. One that cannot be read is a warning;
// without any the check does not run.
func (a *run) readBenchmarks(ctx context.Context) error {
	if !a.runs(Contamination) {
		return nil
	}
	if len(a.Benchmarks) == 0 {
		a.fail(Contamination, errors.New("no benchmarks are named"))
		return nil
	}
	t := &items{index: contamination.NewIndex(), counts: map[string]int64{}, refs: map[int]report.Ref{}}
	for _, b := range a.Benchmarks {
		a.Progress(Progress{Phase: "benchmark " + b.Name})
		if err := t.take(ctx, b); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			a.warn(fmt.Sprintf("%s: %s: %v", Contamination, b.Name, err))
		}
		if t.counts[b.Name] > 0 {
			t.names = append(t.names, b.Name)
		}
	}
	if len(t.names) == 0 {
		a.fail(Contamination, errors.New("no benchmark could be read"))
		return nil
	}
	t.collector = t.index.Collector()
	a.items = t
	return nil
}

// take reads one benchmark.
func (t *items) take(ctx context.Context, b Benchmark) error {
	columns, err := schema.Of([]iter.Seq2[Row, error]{b.Rows}, nil, nil)
	if err != nil {
		return err
	}
	for row, err := range b.Rows {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		item := contamination.Item{Benchmark: b.Name, Row: row.Index}
		if err := t.index.Add(item, schema.Normals(columns.Fields(row))); err != nil {
			return err
		}
		t.counts[b.Name]++
	}
	if t.counts[b.Name] == 0 {
		return errors.New("it has no rows")
	}
	return nil
}

// add takes what was found in the next row.
func (t *items) add(h contamination.Hits, ref report.Ref) {
	if h.Any() {
		t.refs[t.rows] = ref
	}
	t.collector.Add(h)
	t.rows++
}

// result weighs what was found.
func (t *items) result(sum *tally) *report.ContaminationResult {
	out := &report.ContaminationResult{Complete: !t.collector.Cut(), Benchmarks: []report.BenchmarkHits{}}
	place := map[string]int{}
	for _, name := range t.names {
		place[name] = len(out.Benchmarks)
		out.Benchmarks = append(out.Benchmarks, report.BenchmarkHits{Benchmark: name, Items: t.counts[name], Examples: []report.ItemExample{}})
	}
	found, last := map[contamination.Item]bool{}, make([]int, len(t.names))
	for _, m := range t.collector.Matches() {
		b := &out.Benchmarks[place[m.Item.Benchmark]]
		ref := t.refs[m.Document]
		if !found[m.Item] {
			found[m.Item] = true
			b.Found++
		}
		if last[place[m.Item.Benchmark]] != m.Document+1 {
			last[place[m.Item.Benchmark]] = m.Document + 1
			b.Rows++
		}
		sum.drop.add(ref)
		if len(b.Examples) < report.Examples {
			b.Examples = append(b.Examples, report.ItemExample{Ref: ref, Item: m.Item.Row, Share: m.Share, Words: m.Words})
		}
	}
	return out
}
