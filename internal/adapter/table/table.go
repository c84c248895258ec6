// Package table reads the rows of local data files one after another: CSV, TSV,
// JSON lines, JSON arrays and Parquet, plain or compressed (.gz, .zst). It knows
// files and their formats only: not what the rows mean, nor which of them are
// wanted. Nothing is held in memory but the row that is being read (of Parquet a
// few), so that files may be of any size.
package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/lab/record"
)

// Row is one row of a split. Rows of JSON share the memory of their line.
type Row = record.Row

// Split is a part of a data set: files that belong together, in order.
type Split struct {
	Name  string // "train", "test", …, or the file's name
	Files []string
	Bytes int64 // of all files, as they lie on disk
}

// ErrFormat is in the chain of an error for a file whose format is not known.
var ErrFormat = errors.New("no known data format")

// formats are the readable formats by extension, without .gz and .zst.
var formats = map[string]format{
	".csv": csvRows(','), ".tsv": csvRows('\t'), ".jsonl": jsonRows, ".ndjson": jsonRows, ".json": jsonRows, ".parquet": parquetRows,
}

// Known reports whether a path ends like a data file.
func Known(path string) bool { return formatOf(path) != nil }

func formatOf(path string) format {
	name := strings.ToLower(path)
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	return formats[filepath.Ext(name)]
}

// Open lists the splits of a file or a folder. In a folder, and in those below
// it, files are put together by the split that their names or folders tell
// (train-00000.parquet and train/a.jsonl are train). Others are splits by their
// own names; where no name tells a split, all files together are train. Hidden
// files and unknown formats are left out. Links to files count where follow, which
// may be nil, agrees; links to folders do not. Splits come in the order train,
// validation, test, then by name.
func Open(path string, follow func(link string) bool) ([]Split, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open the data at %s: %w", path, errors.Unwrap(err))
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("open the data at %s: it is no regular file", path)
		}
		if !Known(path) {
			return nil, fmt.Errorf("open the data at %s: %w (known: .csv, .tsv, .jsonl, .json, .parquet, also .gz and .zst)", path, ErrFormat)
		}
		return []Split{{Name: SplitName(path), Files: []string{path}, Bytes: info.Size()}}, nil
	}
	found, err := walk(path, follow)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("open the data at %s: the folder holds no data files (.csv, .tsv, .jsonl, .json, .parquet, also .gz and .zst)", path)
	}
	return found, nil
}

// maxFiles bounds the files of a folder.
const maxFiles = 10_000

// notes are files that libraries lay beside data.
var notes = []string{"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}

func walk(root string, follow func(string) bool) ([]Split, error) {
	byName := map[string]*Split{}
	count, named := 0, false
	root = strings.TrimRight(root, string(filepath.Separator)) + string(filepath.Separator) // it may be a link
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !Known(path) || d.IsDir() || slices.Contains(notes, d.Name()) || d.Type()&fs.ModeSymlink != 0 && (follow == nil || !follow(path)):
			return nil
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return nil // a link to nowhere, a pipe
		}
		if count++; count > maxFiles {
			return fmt.Errorf("more than %d data files", maxFiles)
		}
		name, known := splitOf(root, path)
		named = named || known
		if byName[name] == nil {
			byName[name] = &Split{Name: name}
		}
		s := byName[name]
		s.Files, s.Bytes = append(s.Files, path), s.Bytes+info.Size()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for data files in %s: %w", root, err)
	}
	if !named {
		byName = together(byName)
	}
	var all []Split
	for _, s := range byName {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Split) int {
		if d := rank(a.Name) - rank(b.Name); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, nil
}

// together makes one split of all.
func together(byName map[string]*Split) map[string]*Split {
	all := Split{Name: "train"}
	for _, s := range byName {
		all.Files, all.Bytes = append(all.Files, s.Files...), all.Bytes+s.Bytes
	}
	if len(all.Files) == 0 {
		return nil
	}
	slices.Sort(all.Files)
	return map[string]*Split{all.Name: &all}
}

// splitOf is the split that a file's name tells, or else the nearest of the
// folders below root that it lies in; false when none does.
func splitOf(root, path string) (string, bool) {
	if split, ok := told(filepath.Base(path)); ok {
		return split, true
	}
	if below, err := filepath.Rel(root, filepath.Dir(path)); err == nil {
		folders := strings.Split(below, string(filepath.Separator))
		for _, folder := range slices.Backward(folders) {
			if split, ok := told(folder); ok {
				return split, true
			}
		}
	}
	return SplitName(path), false
}

// splitNames maps what file names say to the names of splits.
var splitNames = []struct{ word, split string }{
	{"train", "train"},
	{"training", "train"},
	{"validation", "validation"},
	{"valid", "validation"},
	{"val", "validation"},
	{"dev", "validation"},
	{"test", "test"},
	{"eval", "test"},
	{"testing", "test"},
}

func rank(split string) int {
	if i := slices.Index([]string{"train", "validation", "test"}, split); i >= 0 {
		return i
	}
	return 3
}

// SplitName is the split that a file's name tells: a whole word of it such as
// "train", else the name without its extension.
func SplitName(path string) string {
	base := filepath.Base(path)
	if split, ok := told(base); ok {
		return split
	}
	base, _, _ = strings.Cut(base, ".")
	return base
}

// told is the split that a word of the name tells.
func told(name string) (string, bool) {
	base, _, _ := strings.Cut(name, ".")
	words := strings.FieldsFunc(strings.ToLower(base), func(r rune) bool { return r == '-' || r == '_' || r == ' ' })
	for _, w := range words {
		for _, known := range splitNames {
			if w == known.word {
				return known.split, true
			}
		}
	}
	return "", false
}

// format reads the rows of one file. read is told the bytes read so far.
type format func(f *input) iter.Seq2[Row, error]

// Rows reads the rows of the split. progress, when not nil, is told now and then
// how many bytes of the files have been read. The last pair carries the error
// that ended the reading, which names the file and, where it can, the line.
func (s Split) Rows(ctx context.Context, progress func(bytes int64)) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		index, before := int64(0), int64(0)
		for _, path := range s.Files {
			more := true
			err := readFile(ctx, path, func(n int64) {
				if progress != nil {
					progress(before + n)
				}
			}, func(r Row) bool {
				r.Index = index
				index++
				more = yield(r, nil)
				return more
			})
			if !more {
				return
			}
			if err != nil {
				yield(Row{}, fmt.Errorf("read %s: %w", path, err))
				return
			}
			if info, err := os.Stat(path); err == nil {
				before += info.Size()
			}
		}
	}
}

func readFile(ctx context.Context, path string, progress func(int64), yield func(Row) bool) error {
	in, err := open(ctx, path, progress)
	if err != nil {
		return err
	}
	defer in.close()
	for row, err := range formatOf(path)(in) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		if !yield(row) {
			return nil
		}
	}
	return ctx.Err()
}
