package where_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/viewer/where"
)

func people() where.Table {
	return where.Table{
		Columns: []where.Column{{Name: "name"}, {Name: "age"}, {Name: "ok"}, {Name: "from", Labels: []string{"web", "forum"}}},
		Rows: [][]any{
			{"Ann", json.Number("31"), true, json.Number("0")}, {"Bo", json.Number("4.5"), false, json.Number("1")}, {"O'Neil", nil, nil, json.Number("0")},
		},
	}
}

func TestConditions(t *testing.T) {
	for condition, want := range map[string][]int{
		`"age">30 AND "name"='Ann'`: {0}, `age < 30`: {1}, `"name"='O''Neil'`: {2}, `"ok"=true`: {0}, `"ok"=false OR "age" IS NULL`: {1, 2},
		`"from"='forum'`: {1}, `"from"<>'forum'`: {0, 2}, `NOT ("age">=4.5)`: {2}, `"age" IS NOT NULL and "age"!=31`: {1}, `"name">=0`: nil, `"age"<=4.5e0`: {1},
	} {
		table := people()
		holds, err := table.Where(condition)
		if err != nil {
			t.Errorf("%s: %v", condition, err)
			continue
		}
		var got []int
		for i, row := range table.Rows {
			if holds(row) {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", condition, got, want)
		}
	}
}

func TestOrders(t *testing.T) {
	for order, want := range map[string][]int{`"age"`: {1, 0, 2}, `"age" DESC`: {0, 1, 2}, `name asc`: {0, 1, 2}, `"ok" DESC`: {0, 1, 2}} {
		got := []int{0, 1, 2}
		if err := people().Sort(got, order); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v, want %v", order, got, err, want)
		}
	}
	for _, bad := range []string{`"none"`, `"age" up`, ``, `"age" DESC DESC`} {
		if err := people().Sort([]int{0, 1, 2}, bad); err == nil {
			t.Errorf("%q is no order", bad)
		}
	}
}

func FuzzConditions(f *testing.F) {
	for _, s := range []string{`"age">30 AND "name"='Ann'`, `NOT (a IS NULL OR "b"<>'x''y')`, `((("age"=1`, `"age" = -1.5e3`, `"name" DESC`, `'`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		table := people()
		if holds, err := table.Where(s); err == nil {
			for _, row := range table.Rows {
				holds(row)
			}
		}
		numbers := []int{0, 1, 2}
		_ = table.Sort(numbers, s) // an error is fine
		if slices.Sort(numbers); !slices.Equal(numbers, []int{0, 1, 2}) {
			t.Errorf("%q loses rows: %v", s, numbers)
		}
	})
}
