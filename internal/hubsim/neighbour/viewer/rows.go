package viewer

import (
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/rank"
)

// Limits of a page.
const (
	pageRows     = 100
	previewBytes = 1_000_000 // of all rows of a preview
	cellBytes    = 100       // what is left of a cell that is cut
)

// columns are the features as pages of rows name them.
func (t *table) features() []object {
	list := []object{}
	for i, c := range t.columns {
		list = append(list, object{{"feature_idx", i}, {"name", c.name}, {"type", c.feature}})
	}
	return list
}

func (t *table) row(i int) object {
	o := object{}
	for k, c := range t.columns {
		o = append(o, member{c.name, t.rows[i][k]})
	}
	return o
}

// shown is a row in a page; cut names the cells that are not whole.
func shown(i int, row object, cut []string) object {
	if cut == nil {
		cut = []string{}
	}
	return object{{"row_idx", i}, {"row", row}, {"truncated_cells", cut}}
}

// firstRows is a preview: as many of the first hundred rows as fit in a
// megabyte, their cells cut from the last row up where they do not.
func firstRows(q *query) (any, error) {
	s, err := q.split()
	if err != nil {
		return nil, err
	}
	n := min(pageRows, len(s.table.rows))
	list := make([]object, n)
	sizes, total := make([]int, n), 0
	for i := range list {
		list[i] = shown(i, s.table.row(i), nil)
		sizes[i] = measure(list[i])
		total += sizes[i]
	}
	truncated := n < len(s.table.rows)
	for i := n - 1; i >= 0 && total > previewBytes; i-- {
		truncated = true
		row, cut := shorten(s.table.row(i))
		list[i] = shown(i, row, cut)
		total += measure(list[i]) - sizes[i]
	}
	for total > previewBytes && len(list) > 1 {
		total -= measure(list[len(list)-1])
		list = list[:len(list)-1]
	}
	return q.named(q.URL.Query().Get("config"), s.name,
		member{"features", s.table.features()}, member{"rows", list}, member{"truncated", truncated}), nil
}

func measure(v any) int {
	raw, _ := plain(v) // decoded JSON encodes again
	return len(raw)
}

// shorten cuts the long cells of a row; those that are no text become the text
// of their JSON.
func shorten(row object) (object, []string) {
	out, cut := object{}, []string{}
	for _, m := range row {
		if raw, _ := plain(m.value); len(raw) > cellBytes {
			text, ok := m.value.(string)
			if !ok {
				text = string(raw)
			}
			text = text[:min(cellBytes, len(text))]
			for !utf8.ValidString(text) {
				text = text[:len(text)-1]
			}
			m.value = text
			cut = append(cut, m.key)
		}
		out = append(out, m)
	}
	return out, cut
}

// page reads offset and length.
func (q *query) page() (offset, length int, err error) {
	length = pageRows
	for key, into := range map[string]*int{"offset": &offset, "length": &length} {
		if s := q.URL.Query().Get(key); s != "" {
			if *into, err = strconv.Atoi(s); err != nil || *into < 0 {
				return 0, 0, refuse(http.StatusUnprocessableEntity, badArgument, fmt.Sprintf("Parameter '%s' must be a non-negative integer", key))
			}
		}
	}
	if length > pageRows {
		return 0, 0, refuse(http.StatusUnprocessableEntity, badArgument, fmt.Sprintf("Parameter 'length' must not be greater than %d", pageRows))
	}
	return offset, length, nil
}

// pageOf writes the rows with the given numbers.
func (q *query) pageOf(s *split, numbers []int) (any, error) {
	offset, length, err := q.page()
	if err != nil {
		return nil, err
	}
	list := []object{}
	for _, i := range numbers[min(offset, len(numbers)):min(offset+length, len(numbers))] {
		list = append(list, shown(i, s.table.row(i), nil))
	}
	return object{
		{"features", s.table.features()},
		{"rows", list},
		{"num_rows_total", len(numbers)},
		{"num_rows_per_page", pageRows},
		{"partial", false},
	}, nil
}

func rows(q *query) (any, error) {
	s, err := q.split()
	if err != nil {
		return nil, err
	}
	return q.pageOf(s, upTo(len(s.table.rows)))
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// search finds rows by the words in their texts, best first.
func search(q *query) (any, error) {
	s, err := q.split()
	if err != nil {
		return nil, err
	}
	words := q.URL.Query().Get("query")
	if words == "" {
		return nil, refuse(http.StatusUnprocessableEntity, missingArgument, "Parameter 'query' is required")
	}
	texts := make([]string, len(s.table.rows))
	for i, row := range s.table.rows {
		for _, cell := range row {
			texts[i] += allText(cell) + "\n"
		}
	}
	numbers := []int{}
	for _, hit := range rank.New(texts).Search(words) {
		numbers = append(numbers, hit.Text)
	}
	return q.pageOf(s, numbers)
}

// allText is what a cell says, at any depth.
func allText(cell any) string {
	switch v := cell.(type) {
	case string:
		return v
	case []any:
		out := ""
		for _, x := range v {
			out += allText(x) + " "
		}
		return out
	case object:
		out := ""
		for _, m := range v {
			out += allText(m.value) + " "
		}
		return out
	}
	return ""
}
