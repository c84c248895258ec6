package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/lab/audit"
	"github.com/ml-intern/ml-intern/internal/lab/audit/audittest"
	"github.com/ml-intern/ml-intern/internal/lab/licence"
	"github.com/ml-intern/ml-intern/internal/lab/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table makes rows of one text column.
func table(texts ...string) []audit.Row {
	var out []audit.Row
	for i, s := range texts {
		value, _ := json.Marshal(s)
		out = append(out, audit.Row{Index: int64(i), Cells: []audit.Cell{{Column: "text", Value: value}}})
	}
	return out
}

// chat makes rows of messages.
func chat(t testing.TB, seed uint64, from, to int) []audit.Row {
	t.Helper()
	source := audittest.NewChat(seed)
	var out []audit.Row
	for i := from; i < to; i++ {
		data, err := json.Marshal(source.Row(i))
		if err != nil {
			t.Fatal(err)
		}
		cells, err := record.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, audit.Row{Index: int64(i - from), Cells: cells})
	}
	return out
}

// ending is rows and then an error, on the given reading and later ones.
func ending(rows []audit.Row, from int, err error) iter.Seq2[audit.Row, error] {
	reading := 0
	return func(yield func(audit.Row, error) bool) {
		reading++
		now := reading
		for i, r := range rows {
			if i == len(rows)/2 && now >= from {
				yield(audit.Row{}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func level(r *audit.Report, check audit.Check) audit.Level {
	for _, f := range r.Verdict {
		if f.Check == check {
			return f.Level
		}
	}
	return ""
}

func TestInputIsChecked(t *testing.T) {
	rows := rowsOf(table("one two three"))
	for name, in := range map[string]audit.Input{
		"splits":       {},
		"at least one": {Splits: []audit.Split{{Name: "a", Rows: rows, Compared: true}}},
		"no rows":      {Splits: []audit.Split{{Name: "a"}}},
		"twice":        {Splits: []audit.Split{{Name: "a", Rows: rows}, {Name: "a", Rows: rows}}},
		"none of":      {Splits: []audit.Split{{Name: "a", Rows: rows}}, Checks: []audit.Check{"spelling"}},
		"max_length":   {Splits: []audit.Split{{Name: "a", Rows: rows}}, MaxLength: -1},
		"text_columns": {Splits: []audit.Split{{Name: "a", Rows: rows}}, TextColumns: []string{"body"}},
	} {
		if _, err := audit.Run(t.Context(), in); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASplitThatBreaksOff(t *testing.T) {
	limited := errors.New("429: too many requests")
	in := audit.Input{Dataset: "d", Splits: []audit.Split{
		{Name: "train", Total: 100, Rows: ending(chat(t, 1, 0, 100), 1, limited)},
		{Name: "test", Compared: true, Total: 10, Rows: ending(nil, 1, limited)},
		{Name: "dev", Compared: true, Rows: func(yield func(audit.Row, error) bool) { yield(audit.Row{}, limited) }},
	}}
	r := run(t, in)
	s := r.Sample.Splits[0]
	if s.Rows != 50 || s.Complete || len(r.Warnings) != 3 || !strings.Contains(r.Warnings[0], "split train is incomplete, 50 rows were read: 429") {
		t.Errorf("%+v, %q", s, r.Warnings)
	}
	if r.Checks.Duplicates == nil || r.Checks.Leakage == nil || !strings.Contains(r.Markdown(), "**Warnings:**\n\n- split train") {
		t.Error("the checks do not stand")
	}
	in.Splits[0].Rows = func(yield func(audit.Row, error) bool) { yield(audit.Row{}, limited) }
	if _, err := audit.Run(t.Context(), in); !errors.Is(err, limited) {
		t.Errorf("nothing read: %v", err)
	}
	in.Splits = []audit.Split{{Name: "train", Rows: rowsOf(nil)}}
	if _, err := audit.Run(t.Context(), in); err == nil {
		t.Error("an empty data set is no audit")
	}
}

func TestASecondReadingThatFailsTakesOnlyItsChecks(t *testing.T) {
	gone := errors.New("gone")
	// The first reading looks at the columns, the second at everything.
	r := run(t, audit.Input{Dataset: "d", Splits: []audit.Split{{Name: "train", Rows: ending(chat(t, 1, 0, 600), 3, gone)}}})
	if r.Checks.Duplicates != nil || r.Checks.Leakage != nil || r.Checks.Length == nil || r.Checks.Length.Rows != 600 {
		t.Error("not exactly the checks that need a second reading are out")
	}
	if len(r.Warnings) != 2 || !strings.Contains(r.Warnings[0], "duplicates: the rows could not be read a second time: gone") {
		t.Errorf("%q", r.Warnings)
	}
}

func TestFailedChecksAndWarnings(t *testing.T) {
	r := run(t, audit.Input{
		Dataset: "d", Splits: []audit.Split{{Name: "train", Rows: rowsOf(table("one two three four five six."))}},
		Failed: map[audit.Check]error{audit.Licence: errors.New("the record could not be had")}, Warnings: []string{"mine"},
		Checks: []audit.Check{audit.Licence, audit.Quality, audit.Contamination},
	})
	want := []string{"mine", "licence: the record could not be had", "contamination: no benchmarks are named"}
	if !slices.Equal(r.Warnings, want) || r.Checks.Licence != nil || r.Checks.Quality == nil || r.Checks.Duplicates != nil || len(r.Verdict) != 1 {
		t.Errorf("%q, %+v", r.Warnings, r.Verdict)
	}
}

type words struct{}

func (words) Count(s string) int { return len(strings.Fields(s)) }

func TestLengthsWithATokenizer(t *testing.T) {
	messages := `[{"role":"user","content":"one two"},{"role":"assistant","content":"three four five"}]`
	rows := []audit.Row{{Cells: []audit.Cell{{Column: "messages", Value: json.RawMessage(messages)}}}}
	r := run(t, audit.Input{Dataset: "d", Splits: []audit.Split{{Name: "train", Rows: rowsOf(rows)}}, Tokenizer: words{}, TokenizerName: "acme/words", MaxLength: 12})
	l := r.Checks.Length
	if l.Max != 5+2*audit.Overhead || l.Over != 1 || l.Estimate || l.Overhead != 4 || !strings.Contains(r.Markdown(), "Tokens of acme/words, with 4 a message") {
		t.Errorf("%+v", l)
	}
}

func TestStatisticsOfTheWholeSplitArePreferred(t *testing.T) {
	var rows []audit.Row
	for i := range 40 {
		rows = append(rows, audit.Row{Index: int64(i), Cells: []audit.Cell{
			{Column: "text", Value: json.RawMessage(fmt.Sprintf(`"row number %d of the sample, made of words"`, i))},
			{Column: "label", Value: json.RawMessage(fmt.Sprint(i % 2))},
		}})
	}
	split := audit.Split{Name: "train", Total: 1203411, Rows: rowsOf(rows), Statistics: []audit.Statistic{
		{Column: "label", Rows: 1203411, Nulls: 3, Classes: map[string]int64{"no": 1100000, "yes": 103408}},
		{Column: "text", Rows: 1203411, Nulls: 7, Characters: &audit.Characters{Min: 1, Max: 9000, Mean: 80, Median: 60}},
	}}
	in := audit.Input{Dataset: "d", Sample: 2000, Splits: []audit.Split{split}, Columns: []audit.Column{{Name: "label", Labels: []string{"no", "yes"}}}}
	r := run(t, in)
	c := r.Checks.Balance.Columns[0]
	if !c.Whole || c.Classes[0].Rows != 1100000 || c.Missing != 3 || level(r, audit.Balance) != audit.Warning {
		t.Errorf("%+v", c)
	}
	if n := r.Checks.Quality.Nulls; len(n) != 2 || n[1].Nulls != 7 {
		t.Errorf("%+v", n)
	}
	for _, want := range []string{"sample: 40 of 1,203,411 rows (< 0.01 %), seed 0", "1 to 9000 characters"} {
		if !strings.Contains(r.Markdown(), want) {
			t.Errorf("%q is missing", want)
		}
	}
	in.Splits[0].Statistics = nil
	if c := run(t, in).Checks.Balance.Columns[0]; c.Whole || c.Classes[0].Label != "no" || c.Classes[0].Share != 0.5 {
		t.Errorf("%+v", c)
	}
}

func TestContamination(t *testing.T) {
	question := "A farmer has seventeen sheep and all but nine of them run away during the storm; how many sheep are left?"
	bench := []audit.Row{
		{Index: 0, Cells: []audit.Cell{{Column: "question", Value: json.RawMessage(`"Which gas makes up most of the air that we breathe on this planet?"`)}, {Column: "answer", Value: json.RawMessage(`"nitrogen"`)}}},
		{Index: 1, Cells: []audit.Cell{{Column: "question", Value: json.RawMessage(fmt.Sprintf("%q", question))}, {Column: "answer", Value: json.RawMessage(`"nine"`)}}},
	}
	rows := append(chat(t, 4, 0, 200), audit.Row{Index: 200, Cells: []audit.Cell{
		{Column: "messages", Value: json.RawMessage(fmt.Sprintf(`[{"role":"user","content":%q},{"role":"assistant","content":"Nine."}]`, "Solve: "+question))},
	}})
	broken := errors.New("broken")
	r := run(t, audit.Input{
		Dataset: "d", Splits: []audit.Split{{Name: "train", Rows: rowsOf(rows)}},
		Benchmarks: []audit.Benchmark{{Name: "acme/mini-bench", Rows: rowsOf(bench)}, {Name: "acme/gone", Rows: ending(nil, 1, broken)}},
	})
	c := r.Checks.Contamination
	if c == nil || len(c.Benchmarks) != 1 || c.Benchmarks[0].Found != 1 || c.Benchmarks[0].Rows != 1 || c.Benchmarks[0].Items != 2 {
		t.Fatalf("%+v, %q", c, r.Warnings)
	}
	if e := c.Benchmarks[0].Examples[0]; e.Row != 200 || e.Item != 1 || e.Share != 1 {
		t.Errorf("%+v", e)
	}
	if level(r, audit.Contamination) != audit.Blocker || len(r.Warnings) != 1 {
		t.Errorf("%+v, %q", r.Verdict, r.Warnings)
	}
}

func TestLeaksBetweenAuditedSplits(t *testing.T) {
	a := "the first text that stands in two of the splits"
	b := "another text that stands alone in its own split here"
	r := run(t, audit.Input{Dataset: "d", Splits: []audit.Split{
		{Name: "held", Compared: true, Rows: rowsOf(table(a, "x y z", a))},
		{Name: "train", Rows: rowsOf(table(b, a, "", ""))},
		{Name: "dev", Rows: rowsOf(table(strings.ToUpper(a)))},
		{Name: "other", Compared: true, Rows: rowsOf(table("x y z"))},
	}})
	var got []string
	for _, l := range r.Checks.Leakage.Splits {
		got = append(got, fmt.Sprintf("%s>%s %d %v", l.From, l.To, l.ExactRows, pairs(l.Examples)))
	}
	want := []string{
		"train>held 2 [train 1 held 0 exact]", "train>dev 1 [train 1 dev 0 exact]", "train>other 0 []",
		"dev>held 2 [dev 0 held 0 exact]", "dev>other 0 []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if d := r.Checks.Duplicates; d.ExactRows != 0 || d.Redundant != 0 {
		t.Errorf("copies of empty rows, of compared splits, or across splits count: %+v", d)
	}
}

func TestIndicesOfASample(t *testing.T) {
	rows := table("some words that come twice here", "other words in the middle of it", "some words that come twice here")
	rows[0].Index, rows[1].Index, rows[2].Index = 700, 100, 9000
	d := run(t, audit.Input{Dataset: "d", Splits: []audit.Split{{Name: "train", Total: 10000, Rows: rowsOf(rows)}}}).Checks.Duplicates
	if len(d.Groups) != 1 || d.Groups[0][0].Row != 700 || d.Groups[0][1].Row != 9000 {
		t.Errorf("%+v", d.Groups)
	}
}

func TestVerdictHasFiveLines(t *testing.T) {
	var rows []audit.Row
	for i := range 40 {
		text := fmt.Sprintf("write to user%d@example.org about the words of this row number %d and of no other", i, i)
		rows = append(rows, audit.Row{Index: int64(i), Cells: []audit.Cell{
			{Column: "text", Value: json.RawMessage(fmt.Sprintf("%q", text))}, {Column: "empty", Value: json.RawMessage("null")}, {Column: "label", Value: json.RawMessage("1")},
		}})
	}
	r := run(t, audit.Input{
		Dataset: "d", MaxLength: 5, TextColumns: []string{"text", "empty"}, Columns: []audit.Column{{Name: "label", Labels: []string{"a", "b"}}},
		Splits:  []audit.Split{{Name: "train", Rows: rowsOf(rows)}, {Name: "test", Compared: true, Rows: rowsOf(rows)}},
		Licence: &licence.Record{Card: []string{"mit"}, Tags: []string{"license:cc-by-nc-4.0"}},
	})
	_, rest, _ := strings.Cut(r.Markdown(), "## Verdict\n\n")
	body, _, _ := strings.Cut(rest, "\n\n")
	lines := strings.Split(body, "\n")
	if len(lines) > 5 || !strings.HasPrefix(lines[0], "- BLOCKER leakage: 40 rows of test (100 %)") || r.Worst() != audit.Blocker {
		t.Errorf("%q", lines)
	}
	for _, want := range []string{"licence", "quality", "length", "pii", "balance"} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %q", want, body)
		}
	}
}

func TestRunStops(t *testing.T) {
	rows := chat(t, 2, 0, 300)
	endless := func(yield func(audit.Row, error) bool) {
		for {
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := audit.Run(ctx, audit.Input{
		Dataset: "d", Splits: []audit.Split{{Name: "train", Rows: endless}},
		Progress: func(p audit.Progress) {
			if p.Done >= 1000 {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	rows := chat(t, 9, 0, 90)
	test := chat(t, 9, 60, 120)
	numbers := func(rows []audit.Row) string {
		r := run(t, audit.Input{Dataset: "d", Splits: []audit.Split{{Name: "train", Rows: rowsOf(rows)}, {Name: "test", Compared: true, Rows: rowsOf(test)}}})
		d, l := r.Checks.Duplicates, r.Checks.Leakage.Splits[0]
		return fmt.Sprint(d.ExactGroups, d.ExactRows, d.NearPairs, d.Redundant, l.ExactRows, l.NearRows, r.Checks.Length.Summary, r.Checks.Quality.Scripts)
	}
	want := numbers(rows)
	rapid.Check(t, func(rt *rapid.T) {
		order := make([]int, len(rows))
		for i := range order {
			order[i] = i
		}
		mixed := make([]audit.Row, len(rows))
		for to, from := range rapid.Permutation(order).Draw(rt, "order") {
			mixed[to] = rows[from]
		}
		if got := numbers(mixed); got != want {
			rt.Fatalf("%s, not %s", got, want)
		}
	})
}

func FuzzRun(f *testing.F) {
	f.Add(`{"text":"one two three"}`, `{"text":"one two three"}`)
	f.Add(`{"messages":[{"role":"user","content":"hi"}]}`, `{"messages":[]}`)
	f.Add(`{"a":1,"text":null}`, "{\"text\":\"`|\\u0007 x@y.de\"}")
	f.Fuzz(func(t *testing.T, a, b string) {
		var rows []audit.Row
		for _, s := range []string{a, b, a} {
			if cells, err := record.Parse([]byte(s)); err == nil {
				rows = append(rows, audit.Row{Index: int64(len(rows)), Cells: cells})
			}
		}
		in := audit.Input{
			Dataset: "d", Splits: []audit.Split{{Name: "a", Rows: rowsOf(rows)}, {Name: "b", Compared: true, Rows: rowsOf(rows)}},
			Benchmarks: []audit.Benchmark{{Name: "c", Rows: rowsOf(rows)}}, Workers: 2,
		}
		r, err := audit.Run(t.Context(), in)
		if err != nil {
			return
		}
		if strings.ContainsAny(r.Markdown(), "\x1b\x07") {
			t.Fatal("control characters in the report")
		}
		other := run(t, in)
		if text(t, r) != text(t, other) {
			t.Fatal("two runs differ")
		}
	})
}
