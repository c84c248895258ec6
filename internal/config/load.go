// Package config turns files, .env, the environment and flags into one validated
// value. It is the only room that reads files and variables for settings. It
// knows nothing of agents, models or tools: a setting is a name, a type, a range
// and a place where it came from.
//
// Two tables drive everything, the documentation included: the settings in the
// package schema, and the environment variables and base URLs in the package
// environ.
package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/config/layer"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/config/problem"
	"github.com/ml-intern/ml-intern/internal/config/schema"
)

// Options say where to look. Zero values mean the running process.
type Options struct {
	Dir     string   // working directory
	Environ []string // "NAME=value"; nil = the process's
	GOOS    string
	// Flags holds what was given on the command line, by key name. A list key
	// takes every value in addition to the configured ones, an object, written as
	// JSON, is laid over the configured one, any other key takes the last value.
	Flags map[string][]string
	Trust bool // trust the folder for this run
}

// Loaded is the effective configuration and how it came about.
type Loaded struct {
	Config    Config
	Warnings  []Warning
	Places    place.Places
	Dir       string // the working directory's real path
	RepoRoot  string // root of the git repository around Dir, "" outside one
	Workspace string // workspace_root, else RepoRoot, else Dir
	Trusted   bool   // the folder's own files may change everything
	UserFile  string // the user's settings file, which need not exist

	env      *environ.Env
	tree     *layer.Tree
	withheld []string
}

// The settings and their faults, as the table describes them.
type (
	Config   = schema.Config
	Problem  = problem.Problem
	Problems = problem.Problems
	Warning  = problem.Warning
)

// Load reads all layers, later ones win: built-in defaults, the user's file, the
// project's .ml-intern/config.json, variables, flags. All faults are reported
// together as Problems. The value is returned beside them, with defaults in the
// place of what is bad, for commands that explain the configuration; nothing
// else may run with it. It is nil when not even the folders are known.
func Load(ctx context.Context, o Options) (*Loaded, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l, err := locate(o)
	if err != nil {
		return nil, err
	}
	r := &reader{Reader: schema.Reader{Tree: l.tree, Dir: l.Dir, Home: l.Places.Home, Warnings: l.Warnings}, env: l.env}
	r.Defaults(l.URL("HF_ENDPOINT").Value)
	l.UserFile = r.userFile(l.Places)
	r.projectFile(l.ProjectFile(), l.Trusted)
	r.variables()
	r.slack()
	r.Substitute(l.env.Lookup)
	r.Read()
	r.flags(o.Flags)
	r.environment()
	l.Config, l.Warnings, l.withheld = r.Config, r.Warnings, r.withheld
	l.finish()
	return l, r.Problems.Err()
}

// reader adds files, variables and flags to what the schema's reader can.
type reader struct {
	schema.Reader
	env *environ.Env
	// withheld are the keys that a project's settings may not have, for want of
	// trust.
	withheld []string
}

// locate finds folders and the environment, before any setting is known.
func locate(o Options) (*Loaded, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.GOOS == "" {
		o.GOOS = runtime.GOOS
	}
	dir, err := filepath.Abs(o.Dir) // "" is the working directory
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("find the working directory: %w", err)
	}
	l := &Loaded{Dir: dir, RepoRoot: place.RepoRoot(dir), env: environ.New(o.Environ, o.GOOS == "windows"), tree: layer.New()}
	if l.Places, err = place.Find(l.env.Lookup, o.GOOS, dir); err != nil {
		return nil, Problems{{Where: "environment", Reason: err.Error()}}
	}
	l.Trusted = o.Trust
	if !l.Trusted {
		if l.Trusted, err = place.OpenTrust(l.Places.TrustFile()).Trusted(l.Root()); err != nil {
			l.Warnings = append(l.Warnings, Warning{Where: l.Places.TrustFile(), Reason: "no folder is trusted: " + err.Error()})
		}
	}
	for _, d := range place.Between(l.Dir, l.RepoRoot) {
		l.envFile(filepath.Join(d, ".env"), l.Trusted)
	}
	l.envFile(l.Places.EnvFile(), true)
	return l, nil
}

