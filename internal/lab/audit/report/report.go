// Package report is what an audit of a data set tells: the numbers of every
// check, the verdict on them, and both as Markdown and as JSON. It computes no
// numbers.
package report

import "encoding/json"

// Check is the name of one check.
type Check string

// The checks, in the order of the report.
const (
	Duplicates    Check = "duplicates"
	Leakage       Check = "leakage"
	Balance       Check = "balance"
	Length        Check = "length"
	Quality       Check = "quality"
	PII           Check = "pii"
	Contamination Check = "contamination"
	Licence       Check = "licence"
)

// Checks is every check in the order of the report.
func Checks() []Check {
	return []Check{Duplicates, Leakage, Balance, Length, Quality, PII, Contamination, Licence}
}

// Level is how bad a finding is.
type Level string

// The levels, worst first.
const (
	Blocker Level = "BLOCKER"
	Warning Level = "WARNING"
	OK      Level = "OK"
)

// Finding is one line of the verdict.
type Finding struct {
	Level Level  `json:"level"`
	Check Check  `json:"check"`
	Text  string `json:"text"`
}

// Report is what an audit found. The same input gives the same bytes.
type Report struct {
	Dataset string `json:"dataset"`
	Source  string `json:"source"`
	Sample  Sample `json:"sample"`
	Seed    int64  `json:"seed"`
	// Verdict has one finding a check, worst first.
	Verdict  []Finding `json:"verdict"`
	Checks   Results   `json:"checks"`
	Warnings []string  `json:"warnings"`

	// Load is the Python expression that loads the data set, empty for the usual
	// one; Drop the rows to drop, in order, and More that there are others.
	Load string `json:"-"`
	Drop []Ref  `json:"-"`
	More bool   `json:"-"`
}

// Sample tells how much was read.
type Sample struct {
	// Requested is the size asked for, 0 for everything.
	Requested int           `json:"requested"`
	Splits    []SplitSample `json:"splits"`
}

// SplitSample is how much of one split was read.
type SplitSample struct {
	Split string `json:"split"`
	Rows  int64  `json:"rows"`
	Total int64  `json:"total"`
	// Compared tells that the split was only looked through for copies.
	Compared bool `json:"compared"`
	// Complete tells that every row was read.
	Complete bool `json:"complete"`
}

// Worst is the worst level of the verdict.
func (r *Report) Worst() Level {
	worst := OK
	for _, f := range r.Verdict {
		if f.Level == Blocker {
			return Blocker
		}
		if f.Level == Warning {
			worst = Warning
		}
	}
	return worst
}

// JSON is the report as one indented object with a final newline.
func (r *Report) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}
