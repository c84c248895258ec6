package complete

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// How much of a tree is looked at, and for how long what was found is good.
const (
	walkEntries = 20000
	walkTime    = 150 * time.Millisecond
	walkGood    = 5 * time.Second
	// readAtOnce is how many entries of a folder are read between two looks at
	// the clock.
	readAtOnce = 512
)

// Paths completes the names of files below dir: behind an "@" anywhere, and on
// request any word, in a line that begins with "!" as a shell wants it written.
// Names that begin with a dot are offered where a dot is typed. What version
// control, package managers and interpreters put into a tree is left out unless
// its folder is named.
func Paths(dir string) Source {
	t := &tree{dir: dir}
	return func(line string, start bool) (Request, bool) {
		if r, ok := t.mention(line); ok {
			return r, true
		}
		return t.word(line, start)
	}
}

// mention is a path behind an "@" that begins a word, or an open quote behind
// it.
func (t *tree) mention(line string) (Request, bool) {
	at := strings.LastIndexByte(line, '@')
	for ; at > 0 && !strings.ContainsRune(" \t(\"'", rune(line[at-1])); at = strings.LastIndexByte(line[:at], '@') {
	}
	if at < 0 {
		return Request{}, false
	}
	query, quoted := strings.CutPrefix(line[at+1:], `"`)
	if strings.Contains(query, `"`) || !quoted && strings.ContainsAny(query, " \t") {
		return Request{}, false
	}
	return Request{
		Part: line[at:], Query: query, Auto: true,
		Options: func(ctx context.Context) []dialog.Option { return t.options(ctx, query) },
		Insert: func(o dialog.Option) (string, bool) {
			mention := Mention(o.Value)
			if strings.HasSuffix(o.Value, "/") {
				return strings.TrimSuffix(mention, `"`), true
			}
			return mention + " ", false
		},
	}, true
}

// word is the last word of a line.
func (t *tree) word(line string, start bool) (Request, bool) {
	command := start && strings.HasPrefix(line, "!")
	from := 0
	if command {
		from = 1
	}
	for i := from; i < len(line); i++ {
		switch {
		case command && line[i] == '\\':
			i++
		case line[i] == ' ' || line[i] == '\t':
			from = i + 1
		}
	}
	part := line[from:]
	if part == "" && !command {
		return Request{}, false
	}
	query, insert := part, func(s string) string { return s }
	if command {
		query, insert = Unescape(part), escape
	}
	return Request{
		Part: part, Query: query,
		Options: func(ctx context.Context) []dialog.Option { return t.options(ctx, query) },
		Insert: func(o dialog.Option) (string, bool) {
			if strings.HasSuffix(o.Value, "/") {
				return insert(o.Value), true
			}
			return insert(o.Value) + " ", false
		},
	}, true
}

// Unescape takes away the backslashes in front of what a shell would read.
func Unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		if strings.ContainsRune(" \t\\'\"`$&|;<>()*?[]{}#!", r) || r == '~' && i > 0 {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// tree is the files below a folder.
type tree struct {
	dir string

	mu     sync.Mutex
	walks  [2][]dialog.Option // without and with names that begin with a dot
	walked [2]time.Time
}

// options lists what a query may mean: everything below the folder, or what is
// in the folder that the query names.
func (t *tree) options(ctx context.Context, query string) []dialog.Option {
	dir, name := path.Split(query)
	elsewhere := strings.HasPrefix(query, "/") || strings.HasPrefix(query, "~/") || strings.HasPrefix(query, "../") ||
		strings.HasPrefix(query, "./")
	var out []dialog.Option
	if !elsewhere {
		out = t.below(ctx, strings.HasPrefix(query, ".") || strings.Contains(query, "/."))
	}
	if dir == "" {
		return out
	}
	// A folder that is named is looked into even where the walk does not go, or
	// has not come.
	known := make(map[string]bool, len(out))
	for _, o := range out {
		known[o.Value] = true
	}
	ctx, cancel := context.WithTimeout(ctx, walkTime)
	defer cancel()
	for _, e := range read(ctx, t.place(dir), walkEntries) {
		if value := dir + spelled(e); !known[value] && (e.Name()[0] != '.' || strings.HasPrefix(name, ".")) {
			out = append(out, dialog.Option{Value: value})
		}
	}
	return out
}

// place is where a path that was typed is.
func (t *tree) place(typed string) string {
	if rest, ok := strings.CutPrefix(typed, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, filepath.FromSlash(rest))
		}
	}
	if typed = filepath.FromSlash(typed); filepath.IsAbs(typed) {
		return typed
	}
	return filepath.Join(t.dir, typed)
}

// below lists the tree, folders that are nearer first. It is walked again when
// the last walk is some seconds old. A walk is not given up when ctx is done:
// the next key needs it too, and it has a limit.
func (t *tree) below(ctx context.Context, hidden bool) []dialog.Option {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	kind := 0
	if hidden {
		kind = 1
	}
	if t.walked[kind].IsZero() || time.Since(t.walked[kind]) > walkGood {
		walking, cancel := context.WithTimeout(context.WithoutCancel(ctx), walkTime)
		defer cancel()
		t.walks[kind] = walk(walking, t.dir, hidden)
		t.walked[kind] = time.Now()
	}
	return slices.Clip(t.walks[kind])
}

func walk(ctx context.Context, root string, hidden bool) []dialog.Option {
	var out []dialog.Option
	for queue := []string{""}; len(queue) > 0 && len(out) < walkEntries && ctx.Err() == nil; queue = queue[1:] {
		dir := queue[0]
		for _, e := range read(ctx, filepath.Join(root, filepath.FromSlash(dir)), walkEntries-len(out)) {
			if e.Name()[0] == '.' && !hidden {
				continue
			}
			value := dir + spelled(e)
			out = append(out, dialog.Option{Value: value})
			if e.IsDir() && !skipped(e.Name()) {
				queue = append(queue, value)
			}
		}
	}
	return out
}

// skipped reports whether a folder holds what nobody mentions.
func skipped(name string) bool {
	switch name {
	case ".git", "node_modules", "__pycache__", ".venv":
		return true
	}
	return false
}

// spelled is an entry's name; that of a folder ends with a slash.
func spelled(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// read lists a folder, at most limit entries and until ctx is done, in the order
// of their names. A name that cannot be written on a line is left out, and a
// folder that cannot be read is empty.
func read(ctx context.Context, dir string, limit int) []fs.DirEntry {
	// Opening something else, such as a named pipe, could wait for ever.
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // it is only read
	var all []fs.DirEntry
	for len(all) < limit && ctx.Err() == nil {
		some, err := f.ReadDir(min(readAtOnce, limit-len(all)))
		for _, e := range some {
			if name := e.Name(); plain.String(name) == name && !strings.ContainsAny(name, "\t\n\"") {
				all = append(all, e)
			}
		}
		if err != nil || len(some) == 0 {
			break
		}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all
}
