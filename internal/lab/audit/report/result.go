package report

import (
	"github.com/ml-intern/ml-intern/internal/lab/balance"
	"github.com/ml-intern/ml-intern/internal/lab/length"
	"github.com/ml-intern/ml-intern/internal/lab/licence"
	"github.com/ml-intern/ml-intern/internal/lab/pii"
	"github.com/ml-intern/ml-intern/internal/lab/quality"
	"github.com/ml-intern/ml-intern/internal/lab/text"
)

// Results has the numbers of each check that ran; the others are nil.
type Results struct {
	Duplicates    *DuplicatesResult    `json:"duplicates,omitempty"`
	Leakage       *LeakageResult       `json:"leakage,omitempty"`
	Balance       *BalanceResult       `json:"balance,omitempty"`
	Length        *LengthResult        `json:"length,omitempty"`
	Quality       *QualityResult       `json:"quality,omitempty"`
	PII           *PIIResult           `json:"pii,omitempty"`
	Contamination *ContaminationResult `json:"contamination,omitempty"`
	Licence       *licence.Finding     `json:"licence,omitempty"`
}

// Ref names a row.
type Ref struct {
	Split string `json:"split"`
	Row   int64  `json:"row"`
}

// Pair is two rows with the same or nearly the same text.
type Pair struct {
	A       Ref     `json:"a"`
	B       Ref     `json:"b"`
	Exact   bool    `json:"exact"`
	Jaccard float64 `json:"jaccard"`
}

// DuplicatesResult tells of copies within the audited splits.
type DuplicatesResult struct {
	Rows        int64    `json:"rows"`
	TextColumns []string `json:"text_columns"`
	// ExactGroups are the texts that occur more than once in a split, ExactRows
	// the rows that could go without losing one.
	ExactGroups int64 `json:"exact_groups"`
	ExactRows   int64 `json:"exact_rows"`
	// NearPairs are pairs of different texts of one split that are nearly equal.
	NearPairs int64 `json:"near_pairs"`
	// Redundant rows could go so that of texts that are linked by being equal or
	// nearly so one remains in each split.
	Redundant int64 `json:"redundant_rows"`
	// Complete is false when there were too many alike texts to compare all.
	Complete bool    `json:"complete"`
	Groups   [][]Ref `json:"exact_examples"`
	Near     []Pair  `json:"near_examples"`
}

// LeakageResult tells of copies between splits.
type LeakageResult struct {
	Splits   []Leak `json:"splits"`
	Complete bool   `json:"complete"`
}

// Leak is what two splits have in common.
type Leak struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Rows of To were looked at; ExactRows of them stand in From as they are,
	// NearRows nearly so.
	Rows      int64  `json:"rows"`
	ExactRows int64  `json:"exact_rows"`
	NearRows  int64  `json:"near_rows"`
	Examples  []Pair `json:"examples"`
}

// BalanceResult tells of the columns of classes.
type BalanceResult struct {
	Columns []ClassColumn `json:"columns"`
}

// ClassColumn is one column of classes.
type ClassColumn struct {
	Column string `json:"column"`
	// Declared tells that the data set names the classes.
	Declared bool `json:"declared"`
	// Whole tells that the classes of the whole split were counted.
	Whole bool `json:"whole"`
	// More is how many classes are not listed.
	More int `json:"more_classes"`
	balance.Summary
}

// LengthResult tells how long rows are in tokens.
type LengthResult struct {
	Tokenizer string `json:"tokenizer"`
	// Estimate tells that a token was taken for four characters.
	Estimate  bool `json:"estimate"`
	MaxLength int  `json:"max_length"`
	// Overhead is how many tokens were added for each message.
	Overhead int `json:"overhead_per_message"`
	length.Summary
	Longest []LongRow `json:"longest"`
	// Characters are the whole splits' lengths, where known.
	Characters []ColumnCharacters `json:"characters,omitempty"`
}

// LongRow is a row over the limit.
type LongRow struct {
	Ref
	Tokens int `json:"tokens"`
}

// ColumnCharacters is the lengths of one column of a whole split.
type ColumnCharacters struct {
	Split  string `json:"split"`
	Column string `json:"column"`
	Characters
}

// QualityResult tells of broken rows.
type QualityResult struct {
	Rows   int64        `json:"rows"`
	Faults []FaultCount `json:"faults"`
	// Scripts are the writing systems of the rows, most first.
	Scripts []ScriptCount `json:"scripts"`
	// Nulls are the whole splits' missing values, where known.
	Nulls []ColumnNulls `json:"nulls,omitempty"`
}

// FaultCount counts one fault of one column.
type FaultCount struct {
	Fault    quality.Fault `json:"fault"`
	Column   string        `json:"column,omitempty"`
	Rows     int64         `json:"rows"`
	Examples []Ref         `json:"examples"`
}

// ScriptCount counts the rows of one writing system.
type ScriptCount struct {
	Script text.Script `json:"script"`
	Rows   int64       `json:"rows"`
	Share  float64     `json:"share"`
}

// ColumnNulls is the missing values of one column of a whole split.
type ColumnNulls struct {
	Split  string `json:"split"`
	Column string `json:"column"`
	Nulls  int64  `json:"nulls"`
	Rows   int64  `json:"rows"`
}

// PIIResult tells of personal data and secrets.
type PIIResult struct {
	// Rows is how many rows have any.
	Rows  int64      `json:"rows"`
	Kinds []PIICount `json:"kinds"`
	// Entities were counted by others.
	Entities []Entity `json:"entities,omitempty"`
}

// PIICount counts one kind.
type PIICount struct {
	Kind     pii.Kind     `json:"kind"`
	Rows     int64        `json:"rows"`
	Matches  int64        `json:"matches"`
	Examples []PIIExample `json:"examples"`
}

// PIIExample is one place, masked.
type PIIExample struct {
	Ref
	Column string `json:"column"`
	Masked string `json:"masked"`
}

// ContaminationResult tells of items of benchmarks in the audited splits.
type ContaminationResult struct {
	Benchmarks []BenchmarkHits `json:"benchmarks"`
	Complete   bool            `json:"complete"`
}

// BenchmarkHits counts what of one benchmark was found.
type BenchmarkHits struct {
	Benchmark string `json:"benchmark"`
	Items     int64  `json:"items"`
	// Found items stand in Rows rows.
	Found    int64         `json:"found_items"`
	Rows     int64         `json:"rows"`
	Examples []ItemExample `json:"examples"`
}

// ItemExample is an item in a row.
type ItemExample struct {
	Ref
	Item int64 `json:"item"`
	// Share of the item's text that is in the row, by rarity.
	Share float64 `json:"share"`
	// Words is the longest run in common.
	Words int `json:"words"`
}

// Examples is how many examples of each finding are kept.
const Examples = 10

// Characters are lengths in characters.
type Characters struct {
	Min    int64   `json:"min"`
	Max    int64   `json:"max"`
	Mean   float64 `json:"mean"`
	Median float64 `json:"median"`
}

// Entity is a kind of personal data counted elsewhere, over the whole split.
type Entity struct {
	Kind  string `json:"kind"`
	Count int64  `json:"count"`
}
