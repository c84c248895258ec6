package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/lab/audit"
	"github.com/ml-intern/ml-intern/internal/lab/licence"
	"github.com/ml-intern/ml-intern/internal/lab/record"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// parallel is how many pages of rows are asked for at once.
const parallel = 8

// hubData reads a data set of the Hub.
type hubData struct {
	viewer *viewer.Client
	Wanted
}

func (h hubData) open(ctx context.Context) (*Data, error) {
	id, err := viewer.ID(h.Name)
	if err != nil {
		return nil, err
	}
	splits, err := h.viewer.Splits(ctx, id)
	if err != nil {
		_, why := h.viewer.Why(ctx, id, err)
		return nil, why
	}
	at, err := splits.Choose(id, h.Config, "")
	if err != nil && h.Config != "" && len(splits.All) > 0 {
		return nil, &ArgumentError{"config", err}
	}
	if err != nil {
		return nil, err
	}
	if h.Split != "" {
		at.Split = h.Split
	}
	_, compared, err := choose(splits.Of(at.Config), at.Split, h.Compare)
	if err != nil {
		return nil, err
	}
	d := &Data{Origin: "the dataset viewer", Load: loadHub(id, h.Config), Warnings: few(splits.Of(at.Config), compared)}
	if !h.RowsOnly {
		d.record(ctx, h.viewer, id)
	}
	totals := h.sizes(ctx, d, at)
	for _, name := range splits.Of(at.Config) {
		if name != at.Split && !compared[name] {
			continue
		}
		one := viewer.At{Dataset: id, Config: at.Config, Split: name}
		s := audit.Split{Name: name, Compared: name != at.Split}
		err := h.rows(ctx, d, &s, one, totals[name])
		if err != nil && (!s.Compared || ctx.Err() != nil) {
			return nil, err
		}
		if err != nil {
			d.Warnings = append(d.Warnings, fmt.Sprintf("leakage: split %s could not be read: %s", name, words(err)))
			continue
		}
		if !s.Compared && !h.RowsOnly {
			h.facts(ctx, d, &s, one)
		}
		d.Splits = append(d.Splits, s)
	}
	return d, nil
}

// record takes the licence from the Hub's record.
func (d *Data) record(ctx context.Context, v *viewer.Client, id string) {
	r, err := v.Record(ctx, id)
	if err != nil {
		d.NoLicence = err
		return
	}
	d.Answers = append(d.Answers, Answer{r.Response, "record", "https://huggingface.co/datasets/" + id})
	d.Licence = &licence.Record{Card: r.Words("license"), Tags: r.Tags, Gated: r.Gated, Private: r.Private}
}

// sizes are the rows of the splits, as far as they are known.
func (h hubData) sizes(ctx context.Context, d *Data, at viewer.At) map[string]int64 {
	out := map[string]int64{}
	size, err := h.viewer.Size(ctx, at.Dataset)
	if err != nil {
		d.Warnings = append(d.Warnings, "the sizes of the splits are not known: "+words(err))
		return out
	}
	for _, s := range size.Splits {
		if s.Config == at.Config {
			out[s.Split] = s.Rows
		}
	}
	if size.Partial {
		d.Warnings = append(d.Warnings, "the viewer has converted only the beginning of this data set (5 GB): all rows and counts are of that part")
	}
	return out
}

// rows reads the whole split, or a sample of pages. A limit that is reached on
// the way ends it: what was read is audited and the report says so.
func (h hubData) rows(ctx context.Context, d *Data, s *audit.Split, at viewer.At, total int64) error {
	first, err := h.viewer.Rows(ctx, at, 0, viewer.MaxRows)
	if err != nil {
		return err
	}
	if !s.Compared {
		d.Columns = columns(first.Features)
	}
	if first.Total >= 0 {
		total = first.Total
	}
	total = max(total, int64(len(first.Rows))) // where nobody says how many
	s.Total = total
	want := total
	if h.Sample > 0 {
		want = min(want, int64(h.Sample))
	}
	offsets := pages(total, want, viewer.MaxRows, random(h.Seed, at.Split))
	if len(offsets) == 0 { // no rows
		offsets = []int64{0}
	}
	found, cut := h.pages(ctx, at, offsets, map[int64]*viewer.Page{0: first})
	if err := ctx.Err(); err != nil {
		return err
	}
	if cut != nil {
		var f *fetch.Error
		if !errors.As(cut, &f) || len(found) == 0 {
			return cut
		}
		d.Warnings = append(d.Warnings, fmt.Sprintf("%s is incomplete: %d of %d pages were read, then %s", at.Split, len(found), len(offsets), words(cut)))
	}
	d.Answers = append(d.Answers, Answer{together(found), "rows", at.Page()})
	s.Rows = each(unpack(found, want))
	return nil
}

