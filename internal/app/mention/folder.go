package mention

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

// How much of a folder is listed.
const (
	mostEntries = 300
	// mostRead is how many entries of one folder are read.
	mostRead = 20_000
)

// unlisted are folders whose content is only counted: what version control,
// package managers and interpreters put there.
func unlisted(name string) bool {
	switch name {
	case ".git", "node_modules", "__pycache__", ".venv", "venv", ".ipynb_checkpoints", "site-packages", ".mypy_cache", ".ruff_cache", ".pytest_cache":
		return true
	}
	return false
}

// folder lists a folder, the nearest first.
func (w *reading) folder(name, path string) {
	var lines []string
	more := 0
	for queue := []string{"."}; len(queue) > 0 && w.ctx.Err() == nil; queue = queue[1:] {
		entries, err := read(filepath.Join(path, queue[0]))
		if err != nil {
			if queue[0] == "." {
				w.note("@%s was not read: %v", name, cause(err))
				return
			}
			continue
		}
		for _, e := range entries {
			rel := filepath.ToSlash(filepath.Join(queue[0], e.Name()))
			if len(lines) >= mostEntries {
				more++
				continue
			}
			lines = append(lines, entry(rel, e))
			if e.IsDir() && !unlisted(e.Name()) {
				queue = append(queue, filepath.FromSlash(rel))
			}
		}
	}
	about := "folder, " + amount.Grouped(len(lines)) + " entries"
	if len(lines) == 1 {
		about = "folder, 1 entry"
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("… %s more in the folders that were looked into", amount.Grouped(more)))
		about = "folder, " + amount.Grouped(mostEntries) + " of its entries"
	}
	w.add(name, about, "", strings.Join(lines, "\n"))
}

// read lists a folder by name, as far as it is not too large.
func read(dir string) ([]fs.DirEntry, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(mostRead)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// entry is one line of a listing.
func entry(rel string, e fs.DirEntry) string {
	rel = line(rel)
	switch {
	case e.IsDir():
		return rel + "/"
	case e.Type()&fs.ModeSymlink != 0:
		return rel + " (link)"
	case !e.Type().IsRegular():
		return rel + " (no file)"
	}
	info, err := e.Info()
	if err != nil {
		return rel
	}
	return rel + " (" + amount.Bytes(info.Size()) + ")"
}
