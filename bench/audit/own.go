package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/audit"
	"github.com/ml-intern/ml-intern/internal/lab/duplicate"
	"github.com/ml-intern/ml-intern/internal/lab/record"
	"github.com/ml-intern/ml-intern/internal/lab/schema"
)

// play is one run of ours in this process.
func play(ctx context.Context, role string, args []string) error {
	switch {
	case role == "copies" && len(args) == 1:
		return audited(ctx, args[0], audit.Duplicates)
	case role == "everything" && len(args) == 1:
		return audited(ctx, args[0])
	case role == "pairs" && len(args) == 2:
		return paired(ctx, args[0], args[1])
	}
	return fmt.Errorf("%s takes other arguments than %q", role, args)
}

// rows reads a file of JSON lines, anew each time.
func rows(path string) iter.Seq2[record.Row, error] {
	return func(yield func(record.Row, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(record.Row{}, err)
			return
		}
		defer f.Close()
		in := bufio.NewReaderSize(f, 1<<20)
		for n := int64(0); ; n++ {
			line, err := in.ReadBytes('\n')
			if errors.Is(err, io.EOF) && len(bytes.TrimSpace(line)) == 0 {
				return
			}
			if err != nil && !errors.Is(err, io.EOF) {
				yield(record.Row{}, err)
				return
			}
			cells, err := record.Parse(line)
			if !yield(record.Row{Index: n, Cells: cells}, err) {
				return
			}
		}
	}
}

// audited is the audit with the given checks, all when there are none.
func audited(ctx context.Context, path string, checks ...audit.Check) error {
	begun := time.Now()
	r, err := audit.Run(ctx, audit.Input{
		Dataset: "chat", Splits: []audit.Split{{Name: "train", Rows: rows(path)}}, Checks: checks,
	})
	if err != nil {
		return err
	}
	d := r.Checks.Duplicates
	if d == nil || !d.Complete {
		return fmt.Errorf("the search is not complete: %q", r.Warnings)
	}
	return json.NewEncoder(os.Stdout).Encode(figures{Seconds: since(begun), Rows: int(d.Rows), Exact: int(d.ExactRows), Near: int(d.NearPairs)})
}

// paired writes the pairs that the audit counts, for the comparison.
func paired(ctx context.Context, path, out string) error {
	columns, err := schema.Of([]iter.Seq2[record.Row, error]{rows(path)}, nil, nil)
	if err != nil {
		return err
	}
	var index duplicate.Index
	signer := duplicate.NewSigner()
	for row, err := range rows(path) {
		if err != nil {
			return err
		}
		s := signer.Sign(schema.Joined(columns.Fields(row)))
		if err := index.Add(&s); err != nil {
			return err
		}
	}
	again := func(wanted func(int) bool) iter.Seq2[duplicate.Item, error] {
		return func(yield func(duplicate.Item, error) bool) {
			for row, err := range rows(path) {
				item := duplicate.Item{Document: int(row.Index), Size: schema.Weigh(row), Text: func() string { return schema.Joined(columns.Fields(row)) }}
				if wanted(item.Document) && !yield(item, err) {
					return
				}
			}
		}
	}
	var lines []string
	r := index.Equal()
	for _, g := range r.Groups {
		for _, d := range g[1:] {
			lines = append(lines, fmt.Sprintf("exact %d %d", g[0], d))
		}
	}
	if err := index.Near(ctx, r, again, duplicate.Options{Workers: runtime.NumCPU()}, func(p duplicate.Pair) {
		lines = append(lines, fmt.Sprintf("near %d %d", p.A, p.B))
	}); err != nil {
		return err
	}
	if err := os.WriteFile(out, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(figures{Rows: index.Len()})
}

// agree compares the pairs of both programs.
func agree(ours, theirs string) error {
	a, err := read(ours)
	if err != nil {
		return err
	}
	b, err := read(theirs)
	if err != nil {
		return err
	}
	both := 0
	for p := range a {
		if b[p] {
			both++
		}
	}
	fmt.Printf("pairs: %d in both, %d only ours, %d only Python's\n", both, len(a)-both, len(b)-both)
	for name, only := range map[string][2]map[string]bool{"ours": {a, b}, "Python's": {b, a}} {
		var list []string
		for p := range only[0] {
			if !only[1][p] {
				list = append(list, p)
			}
		}
		if slices.Sort(list); len(list) > 0 {
			fmt.Printf("only %s: %s\n", name, strings.Join(list[:min(5, len(list))], ", "))
		}
	}
	return nil
}

func read(path string) (map[string]bool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		out[strings.TrimSpace(line)] = true
	}
	return out, nil
}
