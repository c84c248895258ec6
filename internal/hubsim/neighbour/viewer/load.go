package viewer

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// data is a dataset as the viewer shows it.
type data struct {
	id      string
	configs []config
}

type config struct {
	name   string
	splits []split
}

type split struct {
	name  string
	bytes int64 // of the files
	table table
	// err is why the files cannot be read; it names one of them.
	err error
	// format is jsonl or csv, empty for files that the viewer does not read.
	format string
}

// table is the rows of a split, all of one type.
type table struct {
	columns []field
	rows    [][]any
}

func (d *data) config(name string) (*config, bool) {
	for i := range d.configs {
		if d.configs[i].name == name {
			return &d.configs[i], true
		}
	}
	return nil, false
}

func (c *config) split(name string) (*split, bool) {
	for i := range c.splits {
		if c.splits[i].name == name {
			return &c.splits[i], true
		}
	}
	return nil, false
}

// readable reports whether every split can be shown.
func (d *data) readable() bool {
	for _, c := range d.configs {
		for _, s := range c.splits {
			if s.err != nil || s.format == "" {
				return false
			}
		}
	}
	return len(d.configs) > 0
}

// plan is which files make a split.
type plan struct {
	config, split string
	files         []repo.File
}

// load reads the files of a commit.
func load(ctx context.Context, r *repo.Repo, oid string) (*data, error) {
	card := r.Card(oid)
	d := &data{id: r.ID()}
	for _, p := range plans(card, r.Files(oid)) {
		c, ok := d.config(p.config)
		if !ok {
			d.configs = append(d.configs, config{name: p.config})
			c = &d.configs[len(d.configs)-1]
		}
		s, err := readSplit(ctx, r, oid, p)
		if err != nil {
			return nil, err
		}
		s.table.columns = s.table.types(declared(card, p.config))
		c.splits = append(c.splits, s)
	}
	for i := range d.configs {
		d.configs[i].unify()
	}
	return d, nil
}

func readSplit(ctx context.Context, r *repo.Repo, oid string, p plan) (split, error) {
	s := split{name: p.split}
	for _, f := range p.files {
		s.bytes += f.Size
		ext := strings.TrimPrefix(path.Ext(f.Path), ".")
		if ext != "jsonl" && ext != "csv" {
			s.format = ""
			return s, nil
		}
		s.format = ext
		raw, err := r.Read(ctx, oid, f.Path)
		if err != nil {
			return s, err
		}
		read := readJSONL
		if ext == "csv" {
			read = readCSV
		}
		rows, err := read(raw)
		if err != nil {
			s.err = fmt.Errorf("%s: %w", f.Path, err)
			return s, nil
		}
		s.table.add(rows)
	}
	return s, nil
}

// add appends rows; a column that is new is null in the rows before.
func (t *table) add(rows []object) {
	for _, row := range rows {
		cells := make([]any, len(t.columns))
		for _, m := range row {
			i := slices.IndexFunc(t.columns, func(c field) bool { return c.name == m.key })
			if i < 0 {
				i = len(t.columns)
				t.columns = append(t.columns, field{m.key, value("null")})
				cells = append(cells, nil)
			}
			t.columns[i].feature = merge(t.columns[i].feature, of(m.value))
			cells[i] = m.value
		}
		t.rows = append(t.rows, cells)
	}
}

// types puts what the card declares over what was seen.
func (t *table) types(declared map[string]feature) []field {
	out := slices.Clone(t.columns)
	for i := range out {
		if f, ok := declared[out[i].name]; ok {
			out[i].feature = f
		}
	}
	return out
}

// unify gives all splits of a configuration the same columns and brings their
// cells into form.
func (c *config) unify() {
	var columns []field
	for _, s := range c.splits {
		for _, col := range s.table.columns {
			i := slices.IndexFunc(columns, func(x field) bool { return x.name == col.name })
			if i < 0 {
				columns = append(columns, col)
			} else if columns[i].kind != labelKind {
				columns[i].feature = merge(columns[i].feature, col.feature)
			}
		}
	}
	for i := range c.splits {
		t := &c.splits[i].table
		for r, row := range t.rows {
			cells := make([]any, len(columns))
			for k, col := range columns {
				if at := slices.IndexFunc(t.columns, func(x field) bool { return x.name == col.name }); at >= 0 && at < len(row) {
					cells[k] = col.shape(row[at])
				}
			}
			t.rows[r] = cells
		}
		t.columns = columns
	}
}

