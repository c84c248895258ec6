// Package viewer serves datasets as the Hub's dataset viewer does, computed from
// the .jsonl and .csv files at main whenever it is asked: what was pushed a
// moment ago can be seen. It reads no other formats.
package viewer

import (
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Codes of refusals.
const (
	unauthenticated = "ExternalUnauthenticatedError"
	noAccess        = "ExternalAuthenticatedError"
	renamed         = "RenamedDatasetError"
	privateFree     = "NotSupportedPrivateRepositoryError"
	otherFormat     = "NotSupportedFormatError"
	emptyDataset    = "EmptyDatasetError"
	missingArgument = "MissingRequiredParameter"
	badArgument     = "InvalidParameter"
	notFound        = "ResponseNotFound"
	unreadable      = "StreamingRowsError"
)

// cached is how many datasets are kept as they were read.
const cached = 32

// Options of the viewer.
type Options struct {
	Accounts *account.Book
	Store    *repo.Store
}

// Viewer is the service. It is safe for concurrent use.
type Viewer struct {
	o Options

	mu    sync.Mutex
	known map[string]*data // by repository and commit; not changed once here
}

// New returns the service.
func New(o Options) *Viewer { return &Viewer{o: o, known: map[string]*data{}} }

// Routes adds the Hub's own routes of Parquet files.
func (v *Viewer) Routes(mux *http.ServeMux) {
	for _, tail := range []string{"", "/{config}", "/{config}/{split}"} {
		mux.Handle("GET /api/datasets/{ns}/{name}/parquet"+tail, repo.Route(v.hubParquet))
	}
}

// Pages adds the service below /datasets-server.
func (v *Viewer) Pages(mux *http.ServeMux) {
	for path, h := range map[string]func(*query) (any, error){
		"is-valid": valid, "splits": splits, "info": info, "size": size, "parquet": parquet,
		"first-rows": firstRows, "rows": rows, "search": search, "filter": filter, "statistics": statistics,
		"presidio-entities": nothing,
	} {
		mux.Handle("GET /datasets-server/"+path, answer.Handler(func(w http.ResponseWriter, r *http.Request) error {
			q, err := v.query(r)
			if err != nil {
				return err
			}
			body, err := h(q)
			if err == nil {
				answer.JSON(w, http.StatusOK, body)
			}
			return err
		}))
	}
}

func refuse(status int, code, message string) error {
	return &answer.Error{Status: status, Code: code, Message: message}
}

// query is a request with the dataset it is about.
type query struct {
	*http.Request
	data *data
}

func (v *Viewer) query(r *http.Request) (*query, error) {
	id := r.URL.Query().Get("dataset")
	if id == "" {
		return nil, refuse(http.StatusUnprocessableEntity, missingArgument, "Parameter 'dataset' is required")
	}
	found, err := v.find(r, id)
	if err != nil {
		return nil, err
	}
	d, err := v.read(r, found)
	return &query{Request: r, data: d}, err
}

// find looks the dataset up for the caller.
func (v *Viewer) find(r *http.Request, id string) (*repo.Repo, error) {
	caller := account.From(r.Context())
	found, err := v.o.Store.Find(r.Context(), repo.Dataset, id)
	if err == nil {
		err = found.MayRead(caller, answer.Base(r))
	}
	var moved *repo.Moved
	switch {
	case errors.As(err, &moved):
		return nil, refuse(http.StatusNotFound, renamed, "The dataset has been renamed. Please use the current dataset name.")
	case err != nil && caller == nil:
		return nil, refuse(http.StatusUnauthorized, unauthenticated, "The dataset does not exist, or is not accessible without authentication (private or gated). Please check the spelling of the dataset name or retry with authentication.")
	case err != nil:
		return nil, refuse(http.StatusNotFound, noAccess, "The dataset does not exist, or is not accessible with the current credentials (private or gated). Please check the spelling of the dataset name or retry with other authentication credentials.")
	}
	if owner, ok := v.o.Accounts.Find(found.Namespace()); found.Private() && ok && !owner.Paying() {
		return nil, refuse(http.StatusNotImplemented, privateFree, "Private datasets are only supported for PRO users and Team or Enterprise organizations.")
	}
	return found, nil
}

func (v *Viewer) read(r *http.Request, found *repo.Repo) (*data, error) {
	oid, err := found.Head("main")
	if err != nil {
		return nil, err
	}
	key := found.Hex() + "@" + oid + found.ID()
	v.mu.Lock()
	d, ok := v.known[key]
	v.mu.Unlock()
	if !ok {
		if d, err = load(r.Context(), found, oid); err != nil {
			return nil, err
		}
		v.mu.Lock()
		if len(v.known) >= cached {
			clear(v.known)
		}
		v.known[key] = d
		v.mu.Unlock()
	}
	if len(d.configs) == 0 {
		return nil, &answer.Error{
			Status: http.StatusInternalServerError, Code: emptyDataset, Message: "The dataset is empty.",
			Extra: map[string]any{"cause_exception": "EmptyDatasetError", "cause_message": "no data files at main", "cause_traceback": []string{}},
		}
	}
	return d, nil
}

// configs are those the query asks for: one, or all.
func (q *query) configs() ([]config, error) {
	name := q.URL.Query().Get("config")
	if name == "" {
		return q.data.configs, nil
	}
	c, ok := q.data.config(name)
	if !ok {
		return nil, refuse(http.StatusNotFound, notFound, "Not found.")
	}
	return []config{*c}, nil
}

// split is the split the query names; it can be read.
func (q *query) split() (*split, error) {
	config, name := q.URL.Query().Get("config"), q.URL.Query().Get("split")
	if config == "" || name == "" {
		return nil, refuse(http.StatusUnprocessableEntity, missingArgument, "Parameters 'dataset', 'config' and 'split' are required")
	}
	c, ok := q.data.config(config)
	if !ok {
		return nil, refuse(http.StatusNotFound, notFound, "Not found.")
	}
	s, ok := c.split(name)
	if !ok {
		return nil, refuse(http.StatusNotFound, notFound, "Not found.")
	}
	return s, s.readable()
}

func (s *split) readable() error {
	switch {
	case s.err != nil:
		return &answer.Error{
			Status: http.StatusInternalServerError, Code: unreadable,
			Message: "Cannot load the dataset split (in streaming mode) to extract the first rows.",
			Extra:   map[string]any{"cause_exception": "DatasetGenerationError", "cause_message": s.err.Error(), "cause_traceback": []string{}},
		}
	case s.format == "":
		return refuse(http.StatusNotImplemented, otherFormat, "The simulated viewer reads .jsonl and .csv files only.")
	}
	return nil
}

// named are the members that name a split, before those of more.
func (q *query) named(config, split string, more ...member) object {
	o := object{{"dataset", q.data.id}, {"config", config}}
	if split != "" {
		o = append(o, member{"split", split})
	}
	return append(o, more...)
}

func valid(q *query) (any, error) {
	ok := q.data.readable()
	return object{{"preview", ok}, {"viewer", ok}, {"search", ok}, {"filter", ok}, {"statistics", ok}}, nil
}

func splits(q *query) (any, error) {
	configs, err := q.configs()
	if err != nil {
		return nil, err
	}
	list := []object{}
	for _, c := range configs {
		for _, s := range c.splits {
			list = append(list, q.named(c.name, s.name))
		}
	}
	return object{{"splits", list}, {"pending", []any{}}, {"failed", []any{}}}, nil
}

func nothing(*query) (any, error) { return nil, refuse(http.StatusNotFound, notFound, "Not found.") }

// info describes one configuration, or all of them by name.
func info(q *query) (any, error) {
	configs, err := q.configs()
	if err != nil {
		return nil, err
	}
	all := object{}
	for _, c := range configs {
		for i := range c.splits {
			if err := c.splits[i].readable(); err != nil {
				return nil, err
			}
		}
		all = append(all, member{c.name, q.describe(c)})
	}
	if q.URL.Query().Get("config") != "" {
		return object{{"dataset_info", all[0].value}, {"partial", false}}, nil
	}
	return object{{"dataset_info", all}, {"pending", []any{}}, {"failed", []any{}}, {"partial", false}}, nil
}

func (q *query) describe(c config) object {
	features, splits, total := object{}, object{}, int64(0)
	builder := "json"
	for _, s := range c.splits {
		if s.format == "csv" {
			builder = "csv"
		}
		total += s.bytes
		splits = append(splits, member{s.name, object{
			{"name", s.name}, {"num_bytes", s.bytes}, {"num_examples", len(s.table.rows)}, {"dataset_name", nil},
		}})
	}
	for _, col := range c.splits[0].table.columns {
		features = append(features, member{col.name, col.feature})
	}
	_, name, _ := strings.Cut(q.data.id, "/")
	return object{
		{"description", ""},
		{"citation", ""},
		{"homepage", ""},
		{"license", ""},
		{"features", features},
		{"builder_name", builder},
		{"dataset_name", name},
		{"config_name", c.name},
		{"version", object{{"version_str", "0.0.0"}, {"major", 0}, {"minor", 0}, {"patch", 0}}},
		{"splits", splits},
		{"download_size", total},
		{"dataset_size", total},
	}
}

// size counts rows and bytes. There are no Parquet files: the data files' own
// size stands for theirs.
func size(q *query) (any, error) {
	configs, err := q.configs()
	if err != nil {
		return nil, err
	}
	counted := func(head object, bytes int64, rows int, tail ...member) object {
		o := append(head, member{"num_bytes_parquet_files", bytes}, member{"num_bytes_memory", bytes}, member{"num_rows", rows})
		return append(append(o, tail...), member{"estimated_num_rows", nil})
	}
	var perConfig, perSplit []object
	allBytes, allRows := int64(0), 0
	for _, c := range configs {
		bytes, rows := int64(0), 0
		for i := range c.splits {
			s := &c.splits[i]
			if err := s.readable(); err != nil {
				return nil, err
			}
			bytes, rows = bytes+s.bytes, rows+len(s.table.rows)
			perSplit = append(perSplit, counted(q.named(c.name, s.name), s.bytes, len(s.table.rows), member{"num_columns", len(s.table.columns)}))
		}
		columns := member{"num_columns", len(c.splits[0].table.columns)}
		perConfig = append(perConfig, counted(q.named(c.name, "", member{"num_bytes_original_files", bytes}), bytes, rows, columns))
		allBytes, allRows = allBytes+bytes, allRows+rows
	}
	out := object{{"configs", perConfig}, {"splits", perSplit}}
	if q.URL.Query().Get("config") == "" {
		out = append(object{{"dataset", counted(object{{"dataset", q.data.id}, {"num_bytes_original_files", allBytes}}, allBytes, allRows)}}, out...)
	} else {
		out = object{{"config", perConfig[0]}, {"splits", perSplit}}
	}
	return object{{"size", out}, {"pending", []any{}}, {"failed", []any{}}, {"partial", false}}, nil
}

// parquet lists the files that the Hub would convert the splits to.
func parquet(q *query) (any, error) {
	configs, err := q.configs()
	if err != nil {
		return nil, err
	}
	list := []object{}
	for _, c := range configs {
		for _, s := range c.splits {
			url := answer.Base(q.Request) + "/datasets/" + q.data.id + "/resolve/refs%2Fconvert%2Fparquet/" + c.name + "/" + s.name + "/0000.parquet"
			list = append(list, q.named(c.name, s.name, member{"url", url}, member{"filename", "0000.parquet"}, member{"size", s.bytes}))
		}
	}
	return object{{"parquet_files", list}, {"pending", []any{}}, {"failed", []any{}}, {"partial", false}}, nil
}

// hubParquet is the same list in the Hub's own form: addresses by configuration
// and split.
func (v *Viewer) hubParquet(w http.ResponseWriter, r *http.Request) error {
	found, err := v.o.Store.Find(r.Context(), repo.Dataset, r.PathValue("ns")+"/"+r.PathValue("name"))
	if err != nil {
		return err
	}
	if err := found.MayRead(account.From(r.Context()), answer.Base(r)); err != nil {
		return err
	}
	d, err := v.read(r, found)
	if err != nil {
		return err
	}
	all := object{}
	for _, c := range d.configs {
		files := object{}
		for _, s := range c.splits {
			url := answer.Base(r) + "/api/datasets/" + d.id + "/parquet/" + c.name + "/" + s.name + "/0.parquet"
			files = append(files, member{s.name, []string{url}})
		}
		all = append(all, member{c.name, files})
	}
	var out any = all
	for _, key := range []string{r.PathValue("config"), r.PathValue("split")} {
		if o, ok := out.(object); ok && key != "" {
			if out, ok = o.get(key); !ok {
				return answer.NotFound(answer.EntryNotFound, "Parquet files of "+key+" not found")
			}
		}
	}
	answer.JSON(w, http.StatusOK, out)
	return nil
}
