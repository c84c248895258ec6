package data

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/data/show"
)

//go:embed hf_dataset_query.json
var queryDescription []byte

const (
	defaultLength = 10
	// maxValue is how many characters of a value are shown when there is room.
	maxValue = 8_000
)

// Query is hf_dataset_query.
type Query struct{ base }

var _ tool.Tool = (*Query)(nil)

// NewQuery returns the tool.
func NewQuery(o Options) (*Query, error) {
	b, err := newBase(o, queryDescription)
	if err != nil {
		return nil, err
	}
	return &Query{b}, nil
}

// QueryParams are the arguments of hf_dataset_query.
type QueryParams struct {
	Operation string   `json:"operation"`
	Dataset   string   `json:"dataset"`
	Config    string   `json:"config,omitempty"`
	Split     string   `json:"split,omitempty"`
	Offset    int      `json:"offset,omitempty"`
	Length    *int     `json:"length,omitempty"`
	Query     string   `json:"query,omitempty"`
	Where     string   `json:"where,omitempty"`
	OrderBy   string   `json:"orderby,omitempty"`
	Columns   []string `json:"columns,omitempty"`
}

// Risk is that of a look-up.
func (*Query) Risk(args json.RawMessage) tool.Risk {
	var p QueryParams
	_ = json.Unmarshal(args, &p)
	return risk(p.Operation)
}

// Run asks.
func (t *Query) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p QueryParams
	if err := tool.Decode(args, &p); err != nil {
		return t.bad(err), nil
	}
	id, err := viewer.ID(p.Dataset)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return t.bad(err), nil
	}
	q := &question{base: &t.base, QueryParams: p, at: viewer.At{Dataset: id, Config: p.Config, Split: p.Split}}
	text, source, err := q.ask(ctx, env.Room()-citation)
	switch {
	case ctx.Err() != nil:
		return tool.Result{}, ctx.Err()
	case err != nil:
		return t.failed(ctx, q, err), nil
	}
	return lookup.Cite(env, text, source), nil
}

// check refuses what the schema cannot.
func (p *QueryParams) check() error {
	operations := []string{"rows", "search", "filter", "statistics", "size"}
	switch {
	case !slices.Contains(operations, p.Operation):
		return fmt.Errorf("operation must be one of %s, not %.50q", strings.Join(operations, ", "), p.Operation)
	case p.Operation == "search" && strings.TrimSpace(p.Query) == "":
		return errors.New("query is required for operation search")
	case p.Operation == "filter" && strings.TrimSpace(p.Where) == "" && strings.TrimSpace(p.OrderBy) == "":
		return errors.New("where or orderby is required for operation filter")
	case p.Query != "" && p.Operation != "search":
		return fmt.Errorf("query belongs to operation search, not %s", p.Operation)
	case p.Operation != "filter" && p.Where+p.OrderBy != "":
		return fmt.Errorf("where and orderby belong to operation filter, not %s", p.Operation)
	case p.Offset < 0:
		return fmt.Errorf("offset must not be negative, not %d", p.Offset)
	case p.Length != nil && (*p.Length < 1 || *p.Length > viewer.MaxRows):
		return fmt.Errorf("length must be 1 to %d, not %d", viewer.MaxRows, *p.Length)
	}
	return nil
}

// question is one call under way.
type question struct {
	*base
	QueryParams
	at viewer.At
}

// wrong is a fault of the arguments that only the data set could tell.
type wrong struct{ error }

func (q *question) ask(ctx context.Context, room int) (string, lookup.Source, error) {
	if q.Operation == "size" {
		size, err := q.viewer.Size(ctx, q.at.Dataset)
		if err != nil {
			return "", lookup.Source{}, err
		}
		whole := viewer.At{Dataset: q.at.Dataset}
		head := fmt.Sprintf("num_rows_total: %d, partial: %t · %s%s\n", size.Dataset.Rows, size.Partial, q.at.Dataset, size.Progress.String())
		return q.cut(head+show.Sizes(size), room), q.source(size.Source, q.Operation, whole), nil
	}
	if q.at.Config == "" || q.at.Split == "" {
		splits, err := q.viewer.Splits(ctx, q.at.Dataset)
		if err != nil {
			return "", lookup.Source{}, err
		}
		if q.at, err = splits.Choose(q.at.Dataset, q.Config, q.Split); err != nil {
			return "", lookup.Source{}, wrong{err}
		}
	}
	if q.Operation == "statistics" {
		s, err := q.viewer.Statistics(ctx, q.at)
		if err != nil {
			return "", lookup.Source{}, err
		}
		for _, c := range q.Columns {
			if !slices.ContainsFunc(s.Columns, func(one viewer.Column) bool { return one.Name == c }) {
				return "", lookup.Source{}, wrong{fmt.Errorf("there are no statistics of a column %.100q", c)}
			}
		}
		head := fmt.Sprintf("num_rows_total: %d, partial: %t · %s\n", s.Rows, s.Partial, q.place())
		return q.cut(head+show.Statistics(only(s, q.Columns)), room), q.source(s.Source, q.Operation, q.at), nil
	}
	page, err := q.page(ctx)
	if err != nil {
		return "", lookup.Source{}, err
	}
	for _, c := range q.Columns {
		if len(page.Features) > 0 && !slices.ContainsFunc(page.Features, func(f viewer.Field) bool { return f.Name == c }) {
			return "", lookup.Source{}, wrong{fmt.Errorf("column %.100q does not exist; there are %s", c, names(page.Features))}
		}
	}
	return q.lines(page, room), q.source(page.Source, q.Operation, q.at), nil
}

// place names the split.
func (q *question) place() string {
	return fmt.Sprintf("%s %s/%s", q.at.Dataset, show.Name(q.at.Config), show.Name(q.at.Split))
}

