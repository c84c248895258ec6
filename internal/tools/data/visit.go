package data

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// visit is one look at a data set: what has been found of it. Parts that could
// not be had are nil.
type visit struct {
	*base
	params  InspectParams
	dataset string
	at      viewer.At
	counter interface{ Count(string) int }

	record     *viewer.Record
	valid      *viewer.Valid
	splits     *viewer.Splits
	size       *viewer.Size
	parquet    *viewer.Parquet
	info       *viewer.Info
	page       *viewer.Page
	statistics *viewer.Statistics

	mu       sync.Mutex
	warnings []string
	notes    []string
	// refusal is why the viewer does not serve the data set as a whole.
	refusal error
	// misread is why the condition of the call was not understood.
	misread error
}

func (v *visit) warn(what string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.warnings = append(v.warnings, fmt.Sprintf("%s: %v", what, err))
}

// look asks for everything. What depends on the split is asked for as soon as
// that is known. It returns a result only when the data set cannot be shown.
func (v *visit) look(ctx context.Context) *tool.Result {
	for renamed := false; ; renamed = true {
		var all sync.WaitGroup
		v.whole(ctx, &all)
		var err error
		if v.splits, err = v.viewer.Splits(ctx, v.dataset); err != nil {
			all.Wait()
			next, failed := v.refused(ctx, err)
			if failed != nil {
				return failed
			}
			if next != "" && !renamed {
				v.notes = append(v.notes, fmt.Sprintf("%s is called %s now; this is about the new name.", v.dataset, next))
				v.dataset, v.warnings = next, nil
				continue
			}
			return nil
		}
		v.at, err = v.splits.Choose(v.dataset, v.params.Config, v.params.Split)
		switch {
		case err == nil:
			v.part(ctx, v.viewer, &all)
		case len(v.splits.All) == 0:
			v.warn("splits", err)
		default:
			all.Wait()
			bad := v.bad(err)
			return &bad
		}
		all.Wait()
		if v.misread != nil {
			result := lookup.Failed(v.spec.Name+" "+v.dataset, v.misread, quoting(v.features()))
			return &result
		}
		return nil
	}
}

// whole asks, in parallel, what is about the data set as a whole.
func (v *visit) whole(ctx context.Context, all *sync.WaitGroup) {
	all.Go(func() {
		v.record = get(v, "the Hub's record", func() (*viewer.Record, error) { return v.viewer.Record(ctx, v.dataset) })
	})
	all.Go(func() {
		v.valid = get(v, "status", func() (*viewer.Valid, error) { return v.viewer.IsValid(ctx, v.dataset) })
	})
	all.Go(func() {
		v.size = get(v, "sizes", func() (*viewer.Size, error) { return v.viewer.Size(ctx, v.dataset) })
	})
	all.Go(func() {
		v.parquet = get(v, "Parquet files", func() (*viewer.Parquet, error) { return v.viewer.Parquet(ctx, v.dataset) })
	})
}

// part asks, in parallel, what is about the chosen split.
func (v *visit) part(ctx context.Context, client *viewer.Client, all *sync.WaitGroup) {
	all.Go(func() {
		v.info = get(v, "schema", func() (*viewer.Info, error) { return client.Info(ctx, v.dataset, v.at.Config) })
	})
	all.Go(func() {
		v.statistics = get(v, "statistics", func() (*viewer.Statistics, error) { return client.Statistics(ctx, v.at) })
	})
	all.Go(func() {
		v.page = get(v, "rows", func() (*viewer.Page, error) { return v.rows(ctx, client) })
	})
}

// rows are the first ones, or those that the call wants.
func (v *visit) rows(ctx context.Context, client *viewer.Client) (*viewer.Page, error) {
	offset := 0
	if v.params.Offset != nil {
		offset = *v.params.Offset
	}
	switch {
	case v.params.Where != "":
		page, err := client.Filter(ctx, v.at, v.params.Where, "", offset, viewer.MaxRows)
		var f *fetch.Error
		if errors.As(err, &f) && f.Kind == fetch.BadArgument {
			v.misread = err
		}
		return page, err
	case v.params.Offset != nil:
		return client.Rows(ctx, v.at, offset, viewer.MaxRows)
	default:
		return client.FirstRows(ctx, v.at)
	}
}

// get returns what ask gives; an error becomes a warning.
func get[T any](v *visit, what string, ask func() (*T, error)) *T {
	got, err := ask()
	if err != nil {
		v.warn(what, err)
		return nil
	}
	return got
}

// refused deals with a viewer that does not list the splits. It returns the new
// name of a renamed data set; or the result when nothing can be shown.
func (v *visit) refused(ctx context.Context, err error) (renamed string, failed *tool.Result) {
	record, why := v.viewer.Why(ctx, v.dataset, err)
	if record != nil && record.ID != "" && record.ID != v.dataset && v.record != nil && len(v.notes) == 0 {
		return record.ID, nil
	}
	var f *fetch.Error
	errors.As(why, &f)
	if record == nil || f == nil || slices.Contains([]fetch.Kind{fetch.Gated, fetch.NotFound, fetch.Unauthorized, fetch.BadArgument}, f.Kind) {
		result := lookup.Failed(v.spec.Name+" "+v.dataset, why, next(why))
		return "", &result
	}
	// The Hub knows it: show that, and why there is no more.
	v.record, v.refusal, v.warnings = record, why, nil
	// Who knows the split may still see its rows; nobody waits twice.
	if v.params.Config != "" && v.params.Split != "" && f.Kind == fetch.NotReady {
		v.at = viewer.At{Dataset: v.dataset, Config: v.params.Config, Split: v.params.Split}
		var all sync.WaitGroup
		v.part(ctx, v.viewer.Impatient(), &all)
		all.Wait()
	}
	return "", nil
}

// sources are the answers that are cited: the record, the rows and the
// statistics; the schema or the splits where there are no rows.
func (v *visit) sources() []lookup.Source {
	var all []lookup.Source
	if v.record != nil {
		all = append(all, v.source(v.record.Source, "record", viewer.At{Dataset: v.dataset}))
	}
	switch {
	case v.page != nil:
		all = append(all, v.source(v.page.Source, "rows", v.at))
	case v.info != nil:
		all = append(all, v.source(v.info.Source, "info", v.at))
	case v.splits != nil:
		all = append(all, v.source(v.splits.Source, "splits", viewer.At{Dataset: v.dataset}))
	}
	if v.statistics != nil {
		all = append(all, v.source(v.statistics.Source, "statistics", v.at))
	}
	return all
}
