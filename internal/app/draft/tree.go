package draft

import (
	"cmp"
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// How much of a project is looked at.
const (
	mostEntries = 50_000
	mostTime    = 3 * time.Second
	deepest     = 6
	// dependencyFile is the most that is read of a list of dependencies, in
	// bytes.
	dependencyFile = 256 << 10
	// pictures is how many pictures or sounds make a folder one of data.
	pictures = 10
	// looseJSON is from which size on a JSON file is data wherever it lies, in
	// bytes: smaller ones are mostly settings.
	looseJSON = 1 << 20
)

// file is one file of the tree.
type file struct {
	path string // relative, with slashes
	size int64
}

// tree is the project's files.
type tree struct {
	dir     string
	files   []file
	dirs    []string
	partial bool
}

// skipped are folders that tools make.
func skipped(name string) bool {
	switch name {
	case "node_modules", "__pycache__", "wandb", "mlruns", "site-packages", "venv", "env", "dist", "build", "target":
		return true
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "checkpoint-")
}

func walk(ctx context.Context, dir string) *tree {
	t := &tree{dir: dir}
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	seen := 0
	_ = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			if e != nil && e.IsDir() {
				return fs.SkipDir // what cannot be read is not there
			}
			return nil
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil || rel == "." {
			return err
		}
		rel = filepath.ToSlash(rel)
		if seen++; seen > mostEntries || ctx.Err() != nil {
			t.partial = true
			return fs.SkipAll
		}
		switch {
		case e.IsDir() && (skipped(e.Name()) || strings.Count(rel, "/") >= deepest):
			return fs.SkipDir
		case e.IsDir():
			t.dirs = append(t.dirs, rel)
		case e.Type().IsRegular():
			if info, err := e.Info(); err == nil {
				t.files = append(t.files, file{rel, info.Size()})
			}
		}
		return nil
	})
	return t
}

// format is the name of a data format, by a file's ending; media are formats
// that only count where there are many.
func format(name string, size int64) (format string, media bool) {
	name = strings.ToLower(name)
	for _, packed := range []string{".gz", ".zst", ".bz2", ".xz"} {
		name = strings.TrimSuffix(name, packed)
	}
	switch ext := path.Ext(name); ext {
	case ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".npy", ".npz", ".h5", ".hdf5", ".tfrecord", ".jsonl", ".ndjson":
		return strings.TrimPrefix(ext, "."), false
	case ".json":
		if size < looseJSON && !strings.Contains("/"+name, "/data") {
			return "", false
		}
		return "json", false
	case ".png", ".jpg", ".jpeg", ".webp":
		return "picture", true
	case ".wav", ".flac", ".mp3", ".ogg":
		return "audio", true
	}
	return "", false
}

// place is the folder that a file counts for: two levels are told apart.
func place(name string) string {
	parts := strings.Split(path.Dir(name), "/")
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// folders are those with data, the largest first.
func (t *tree) folders() []Folder {
	byPath, media := map[string]*Folder{}, map[string]*Folder{}
	for _, f := range t.files {
		name, isMedia := format(f.path, f.size)
		if name == "" {
			continue
		}
		into := byPath
		if isMedia {
			into = media
		}
		at := place(f.path)
		if into[at] == nil {
			into[at] = &Folder{Path: at, Formats: map[string]int{}}
		}
		into[at].Formats[name]++
		into[at].Bytes += f.size
	}
	for at, m := range media {
		for name, n := range m.Formats {
			if n >= pictures {
				if byPath[at] == nil {
					byPath[at] = &Folder{Path: at, Formats: map[string]int{}}
				}
				byPath[at].Formats[name] = n
				byPath[at].Bytes += m.Bytes
			}
		}
	}
	var out []Folder
	for _, f := range byPath {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b Folder) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Path, b.Path))
	})
	return out[:min(len(out), mostFolders)]
}

// What scripts are called.
var (
	training   = []string{"train", "training", "finetune", "pretrain", "sft", "dpo", "grpo", "rlhf"}
	evaluation = []string{"eval", "evaluate", "evaluation", "benchmark", "predict", "infer", "inference"}
)

// scripts are those whose name holds one of the words, the highest first.
func (t *tree) scripts(words []string) []string {
	var out []string
	for _, f := range t.files {
		base := strings.ToLower(path.Base(f.path))
		ext := path.Ext(base)
		if ext != ".py" && ext != ".sh" && ext != ".ipynb" || isTest(f.path) {
			continue
		}
		stem := strings.ReplaceAll(strings.TrimSuffix(base, ext), "fine_tune", "finetune")
		parts := strings.FieldsFunc(stem, func(r rune) bool { return r == '_' || r == '-' || r == '.' })
		if slices.ContainsFunc(parts, func(p string) bool { return slices.Contains(words, p) }) {
			out = append(out, f.path)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, "/"), strings.Count(b, "/")), cmp.Compare(a, b))
	})
	return out[:min(len(out), mostScripts)]
}

func isTest(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(base, "test_") || strings.HasSuffix(base, "_test.py") || base == "conftest.py"
}

// tests are the commands that run the tests.
func (t *tree) tests(deps map[string]string) []string {
	var out []string
	if strings.Contains("\n"+deps["Makefile"], "\ntest:") {
		out = append(out, "make test")
	}
	switch {
	case t.has("tox.ini"):
		out = append(out, "tox")
	case t.has("noxfile.py"):
		out = append(out, "nox")
	}
	if slices.ContainsFunc(t.files, func(f file) bool { return isTest(f.path) }) {
		command := "pytest"
		if t.has("uv.lock") {
			command = "uv run pytest"
		}
		out = append(out, command)
	}
	return out
}

func (t *tree) has(name string) bool {
	return slices.ContainsFunc(t.files, func(f file) bool { return f.path == name })
}

// dependencies are the texts of what lists dependencies, and of the Makefile.
func (t *tree) dependencies() map[string]string {
	out := map[string]string{}
	for _, f := range t.files {
		base := path.Base(f.path)
		wanted := base == "Makefile" || base == "pyproject.toml" || base == "setup.py" || base == "setup.cfg" || base == "environment.yml" || base == "environment.yaml" ||
			strings.HasPrefix(base, "requirements") && strings.HasSuffix(base, ".txt")
		if !wanted || strings.Count(f.path, "/") > 1 {
			continue
		}
		if text, err := head(filepath.Join(t.dir, filepath.FromSlash(f.path))); err == nil {
			out[f.path] = text
		}
	}
	return out
}

// head is the beginning of a file.
func head(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, dependencyFile))
	return string(raw), err
}
