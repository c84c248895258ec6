// Package source makes rows for an audit: those of local files, and those of
// data sets on the Hub, whole or as a sample that a seed chooses. It does not
// judge them.
package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/table"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/lab/audit"
	"github.com/ml-intern/ml-intern/internal/lab/licence"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// Wanted says which rows to read.
type Wanted struct {
	// Name is a path or the id of a data set; Local says which. Shown is the path
	// as people wrote it, Name where empty.
	Name, Shown string
	Local       bool
	// Config and Split are those to audit, empty for the usual: train, else the
	// first. Compare are splits to look for copies in; nil is all others.
	Config, Split string
	Compare       []string
	// Sample is the most rows of a split, 0 for all; Seed chooses them.
	Sample int
	Seed   int64
	// RowsOnly leaves out what is known of the data beside its rows.
	RowsOnly bool
	// Progress is told what is being read and how far, in rows or bytes; nil
	// for nobody.
	Progress func(what string, done, total int64)
}

// Data is what was found. Rows of a data set on the Hub are in memory.
type Data struct {
	// Origin says where the rows came from, for the report, and Load is the Python
	// expression that loads them.
	Origin, Load string

	Splits  []audit.Split
	Columns []audit.Column
	Licence *licence.Record
	// NoLicence is why there is none, where there should be.
	NoLicence error
	Entities  []audit.Entity
	Warnings  []string
	// Answers are what services sent, with the page that people see.
	Answers []Answer
}

// Answer is an answer of a service that rows or facts came from.
type Answer struct {
	*fetch.Response
	Operation, Page string
}

// ArgumentError is a mistake in what was asked for.
type ArgumentError struct {
	Field string
	Err   error
}

func (e *ArgumentError) Error() string { return e.Field + ": " + e.Err.Error() }
func (e *ArgumentError) Unwrap() error { return e.Err }

// ErrNoSplit is in the chain of an error for a split that does not exist.
var ErrNoSplit = errors.New("no split is")

// Options say who is asked.
type Options struct {
	// Viewer is asked for data sets of the Hub; nil refuses them.
	Viewer *viewer.Client
	// Follow says whether a link in a folder may be followed; nil is never.
	Follow func(link string) bool
}

// Opener opens data.
type Opener struct{ o Options }

// New returns an Opener.
func New(o Options) *Opener { return &Opener{o} }

// Open finds the rows. Those of local files are read when they are ranged over.
func (o *Opener) Open(ctx context.Context, w Wanted) (*Data, error) {
	if w.Progress == nil {
		w.Progress = func(string, int64, int64) {}
	}
	if w.Local {
		return openLocal(ctx, w, o.o.Follow)
	}
	if o.o.Viewer == nil {
		return nil, errors.New("data sets of the Hub cannot be read here")
	}
	return hubData{o.o.Viewer, w}.open(ctx)
}

// openLocal reads files of this machine.
func openLocal(ctx context.Context, w Wanted, follow func(string) bool) (*Data, error) {
	found, err := table.Open(w.Name, follow)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(found))
	for i, s := range found {
		names[i] = s.Name
	}
	if w.Config != "" {
		return nil, &ArgumentError{"config", fmt.Errorf("local files have no configurations, so %q is none", w.Config)}
	}
	main, compared, err := choose(names, w.Split, w.Compare)
	if err != nil {
		return nil, err
	}
	d := &Data{Origin: "local files", Licence: card(w.Name)}
	d.Load = load(w, found)
	d.Warnings = few(names, compared)
	for _, s := range found {
		if s.Name != main && !compared[s.Name] {
			continue
		}
		split := audit.Split{Name: s.Name, Compared: s.Name != main, Rows: read(ctx, w, s)}
		if w.Sample > 0 {
			if split.Rows, split.Total, err = sampled(ctx, w, s); err != nil {
				return nil, err
			}
		}
		d.Splits = append(d.Splits, split)
	}
	return d, nil
}

// read ranges over the rows of a split, as often as it is asked to.
func read(ctx context.Context, w Wanted, s table.Split) iter.Seq2[audit.Row, error] {
	return s.Rows(ctx, func(bytes int64) { w.Progress("reading "+s.Name, bytes, s.Bytes) })
}

// sampled reads a split once and keeps a sample. A split with fewer rows is kept
// whole.
func sampled(ctx context.Context, w Wanted, s table.Split) (iter.Seq2[audit.Row, error], int64, error) {
	kept := reservoir{size: w.Sample, random: random(w.Seed, s.Name)}
	for row, err := range read(ctx, w, s) {
		if err != nil {
			return nil, 0, err
		}
		kept.add(row)
	}
	return each(kept.rows()), kept.seen, nil
}

// each ranges over rows that are in memory.
func each(rows []audit.Row) iter.Seq2[audit.Row, error] {
	return func(yield func(audit.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// choose picks the split to audit and those to compare it with.
func choose(names []string, split string, compare []string) (main string, compared map[string]bool, err error) {
	has := map[string]bool{}
	for _, n := range names {
		has[n] = true
	}
	main = cmp.Or(split, names[0])
	if split == "" && has["train"] {
		main = "train"
	}
	if !has[main] {
		return "", nil, &ArgumentError{"split", fmt.Errorf("%w named %q; there are %s", ErrNoSplit, main, some(names))}
	}
	compared = map[string]bool{}
	if compare == nil {
		compare = names
	}
	for _, n := range compare {
		if !has[n] {
			return "", nil, &ArgumentError{"compare_splits", fmt.Errorf("%w named %q; there are %s", ErrNoSplit, n, some(names))}
		}
		compared[n] = n != main
	}
	return main, compared, nil
}

// some is a list of names, of which there may be thousands.
func some(names []string) string {
	const listed = 20
	if len(names) <= listed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:listed], ", "), len(names)-listed)
}

// maxCompared is how many splits are compared with: more than anybody holds
// back, fewer than the files of a folder that each became one.
const maxCompared = 32

// few leaves out splits that are too many to compare with, and says so.
func few(names []string, compared map[string]bool) (warnings []string) {
	n, out := 0, 0
	for _, name := range names {
		if !compared[name] {
			continue
		}
		if n++; n > maxCompared {
			compared[name] = false
			out++
		}
	}
	if out > 0 {
		return []string{fmt.Sprintf("leakage: %d of %d other splits were not looked at: name those that matter in compare_splits", out, n)}
	}
	return nil
}
