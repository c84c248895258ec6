package viewer

import (
	"net/http"
	"slices"

	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/viewer/where"
)

// filter lists the rows a condition holds for, in an order if one is given.
func filter(q *query) (any, error) {
	s, err := q.split()
	if err != nil {
		return nil, err
	}
	condition, orderby := q.URL.Query().Get("where"), q.URL.Query().Get("orderby")
	if condition == "" && orderby == "" {
		return nil, refuse(http.StatusUnprocessableEntity, missingArgument, "Parameters 'dataset', 'config', 'split' and 'where' are required")
	}
	t := where.Table{Rows: s.table.rows}
	for _, c := range s.table.columns {
		t.Columns = append(t.Columns, where.Column{Name: c.name, Labels: c.names})
	}
	numbers := upTo(len(t.Rows))
	if condition != "" {
		holds, err := t.Where(condition)
		if err != nil {
			return nil, refuse(http.StatusUnprocessableEntity, badArgument, "Parameter 'where' is invalid: "+err.Error())
		}
		numbers = slices.DeleteFunc(numbers, func(i int) bool { return !holds(t.Rows[i]) })
	}
	if orderby != "" {
		if err := t.Sort(numbers, orderby); err != nil {
			return nil, refuse(http.StatusUnprocessableEntity, badArgument, "Parameter 'orderby' is invalid: "+err.Error())
		}
	}
	return q.pageOf(s, numbers)
}