func (l *Loaded) envFile(path string, trusted bool) {
	for _, text := range l.env.AddFile(path, trusted) {
		l.Warnings = append(l.Warnings, Warning{Reason: text})
	}
}

// Root is the folder that trust is given to.
func (l *Loaded) Root() string {
	if l.RepoRoot != "" {
		return l.RepoRoot
	}
	return l.Dir
}

// ProjectFile is the project's settings file, which need not exist.
func (l *Loaded) ProjectFile() string { return filepath.Join(l.Root(), ".ml-intern", "config.json") }

// userFile merges the user's settings and gives the file's path.
func (r *reader) userFile(places place.Places) string {
	path, named := userFilePath(r.env, places, r.Dir)
	object, err := layer.ReadObject(path)
	switch {
	case err == nil:
		r.Tree.Merge(object, layer.Source{Layer: "user", Name: path})
	case !errors.Is(err, fs.ErrNotExist):
		r.Problems = append(r.Problems, Problem{Where: path, Reason: plain(err)})
	case named:
		r.Problems = append(r.Problems, Problem{Where: path, Reason: "the file named by " + cliConfig + " does not exist"})
	}
	return path
}

const cliConfig = "ML_INTERN_CLI_CONFIG"

// userFilePath finds the user's settings file; named says that a variable chose
// it.
func userFilePath(env *environ.Env, places place.Places, dir string) (path string, named bool) {
	if path := strings.TrimSpace(env.Value(cliConfig)); path != "" {
		return place.Absolute(path, dir, places.Home), true
	}
	return places.ConfigFile(), false
}

