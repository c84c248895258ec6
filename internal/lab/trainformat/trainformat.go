// Package trainformat judges which trainers of TRL a data set fits, and what has
// to be done for those that it does not: from the names and types of its
// columns and some of its rows. What the trainers take stands in rules.json,
// with the version of TRL that it was checked against. The package asks nobody
// and knows no service.
package trainformat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/lab/trainformat/chat"
)

// Kind sorts the types of columns.
type Kind string

// The kinds.
const (
	Text   Kind = "text"
	Bool   Kind = "bool"
	Int    Kind = "int"
	Float  Kind = "float"
	Label  Kind = "label" // a class by its number
	List   Kind = "list"
	Struct Kind = "struct"
	JSON   Kind = "json" // anything
	Image  Kind = "image"
	Other  Kind = "other"
)

// Type is the type of a column. Elem is that of a list's elements, Fields are
// those of a struct, Classes is the number of a label's classes.
type Type struct {
	Kind    Kind
	Elem    *Type
	Fields  []Column
	Classes int
}

// Column is a column with its name.
type Column struct {
	Name string
	Type Type
}

// Row is a row. Cells named in Cut hold only the beginning of their value.
type Row struct {
	Index  int
	Values map[string]json.RawMessage
	Cut    map[string]bool
}

// whole is a cell's value, nil where it is cut.
func (r Row) whole(column string) json.RawMessage {
	if r.Cut[column] {
		return nil
	}
	return r.Values[column]
}

// Counter counts the tokens of a text.
type Counter interface{ Count(text string) int }

// Input is what is judged.
type Input struct {
	Columns []Column
	Rows    []Row
	// Trainer is the trainer that code is wanted for, such as "dpo"; empty is
	// the first that fits.
	Trainer string
	// Counter counts tokens; nil takes four characters for one.
	Counter Counter
	// Good and Bad count the labels of the whole split, where that is known;
	// else the rows' are counted.
	Good, Bad int64
	// Dataset, Config and Split are what the code loads.
	Dataset, Config, Split string
}

// Report is the judgement.
type Report struct {
	// Type is such as "preference", empty where no type fits as it stands. Form
	// is "standard" (texts) or "conversational" (messages).
	Type, Form string
	// Columns are those the type uses, in order.
	Columns []string
	Fits    []Fit
	// Trainer is the one that Code is for; empty where nothing fits.
	Trainer  string
	Code     string
	Pitfalls []string
	// Rows is how many rows were looked at, Checked the version of TRL.
	Rows    int
	Checked string
}

// Fit is how well a trainer takes the data set: "yes", "after rename", "after
// map" or "no".
type Fit struct{ ID, Trainer, Fits, Do string }

// judge is the work on one input.
type judge struct {
	Input
	rules  *rules
	shapes shapes
	typ    *typ // nil is none
}

// Judge judges.
func Judge(in Input) (Report, error) {
	r, err := known()
	if err != nil {
		return Report{}, err
	}
	if _, ok := r.trainer(in.Trainer); in.Trainer != "" && !ok {
		names, _ := Trainers()
		return Report{}, fmt.Errorf("trainer must be one of %s, not %.50q", strings.Join(names, ", "), in.Trainer)
	}
	j := &judge{Input: in, rules: r, shapes: shapes{}}
	for _, c := range in.Columns {
		j.shapes[c.Name] = j.shape(c)
	}
	report := Report{Rows: len(in.Rows), Checked: r.Checked}
	if fit := r.types(j.shapes); len(fit) > 0 {
		j.typ = &fit[0]
		report.Type, report.Columns = j.typ.Name, j.used(*j.typ)
		report.Form = "standard"
		if slices.ContainsFunc(report.Columns, func(c string) bool { return j.shapes[c] == "messages" }) {
			report.Form = "conversational"
		}
	}
	var best *plan
	for _, t := range r.Trainers {
		p := j.plan(t)
		report.Fits = append(report.Fits, Fit{t.ID, t.Name, p.fits(), j.advice(p)})
		if p.possible() && (in.Trainer == t.ID || in.Trainer == "" && (best == nil || p.cost < best.cost || p.cost == best.cost && j.first(p) && !j.first(*best))) {
			best = &p
		}
	}
	if best != nil {
		report.Trainer, report.Code = best.trainer.ID, j.code(*best)
	}
	report.Pitfalls = j.pitfalls(best)
	return report, nil
}

// first reports whether a plan uses the type that was found.
func (j *judge) first(p plan) bool {
	return j.typ != nil && p.typ.Name == j.typ.Name
}

// used are the columns of a type in the data set's order.
func (j *judge) used(t typ) []string {
	var names []string
	for _, c := range j.Columns {
		if _, ok := t.Columns[c.Name]; ok {
			names = append(names, c.Name)
		} else if _, ok := t.Optional[c.Name]; ok {
			names = append(names, c.Name)
		}
	}
	return names
}

// shape tells what the cells of a column are: "text", "messages", "from-value",
// "json-messages", "bool", "int" (0 and 1), "list", or a kind of [Type].
func (j *judge) shape(c Column) string {
	if c.Type.Kind == List && c.Type.Elem != nil {
		switch names := fields(*c.Type.Elem); {
		case names["role"] && names["content"]:
			return "messages"
		case names["from"] && names["value"]:
			return "from-value"
		}
	}
	shape := string(c.Type.Kind)
	if c.Type.Kind == Label && c.Type.Classes == 2 {
		return "int"
	}
	for _, r := range j.Rows {
		cell := r.whole(c.Name)
		if len(cell) == 0 || string(cell) == "null" {
			continue
		}
		if c.Type.Kind == Int && string(cell) != "0" && string(cell) != "1" {
			return "number"
		}
		talk, ok := chat.Read(cell)
		switch {
		case !ok || len(talk.Messages) == 0:
			continue
		case talk.InText:
			return "json-messages"
		case talk.FromValue:
			return "from-value"
		default:
			return "messages"
		}
	}
	return shape
}

func fields(t Type) map[string]bool {
	names := map[string]bool{}
	for _, f := range t.Fields {
		names[f.Name] = true
	}
	return names
}

// Markdown writes the section "## Training format".
func (r Report) Markdown() string {
	var b strings.Builder
	b.WriteString("## Training format\n")
	if r.Type == "" {
		b.WriteString("No type of TRL fits the columns as they are")
	} else {
		quoted := make([]string, len(r.Columns))
		for i, c := range r.Columns {
			quoted[i] = quote(c)
		}
		fmt.Fprintf(&b, "**%s**, %s (%s)", r.Type, r.Form, strings.Join(quoted, ", "))
	}
	fmt.Fprintf(&b, "; %d row(s) looked at, rules of %s.\n\n| Trainer | Fits | What to do |\n| --- | --- | --- |\n", r.Rows, r.Checked)
	for _, f := range r.Fits {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.Trainer, f.Fits, f.Do)
	}
	if r.Code != "" {
		name := r.Trainer
		for _, f := range r.Fits {
			if f.ID == r.Trainer {
				name = f.Trainer
			}
		}
		fmt.Fprintf(&b, "\nFor %s:\n```python\n%s\n```\n", name, r.Code)
	}
	if len(r.Pitfalls) > 0 {
		b.WriteString("\nPitfalls:\n")
		for _, p := range r.Pitfalls {
			b.WriteString("- " + p + "\n")
		}
	}
	return b.String()
}
