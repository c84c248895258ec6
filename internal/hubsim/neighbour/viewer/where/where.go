// Package where reads the conditions and orders that the dataset viewer takes:
// a small part of SQL over the cells of a table. It does not know where the
// table comes from.
package where

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Table is rows of cells: nil, bool, json.Number, string; others compare with
// nothing.
type Table struct {
	Columns []Column
	Rows    [][]any
}

// Column is a column. The cells of one with Labels are their numbers.
type Column struct {
	Name   string
	Labels []string
}

// Sort orders row numbers by what an ORDER BY names: a column, then ASC or DESC.
func (t Table) Sort(numbers []int, orderby string) error {
	tokens, err := lex(orderby)
	if err != nil {
		return err
	}
	descending := len(tokens) == 2 && strings.EqualFold(tokens[1], "DESC")
	if len(tokens) == 0 || len(tokens) > 2 || len(tokens) == 2 && !descending && !strings.EqualFold(tokens[1], "ASC") {
		return errors.New("want a column, then ASC or DESC")
	}
	c, err := t.column(tokens[0])
	if err != nil {
		return err
	}
	slices.SortStableFunc(numbers, func(a, b int) int {
		x, y := t.Rows[a][c], t.Rows[b][c]
		d, comparable := compare(x, y)
		switch { // nulls come last
		case x == nil && y != nil:
			return 1
		case y == nil && x != nil:
			return -1
		case !comparable:
			return 0
		case descending:
			return -d
		}
		return d
	})
	return nil
}

var token = regexp.MustCompile(`^\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|<>|!=|<=|>=|[=<>()]|-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|[A-Za-z_][A-Za-z0-9_.]*)`)

// lex cuts a condition into columns in double quotes, texts in single quotes,
// numbers, words and signs.
func lex(s string) ([]string, error) {
	var out []string
	for strings.TrimSpace(s) != "" {
		m := token.FindStringSubmatch(s)
		if m == nil {
			return nil, fmt.Errorf("syntax error at %q", strings.TrimSpace(s))
		}
		out = append(out, m[1])
		s = s[len(m[0]):]
	}
	return out, nil
}

// column finds a column by its name in double quotes or as a plain word.
func (t Table) column(tok string) (int, error) {
	name := tok
	if strings.HasPrefix(tok, `"`) {
		name = strings.ReplaceAll(strings.Trim(tok, `"`), `""`, `"`)
	}
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 || strings.HasPrefix(tok, "'") {
		return 0, fmt.Errorf("no column %s", tok)
	}
	return i, nil
}

// parser reads a condition of comparisons joined by AND, OR, NOT and brackets.
type parser struct {
	table  Table
	tokens []string
}

type condition func(row []any) bool

// Where reads a condition and returns what tells whether it holds for a row.
func (t Table) Where(s string) (func(row []any) bool, error) {
	tokens, err := lex(s)
	if err != nil {
		return nil, err
	}
	p := &parser{t, tokens}
	c, err := p.disjunction()
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("syntax error at %q", p.tokens[0])
	}
	return c, err
}

// take removes the next token if it is the given one; case does not matter.
func (p *parser) take(word string) bool {
	if len(p.tokens) == 0 || !strings.EqualFold(p.tokens[0], word) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *parser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	tok := p.tokens[0]
	p.tokens = p.tokens[1:]
	return tok
}

func (p *parser) disjunction() (condition, error) {
	left, err := p.conjunction()
	for err == nil && p.take("OR") {
		var right condition
		if right, err = p.conjunction(); err == nil {
			before := left
			left = func(row []any) bool { return before(row) || right(row) }
		}
	}
	return left, err
}

func (p *parser) conjunction() (condition, error) {
	left, err := p.term()
	for err == nil && p.take("AND") {
		var right condition
		if right, err = p.term(); err == nil {
			before := left
			left = func(row []any) bool { return before(row) && right(row) }
		}
	}
	return left, err
}

func (p *parser) term() (condition, error) {
	if p.take("NOT") {
		c, err := p.term()
		return func(row []any) bool { return !c(row) }, err
	}
	if p.take("(") {
		c, err := p.disjunction()
		if err == nil && !p.take(")") {
			err = errors.New("a bracket is not closed")
		}
		return c, err
	}
	col, err := p.table.column(p.next())
	if err != nil {
		return nil, err
	}
	if p.take("IS") {
		not := p.take("NOT")
		if !p.take("NULL") {
			return nil, errors.New("IS is followed by NULL or NOT NULL")
		}
		return func(row []any) bool { return (row[col] == nil) != not }, nil
	}
	op := p.next()
	want, err := p.literal(p.table.Columns[col])
	if err != nil {
		return nil, err
	}
	holds, ok := map[string]func(int) bool{
		"=": func(d int) bool { return d == 0 }, "<>": func(d int) bool { return d != 0 }, "!=": func(d int) bool { return d != 0 },
		"<": func(d int) bool { return d < 0 }, ">": func(d int) bool { return d > 0 },
		"<=": func(d int) bool { return d <= 0 }, ">=": func(d int) bool { return d >= 0 },
	}[op]
	if !ok {
		return nil, fmt.Errorf("unknown operator %q", op)
	}
	return func(row []any) bool {
		d, comparable := compare(row[col], want)
		return comparable && holds(d)
	}, nil
}

func (p *parser) literal(c Column) (any, error) {
	tok := p.next()
	switch {
	case strings.HasPrefix(tok, "'"):
		text := strings.ReplaceAll(tok[1:len(tok)-1], "''", "'")
		if c.Labels != nil { // a label by its name
			return json.Number(strconv.Itoa(slices.Index(c.Labels, text))), nil
		}
		return text, nil
	case strings.EqualFold(tok, "true"), strings.EqualFold(tok, "false"):
		return strings.EqualFold(tok, "true"), nil
	case tok != "" && strings.ContainsAny(tok[:1], "-0123456789"):
		return json.Number(tok), nil
	}
	return nil, fmt.Errorf("want a number or a text in single quotes, not %q", tok)
}

// compare orders two cells of one kind; null compares with nothing.
func compare(a, b any) (int, bool) {
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	case bool:
		y, ok := b.(bool)
		switch {
		case x == y:
			return 0, ok
		case x:
			return 1, ok
		}
		return -1, ok
	case json.Number:
		y, ok := b.(json.Number)
		m, err1 := x.Float64()
		n, err2 := y.Float64()
		if !ok || err1 != nil || err2 != nil {
			return 0, false
		}
		switch {
		case m < n:
			return -1, true
		case m > n:
			return 1, true
		}
		return 0, true
	}
	return 0, false
}