// projectFile merges the project's settings. Without trust only Open keys count,
// and only plain values: a reference could carry a secret into them.
func (r *reader) projectFile(path string, trusted bool) {
	object, err := layer.ReadObject(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil && !trusted {
		r.Warnings = append(r.Warnings, Warning{Where: path, Reason: "ignored: " + plain(err)})
		return
	}
	if err != nil {
		r.Problems = append(r.Problems, Problem{Where: path, Reason: plain(err)})
		return
	}
	if !trusted {
		if r.withheld = keepOpen(object, ""); len(r.withheld) > 0 {
			r.Warnings = append(r.Warnings, Warning{Where: path, Reason: fmt.Sprintf(
				"%s ignored, because this folder is not trusted (ml-intern trust)", strings.Join(r.withheld, ", "))})
		}
	}
	r.addRules(object)
	ours := r.addHooks(object)
	r.Tree.Merge(object, layer.Source{Layer: "project", Name: path})
	for _, pointer := range layer.Sorted(ours) {
		r.Tree.Attribute(pointer, ours[pointer])
	}
}

// addHooks puts the user's hooks in front of a project's, as addRules does with
// rules, and returns the places and sources of the user's.
func (r *reader) addHooks(object map[string]any) map[string]layer.Source {
	sources := map[string]layer.Source{}
	hooks, _ := object["hooks"].(map[string]any)
	for event, value := range hooks {
		theirs, ok := value.([]any)
		found, _ := r.Tree.Find("hooks." + event)
		ours, isList := found.([]any)
		if !ok || !isList {
			continue
		}
		hooks[event] = append(slices.Clone(ours), theirs...)
		at := layer.Join("/hooks", event)
		for i := range ours {
			sources[layer.Join(at, strconv.Itoa(i))] = r.Tree.Source(at)
		}
	}
	return sources
}

// addRules puts the user's permission rules in front of a project's: other lists
// replace each other, but a rule that was given for one project must not take the
// user's own away.
func (r *reader) addRules(object map[string]any) {
	permissions, _ := object["permissions"].(map[string]any)
	for _, name := range []string{"allow", "ask", "deny"} {
		theirs, ok := permissions[name].([]any)
		ours, _ := r.Tree.Find("permissions." + name)
		if list, isList := ours.([]any); ok && isList {
			permissions[name] = append(slices.Clone(list), theirs...)
		}
	}
}

// keepOpen removes from an untrusted object all but plain values of Open keys
// and gives the pointers of what it removed.
func keepOpen(object map[string]any, prefix string) (closed []string) {
	for _, name := range layer.Sorted(object) {
		full := prefix + name
		if below, ok := object[name].(map[string]any); ok && schema.Group(full) {
			closed = append(closed, keepOpen(below, full+".")...)
			continue
		}
		text, isText := object[name].(string)
		key, _ := schema.Find(full)
		if !key.Open || isText && strings.Contains(text, "${") {
			closed = append(closed, schema.PointerIn(prefix, name))
			delete(object, name)
		}
	}
	return closed
}

// variables merges the environment variables that stand for a key.
func (r *reader) variables() {
	for _, key := range schema.Keys {
		if value := r.env.Value(key.Variable); key.Variable != "" && value != "" {
			r.Tree.Set(key.Name, layer.Literal(value), layer.Source{Layer: "environment", Name: key.Variable})
		}
	}
}

// flags reads the command line over the validated settings.
func (r *reader) flags(flags map[string][]string) {
	for _, name := range layer.Sorted(flags) {
		values := flags[name]
		key, ok := schema.Find(name)
		if !ok || len(values) == 0 {
			r.Problems = append(r.Problems, Problem{Where: "command line", Pointer: layer.Pointer(name), Reason: schema.UnknownText(name)})
			continue
		}
		source := layer.Source{Layer: "flag", Name: key.Flag}
		if source.Name == "" {
			source.Name = key.Name
		}
		var value any = values[len(values)-1]
		switch {
		case key.Kind == schema.Strings || key.Kind == schema.Paths:
			var list []any
			for _, text := range append(slices.Clone(*key.Of(&r.Config).(*[]string)), values...) {
				list = append(list, text)
			}
			value = list
		case key.Kind == schema.Object:
			parsed, err := layer.Decode([]byte(values[len(values)-1]))
			if err != nil {
				r.Problems = append(r.Problems, Problem{Where: source.Where(), Pointer: layer.Pointer(name), Reason: err.Error()})
				continue
			}
			value = parsed
		}
		r.Tree.Set(name, value, source)
		if key.Kind == schema.Object { // laid over what is configured, as every layer is
			value, _ = r.Tree.Find(name)
		}
		r.Assign(key, value)
	}
}

// environment checks the variables that are no settings but have a form, and
// lets DO_NOT_TRACK win.
func (r *reader) environment() {
	_, bad := r.env.URLs()
	for _, name := range layer.Sorted(bad) {
		r.Problems = append(r.Problems, Problem{Where: r.variableWhere(name), Reason: bad[name].Error()})
	}
	const mode = "OPENAI_API_MODE"
	if v := strings.ToLower(strings.TrimSpace(r.env.Value(mode))); v != "" && !slices.Contains([]string{"auto", "chat", "responses"}, v) {
		r.Problems = append(r.Problems, Problem{Where: r.variableWhere(mode), Reason: mode + ` must be one of "auto", "chat", "responses"`})
	}
	if r.env.Flag("DO_NOT_TRACK", false) && r.Config.TelemetryShared {
		r.Config.TelemetryShared = false
		r.Tree.Set("telemetry.shared", false, layer.Source{Layer: "environment", Name: "DO_NOT_TRACK"})
	}
}

// variableWhere is the file that set a variable, else the environment.
func (r *reader) variableWhere(name string) string {
	if file := r.env.Source(name); file != "" {
		return file
	}
	return "environment"
}

// finish fills what follows from folders.
func (l *Loaded) finish() {
	l.Workspace = l.Root()
	if l.Config.WorkspaceRoot != "" {
		l.Workspace = l.Config.WorkspaceRoot
	}
	if l.Config.SessionLogDir == "" {
		l.Config.SessionLogDir = l.Places.Sessions()
	}
}

// plain drops the path from a file error, for texts that name it already.
func plain(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
