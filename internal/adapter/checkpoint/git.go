package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	// fileLimit is the largest file that is remembered, in bytes.
	fileLimit = 10 << 20
	// pathLimit is how many files a workspace may have.
	pathLimit = 50_000
	// gitWait bounds one look at the workspace.
	gitWait = 30 * time.Second
	// diffLimit bounds a difference that is shown, in bytes.
	diffLimit = 4 << 20
)

// excluded are what trainers and package managers leave behind: it is large and
// can be made again.
const excluded = `.venv/
venv/
node_modules/
__pycache__/
.ipynb_checkpoints/
wandb/
mlruns/
checkpoint-*/
*.ckpt
*.pt
*.pth
*.safetensors
*.gguf
*.onnx
*.h5
*.bin
*.parquet
*.arrow
*.npy
*.npz
*.tar
*.tar.gz
*.zip
`

// tooLargeError is a workspace with too many files.
type tooLargeError struct{ paths int }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the folder has more than %d files that are not ignored", pathLimit)
}

// git is a store beside a workspace. The workspace's own repository, its
// configuration, its hooks and filters have no part in it.
type git struct {
	program   string
	workspace string
	environ   []string
	tree      string // of the newest snapshot
}

// lockAgain is how often a store is tried for that somebody else makes.
const lockAgain = 10 * time.Millisecond

// openGit makes the store where there is none.
func openGit(ctx context.Context, o Options) (*git, error) {
	program, err := exec.LookPath("git")
	if err != nil {
		return nil, errors.New("git is not installed")
	}
	g := &git{program: program, workspace: o.Workspace, environ: environ(o)}
	if err := os.MkdirAll(o.Store, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(o.Store, "making.lock")) // several sessions of a workspace may begin at once
	if _, err := lock.TryLockContext(ctx, lockAgain); err != nil {
		return nil, fmt.Errorf("lock the store: %w", err)
	}
	defer func() { _ = lock.Unlock() }()
	if _, err := os.Stat(filepath.Join(o.Store, "HEAD")); err != nil {
		if _, err := g.run(ctx, nil, "init", "-q", "--template="); err != nil {
			return nil, err
		}
	}
	info := filepath.Join(o.Store, "info")
	if err := os.MkdirAll(info, 0o700); err != nil {
		return nil, err
	}
	// Attributes of the store come before those of the workspace: contents are
	// kept byte for byte.
	return g, errors.Join(
		os.WriteFile(filepath.Join(info, "exclude"), []byte(excluded), 0o600),
		os.WriteFile(filepath.Join(info, "attributes"), []byte("* -text -filter -ident -working-tree-encoding\n"), 0o600),
	)
}

// environ is the whole environment of git: no configuration of the user, no
// question, an index of the session's own.
func environ(o Options) []string {
	env := []string{
		"GIT_DIR=" + o.Store, "GIT_WORK_TREE=" + o.Workspace, "GIT_INDEX_FILE=" + filepath.Join(o.Store, "index-"+o.Session),
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C",
		"GIT_CONFIG_COUNT=5",
		"GIT_CONFIG_KEY_0=gc.auto", "GIT_CONFIG_VALUE_0=0", "GIT_CONFIG_KEY_1=core.fsmonitor", "GIT_CONFIG_VALUE_1=false",
		"GIT_CONFIG_KEY_2=core.autocrlf", "GIT_CONFIG_VALUE_2=false", "GIT_CONFIG_KEY_3=safe.directory", "GIT_CONFIG_VALUE_3=*",
		"GIT_CONFIG_KEY_4=core.sharedRepository", "GIT_CONFIG_VALUE_4=0600", // what is kept is for nobody else to read
	}
	for _, name := range []string{"PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func (g *git) run(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, gitWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.program, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = g.workspace, g.environ, bytes.NewReader(input)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(problem.String()))
	}
	return out.Bytes(), nil
}

// snapshot puts the workspace as it is into the store and returns its name.
func (g *git) snapshot(ctx context.Context) (string, error) {
	out, err := g.run(ctx, nil, "ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard")
	if err != nil {
		return "", err
	}
	paths := bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0})
	if len(paths) > pathLimit {
		return "", &tooLargeError{len(paths)}
	}
	var there, gone bytes.Buffer
	for _, p := range paths {
		switch g.sees(string(p)) {
		case isThere:
			there.Write(append(p, 0))
		case isGone:
			gone.WriteString("0 0000000000000000000000000000000000000000\t" + string(p) + "\x00")
		}
	}
	if gone.Len() > 0 { // first: a folder may have become a file
		if _, err := g.run(ctx, gone.Bytes(), "update-index", "-z", "--index-info"); err != nil {
			return "", err
		}
	}
	if there.Len() > 0 {
		if _, err := g.run(ctx, there.Bytes(), "update-index", "-z", "--add", "--remove", "--replace", "--stdin"); err != nil {
			return "", err
		}
	}
	if there.Len()+gone.Len() == 0 && g.tree != "" {
		return g.tree, nil
	}
	if out, err = g.run(ctx, nil, "write-tree"); err != nil {
		return "", err
	}
	g.tree = strings.TrimSpace(string(out))
	return g.tree, nil
}

