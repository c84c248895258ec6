// Package audits is the command that audits a data set: what it is called with,
// how it shows how far it is, and what it prints. It judges nothing itself.
package audits

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	lab "github.com/ml-intern/ml-intern/internal/lab/audit"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/tools/audit"
	"github.com/ml-intern/ml-intern/internal/tools/audit/source"
)

// flags are the command's.
type flags struct {
	audit.Request
	asJSON bool
	out    string
	failOn string
}

// New makes the command.
func New(s *console.Streams) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "audit PATH|DATASET",
		Short: "Audit a data set: copies, leaks, balance, lengths, personal data",
		Long: `Look at a data set the way someone does who wants to train on it: exact and near
duplicates, leakage between splits, class balance, token lengths, quality,
personal data, the licence, and with --against contamination by benchmarks.

PATH is a CSV, TSV, JSON, JSONL or Parquet file, plain or as .gz or .zst, or a
folder of such files; it begins with ./, ../, / or ~ or ends like a data file,
and is read whole unless --sample is given. Anything else in the form of an id,
or with hf: in front, is a data set on the Hub, of which a sample of 2,000 rows
is read. The report goes to standard output, progress to standard error.`,
		Example: `  ml-intern audit ./data --tokenizer Qwen/Qwen3-0.6B --max-length 2048
  ml-intern audit stanfordnlp/imdb --against hf:cais/mmlu --json`,
		Args: cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			f.Dataset = args[0]
			return f.run(ctx, s)
		}),
	}
	set := cmd.Flags()
	set.StringVar(&f.Config, "config", "", "configuration of a data set on the Hub")
	set.StringVar(&f.Split, "split", "", "split to audit; default train, else the first")
	set.StringSliceVar(&f.CompareSplits, "compare-splits", nil, "splits to look for copies in; default all others")
	set.StringSliceVar(&f.TextColumns, "text-columns", nil, "columns to read; default those with texts or messages")
	set.StringVar(&f.Tokenizer, "tokenizer", "", "model whose tokenizer counts; without it lengths are estimates")
	set.IntVar(&f.MaxLength, "max-length", 0, "longest row in tokens (default 1024)")
	set.IntVar(&f.Sample, "sample", 0, "rows of each split to read; default all of files, 2000 of the Hub")
	set.Int64Var(&f.Seed, "seed", 0, "chooses the sample")
	set.StringSliceVar(&f.Checks, "checks", nil, "of duplicates, leakage, balance, length, quality, pii, contamination, licence; default all")
	set.StringArrayVar(&f.Benchmarks, "against", nil, "benchmark that must not be in the data, a path or a data set; may be repeated")
	set.BoolVar(&f.asJSON, "json", false, "print one JSON object instead of Markdown")
	set.StringVar(&f.out, "out", "", "write the report to this file instead of standard output")
	set.StringVar(&f.failOn, "fail-on", "", "exit 1 when the verdict has a `LEVEL`: blocker or warning")
	return cmd
}

func (f *flags) check() error {
	switch {
	case f.failOn != "" && f.failOn != "blocker" && f.failOn != "warning":
		return console.Usage("--fail-on is %q: it must be blocker or warning", f.failOn)
	case f.MaxLength < 0:
		return console.Usage("--max-length is %d: it must be above 0", f.MaxLength)
	case f.Sample < 0:
		return console.Usage("--sample is %d: it must be above 0", f.Sample)
	case f.out != "" && !writable(f.out):
		return console.Usage("--out is %q: there is no folder for it, or it is one", f.out)
	}
	var checks []string
	for _, c := range lab.Checks() {
		checks = append(checks, string(c))
	}
	for _, c := range f.Checks {
		if !slices.Contains(checks, c) {
			return console.Usage("--checks: there is no check %q; the checks are %s", c, strings.Join(checks, ", "))
		}
	}
	return nil
}

// writable reports whether a file could lie at path: an audit takes too long to
// find out at its end.
func writable(path string) bool {
	if info, err := os.Stat(path); err == nil {
		return !info.IsDir()
	}
	dir, err := os.Stat(filepath.Dir(path))
	return err == nil && dir.IsDir()
}

func (f *flags) run(ctx context.Context, s *console.Streams) error {
	if err := f.check(); err != nil {
		return err
	}
	a, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	auditor, err := a.Auditor()
	if err != nil {
		return err
	}
	bar := newBar(s.Err)
	result, err := auditor.Audit(ctx, f.Request, bar.show)
	bar.clear()
	if wrong := (*source.ArgumentError)(nil); errors.As(err, &wrong) {
		return console.Usage("%v", err)
	}
	if err != nil {
		return err
	}
	if err := f.write(s, result.Report); err != nil {
		return err
	}
	if worst := result.Worst(); f.failOn == "blocker" && worst == lab.Blocker || f.failOn == "warning" && worst != lab.OK {
		return console.Silent(1)
	}
	return nil
}

// write prints the report, or puts it into a file.
func (f *flags) write(s *console.Streams, r *lab.Report) error {
	text := []byte(r.Markdown())
	if f.asJSON {
		var err error
		if text, err = r.JSON(); err != nil {
			return err
		}
	}
	if f.out != "" {
		if err := os.WriteFile(f.out, text, 0o644); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		fmt.Fprintf(s.Err, "report written to %s\n", f.out)
		return nil
	}
	if !f.asJSON && s.OutTTY {
		text = []byte(plain.ForTerminal(string(text)))
	}
	_, err := s.Out.Write(text)
	return err
}