// known are the extensions of data files.
var known = []string{".jsonl", ".csv", ".json", ".parquet", ".arrow", ".txt", ".tsv"}

// plans finds the configurations and splits: those the card lists, else one
// named default with the splits that the names of the files tell.
func plans(card map[string]any, files []repo.File) []plan {
	files = slices.DeleteFunc(slices.Clone(files), func(f repo.File) bool {
		return !slices.Contains(known, path.Ext(f.Path)) || strings.HasPrefix(path.Base(f.Path), ".")
	})
	if list, ok := card["configs"].([]any); ok {
		if out := listed(list, files); len(out) > 0 {
			return out
		}
	}
	// Of several formats the one with a viewer counts, as one dataset has one.
	for _, ext := range known {
		if some := slices.DeleteFunc(slices.Clone(files), func(f repo.File) bool { return path.Ext(f.Path) != ext }); len(some) > 0 {
			return guessed("default", some)
		}
	}
	return nil
}

// listed reads the configs of a card.
func listed(list []any, files []repo.File) []plan {
	var out []plan
	for _, e := range list {
		m, _ := e.(map[string]any)
		name, _ := m["config_name"].(string)
		if name == "" {
			name = "default"
		}
		switch d := m["data_files"].(type) {
		case nil:
			dir, _ := m["data_dir"].(string)
			out = append(out, guessed(name, matching(files, path.Join(dir, "**")))...)
		case string:
			out = append(out, guessed(name, matching(files, d))...)
		case []any:
			out = append(out, listedFiles(name, d, files)...)
		}
	}
	return out
}

func listedFiles(name string, entries []any, files []repo.File) []plan {
	var out []plan
	var loose []repo.File
	for _, e := range entries {
		switch e := e.(type) {
		case string:
			loose = append(loose, matching(files, e)...)
		case map[string]any:
			p := plan{config: name}
			p.split, _ = e["split"].(string)
			patterns, ok := e["path"].([]any)
			if !ok {
				patterns = []any{e["path"]}
			}
			for _, pattern := range patterns {
				s, _ := pattern.(string)
				p.files = append(p.files, matching(files, s)...)
			}
			if len(p.files) > 0 {
				out = append(out, p)
			}
		}
	}
	return append(out, guessed(name, loose)...)
}

// matching lists the files a pattern means: * within a folder, ** across.
func matching(files []repo.File, pattern string) []repo.File {
	re := regexp.QuoteMeta(strings.TrimPrefix(pattern, "./"))
	re = strings.NewReplacer(`\*\*/`, `(.*/)?`, `\*\*`, `.*`, `\*`, `[^/]*`, `\?`, `[^/]`).Replace(re)
	form, err := regexp.Compile("^" + re + "$")
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(files), func(f repo.File) bool { return !form.MatchString(f.Path) })
}

// splitNames are the words in paths that name a split.
var splitNames = []struct{ split, words string }{
	{"train", "train|training"}, {"validation", "validation|valid|val|dev"}, {"test", "test|testing|eval|evaluation"},
}

// guessed tells the splits from the names of files and folders; without any
// word all is train.
func guessed(config string, files []repo.File) []plan {
	var out []plan
	for _, n := range splitNames {
		form := regexp.MustCompile(`(?i)(^|[-._/ 0-9])(` + n.words + `)([-._/ 0-9]|$)`)
		p := plan{config: config, split: n.split}
		for _, f := range files {
			if form.MatchString(f.Path) {
				p.files = append(p.files, f)
			}
		}
		if len(p.files) > 0 {
			out = append(out, p)
		}
	}
	if len(out) == 0 && len(files) > 0 {
		out = []plan{{config: config, split: "train", files: files}}
	}
	return out
}