// only keeps the statistics of the wanted columns, all where none are named.
func only(s *viewer.Statistics, columns []string) *viewer.Statistics {
	if len(columns) == 0 {
		return s
	}
	some := *s
	some.Columns = slices.DeleteFunc(slices.Clone(s.Columns), func(c viewer.Column) bool { return !slices.Contains(columns, c.Name) })
	return &some
}

func (q *question) page(ctx context.Context) (*viewer.Page, error) {
	n := defaultLength
	if q.Length != nil {
		n = *q.Length
	}
	switch q.Operation {
	case "search":
		return q.viewer.Search(ctx, q.at, q.Query, q.Offset, n)
	case "filter":
		return q.viewer.Filter(ctx, q.at, q.Where, q.OrderBy, q.Offset, n)
	default:
		return q.viewer.Rows(ctx, q.at, q.Offset, n)
	}
}

// lines writes the rows, as many as have room; the fewer cells there are, the
// more is shown of each.
func (q *question) lines(page *viewer.Page, room int) string {
	cells := 0
	for _, r := range page.Rows {
		if cells += len(r.Names); len(q.Columns) > 0 {
			cells += len(q.Columns) - len(r.Names)
		}
	}
	room -= closing
	limit := min(max(room/max(cells, 1)/2, show.Value), maxValue)
	total := "unknown"
	if page.Total >= 0 {
		total = fmt.Sprint(page.Total)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "num_rows_total: %s, partial: %t · %s, %s", total, page.Partial, q.place(), q.Operation)
	if len(page.Rows) == 0 {
		b.WriteString(": no rows")
		if q.Offset > 0 && page.Total >= 0 && int64(q.Offset) >= page.Total {
			fmt.Fprintf(&b, " from offset %d on", q.Offset)
		}
		return b.String() + "\n"
	}
	fmt.Fprintf(&b, ", offset %d\n", q.Offset)
	used, written := utf8.RuneCountInString(b.String()), 0
	lines := show.Lines(page, q.Columns, limit)
	for _, line := range lines {
		if used += utf8.RuneCountInString(line) + 1; used > room && written > 0 {
			break
		}
		written++
		b.WriteString(line + "\n")
	}
	end := q.Offset + written
	if written < len(lines) || page.Total > int64(end) {
		left := "more rows follow"
		if page.Total >= 0 {
			left = fmt.Sprintf("%s more rows follow", amount.Grouped(page.Total-int64(end)))
		}
		fmt.Fprintf(&b, "… %s; go on with %s\n", left, q.call(end))
	}
	return q.cut(b.String(), room+closing)
}

// call is this call from another offset.
func (q *question) call(offset int) string {
	p := q.QueryParams
	p.Dataset, p.Config, p.Split, p.Offset = q.at.Dataset, q.at.Config, q.at.Split, offset
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(p)
	text := strings.TrimSpace(b.String())
	if utf8.RuneCountInString(text) > closing/2 {
		return fmt.Sprintf("the same call and \"offset\":%d", offset)
	}
	return q.spec.Name + " " + text
}

// cut keeps a text within the room; single rows or tables hardly ever pass it.
func (q *question) cut(text string, room int) string {
	return lookup.Part{Max: max(room-closing, 0), More: func(int) string {
		return fmt.Sprintf("fewer columns, such as %s with \"columns\":[…] and \"length\":1", q.spec.Name)
	}}.Cut(text)
}

// names lists columns.
func names(features []viewer.Field) string {
	var all []string
	for _, f := range features[:min(len(features), 50)] {
		all = append(all, show.Name(f.Name))
	}
	return cmp.Or(strings.Join(all, ", "), "none that are known")
}

// quoting is the rule that conditions go by.
func quoting(features []viewer.Field) string {
	return fmt.Sprintf("A condition is SQL: column names in double quotes, texts in single quotes (a quote inside is doubled), such as \"age\">30 AND \"name\"='Ann'. Columns: %s.", names(features))
}

// failed tells why, after having asked what could have been meant.
func (t *Query) failed(ctx context.Context, q *question, err error) tool.Result {
	what := fmt.Sprintf("%s %s of %s", t.spec.Name, q.Operation, q.at.Dataset)
	var w wrong
	if errors.As(err, &w) {
		return t.bad(w.error)
	}
	var f *fetch.Error
	errors.As(err, &f)
	switch code := viewer.Code(err); {
	case code == viewer.NotFound:
		if splits, serr := t.viewer.Splits(ctx, q.at.Dataset); serr == nil {
			if _, cerr := splits.Choose(q.at.Dataset, q.at.Config, q.at.Split); cerr != nil {
				return t.bad(cerr)
			}
		}
	case code == viewer.NoSearch, strings.HasSuffix(code, "IndexError"):
		return lookup.Failed(what, err, "Search and filter are not built for this data set: read it with operation rows.")
	case q.Operation == "filter" && f != nil && (f.Kind == fetch.BadArgument || f.Status == 400):
		var features []viewer.Field
		if info, ierr := t.viewer.Info(ctx, q.at.Dataset, q.at.Config); ierr == nil && len(info.Configs) > 0 {
			features = info.Configs[0].Features
		}
		return lookup.Failed(what, err, quoting(features))
	case code == viewer.Unauthenticated, code == viewer.NoAccess, code == viewer.Renamed:
		record, why := t.viewer.Why(ctx, q.at.Dataset, err)
		if err = why; record != nil && record.ID != "" && record.ID != q.at.Dataset {
			return lookup.Failed(what, err, fmt.Sprintf("It is called %s now: use that name.", record.ID))
		}
	}
	return lookup.Failed(what, err, next(err))
}
