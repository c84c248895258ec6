package schema

import (
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/lab/quality"
	"github.com/ml-intern/ml-intern/internal/lab/record"
	"github.com/ml-intern/ml-intern/internal/lab/text"
)

// maxTurns is how many messages of one conversation are looked at.
const maxTurns = 10_000

// Fields is the texts of a row's text columns.
func (s Schema) Fields(row record.Row) []quality.Field {
	out := make([]quality.Field, 0, 4)
	for _, name := range s.Texts {
		value := row.Value(name)
		switch record.KindOf(value) {
		case record.Null:
			out = append(out, quality.Field{Column: name, Null: true})
		case record.Messages:
			for i, m := range record.Conversation(value) {
				if i == maxTurns {
					break
				}
				out = append(out, quality.Field{Column: name, Role: m.Role, Text: m.Content, Normal: text.Normalise(m.Content)})
			}
		default:
			t := strings.Join(record.Texts(value), "\n")
			out = append(out, quality.Field{Column: name, Text: t, Normal: text.Normalise(t)})
		}
	}
	return out
}

// Normals is the texts of the fields in normal form.
func Normals(fields []quality.Field) []string {
	out := make([]string, 0, len(fields))
	for _, f := range fields {
		if f.Normal != "" {
			out = append(out, f.Normal)
		}
	}
	return out
}

// Joined is the text in which copies are looked for.
func Joined(fields []quality.Field) string { return strings.Join(Normals(fields), " ") }

// Beside is the strings of the columns that are no text columns: they may hold
// personal data too.
func (s Schema) Beside(row record.Row, show func(column, text string)) {
	for _, c := range row.Cells {
		if !slices.Contains(s.Texts, c.Column) && record.KindOf(c.Value) == record.String {
			show(c.Column, record.Text(c.Value))
		}
	}
}

// Class is the name of a row's label; false when it has none.
func (l Label) Class(row record.Row) (string, bool) {
	value := row.Value(l.Column)
	switch record.KindOf(value) {
	case record.Null:
		return "", false
	case record.String:
		return record.Text(value), true
	case record.Number:
		n, ok := index(string(value))
		if ok && n < len(l.Names) {
			return l.Names[n], true
		}
		if len(l.Names) > 0 && string(value) == "-1" {
			return "", false // how a missing class is written
		}
	}
	return string(value), true
}

// index is the number in s when it is a small whole one.
func index(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || i == 6 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

// Weigh is about how many bytes a row has.
func Weigh(row record.Row) int {
	n := 0
	for i := range row.Cells {
		n += len(row.Cells[i].Value)
	}
	return n
}
