package exports

import (
	"context"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/exports/source"
	"github.com/ml-intern/ml-intern/internal/app/exports/target"
	"github.com/ml-intern/ml-intern/internal/lab/kpi"
)

// Bucket is an hour or a day with its name and its file.
type Bucket struct {
	kpi.Window
	Name, Path string
	day        bool
}

// HourOf is the UTC hour in which at lies.
func HourOf(at time.Time) Bucket {
	w := kpi.Hour(at)
	return Bucket{Window: w, Name: w.From.Format("2006-01-02T15"), Path: w.From.Format("hourly/2006-01-02/15.csv")}
}

// DayOf is the UTC day in which at lies.
func DayOf(at time.Time) Bucket {
	w := kpi.Day(at)
	return Bucket{Window: w, Name: w.From.Format(time.DateOnly), Path: w.From.Format("daily/2006-01-02.csv"), day: true}
}

// KPIs writes the key figures of each bucket, in their order, a file each; one in which
// nothing happened has none. The sessions are read once for all of them.
func KPIs(ctx context.Context, o Options, buckets []Bucket) (Summary, error) {
	e := begin(o)
	want := source.Wanted{Active: true}
	rollups := make([]*kpi.Rollup, len(buckets))
	figures := kpi.Options{Compat: o.Compat}
	for i, b := range buckets {
		opts := figures
		if o.Compat && b.day { // the original's daily files are of the sessions that began then
			opts.Whole, want.Active = true, false
		}
		rollups[i] = kpi.New(b.Window, opts)
		if want.From.IsZero() || b.From.Before(want.From) {
			want.From = b.From
		}
		if b.To.After(want.To) {
			want.To = b.To
		}
	}
	err := e.sessions(ctx, want, func(found source.Found) error {
		digest := kpi.Read(found.Session, figures)
		for _, r := range rollups {
			r.Add(digest)
		}
		return nil
	})
	if err != nil {
		return e.sum, err
	}
	for i, b := range buckets {
		row, ok := rollups[i].Row()
		if !ok {
			continue
		}
		if err := e.put(ctx, target.File{Path: b.Path, Data: row.CSV(b.Name), Message: "KPIs for " + b.Name}); err != nil {
			return e.sum, err
		}
	}
	return e.sum, nil
}
