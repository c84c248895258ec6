// Package place knows where the program keeps and finds its files: the folders
// for configuration, state and caches, the list of trusted folders, the guidance
// a project writes for the agent, and the saved Hub login. It does not know what
// the settings mean.
package place

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const name = "ml-intern"

// Places are the folders of the program. None of them need exist.
type Places struct {
	Home   string // the user's home folder
	Config string
	State  string
	Cache  string
}

// Lookup gives an environment variable and whether it is set.
type Lookup func(name string) (string, bool)

// Find works the folders out. With ML_INTERN_HOME they are its "config", "state"
// and "cache"; otherwise the XDG folders, on Windows those of %APPDATA% and
// %LOCALAPPDATA%. dir is what a relative ML_INTERN_HOME is relative to.
func Find(lookup Lookup, goos, dir string) (Places, error) {
	value := func(name string) string {
		v, _ := lookup(name)
		return strings.TrimSpace(v)
	}
	p := Places{Home: value("HOME")}
	if goos == "windows" {
		p.Home = value("USERPROFILE")
	}
	if p.Home != "" && !filepath.IsAbs(p.Home) && goos == runtime.GOOS {
		return Places{}, fmt.Errorf("the home folder is %q: HOME must be an absolute path", p.Home)
	}
	if root := value("ML_INTERN_HOME"); root != "" {
		root = Absolute(root, dir, p.Home)
		p.Config, p.State, p.Cache = filepath.Join(root, "config"), filepath.Join(root, "state"), filepath.Join(root, "cache")
		return p, nil
	}
	if goos == "windows" {
		return p.windows(value("APPDATA"), value("LOCALAPPDATA"))
	}
	// The XDG rules: a relative path is invalid and ignored.
	below := func(variable string, fallback ...string) string {
		if v := value(variable); filepath.IsAbs(v) {
			return filepath.Join(v, name)
		}
		if p.Home == "" {
			return ""
		}
		return filepath.Join(append(append([]string{p.Home}, fallback...), name)...)
	}
	p.Config = below("XDG_CONFIG_HOME", ".config")
	p.State = below("XDG_STATE_HOME", ".local", "state")
	p.Cache = below("XDG_CACHE_HOME", ".cache")
	if p.Config == "" || p.State == "" || p.Cache == "" {
		return p, errors.New("the home folder is unknown: set HOME or ML_INTERN_HOME")
	}
	return p, nil
}

func (p Places) windows(roaming, local string) (Places, error) {
	if p.Home != "" && roaming == "" {
		roaming = filepath.Join(p.Home, "AppData", "Roaming")
	}
	if p.Home != "" && local == "" {
		local = filepath.Join(p.Home, "AppData", "Local")
	}
	if roaming == "" || local == "" {
		return p, errors.New("the user's folders are unknown: set APPDATA and LOCALAPPDATA, or ML_INTERN_HOME")
	}
	p.Config = filepath.Join(roaming, name)
	p.State = filepath.Join(local, name, "state")
	p.Cache = filepath.Join(local, name, "cache")
	return p, nil
}

// ConfigFile is the user's settings file.
func (p Places) ConfigFile() string { return filepath.Join(p.Config, "cli_agent_config.json") }

// EnvFile is the user's .env file.
func (p Places) EnvFile() string { return filepath.Join(p.Config, ".env") }

// Sessions is the folder of journals and saved sessions.
func (p Places) Sessions() string { return filepath.Join(p.State, "sessions") }

// TrustFile lists the trusted folders.
func (p Places) TrustFile() string { return filepath.Join(p.State, "trust.json") }

// OAuth is what a login by OAuth leaves for its renewal.
func (p Places) OAuth() string { return filepath.Join(p.State, "oauth.json") }

// DebugLog is where details and stack traces go.
func (p Places) DebugLog() string { return filepath.Join(p.State, "debug.log") }

// RouterModels is the cached catalogue of the router.
func (p Places) RouterModels() string { return filepath.Join(p.Cache, "router-models.json") }

// Identity is the cached answer to "who am I".
func (p Places) Identity() string { return filepath.Join(p.Cache, "identity.json") }

// Absolute expands a leading "~" and makes a path absolute, relative to dir. An
// empty path stays empty.
func Absolute(path, dir, home string) string {
	if path == "" {
		return ""
	}
	if home != "" {
		if path == "~" {
			path = home
		} else if strings.HasPrefix(path, "~/") || strings.HasPrefix(path, `~\`) {
			path = filepath.Join(home, path[2:])
		}
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Clean(path)
}

// RepoRoot is the root of the git repository around a folder, "" outside one.
func RepoRoot(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// Between lists the folders from dir up to root, dir first. When dir is not
// below root, or root is empty, it is dir alone.
func Between(dir, root string) []string {
	dirs := []string{dir}
	if root == "" {
		return dirs
	}
	for at := dir; at != root; {
		parent := filepath.Dir(at)
		if parent == at {
			return dirs[:1]
		}
		at = parent
		dirs = append(dirs, at)
	}
	return dirs
}
