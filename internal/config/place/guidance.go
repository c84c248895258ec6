package place

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// GuidanceLimit is how much guidance the agent is given in all, in bytes.
const GuidanceLimit = 32 << 10

// guidanceNames are looked for in this order, the first in a folder counts.
var guidanceNames = [...]string{"ML_INTERN.md", "AGENTS.md", "CLAUDE.md"}

// Guidance gathers what people wrote for the agent: the user's own file from the
// config folder, then one file a folder from the repository root down to the
// working directory, nearest last. Beyond GuidanceLimit whole files are dropped,
// farthest first; the nearest one is cut at a line end if it alone is too long.
// It returns the text, with a line naming each file, and the files used. A file
// that cannot be read is left out and reported beside what could.
//
// A project's file has to lie in the project: a link that leaves the repository
// is refused, since a cloned one could otherwise show the agent any file.
func Guidance(workdir, repoRoot, userConfigDir string) (string, []string, error) {
	root := repoRoot
	folders := Between(workdir, root)
	if len(folders) == 1 {
		root = workdir
	}
	slices.Reverse(folders)
	var parts []part
	var failures []error
	add := func(root, dir string, confined bool) {
		p, err := readGuidance(root, dir, confined)
		if err != nil {
			failures = append(failures, err)
		} else if p.text != "" {
			parts = append(parts, p)
		}
	}
	if userConfigDir != "" {
		add(userConfigDir, userConfigDir, false)
	}
	for _, dir := range folders {
		add(root, dir, true)
	}
	text, files := join(parts)
	return text, files, errors.Join(failures...)
}

// GuidanceFile is the file of a folder that Guidance reads: the first that is
// there, else the one to make. A link or a folder in its place counts as there.
func GuidanceFile(dir string) (path string, exists bool) {
	for _, name := range guidanceNames {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); err == nil {
			return path, true
		}
	}
	return filepath.Join(dir, "AGENTS.md"), false
}

type part struct{ path, text string }

func (p part) size() int { return len(p.head()) + len(p.text) + 2 }

func (p part) head() string { return "Guidance from " + p.path + ":\n\n" }

// join keeps the nearest parts that fit.
func join(parts []part) (string, []string) {
	size := 0
	first := len(parts)
	for first > 0 && size+parts[first-1].size() <= GuidanceLimit {
		first--
		size += parts[first].size()
	}
	if first == len(parts) && first > 0 {
		first--
		parts[first].text = cut(parts[first].text, GuidanceLimit-len(parts[first].head())-2)
	}
	var out strings.Builder
	var files []string
	for _, p := range parts[first:] {
		if out.Len() > 0 {
			out.WriteString("\n\n")
		}
		out.WriteString(p.head())
		out.WriteString(p.text)
		files = append(files, p.path)
	}
	return out.String(), files
}

// cut keeps whole lines up to a number of bytes.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	if end := strings.LastIndexByte(text[:limit], '\n'); end > 0 {
		return text[:end]
	}
	return strings.ToValidUTF8(text[:limit], "")
}

// readGuidance reads the first guidance file of a folder.
func readGuidance(root, dir string, confined bool) (part, error) {
	for _, name := range guidanceNames {
		path := filepath.Join(dir, name)
		data, err := readLimited(root, path, confined)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return part{}, fmt.Errorf("read guidance %s: %w", path, err)
		}
		text := strings.TrimSpace(strings.ToValidUTF8(strings.TrimPrefix(string(data), "\ufeff"), "\ufffd"))
		return part{path, text}, nil
	}
	return part{}, nil
}

// readLimited reads at most a little more than the limit of a regular file, of
// one below root when it is confined.
func readLimited(root, path string, confined bool) ([]byte, error) {
	open, stat, done := os.Open, os.Stat, func() error { return nil }
	if confined {
		r, err := os.OpenRoot(root)
		if err != nil {
			return nil, err
		}
		done = r.Close
		if path, err = filepath.Rel(root, path); err != nil {
			return nil, err
		}
		open, stat = r.Open, r.Stat
	}
	defer done()
	info, err := stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, errors.New("not a regular file")
	}
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, GuidanceLimit+1))
}