// sight is what there is at a path.
type sight int

const (
	isLeft  sight = iota // nothing that is remembered: large, or no file
	isThere              // a file or a link
	isGone
)

// sees looks at a path. What lies behind a link is not in the workspace, and
// repositories inside of it are none of its files.
func (g *git) sees(path string) sight {
	if path == "" || strings.HasSuffix(path, "/") {
		return isLeft
	}
	for i, c := range path {
		if c != '/' {
			continue
		}
		info, err := os.Lstat(filepath.Join(g.workspace, filepath.FromSlash(path[:i])))
		if err != nil || !info.IsDir() {
			return isGone
		}
	}
	info, err := os.Lstat(filepath.Join(g.workspace, filepath.FromSlash(path)))
	switch {
	case err != nil || info.IsDir():
		return isGone
	case info.Mode()&os.ModeSymlink != 0, info.Mode().IsRegular() && info.Size() <= fileLimit:
		return isThere
	}
	return isLeft
}

// Kinds of changes.
const (
	added    = "added"
	modified = "modified"
	deleted  = "deleted"
)

// state is a file in a tree; the zero state is none.
type state struct{ mode, blob string }

// change is what has become of one file between two trees.
type change struct {
	path           string
	before, after  state
	added, removed int // lines; 0 for what is no text
}

func (c change) word() string {
	switch {
	case c.before == state{}:
		return added
	case c.after == state{}:
		return deleted
	}
	return modified
}

// diff lists what changed from one tree to another.
func (g *git) diff(ctx context.Context, before, after string) ([]change, error) {
	out, err := g.run(ctx, nil, "diff-tree", "-r", "-z", "--no-renames", "--raw", "--numstat", "--no-abbrev", before, after)
	if err != nil {
		return nil, err
	}
	return parseDiff(out)
}

// parseDiff reads git's raw form, ":mode mode blob blob X\0path\0" a file, and
// behind it the counts, "added\tremoved\tpath\0".
func parseDiff(out []byte) ([]change, error) {
	var all []change
	at := map[string]int{}
	fields := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	for i := 0; i < len(fields); i++ {
		field := fields[i]
		if strings.HasPrefix(field, ":") {
			words := strings.Fields(field[1:])
			if len(words) != 5 || i+1 >= len(fields) {
				return nil, fmt.Errorf("git diff-tree says %q", field)
			}
			i++
			at[fields[i]] = len(all)
			all = append(all, change{path: fields[i], before: newState(words[0], words[2]), after: newState(words[1], words[3])})
			continue
		}
		counts := strings.SplitN(field, "\t", 3)
		if len(counts) != 3 {
			continue
		}
		if n, ok := at[counts[2]]; ok {
			all[n].added, _ = strconv.Atoi(counts[0]) // "-" for what is no text
			all[n].removed, _ = strconv.Atoi(counts[1])
		}
	}
	return all, nil
}

func newState(mode, blob string) state {
	if mode == "000000" {
		return state{}
	}
	return state{mode, blob}
}

// look returns what paths are in a tree.
func (g *git) look(ctx context.Context, tree string, paths []string) (map[string]state, error) {
	found := map[string]state{}
	const batch = 200 // the length of a command line is bounded
	for len(paths) > 0 {
		n := min(batch, len(paths))
		args := append([]string{"ls-tree", "-z", "--full-tree", tree, "--"}, paths[:n]...)
		paths = paths[n:]
		out, err := g.run(ctx, nil, args...)
		if err != nil {
			return nil, err
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
			head, path, ok := strings.Cut(line, "\t")
			words := strings.Fields(head)
			if ok && len(words) == 3 {
				found[path] = state{words[0], words[2]}
			}
		}
	}
	return found, nil
}

// blob is the content of a file in the store.
func (g *git) blob(ctx context.Context, id string) ([]byte, error) {
	return g.run(ctx, nil, "cat-file", "blob", id)
}

// text is the unified difference between two trees.
func (g *git) text(ctx context.Context, before, after string) (string, error) {
	out, err := g.run(ctx, nil, "diff", "--no-color", "--no-ext-diff", "--no-textconv", before, after, "--")
	if err != nil {
		return "", err
	}
	if len(out) > diffLimit {
		out = append(out[:diffLimit:diffLimit], "\n… the rest is left out\n"...)
	}
	return string(out), nil
}
