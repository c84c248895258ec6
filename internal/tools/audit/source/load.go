package source

import (
	"cmp"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/table"
)

// maxListedFiles is how many files the expression that loads a data set names.
const maxListedFiles = 8

// loadHub is the Python expression that loads a data set of the Hub.
func loadHub(id, config string) string {
	if config == "" {
		return "load_dataset(" + python(id) + ")"
	}
	return "load_dataset(" + python(id) + ", " + python(config) + ")"
}

// load is the Python expression that loads local files: by name where they are
// few and of one kind, else the folder.
func load(w Wanted, splits []table.Split) string {
	builder, more, count := "", "", 0
	var parts []string
	for _, s := range splits {
		var files []string
		for _, f := range s.Files {
			b, m := reader(f)
			if count++; count > 1 && (b != builder || m != more) {
				return "load_dataset(" + python(shown(w, w.Name)) + ")"
			}
			builder, more = b, m
			files = append(files, python(shown(w, f)))
		}
		list := files[0]
		if len(files) > 1 {
			list = "[" + strings.Join(files, ", ") + "]"
		}
		parts = append(parts, python(s.Name)+": "+list)
	}
	if count > maxListedFiles {
		return "load_dataset(" + python(shown(w, w.Name)) + ")"
	}
	return "load_dataset(" + python(builder) + ", data_files={" + strings.Join(parts, ", ") + "}" + more + ")"
}

// reader is the name of the library's reader of a file, and what it has to be
// told.
func reader(path string) (builder, more string) {
	name := strings.ToLower(path)
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	switch filepath.Ext(name) {
	case ".csv":
		return "csv", ""
	case ".tsv":
		return "csv", `, sep="\t"`
	case ".parquet":
		return "parquet", ""
	}
	return "json", ""
}

// shown is a path of the data in the form in which people wrote it.
func shown(w Wanted, path string) string {
	written := cmp.Or(w.Shown, w.Name)
	if strings.HasPrefix(written, "~") { // a shell's sign
		return path
	}
	rest, err := filepath.Rel(w.Name, path)
	switch {
	case err != nil:
		return path
	case rest == ".":
		return written
	}
	return strings.TrimRight(written, "/") + "/" + filepath.ToSlash(rest)
}

// python writes a string as Python does.
func python(s string) string { return strconv.QuoteToASCII(s) }
