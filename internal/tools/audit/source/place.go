package source

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/table"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
)

// ErrClash is in the chain of an error for a name that could be a path and a
// data set.
var ErrClash = errors.New("the name has two meanings")

// Place tells what a name means: a path where it begins like one or ends like a
// data file, a data set where it begins with "hf:" or has the form of an id.
// exists reports whether something lies at a path.
func Place(name string, exists func(path string) bool) (target string, local bool, err error) {
	name = strings.TrimSpace(name)
	if id, ok := strings.CutPrefix(name, "hf:"); ok {
		if strings.HasPrefix(id, "//") {
			id = name
		}
		id, err := viewer.ID(id)
		return id, false, err
	}
	for _, begin := range []string{"./", "../", "/", "~", `.\`, `..\`} {
		if strings.HasPrefix(name, begin) {
			return name, true, nil
		}
	}
	if name == "." || name == ".." || table.Known(name) || drive(name) {
		return name, true, nil
	}
	id, err := viewer.ID(name)
	if err != nil {
		if exists(name) {
			return name, true, nil
		}
		return "", false, fmt.Errorf("%q is no data file and no data set: name a path such as ./data/train.jsonl, or a data set such as stanfordnlp/imdb", name)
	}
	if exists(name) {
		return "", false, fmt.Errorf("%q: %w: write ./%s for the path, or hf:%s for the data set on the Hub", name, ErrClash, name, name)
	}
	return id, false, nil
}

// drive tells a path such as C:\data.
func drive(name string) bool {
	return len(name) > 2 && name[1] == ':' && (name[2] == '\\' || name[2] == '/')
}
