// Package schema decides from the first rows of a data set which columns are
// text, which are classes and which only name the rows, and takes the texts
// out of rows. It knows no file format and no check.
package schema

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/lab/record"
	"github.com/ml-intern/ml-intern/internal/lab/text"
)

// profiled is how many rows of each stream decide.
const profiled = 1000

// Schema is what the columns are.
type Schema struct {
	Names  []string
	Texts  []string
	Labels []Label
	// Conversational tells that a text column has messages.
	Conversational bool
}

// Label is a column of classes.
type Label struct {
	Column string
	Names  []string // of the numbers, when they have some
}

// Column is what is known of a column beforehand.
type Column struct {
	Name string
	// Labels names the numbers of a column of classes.
	Labels []string
}

// profile is what the first rows tell of a column.
type profile struct {
	name     string
	kinds    map[record.Kind]int
	rows     int
	distinct map[string]struct{}
	spaced   bool // some value has several words
	digits   int  // values with a digit
	longest  int  // characters
	words    int  // of all values
}

// Of reads the beginning of each stream of rows and decides what is text and
// what are classes. The wanted columns are the texts where there are any. An
// error of a stream ends it and is left for who reads it all.
func Of(streams []iter.Seq2[record.Row, error], known []Column, wanted []string) (Schema, error) {
	var order []*profile
	byName := map[string]*profile{}
	for _, rows := range streams {
		n := 0
		for row, err := range rows {
			if err != nil {
				break
			}
			for _, c := range row.Cells {
				p := byName[c.Column]
				if p == nil {
					if len(order) == maxColumns {
						continue
					}
					p = &profile{name: c.Column, kinds: map[record.Kind]int{}, distinct: map[string]struct{}{}}
					byName[c.Column], order = p, append(order, p)
				}
				p.see(c)
			}
			if n++; n == profiled {
				break
			}
		}
	}
	return decide(order, known, wanted)
}

// maxColumns is how many columns are looked at.
const maxColumns = 500

func (p *profile) see(c record.Cell) {
	kind := record.KindOf(c.Value)
	p.kinds[kind]++
	if kind == record.Null {
		return
	}
	p.rows++
	value := string(c.Value)
	if kind == record.String {
		value = record.Text(c.Value)
		p.spaced = p.spaced || !text.Fewer(value, 2)
		p.longest = max(p.longest, len(value))
		p.words += strings.Count(value, " ") + 1
		if strings.ContainsAny(value, "0123456789") {
			p.digits++
		}
	}
	if len(value) <= 200 {
		p.distinct[value] = struct{}{}
	} else {
		p.distinct[fmt.Sprint(len(value), value[:100], p.rows)] = struct{}{}
	}
}

func decide(order []*profile, known []Column, wanted []string) (Schema, error) {
	var s Schema
	var strs []string
	for _, p := range order {
		s.Names = append(s.Names, p.name)
		names, declared := declaredLabels(known, p.name)
		text := false
		switch kind := p.kind(); {
		case declared:
			s.Labels = append(s.Labels, Label{Column: p.name, Names: names})
		case kind == record.Bool, kind == record.Number && p.scored(), kind == record.String && p.classes():
			s.Labels = append(s.Labels, Label{Column: p.name})
		case kind == record.String:
			text = !p.identifies()
		case kind == record.Messages:
			text = true
		}
		if p.kind() == record.String {
			strs = append(strs, p.name)
		}
		if text {
			s.Texts = append(s.Texts, p.name)
		}
	}
	if len(s.Texts) == 0 {
		s.Texts = strs
	}
	if len(wanted) > 0 {
		for _, w := range wanted {
			if !slices.Contains(s.Names, w) && len(s.Names) > 0 {
				return s, fmt.Errorf("text_columns: there is no column %q, only %s", w, strings.Join(s.Names, ", "))
			}
		}
		s.Texts = slices.Compact(slices.Clone(wanted))
	}
	if len(s.Texts) == 0 && len(s.Names) > 0 {
		return s, errors.New("no column has text: name text_columns")
	}
	for _, p := range order {
		s.Conversational = s.Conversational || slices.Contains(s.Texts, p.name) && p.kinds[record.Messages] > 0
	}
	return s, nil
}

func declaredLabels(known []Column, name string) ([]string, bool) {
	for _, c := range known {
		if c.Name == name {
			return c.Labels, len(c.Labels) > 0
		}
	}
	return nil, false
}

// kind is the kind most values have that are not null.
func (p *profile) kind() record.Kind {
	best := record.Null
	for k := record.String; k <= record.Other; k++ {
		if p.kinds[k] > 0 && (best == record.Null || p.kinds[k] > p.kinds[best]) {
			best = k
		}
	}
	return best
}

// classes reports whether a column of strings has few short values that come
// again and again.
func (p *profile) classes() bool {
	return p.rows >= 10 && len(p.distinct) <= min(100, p.rows/4) && p.longest <= 60 && p.words <= 3*p.rows
}

// scored reports whether a column of numbers has classes by its name.
func (p *profile) scored() bool {
	switch strings.ToLower(p.name) {
	case "label", "labels", "class", "category", "target", "score", "rating", "stars", "gold", "sentiment":
		return len(p.distinct) <= 50 && (p.rows < 10 || len(p.distinct) <= p.rows/2)
	}
	return false
}

// identifies reports whether a column of strings names its rows: single words,
// all different, with digits or under a name for such columns.
func (p *profile) identifies() bool {
	if p.spaced {
		return false
	}
	name := strings.ToLower(p.name)
	switch name {
	case "id", "_id", "idx", "index", "uuid", "guid", "key", "hash", "sha", "sha1", "sha256", "md5", "url", "uri", "link", "filename", "file", "path", "date", "timestamp", "created_at":
		return true
	}
	for _, ending := range []string{"_id", "_url", "_hash", "_path", "_uuid", "_key", "_date"} {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return p.rows >= 5 && len(p.distinct) == p.rows && p.digits == p.rows && p.longest <= 300
}
