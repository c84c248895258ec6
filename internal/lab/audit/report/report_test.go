package report_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/lab/audit/report"
	"github.com/ml-intern/ml-intern/internal/lab/balance"
	"github.com/ml-intern/ml-intern/internal/lab/licence"
	"github.com/ml-intern/ml-intern/internal/lab/pii"
	"github.com/ml-intern/ml-intern/internal/lab/quality"
)

// bad is a report with something wrong in every check and hostile names.
func bad(complete bool) *report.Report {
	name := "tra\"in`|\x1b"
	ref := report.Ref{Split: name, Row: 7}
	r := &report.Report{
		Dataset: "acme/\"x\"\n# y", Warnings: []string{"one\ntwo | three"},
		Sample: report.Sample{Splits: []report.SplitSample{
			{Split: name, Rows: 10, Total: 10, Complete: complete}, {Split: "test", Rows: 5, Total: 5, Compared: true, Complete: true},
		}},
		Drop: []report.Ref{ref}, More: !complete,
	}
	pair := report.Pair{A: ref, B: report.Ref{Split: "test", Row: 1}, Jaccard: 0.9}
	r.Checks = report.Results{
		Duplicates:    &report.DuplicatesResult{Rows: 10, TextColumns: []string{"te\"xt", "b"}, ExactRows: 4, Redundant: 4, Groups: [][]report.Ref{{ref, ref}}, Near: []report.Pair{pair}},
		Leakage:       &report.LeakageResult{Splits: []report.Leak{{From: name, To: "test", Rows: 5, ExactRows: 1, Examples: []report.Pair{pair}}}},
		Balance:       &report.BalanceResult{Columns: []report.ClassColumn{{Column: "la|bel", Declared: true, Summary: balance.Summary{Rows: 10, Missing: 2, Classes: []balance.Class{{Label: "a|b", Rows: 10, Share: 1}}}, More: 3}}},
		Length:        &report.LengthResult{Tokenizer: "t", MaxLength: 1024},
		Quality:       &report.QualityResult{Rows: 10, Faults: []report.FaultCount{{Fault: quality.Refusal, Column: "b", Rows: 9, Examples: []report.Ref{ref}}}},
		PII:           &report.PIIResult{Rows: 1, Kinds: []report.PIICount{{Kind: pii.Key, Rows: 1, Matches: 1, Examples: []report.PIIExample{{Ref: ref, Column: "b", Masked: "hf_***"}}}, {Kind: pii.IP, Rows: 1, Matches: 2}}},
		Contamination: &report.ContaminationResult{Benchmarks: []report.BenchmarkHits{{Benchmark: "c", Items: 3, Found: 1, Rows: 1, Examples: []report.ItemExample{{Ref: ref, Item: 2, Share: 1, Words: 20}}}}},
		Licence:       &licence.Finding{Card: []string{"mit"}, Tags: []string{"cc-by-nc-sa-4.0"}, Conflict: true, NonCommercial: []string{"cc-by-nc-sa-4.0"}, ShareAlike: []string{"cc-by-nc-sa-4.0"}, Gated: "manual", Private: true},
	}
	r.Checks.Length.Rows, r.Checks.Length.Over, r.Checks.Length.Max = 10, 5, 9000
	r.Verdict = r.Checks.Verdict()
	return r
}

func TestMarkdownHoldsTogether(t *testing.T) {
	for _, complete := range []bool{true, false} {
		md := bad(complete).Markdown()
		var heads []string
		for line := range strings.Lines(md) {
			if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# near") && !strings.HasPrefix(line, "# trainer") {
				heads = append(heads, strings.Trim(line, "# \n"))
			}
		}
		want := `Audit of acme/"x" # y,Verdict,Duplicates,Leakage,Class balance,Length,Quality,Personal data,Contamination,Licence,How to fix`
		if got := strings.Join(heads, ","); got != want {
			t.Errorf("sections %s\nwant %s", got, want)
		}
		if strings.ContainsAny(md, "\x1b") || !strings.Contains(md, "- one two \\| three\n") || strings.Count(md, "```") != 2 || strings.Contains(md, "\n\n\n") {
			t.Errorf("the text does not hold:\n%s", md)
		}
		verdict := md[strings.Index(md, "## Verdict"):strings.Index(md, "**Warnings:**")]
		if n := strings.Count(verdict, "\n- "); n != 5 || !strings.Contains(verdict, "licence") {
			t.Errorf("%d lines of verdict: %s", n, verdict)
		}
	}
}

// TestCodeIsPython has Python read the code that mends the data.
func TestCodeIsPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	for _, complete := range []bool{true, false} {
		_, code, _ := strings.Cut(bad(complete).Markdown(), "```python\n")
		code, _, _ = strings.Cut(code, "```")
		cmd := exec.CommandContext(t.Context(), python, "-c", "import ast, sys; ast.parse(sys.stdin.read())")
		cmd.Stdin = strings.NewReader(code)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s\n%s", err, out, code)
		}
	}
}

func TestJSONHasTheShapeOfTheContract(t *testing.T) {
	data, err := bad(true).JSON()
	if err != nil {
		t.Fatal(err)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dataset", "source", "sample", "seed", "verdict", "checks", "warnings"} {
		if _, ok := top[name]; !ok {
			t.Errorf("%s is missing", name)
		}
		delete(top, name)
	}
	if len(top) > 0 {
		t.Errorf("more than the contract has: %v", top)
	}
	var empty report.Report
	if empty.Verdict = empty.Checks.Verdict(); empty.Worst() != report.OK || empty.Verdict == nil {
		t.Error("an empty report is fine")
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1203411: "1,203,411", -1234: "-1,234", -123: "-123"} {
		if got := amount.Grouped(n); got != want {
			t.Errorf("Count(%d) = %s, want %s", n, got, want)
		}
	}
}
