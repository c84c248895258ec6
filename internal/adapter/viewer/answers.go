package viewer

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/loose"
)

// Source is the answer that a result was read from.
type Source struct{ *fetch.Response }

func (s *Source) from(r *fetch.Response) { s.Response = r }

// Place names a configuration or split. Kind, of one that failed, is the step
// that did.
type Place struct {
	Config string `json:"config"`
	Split  string `json:"split"`
	Kind   string `json:"kind"`
}

// Progress lists what is not there: still being computed, or failed. Partial
// says that only the beginning of the data set, 5 GB, has been converted: all
// counts are those of that part.
type Progress struct {
	Pending []Place `json:"pending"`
	Failed  []Place `json:"failed"`
	Partial bool    `json:"partial"`
}

// Splits are the configurations and splits, in the data set's order.
type Splits struct {
	Source
	Progress
	All []Place
}

func readSplits(data []byte) (*Splits, error) {
	var wire struct {
		Splits []Place `json:"splits"`
		Progress
	}
	err := loose.Decode(data, &wire)
	// What has no name can be asked for by nobody.
	named := slices.DeleteFunc(wire.Splits, func(p Place) bool { return p.Config == "" || p.Split == "" })
	return &Splits{All: named, Progress: wire.Progress}, err
}

// Configs are the names of the configurations, in order.
func (s *Splits) Configs() []string {
	var names []string
	seen := map[string]bool{}
	for _, p := range s.All {
		if !seen[p.Config] {
			seen[p.Config] = true
			names = append(names, p.Config)
		}
	}
	return names
}

// Of are the names of a configuration's splits, in order.
func (s *Splits) Of(config string) []string {
	var names []string
	for _, p := range s.All {
		if p.Config == config {
			names = append(names, p.Split)
		}
	}
	return names
}

// Info describes configurations.
type Info struct {
	Source
	Progress
	Configs []ConfigInfo
}

// ConfigInfo describes one configuration.
type ConfigInfo struct {
	Name     string
	Features []Field
	Splits   []SplitInfo
	Licence  string
	Builder  string
}

// SplitInfo counts the rows and bytes of a split, in the order of the answer.
type SplitInfo struct {
	Name        string
	Rows, Bytes int64
}

func readInfo(data []byte, config string) (*Info, error) {
	var wire struct {
		Info json.RawMessage `json:"dataset_info"`
		Progress
	}
	if err := loose.Decode(data, &wire); err != nil {
		return nil, err
	}
	info := &Info{Progress: wire.Progress}
	if config != "" {
		info.Configs = []ConfigInfo{readConfig(config, wire.Info)}
		return info, nil
	}
	all, err := Members(wire.Info)
	for _, m := range all {
		info.Configs = append(info.Configs, readConfig(m.Name, m.Value))
	}
	return info, err
}

func readConfig(name string, data json.RawMessage) ConfigInfo {
	var wire struct {
		Features json.RawMessage `json:"features"`
		Splits   json.RawMessage `json:"splits"`
		Licence  string          `json:"license"`
		Builder  string          `json:"builder_name"`
	}
	_ = loose.Decode(data, &wire)
	c := ConfigInfo{Name: name, Licence: wire.Licence, Builder: wire.Builder}
	features, _ := Members(wire.Features)
	for _, m := range features {
		c.Features = append(c.Features, Field{m.Name, ReadFeature(m.Value)})
	}
	splits, _ := Members(wire.Splits)
	for _, m := range splits {
		var one struct {
			Rows  float64 `json:"num_examples"`
			Bytes float64 `json:"num_bytes"`
		}
		_ = loose.Decode(m.Value, &one)
		c.Splits = append(c.Splits, SplitInfo{m.Name, whole(one.Rows), whole(one.Bytes)})
	}
	return c
}

// whole is a count that may have been written with a fraction.
func whole(x float64) int64 {
	if !(x > 0) {
		return 0
	}
	return int64(min(x, math.MaxInt32*float64(math.MaxInt32)))
}

// Page is a piece of a split.
type Page struct {
	Source
	Features []Field
	Rows     []Row
	// Total is how many rows there are, or meet the condition; -1 where the
	// answer does not say.
	Total int64
	// Truncated says that there are fewer rows than wanted, for their size.
	Truncated bool
	Partial   bool
}

// Row is one row. Names has its columns in order. Cells whose names are in Cut
// hold the beginning of a longer value, written as JSON and then as text.
type Row struct {
	Index  int
	Names  []string
	Values map[string]json.RawMessage
	Cut    map[string]bool
}

