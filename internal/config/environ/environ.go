// Package environ is the environment the program works with: the variables of
// the process, and below them those of the .env files. It holds the two tables
// that say which variables the program reads (Variables) and where it talks to
// (BaseURLs), and it knows which names are secrets and which ones would redirect
// code or traffic. It does not know settings, and it never writes a value into a
// warning.
package environ

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
	"strings"

	"github.com/ml-intern/ml-intern/internal/config/dotenv"
)

// maxFile is the largest .env file that is read, in bytes.
const maxFile = 1 << 20

// Env answers what a variable is and who set it. It is filled once at start and
// only read afterwards, so it may be shared.
type Env struct {
	fold  bool // Windows: names in any case are the same name
	vars  map[string]variable
	files []File
}

type variable struct {
	value string
	file  string // "" = the process
}

// File is one .env file that was read.
type File struct {
	Path    string
	Trusted bool
	Names   []string // taken from this file, sorted
	Ignored []string // not taken because the folder is not trusted, sorted
}

// New takes "NAME=value" strings, as os.Environ gives them. The first of two
// equal names counts, as in the process itself.
func New(environment []string, windows bool) *Env {
	e := &Env{fold: windows, vars: make(map[string]variable, len(environment))}
	for _, pair := range environment {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" { // Windows keeps drives as "=C:=C:\dir"
			continue
		}
		if _, known := e.vars[e.key(name)]; !known {
			e.vars[e.key(name)] = variable{value: value}
		}
	}
	return e
}

func (e *Env) key(name string) string {
	if e.fold {
		return strings.ToUpper(name)
	}
	return name
}

// Lookup gives a variable's value and whether it is set. Set but empty counts
// as set.
func (e *Env) Lookup(name string) (string, bool) {
	v, ok := e.vars[e.key(name)]
	return v.value, ok
}

// Value is Lookup for callers to whom unset and empty are the same.
func (e *Env) Value(name string) string { return e.vars[e.key(name)].value }

// Source names the file a variable came from; "" is the process itself or an
// unset variable.
func (e *Env) Source(name string) string { return e.vars[e.key(name)].file }

// Names lists all set variables, sorted.
func (e *Env) Names() []string {
	names := make([]string, 0, len(e.vars))
	for name := range e.vars {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Files lists the .env files that were read, the strongest first.
func (e *Env) Files() []File { return e.files }

// Flag reads a switch: 1, true, yes, on and 0, false, no, off in any case; any
// other text, and an unset variable, is the fallback.
func (e *Env) Flag(name string, fallback bool) bool {
	if v, ok := ParseBool(e.Value(name)); ok {
		return v
	}
	return fallback
}

// ParseBool reads the words that count as true and false.
func ParseBool(text string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "1", "true", "yes", "on":
		return true, true
	case "0", "false", "no", "off":
		return false, true
	}
	return false, false
}

// AddFile reads a .env file below everything added so far; a missing one is no
// fault. From a folder that is not trusted no name is taken that redirects code
// or traffic, and "${…}" there sees no secret of the process. It returns
// warnings, which never hold a value.
func (e *Env) AddFile(path string, trusted bool) []string {
	src, err := readRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []string{fmt.Sprintf("%s is not read: %v", path, reason(err))}
	}
	entries, problems := dotenv.Parse(src, func(name string) (string, bool) {
		if !trusted && Secret(name) {
			return "", false
		}
		return e.Lookup(name)
	})
	var warnings []string
	for _, p := range problems {
		warnings = append(warnings, fmt.Sprintf("%s:%d: %s", path, p.Line, p.Reason))
	}
	return append(warnings, e.take(path, trusted, entries)...)
}

// take adds the names of one file that are not set yet.
func (e *Env) take(path string, trusted bool, entries []dotenv.Entry) (warnings []string) {
	file := File{Path: path, Trusted: trusted}
	found := map[string]string{}
	for _, entry := range entries { // the last assignment counts
		found[e.key(entry.Name)] = entry.Value
	}
	var fixed []string
	for name, value := range found {
		_, set := e.vars[name]
		switch {
		case set:
		case processOnly(name):
			fixed = append(fixed, name)
		case !trusted && Redirects(name):
			file.Ignored = append(file.Ignored, name)
		default:
			e.vars[name] = variable{value, path}
			file.Names = append(file.Names, name)
		}
	}
	sort.Strings(file.Names)
	sort.Strings(file.Ignored)
	sort.Strings(fixed)
	e.files = append(e.files, file)
	if len(file.Ignored) > 0 {
		warnings = append(warnings, fmt.Sprintf("%s: %s ignored, because this folder is not trusted (ml-intern trust)",
			path, strings.Join(file.Ignored, ", ")))
	}
	if len(fixed) > 0 {
		warnings = append(warnings, fmt.Sprintf("%s: %s ignored, because it decides where this file is looked for; export it instead",
			path, strings.Join(fixed, ", ")))
	}
	return warnings
}

// readRegular reads a whole file and refuses what could block or be endless.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	return os.ReadFile(path)
}

// reason drops the path from a file error, for texts that name it already.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
