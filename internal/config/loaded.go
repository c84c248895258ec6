package config

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/config/layer"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/config/schema"
)

// Env gives an environment variable, from the process or a .env file; "" when
// it is unset.
func (l *Loaded) Env(name string) string { return l.env.Value(name) }

// LookupEnv is Env that tells unset from empty.
func (l *Loaded) LookupEnv(name string) (string, bool) { return l.env.Lookup(name) }

// EnvFlag reads a switch variable such as NO_COLOR=1.
func (l *Loaded) EnvFlag(name string) bool { return l.env.Flag(name, false) }

// EnvSource names the .env file a variable came from, "" for the process.
func (l *Loaded) EnvSource(name string) string { return l.env.Source(name) }

// EnvFiles lists the .env files that were read and the names taken from each.
func (l *Loaded) EnvFiles() []environ.File { return l.env.Files() }

// Withheld is what a file of a folder that is not trusted would set if it were.
type Withheld struct {
	Path  string
	Names []string // keys as JSON pointers, or variables
}

// Withheld lists what does not count for want of trust in the folder.
func (l *Loaded) Withheld() []Withheld {
	var all []Withheld
	if len(l.withheld) > 0 {
		all = append(all, Withheld{l.ProjectFile(), l.withheld})
	}
	for _, f := range l.EnvFiles() {
		if len(f.Ignored) > 0 {
			all = append(all, Withheld{f.Path, f.Ignored})
		}
	}
	return all
}

// Environ lists the effective environment as "NAME=value", sorted, secrets
// included: what a child may see is for the caller to decide.
func (l *Loaded) Environ() []string {
	names := l.env.Names()
	for i, name := range names {
		names[i] = name + "=" + l.env.Value(name)
	}
	return names
}

// URL gives one base URL by its variable.
func (l *Loaded) URL(variable string) environ.URL { return l.env.URL(variable) }

// URLs lists all base URLs.
func (l *Loaded) URLs() []environ.URL {
	urls, _ := l.env.URLs()
	return urls
}

// Login is the shared Hub login as this environment sees it.
func (l *Loaded) Login() place.Login {
	return place.Login{Lookup: l.env.Lookup, Home: l.Places.Home, Dir: l.Dir}
}

// HFToken gives the Hub token and where it came from, both "" without one. It
// looks anew at each call.
func (l *Loaded) HFToken() (token, source string) { return l.Login().Token() }

// TrustList is the list of trusted folders.
func (l *Loaded) TrustList() place.Trust { return place.OpenTrust(l.Places.TrustFile()) }

// Guidance is what the project and the user wrote for the agent, and the files
// it stands in.
func (l *Loaded) Guidance() (string, []string, error) {
	return place.Guidance(l.Dir, l.RepoRoot, l.Places.Config)
}

// GuidanceFile is the project's file of guidance: that of the repository's root,
// or of the working directory outside of one; exists says whether it is there.
func (l *Loaded) GuidanceFile() (path string, exists bool) { return place.GuidanceFile(l.Root()) }

// GuidanceFiles are the files that Guidance reads, or would where they are not
// there yet: the user's own first, then one a folder down to the working
// directory.
func (l *Loaded) GuidanceFiles() []string {
	own, _ := place.GuidanceFile(l.Places.Config)
	files := []string{own}
	for _, dir := range slices.Backward(place.Between(l.Dir, l.RepoRoot)) {
		path, _ := place.GuidanceFile(dir)
		files = append(files, path)
	}
	return files
}

// Secrets lists every secret value that is held: secret variables, those that
// jobs may get, the saved Hub token, and those inside MCP servers and
// destinations. Some may be short; what
// uses the list decides from which length on it looks for them.
func (l *Loaded) Secrets() []string {
	values := l.env.Secrets()
	token, _ := l.HFToken()
	values = append(values, token)
	for _, name := range l.Config.JobSecretAllow {
		values = append(values, l.Env(name))
	}
	for _, s := range l.Config.MCPServers {
		for name, v := range s.Headers {
			if harmless(name) {
				continue
			}
			values = append(values, string(v))
			if _, bearer, ok := strings.Cut(string(v), " "); ok { // "Bearer x": x too
				values = append(values, strings.TrimSpace(bearer))
			}
		}
		for name, v := range s.Env {
			if environ.Secret(name) {
				values = append(values, string(v))
			}
		}
		if s.Auth != "oauth" {
			values = append(values, string(s.Auth))
		}
		values = append(values, string(s.ClientSecret))
	}
	for _, d := range l.Config.Messaging.Destinations {
		values = append(values, string(d.Token), string(d.Secret))
		if d.Provider != "ntfy" {
			values = append(values, string(d.URL))
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	return slices.DeleteFunc(values, func(v string) bool { return v == "" })
}

// harmless headers carry words that occur in every text.
func harmless(header string) bool {
	header = strings.ToLower(header)
	for _, prefix := range []string{"accept", "content-", "user-agent", "mcp-", "cache-control", "x-hf-bill-to"} {
		if strings.HasPrefix(header, prefix) {
			return true
		}
	}
	return false
}

// Value is one effective setting, to show.
type Value struct {
	Key    string
	JSON   string // one line, secrets replaced by a mark
	Source layer.Source
}

// shortest is the length from which on a secret is looked for inside other
// values.
const shortest = 8

// Values lists all settings in the order of the table; members of objects stand
// on their own.
func (l *Loaded) Values() []Value {
	var marks []string
	for _, s := range l.Secrets() {
		if len(s) >= shortest {
			quoted := string(layer.Text(s))
			marks = append(marks, quoted[1:len(quoted)-1], schema.Redacted)
		}
	}
	hide := strings.NewReplacer(marks...)
	var values []Value
	for _, key := range schema.Keys {
		text := string(layer.Text(key.Of(&l.Config)))
		if text == `""` && key.Null {
			text = "null"
		}
		members := map[string]json.RawMessage{}
		if key.Kind == schema.Object && json.Unmarshal([]byte(text), &members) == nil && len(members) > 0 {
			for _, name := range layer.Sorted(members) {
				values = append(values, Value{key.Name + "." + name, hide.Replace(string(members[name])), l.tree.Source(layer.Join(key.Pointer(), name))})
			}
			continue
		}
		values = append(values, Value{key.Name, hide.Replace(text), l.tree.Source(key.Pointer())})
	}
	return values
}