func readPage(data []byte) (*Page, error) {
	var wire struct {
		Features []struct {
			Name string          `json:"name"`
			Type json.RawMessage `json:"type"`
		} `json:"features"`
		Rows []struct {
			Index float64         `json:"row_idx"`
			Row   json.RawMessage `json:"row"`
			Cut   []string        `json:"truncated_cells"`
		} `json:"rows"`
		Total     *float64 `json:"num_rows_total"`
		Truncated bool     `json:"truncated"`
		Partial   bool     `json:"partial"`
	}
	if err := loose.Decode(data, &wire); err != nil {
		return nil, err
	}
	page := &Page{Total: -1, Truncated: wire.Truncated, Partial: wire.Partial}
	if wire.Total != nil {
		page.Total = whole(*wire.Total)
	}
	for _, f := range wire.Features {
		page.Features = append(page.Features, Field{f.Name, ReadFeature(f.Type)})
	}
	for _, r := range wire.Rows {
		row := Row{Index: int(whole(r.Index)), Values: map[string]json.RawMessage{}, Cut: map[string]bool{}}
		for _, name := range r.Cut {
			row.Cut[name] = true
		}
		members, _ := Members(r.Row)
		for _, m := range members {
			if _, twice := row.Values[m.Name]; !twice {
				row.Names = append(row.Names, m.Name)
			}
			row.Values[m.Name] = m.Value
		}
		page.Rows = append(page.Rows, row)
	}
	return page, nil
}

// Size counts rows and bytes of the data set, its configurations and splits.
type Size struct {
	Source
	Progress
	Dataset Amount
	Configs []Amount
	Splits  []Amount
}

// Amount is the size of a thing. Estimated is the number of rows of a data set
// that was converted in part; 0 where it is not known.
type Amount struct {
	Config, Split             string
	Rows, Estimated           int64
	Original, Parquet, Memory int64 // bytes: of the files, as Parquet, in memory
	Columns                   int
}

func readSize(data []byte) (*Size, error) {
	type amount struct {
		Config    string  `json:"config"`
		Split     string  `json:"split"`
		Rows      float64 `json:"num_rows"`
		Estimated float64 `json:"estimated_num_rows"`
		Original  float64 `json:"num_bytes_original_files"`
		Parquet   float64 `json:"num_bytes_parquet_files"`
		Memory    float64 `json:"num_bytes_memory"`
		Columns   float64 `json:"num_columns"`
	}
	var wire struct {
		Size struct {
			Dataset amount   `json:"dataset"`
			Config  *amount  `json:"config"`
			Configs []amount `json:"configs"`
			Splits  []amount `json:"splits"`
		} `json:"size"`
		Progress
	}
	err := loose.Decode(data, &wire)
	read := func(a amount) Amount {
		return Amount{
			a.Config, a.Split, whole(a.Rows), whole(a.Estimated), whole(a.Original), whole(a.Parquet),
			whole(a.Memory), int(whole(a.Columns)),
		}
	}
	if wire.Size.Config != nil {
		wire.Size.Configs = append(wire.Size.Configs, *wire.Size.Config)
	}
	s := &Size{Progress: wire.Progress, Dataset: read(wire.Size.Dataset)}
	for _, a := range wire.Size.Configs {
		s.Configs = append(s.Configs, read(a))
	}
	for _, a := range wire.Size.Splits {
		s.Splits = append(s.Splits, read(a))
	}
	return s, err
}

// Of is the size of a split, nil where it is not known.
func (s *Size) Of(config, split string) *Amount {
	if s == nil {
		return nil
	}
	for i := range s.Splits {
		if a := &s.Splits[i]; a.Config == config && a.Split == split {
			return a
		}
	}
	return nil
}

// Parquet lists files.
type Parquet struct {
	Source
	Progress
	Files []File
}

// File is a Parquet file of a split.
type File struct {
	Config, Split, URL, Name string
	Bytes                    int64 // -1 where it is not known
}

func readParquet(data []byte) (*Parquet, error) {
	var wire struct {
		Files []struct {
			Config string  `json:"config"`
			Split  string  `json:"split"`
			URL    string  `json:"url"`
			Name   string  `json:"filename"`
			Size   float64 `json:"size"`
		} `json:"parquet_files"`
		Progress
	}
	err := loose.Decode(data, &wire)
	p := &Parquet{Progress: wire.Progress}
	for _, f := range wire.Files {
		p.Files = append(p.Files, File{f.Config, f.Split, f.URL, f.Name, whole(f.Size)})
	}
	return p, err
}

// Valid tells what the viewer can do with a data set.
type Valid struct {
	Source
	Preview, Viewer, Search, Filter, Statistics bool
}

func readValid(data []byte) (*Valid, error) {
	var wire struct{ Preview, Viewer, Search, Filter, Statistics bool }
	err := loose.Decode(data, &wire)
	return &Valid{
		Preview: wire.Preview, Viewer: wire.Viewer, Search: wire.Search, Filter: wire.Filter, Statistics: wire.Statistics,
	}, err
}

// Presidio tells in how many rows of a sample personal data was found.
type Presidio struct {
	Source
	Columns []string // that were scanned
	Rows    int64    // that were scanned
	Full    bool     // all rows were
	// Found has the kinds, such as "email_address", in the answer's order.
	Found []Frequency
}
