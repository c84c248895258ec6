// Package audit looks at the rows of a data set the way someone does who wants
// to train on it: copies, leaks between splits, balance, lengths, quality,
// personal data, overlap with benchmarks and the licence. It is computation
// alone: rows come from iterators, and nobody here knows files or services.
package audit

import (
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"

	"github.com/ml-intern/ml-intern/internal/lab/audit/report"
	"github.com/ml-intern/ml-intern/internal/lab/licence"
	"github.com/ml-intern/ml-intern/internal/lab/record"
	"github.com/ml-intern/ml-intern/internal/lab/schema"
)

// Row and Cell are what splits are made of; see package record, which also
// cuts lines of JSON into cells.
type (
	Row  = record.Row
	Cell = record.Cell
)

// What the report is made of; see package report.
type (
	Report     = report.Report
	Check      = report.Check
	Level      = report.Level
	Characters = report.Characters
	Entity     = report.Entity
)

// The checks, in the order of the report.
const (
	Duplicates    = report.Duplicates
	Leakage       = report.Leakage
	Balance       = report.Balance
	Length        = report.Length
	Quality       = report.Quality
	PII           = report.PII
	Contamination = report.Contamination
	Licence       = report.Licence
)

// The levels, worst first.
const (
	Blocker = report.Blocker
	Warning = report.Warning
	OK      = report.OK
)

// Checks is every check in the order of the report.
func Checks() []Check { return report.Checks() }

// Tokenizer counts the tokens of a text. It is called from several goroutines
// at once.
type Tokenizer interface {
	Count(text string) int
}

// Split is a named stream of rows.
type Split struct {
	Name string
	// Compared marks a split that is only looked through for copies of rows of
	// the others: nothing else is said about it.
	Compared bool
	// Total is how many rows the whole split has; 0 means that Rows is all.
	Total int64
	// Rows may be ranged over several times and gives the same rows each time.
	// An error ends it: what came before it counts, and the report says so.
	Rows iter.Seq2[Row, error]
	// Statistics are facts about the whole split that were counted elsewhere.
	// They are preferred to a sample's where they say the same thing.
	Statistics []Statistic
}

// Statistic is what is known about one column of a whole split.
type Statistic struct {
	Column string
	// Rows is how many rows were counted, Nulls how many had no value.
	Rows, Nulls int64
	// Classes counts the values of a column of labels; nil for other columns.
	Classes map[string]int64
	// Characters describes the lengths of texts; nil for other columns.
	Characters *Characters
}

// Column is what the caller knows of a column.
type Column = schema.Column

// Benchmark is a test set that the rows should not contain.
type Benchmark struct {
	Name string
	Rows iter.Seq2[Row, error]
}

// Progress tells how far the audit is. Total is 0 when nobody knows.
type Progress struct {
	Phase       string
	Done, Total int64
}

// Input is everything an audit works on.
type Input struct {
	// Dataset is the name in the title, Source where the rows came from.
	Dataset, Source string
	// Load is the Python expression that loads the data set, for the code that
	// mends it; load_dataset of the name when empty.
	Load string
	// Splits has at least one that is not only compared with.
	Splits  []Split
	Columns []Column
	// TextColumns default to those with texts or messages; identifiers and
	// labels are left out.
	TextColumns []string
	// Checks default to all but contamination, which runs where there are
	// benchmarks.
	Checks []Check
	// Tokenizer may be nil: then lengths are estimates of four characters a
	// token. TokenizerName is what the report calls it.
	Tokenizer     Tokenizer
	TokenizerName string
	// MaxLength in tokens, 1,024 when 0.
	MaxLength int
	// Sample is the size asked for, 0 for everything; Seed chose the rows. Both
	// are only reported.
	Sample int
	Seed   int64

	Benchmarks []Benchmark
	// Licence is what is known of it; nil leaves the check out, with Failed
	// saying why where it should have run.
	Licence *licence.Record
	// Entities are personal data found by others.
	Entities []Entity
	// Failed names checks whose input could not be had: each is listed under
	// the warnings and does not run.
	Failed map[Check]error
	// Warnings are the caller's own and come first.
	Warnings []string

	// Workers is how many goroutines compute; 0 means one a processor.
	Workers int
	// Progress is called now and then, never twice at once; nil for nobody.
	Progress func(Progress)
}

// checked fills in defaults and refuses what cannot be worked on.
func (in Input) checked() (Input, error) {
	if len(in.Splits) == 0 || !slices.ContainsFunc(in.Splits, func(s Split) bool { return !s.Compared }) {
		return in, errors.New("audit: splits: at least one must be audited")
	}
	if len(in.Splits) > maxSplits {
		return in, fmt.Errorf("audit: splits: at most %d, not %d", maxSplits, len(in.Splits))
	}
	for i, s := range in.Splits {
		if s.Rows == nil {
			return in, fmt.Errorf("audit: split %q has no rows to read", s.Name)
		}
		if slices.ContainsFunc(in.Splits[:i], func(o Split) bool { return o.Name == s.Name }) {
			return in, fmt.Errorf("audit: split %q is there twice", s.Name)
		}
	}
	for _, c := range in.Checks {
		if !slices.Contains(Checks(), c) {
			return in, fmt.Errorf("audit: checks: %q is none of %v", c, Checks())
		}
	}
	if in.MaxLength < 0 || in.Workers < 0 {
		return in, errors.New("audit: max_length and workers must not be negative")
	}
	if in.MaxLength == 0 {
		in.MaxLength = DefaultMaxLength
	}
	if in.Workers == 0 {
		in.Workers = runtime.GOMAXPROCS(0)
	}
	if len(in.Checks) == 0 {
		in.Checks = slices.DeleteFunc(Checks(), func(c Check) bool { return c == Contamination && len(in.Benchmarks) == 0 })
	}
	if in.Progress == nil {
		in.Progress = func(Progress) {}
	}
	return in, nil
}

// DefaultMaxLength is what trainers cut at when nobody says otherwise.
const DefaultMaxLength = 1024

// maxSplits is how many splits one audit takes.
const maxSplits = 64
