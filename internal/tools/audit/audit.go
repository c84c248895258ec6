// Package audit is the tool hf_dataset_audit, and the audit that the command of
// the same name makes: it brings rows, tokenizer and benchmarks together and has
// the lab judge them. It knows no service by itself.
package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	lab "github.com/ml-intern/ml-intern/internal/lab/audit"
	"github.com/ml-intern/ml-intern/internal/lab/tokenizer"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/audit/source"
)

// How many rows are read of a data set on the Hub where nobody says how many,
// and of a benchmark at most.
const (
	DefaultSample   = 2_000
	MaxSample       = 20_000
	benchmarkSample = 20_000
)

// Counter counts tokens.
type Counter interface{ Count(text string) int }

// Options make an Auditor.
type Options struct {
	Source *source.Opener
	// Tokenizer gets the tokenizer of a model; the answer is where it came from.
	// nil knows none.
	Tokenizer func(ctx context.Context, model string) (Counter, *fetch.Response, error)
	// Local turns a path of a call into one that may be read, or says why not;
	// nil refuses all.
	Local func(path string) (string, error)
	// Exists reports whether something lies at a path; nil is never.
	Exists func(path string) bool
}

// Request is what an audit is asked for; zero values are the defaults.
type Request struct {
	Dataset, Config, Split string
	CompareSplits          []string
	TextColumns            []string
	Tokenizer              string
	MaxLength              int
	// Sample is the rows of a split: 0 is all of local files and 2,000 of a data
	// set on the Hub.
	Sample     int
	Seed       int64
	Checks     []string
	Benchmarks []string
}

// Result is a finished audit and the answers it was made from.
type Result struct {
	*lab.Report
	Answers []source.Answer
}

// Auditor makes audits. It is safe for concurrent use.
type Auditor struct{ o Options }

// New checks o.
func New(o Options) (*Auditor, error) {
	if o.Source == nil {
		return nil, errors.New("make the audit: Source is required")
	}
	if o.Local == nil {
		o.Local = func(path string) (string, error) {
			return "", fmt.Errorf("%s: local files cannot be read here: push them to a data set first", path)
		}
	}
	if o.Exists == nil {
		o.Exists = func(string) bool { return false }
	}
	return &Auditor{o}, nil
}