// pages asks for pages side by side. After a failure no further page is begun;
// the first failure is returned with what was read.
func (h hubData) pages(ctx context.Context, at viewer.At, offsets []int64, found map[int64]*viewer.Page) (map[int64]*viewer.Page, error) {
	have := map[int64]*viewer.Page{}
	var (
		mu     sync.Mutex
		failed error
		wait   sync.WaitGroup
		slots  = make(chan struct{}, parallel)
	)
	for _, offset := range offsets {
		if p := found[offset]; p != nil {
			mu.Lock()
			have[offset] = p
			mu.Unlock()
			continue
		}
		slots <- struct{}{}
		mu.Lock()
		stop := failed != nil || ctx.Err() != nil
		mu.Unlock()
		if stop {
			<-slots
			break
		}
		wait.Go(func() {
			defer func() { <-slots }()
			p, err := h.viewer.Rows(ctx, at, int(offset), viewer.MaxRows)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = errors.Join(failed, err)
				return
			}
			have[offset] = p
			h.Progress("reading "+at.Split, int64(len(have)), int64(len(offsets)))
		})
	}
	wait.Wait()
	return have, failed
}

// together is what pages are as one answer: the hash of their bodies in the
// order of the rows, and the time of the oldest.
func together(found map[int64]*viewer.Page) *fetch.Response {
	offsets := slices.Sorted(maps.Keys(found))
	sum := sha256.New()
	var out *fetch.Response
	for _, offset := range offsets {
		p := found[offset].Response
		_, _ = sum.Write(p.Body)
		if out == nil {
			one := *p
			out = &one
		}
		if p.FetchedAt.Before(out.FetchedAt) {
			out.FetchedAt = p.FetchedAt
		}
	}
	out.Body, out.SHA256 = nil, hex.EncodeToString(sum.Sum(nil))
	return out
}

// unpack puts the rows of pages in order, at most want of them: of a sample the
// last page may have more than is needed.
func unpack(found map[int64]*viewer.Page, want int64) []audit.Row {
	var out []audit.Row
	for _, p := range found {
		for _, r := range p.Rows {
			row := audit.Row{Index: int64(r.Index)}
			for _, name := range r.Names {
				row.Cells = append(row.Cells, record.Cell{Column: name, Value: r.Values[name]})
			}
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(a, b audit.Row) int { return int(a.Index - b.Index) })
	return out[:min(int64(len(out)), max(want, 0))]
}

func columns(features []viewer.Field) []audit.Column {
	var out []audit.Column
	for _, f := range features {
		c := audit.Column{Name: f.Name}
		if f.Kind == viewer.ClassLabel {
			c.Labels = f.Names
		}
		out = append(out, c)
	}
	return out
}

// facts takes what the viewer has counted over the whole split.
func (h hubData) facts(ctx context.Context, d *Data, s *audit.Split, at viewer.At) {
	patient := h.viewer.Impatient()
	if st, err := patient.Statistics(ctx, at); err == nil && !st.Partial {
		d.Answers = append(d.Answers, Answer{st.Response, "statistics", at.Page()})
		for _, c := range st.Columns {
			s.Statistics = append(s.Statistics, statistic(c, st.Rows))
		}
	}
	if p, err := patient.Presidio(ctx, at); err == nil {
		d.Answers = append(d.Answers, Answer{p.Response, "presidio-entities", at.Page()})
		for _, f := range p.Found {
			d.Entities = append(d.Entities, audit.Entity{Kind: f.Value, Count: f.Count})
		}
	}
}

func statistic(c viewer.Column, rows int64) audit.Statistic {
	out := audit.Statistic{Column: c.Name, Rows: rows, Nulls: c.Nulls}
	switch c.Type {
	case "class_label", "string_label", "bool":
		out.Classes = map[string]int64{}
		for _, f := range c.Values {
			out.Classes[f.Value] = f.Count
		}
	case "string_text":
		if c.Min != nil && c.Max != nil && c.Mean != nil && c.Median != nil {
			out.Characters = &audit.Characters{Min: int64(*c.Min), Max: int64(*c.Max), Mean: *c.Mean, Median: *c.Median}
		}
	}
	return out
}

// words is an error in the words for people.
func words(err error) string {
	var f *fetch.Error
	if errors.As(err, &f) {
		return f.Error()
	}
	return err.Error()
}
