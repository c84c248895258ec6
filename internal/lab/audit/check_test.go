package audit_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/lab/audit"
	"github.com/ml-intern/ml-intern/internal/lab/audit/report"
	"github.com/ml-intern/ml-intern/internal/lab/licence"
	"github.com/ml-intern/ml-intern/internal/lab/record"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

func rowsOf(rows []audit.Row) iter.Seq2[audit.Row, error] {
	return func(yield func(audit.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// lines reads a file of JSON lines.
func lines(t testing.TB, path string) []audit.Row {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []audit.Row
	for s := bufio.NewScanner(f); s.Scan(); {
		cells, err := record.Parse([]byte(s.Text()))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, audit.Row{Index: int64(len(out)), Cells: cells})
	}
	return out
}

// page reads rows in the form of the dataset viewer.
func page(t testing.TB, path string) (rows []audit.Row, columns []audit.Column) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Features []struct {
			Name string
			Type struct {
				Names []string
			}
		}
		Rows []struct {
			Index int64 `json:"row_idx"`
			Row   json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Features {
		columns = append(columns, audit.Column{Name: f.Name, Labels: f.Type.Names})
	}
	for _, r := range p.Rows {
		cells, err := record.Parse(r.Row)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, audit.Row{Index: r.Index, Cells: cells})
	}
	return rows, columns
}

// mini is the audit of the small data set with planted faults.
func mini(train, test []audit.Row, columns []audit.Column) audit.Input {
	return audit.Input{
		Dataset: "acme/audit-mini", Source: "hub", Sample: 2000, Columns: columns,
		Splits: []audit.Split{
			{Name: "train", Total: 120, Rows: rowsOf(train)},
			{Name: "test", Compared: true, Total: 30, Rows: rowsOf(test)},
		},
		Licence: &licence.Record{Card: []string{"cc-by-4.0"}, Tags: []string{"license:cc-by-4.0"}},
	}
}

func TestCheck28_AuditOfFixtures(t *testing.T) {
	dir := fixturetest.Dir(t, "research")
	train, columns := page(t, filepath.Join(dir, "dv-rows-audit-train-0.json"))
	more, _ := page(t, filepath.Join(dir, "dv-rows-audit-train-100.json"))
	test, _ := page(t, filepath.Join(dir, "dv-rows-audit-test.json"))
	in := mini(append(train, more...), test, columns)
	// The statistics of the whole split say the same as its rows.
	data, err := os.ReadFile(filepath.Join(dir, "dv-statistics-audit.json"))
	if err != nil {
		t.Fatal(err)
	}
	var stats struct {
		Rows       int64 `json:"num_examples"`
		Statistics []struct {
			Column string `json:"column_name"`
			Stats  struct {
				Nulls       int64            `json:"nan_count"`
				Frequencies map[string]int64 `json:"frequencies"`
			} `json:"column_statistics"`
		}
	}
	if err := json.Unmarshal(data, &stats); err != nil {
		t.Fatal(err)
	}
	for _, s := range stats.Statistics {
		in.Splits[0].Statistics = append(in.Splits[0].Statistics, audit.Statistic{
			Column: s.Column, Rows: stats.Rows, Nulls: s.Stats.Nulls, Classes: s.Stats.Frequencies,
		})
	}
	check28(t, in)
}

func TestCheck28_AuditOfSeed(t *testing.T) {
	dir := "../../hubsim/seed/acme/datasets/acme/audit-mini/files/data"
	train, test := lines(t, filepath.Join(dir, "train.jsonl")), lines(t, filepath.Join(dir, "test.jsonl"))
	check28(t, mini(train, test, nil))
}

func check28(t *testing.T, in audit.Input) {
	t.Helper()
	r := run(t, in)
	c := r.Checks
	equal(t, "duplicates", c.Duplicates.Groups, [][]report.Ref{{{Split: "train", Row: 40}, {Split: "train", Row: 41}}})
	equal(t, "near duplicates", pairs(c.Duplicates.Near), []string{"train 60 train 61 near"})
	equal(t, "numbers of copies", []int64{c.Duplicates.ExactGroups, c.Duplicates.ExactRows, c.Duplicates.NearPairs, c.Duplicates.Redundant}, []int64{1, 1, 1, 2})
	leak := c.Leakage.Splits[0]
	equal(t, "leaks", pairs(leak.Examples), []string{"train 10 test 5 exact", "train 60 test 9 near", "train 61 test 9 near"})
	equal(t, "leaked rows", []any{len(c.Leakage.Splits), leak.From, leak.To, leak.Rows, leak.ExactRows, leak.NearRows}, []any{1, "train", "test", int64(30), int64(1), int64(1)})
	var faults []string
	for _, f := range c.Quality.Faults {
		for _, e := range f.Examples {
			faults = append(faults, fmt.Sprintf("%s %s %d", f.Fault, f.Column, e.Row))
		}
	}
	equal(t, "faults", faults, []string{"null completion 110", "empty completion 70", "repeated completion 71"})
	var private []string
	for _, k := range c.PII.Kinds {
		for _, e := range k.Examples {
			private = append(private, fmt.Sprintf("%s %d", k.Kind, e.Row))
			if !strings.Contains(e.Masked, "***") {
				t.Errorf("%s is not masked", e.Masked)
			}
		}
	}
	equal(t, "personal data", private, []string{"key 81", "email 80", "phone 80"})
	equal(t, "too long", []any{c.Length.Over, c.Length.Longest[0].Row, c.Length.MaxLength, c.Length.Estimate}, []any{int64(1), int64(90), 1024, true})
	source := c.Balance.Columns[0]
	equal(t, "balance", []any{len(c.Balance.Columns), source.Column, source.Classes[0].Label, source.Classes[0].Rows, source.Rows}, []any{1, "source", "web", int64(108), int64(120)})
	levels := map[audit.Check]audit.Level{}
	for _, f := range r.Verdict {
		levels[f.Check] = f.Level
	}
	for check, want := range map[audit.Check]audit.Level{
		audit.Leakage: audit.Blocker, audit.PII: audit.Blocker, audit.Balance: audit.Warning, audit.Duplicates: audit.Warning,
		audit.Length: audit.Warning, audit.Quality: audit.Warning, audit.Licence: audit.OK,
	} {
		if levels[check] != want {
			t.Errorf("%s is %s, not %s", check, levels[check], want)
		}
	}
	md := r.Markdown()
	for _, secret := range []string{"jane.doe", "mira.holm", "555 01", "EXAMPLEONLY", "ThisIsASimulated"} {
		if strings.Contains(md, secret) || strings.Contains(text(t, r), secret) {
			t.Errorf("%q stands in the report", secret)
		}
	}
	again := in
	again.Workers = 1
	other := run(t, again)
	if a, b := text(t, r), text(t, other); a != b || md != other.Markdown() {
		t.Error("two runs differ")
	}
}

func run(t testing.TB, in audit.Input) *audit.Report {
	t.Helper()
	r, err := audit.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func text(t testing.TB, r *audit.Report) string {
	t.Helper()
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func pairs(list []report.Pair) []string {
	var out []string
	for _, p := range list {
		how := "near"
		if p.Exact {
			how = "exact"
		}
		out = append(out, fmt.Sprintf("%s %d %s %d %s", p.A.Split, p.A.Row, p.B.Split, p.B.Row, how))
	}
	return out
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
