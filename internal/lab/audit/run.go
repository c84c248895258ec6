package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/lab/audit/report"
	"github.com/ml-intern/ml-intern/internal/lab/flow"
	"github.com/ml-intern/ml-intern/internal/lab/licence"
	"github.com/ml-intern/ml-intern/internal/lab/schema"
)

// Run looks at every row and tells what it found. It fails when the input
// makes no sense, when no row of the audited splits can be read, or when ctx
// ends. What else goes wrong is in the report's warnings.
func Run(ctx context.Context, in Input) (*Report, error) {
	in, err := in.checked()
	if err != nil {
		return nil, err
	}
	a := &run{Input: in, report: &Report{Dataset: in.Dataset, Source: in.Source, Seed: in.Seed, Warnings: []string{}, Load: in.Load}}
	a.warn(in.Warnings...)
	for _, check := range Checks() {
		if err := in.Failed[check]; err != nil && slices.Contains(in.Checks, check) {
			a.fail(check, err)
		}
	}
	var audited []iter.Seq2[Row, error]
	for _, s := range in.Splits {
		if !s.Compared {
			audited = append(audited, s.Rows)
		}
	}
	if a.Schema, err = schema.Of(audited, in.Columns, in.TextColumns); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := a.readBenchmarks(ctx); err != nil {
		return nil, err
	}
	if err := a.read(ctx); err != nil {
		return nil, err
	}
	if err := a.compare(ctx); err != nil {
		return nil, err
	}
	a.finish()
	return a.report, nil
}

// run is one audit under way.
type run struct {
	Input
	schema.Schema
	report *Report
	source *source
	tally  *tally
	copies *copies
	items  *items
}

func (a *run) warn(texts ...string) { a.report.Warnings = append(a.report.Warnings, texts...) }

// fail takes a check out and says why.
func (a *run) fail(check Check, err error) {
	a.warn(fmt.Sprintf("%s: %v", check, err))
	a.Checks = slices.DeleteFunc(slices.Clone(a.Checks), func(c Check) bool { return c == check })
}

func (a *run) runs(check Check) bool { return slices.Contains(a.Checks, check) }

// read goes over all rows once.
func (a *run) read(ctx context.Context) error {
	a.source = newSource(a.Splits)
	if a.runs(Duplicates) || a.runs(Leakage) {
		a.copies = newCopies(a.Splits)
	}
	a.tally = newTally(a)
	done, total := int64(0), a.expected()
	a.Progress(Progress{Phase: "reading", Total: total})
	rows := flow.Map(ctx, a.source.all(), flow.Work[entry, seen, *worker]{
		Workers: a.Workers,
		Begin:   func() *worker { return newWorker(a) },
		Do:      func(w *worker, e entry) seen { return w.look(e) },
		Weigh:   func(e entry) int { return schema.Weigh(e.row) },
	})
	for s, err := range rows {
		if err != nil {
			return err
		}
		if err := a.tally.add(&s); err != nil {
			return err
		}
		if done++; done%1000 == 0 {
			a.Progress(Progress{Phase: "reading", Done: done, Total: max(total, done)})
		}
	}
	return a.readable()
}

// expected is how many rows will come, 0 when nobody knows.
func (a *run) expected() int64 {
	sum := int64(0)
	for _, s := range a.Splits {
		n := s.Total
		if n == 0 {
			return 0
		}
		if a.Sample > 0 {
			n = min(n, int64(a.Sample))
		}
		sum += n
	}
	return sum
}

// readable says which splits could not be read, and fails when none that is
// audited could.
func (a *run) readable() error {
	audited := int64(0)
	var first error
	for i, s := range a.Splits {
		n, err := a.source.counts[i], a.source.failed[i]
		if !s.Compared {
			audited += n
			first = errors.Join(first, err)
		}
		switch {
		case err != nil && n == 0:
			a.warn(fmt.Sprintf("split %s could not be read: %v", s.Name, err))
		case err != nil:
			a.warn(fmt.Sprintf("split %s is incomplete, %s rows were read: %v", s.Name, amount.Grouped(n), err))
		case n == 0:
			a.warn(fmt.Sprintf("split %s has no rows", s.Name))
		}
	}
	if audited > 0 {
		return nil
	}
	if first != nil {
		return fmt.Errorf("audit: no rows could be read: %w", first)
	}
	return errors.New("audit: the splits have no rows")
}

// finish puts the report together.
func (a *run) finish() {
	r := a.report
	r.Sample = a.sample()
	a.tally.results(&r.Checks)
	if a.copies != nil {
		a.copies.results(a, &r.Checks)
	}
	if a.runs(Contamination) && a.items != nil {
		r.Checks.Contamination = a.items.result(a.tally)
	}
	if a.runs(Licence) && a.Licence != nil {
		found := licence.Look(*a.Licence)
		r.Checks.Licence = &found
	}
	r.Drop, r.More = a.tally.drop.sorted(a.Splits)
	r.Verdict = r.Checks.Verdict()
}

// sample tells how much was read.
func (a *run) sample() report.Sample {
	out := report.Sample{Requested: a.Sample, Splits: []report.SplitSample{}}
	for i, s := range a.Splits {
		n := a.source.counts[i]
		total := s.Total
		if total == 0 && a.source.failed[i] == nil {
			total = n
		}
		out.Splits = append(out.Splits, report.SplitSample{
			Split: s.Name, Rows: n, Total: total, Compared: s.Compared,
			Complete: a.source.failed[i] == nil && n >= total,
		})
	}
	return out
}
