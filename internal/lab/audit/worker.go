package audit

import (
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/lab/contamination"
	"github.com/ml-intern/ml-intern/internal/lab/duplicate"
	"github.com/ml-intern/ml-intern/internal/lab/pii"
	"github.com/ml-intern/ml-intern/internal/lab/quality"
	"github.com/ml-intern/ml-intern/internal/lab/schema"
	"github.com/ml-intern/ml-intern/internal/lab/text"
)

// Overhead is how many tokens a chat template is taken to add to a message.
const Overhead = 4

// charactersPerToken is the estimate without a tokenizer.
const charactersPerToken = 4

// seen is what was found in one row.
type seen struct {
	split     int
	index     int64
	signature duplicate.Signature
	tokens    int
	issues    []quality.Issue
	script    text.Script
	personal  []personal
	classes   []class
	hits      contamination.Hits
}

// personal is a piece of personal data, masked.
type personal struct {
	kind           pii.Kind
	column, masked string
}

// class is the value of a column of classes.
type class struct {
	name    string
	present bool
}

// worker looks at rows, one after another.
type worker struct {
	*run
	signer  *duplicate.Signer
	looker  *quality.Looker
	scanner *contamination.Scanner
}

func newWorker(a *run) *worker {
	w := &worker{run: a, looker: quality.New()}
	if a.copies != nil {
		w.signer = duplicate.NewSigner()
	}
	if a.items != nil {
		w.scanner = a.items.index.Scanner()
	}
	return w
}

// look is everything that can be told from one row alone.
func (w *worker) look(e entry) seen {
	out := seen{split: e.split, index: e.row.Index}
	fields := w.Fields(e.row)
	if w.signer != nil {
		out.signature = w.signer.Sign(schema.Joined(fields))
	}
	if w.Splits[e.split].Compared {
		return out
	}
	if w.runs(Length) {
		out.tokens = w.tokens(fields)
	}
	if w.runs(Quality) {
		out.issues = w.looker.Look(fields)
		out.script = text.ScriptOf(schema.Joined(fields))
	}
	if w.runs(Balance) {
		out.classes = make([]class, len(w.Labels))
		for i, l := range w.Labels {
			out.classes[i].name, out.classes[i].present = l.Class(e.row)
		}
	}
	if w.runs(PII) {
		find := func(column, text string) {
			for _, m := range pii.Find(text) {
				out.personal = append(out.personal, personal{kind: m.Kind, column: column, masked: m.Masked})
			}
		}
		for _, f := range fields {
			find(f.Column, f.Text)
		}
		w.Beside(e.row, find)
	}
	if w.scanner != nil {
		out.hits = w.scanner.Scan(schema.Normals(fields))
	}
	return out
}

// tokens is the length of a row as a trainer would see it.
func (w *worker) tokens(fields []quality.Field) int {
	n, characters := 0, 0
	for _, f := range fields {
		if f.Role != "" {
			n += Overhead
		}
		if w.Tokenizer != nil {
			n += w.Tokenizer.Count(f.Text)
		} else {
			characters += utf8.RuneCountInString(f.Text)
		}
	}
	return n + (characters+charactersPerToken-1)/charactersPerToken
}

// short cuts a label for the report, with nothing personal left in it and in
// one line.
func short(label string) string {
	const most = 60
	label = strings.Join(strings.Fields(pii.Mask(label)), " ")
	if utf8.RuneCountInString(label) > most {
		label = string([]rune(label)[:most-1]) + "…"
	}
	return label
}