// Audit reads and judges. progress is told what is going on; nil for nobody. An
// unreadable tokenizer or benchmark costs only what needs it.
func (a *Auditor) Audit(ctx context.Context, r Request, progress func(lab.Progress)) (*Result, error) {
	name, local, err := a.place(r.Dataset)
	if err != nil {
		return nil, &source.ArgumentError{Field: "dataset", Err: err}
	}
	if !local {
		r.Sample = cmp.Or(r.Sample, DefaultSample)
	}
	if !local && r.Sample > MaxSample {
		return nil, &source.ArgumentError{Field: "sample", Err: fmt.Errorf("%d rows; of a data set on the Hub at most %d are read", r.Sample, MaxSample)}
	}
	tell := &teller{show: progress, files: local && r.Sample == 0}
	data, err := a.o.Source.Open(ctx, source.Wanted{
		Name: name, Shown: strings.TrimSpace(r.Dataset), Local: local, Config: r.Config, Split: r.Split, Compare: r.CompareSplits,
		Sample: r.Sample, Seed: r.Seed, Progress: tell.read,
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if local {
		strict(data.Splits, stop)
	}
	in := lab.Input{
		Dataset: r.Dataset, Source: data.Origin, Load: data.Load, Splits: data.Splits, Columns: data.Columns, TextColumns: r.TextColumns,
		MaxLength: r.MaxLength, Sample: r.Sample, Seed: r.Seed, Licence: data.Licence, Entities: data.Entities,
		Checks: checks(r), Warnings: data.Warnings, Failed: map[lab.Check]error{}, Progress: tell.judge,
	}
	if data.NoLicence != nil {
		in.Failed[lab.Licence] = data.NoLicence
	}
	result := &Result{Answers: data.Answers}
	a.tokenizer(ctx, r, &in, result)
	a.benchmarks(ctx, r, &in, result, tell)
	if result.Report, err = lab.Run(ctx, in); err != nil {
		return nil, cmp.Or(context.Cause(ctx), err)
	}
	return result, nil
}

// checks are those asked for; who names a benchmark wants to know of it.
func checks(r Request) []lab.Check {
	var out []lab.Check
	for _, c := range r.Checks {
		out = append(out, lab.Check(c))
	}
	if len(out) > 0 && len(r.Benchmarks) > 0 && !slices.Contains(out, lab.Contamination) {
		out = append(out, lab.Contamination)
	}
	return out
}

// strict ends the audit when an audited file is broken: numbers of the rows
// before the fault would look like those of the whole.
func strict(splits []lab.Split, stop context.CancelCauseFunc) {
	for i, s := range splits {
		if s.Compared {
			continue
		}
		splits[i].Rows = func(yield func(lab.Row, error) bool) {
			for row, err := range s.Rows {
				if err != nil {
					stop(err)
				}
				if !yield(row, err) {
					return
				}
			}
		}
	}
}

// place is a path that may be read, or the id of a data set.
func (a *Auditor) place(name string) (string, bool, error) {
	name, local, err := source.Place(name, a.o.Exists)
	if err == nil && local {
		name, err = a.o.Local(name)
	}
	return name, local, err
}

func (a *Auditor) tokenizer(ctx context.Context, r Request, in *lab.Input, result *Result) {
	if r.Tokenizer == "" {
		return
	}
	if a.o.Tokenizer == nil {
		in.Warnings = append(in.Warnings, "tokenizers cannot be had here: lengths are estimates")
		return
	}
	counter, answer, err := a.o.Tokenizer(ctx, r.Tokenizer)
	if err != nil {
		in.Warnings = append(in.Warnings, fmt.Sprintf("the tokenizer of %s could not be had (%v): lengths are estimates", r.Tokenizer, err))
		return
	}
	in.Tokenizer, in.TokenizerName = counter, r.Tokenizer
	if t, ok := counter.(*tokenizer.Tokenizer); ok && t.Approximate != "" {
		in.Warnings = append(in.Warnings, fmt.Sprintf("the tokenizer of %s is followed but for this, so that counts may differ a little: %s", r.Tokenizer, t.Approximate))
	}
	if answer != nil {
		result.Answers = append(result.Answers, source.Answer{Response: answer, Operation: "tokenizer", Page: "https://huggingface.co/" + r.Tokenizer})
	}
}

// benchmarks opens what the rows should not contain: the split that is tested
// on.
func (a *Auditor) benchmarks(ctx context.Context, r Request, in *lab.Input, result *Result, tell *teller) {
	for i, name := range r.Benchmarks {
		if slices.Contains(r.Benchmarks[:i], name) {
			continue
		}
		data, err := a.benchmark(ctx, name, tell)
		if err != nil {
			in.Warnings = append(in.Warnings, fmt.Sprintf("benchmark %s could not be read: %v", name, err))
			continue
		}
		for _, s := range data.Splits {
			in.Benchmarks = append(in.Benchmarks, lab.Benchmark{Name: name + " (" + s.Name + ")", Rows: s.Rows})
		}
		in.Warnings = append(in.Warnings, data.Warnings...)
		result.Answers = append(result.Answers, data.Answers...)
	}
	if len(r.Benchmarks) > 0 && len(in.Benchmarks) == 0 {
		in.Failed[lab.Contamination] = errors.New("no benchmark could be read")
	}
}

func (a *Auditor) benchmark(ctx context.Context, name string, tell *teller) (*source.Data, error) {
	place, local, err := a.place(name)
	if err != nil {
		return nil, err
	}
	w := source.Wanted{Name: place, Local: local, Split: "test", Compare: []string{}, RowsOnly: true, Progress: func(what string, done, total int64) {
		tell.read(what+" of "+name, done, total)
	}}
	if !local {
		w.Sample = benchmarkSample
	}
	data, err := a.o.Source.Open(ctx, w)
	if errors.Is(err, source.ErrNoSplit) { // no test split: the usual one
		w.Split = ""
		data, err = a.o.Source.Open(ctx, w)
	}
	return data, err
}
