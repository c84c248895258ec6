package danger

import (
	"path"
	"slices"
	"strings"
)

// Surroundings is what a command runs in. All paths are absolute, with links
// resolved.
type Surroundings struct {
	// Workspace lists the folders the session works in.
	Workspace []string
	// Home is the user's home folder, empty when unknown.
	Home string
	// Owned reports whether the session started the process; nil means none.
	Owned func(pid int) bool
}

// Inside reports whether p is one of the workspace's folders or below one.
func (s Surroundings) Inside(p string) bool {
	return slices.ContainsFunc(s.Workspace, func(root string) bool { return below(p, root) })
}

// strictlyInside leaves out the workspace's folders themselves.
func (s Surroundings) strictlyInside(p string) bool {
	return s.Inside(p) && !slices.ContainsFunc(s.Workspace, func(root string) bool { return path.Clean(root) == p })
}

// below reports whether p is dir or lies under it.
func below(p, dir string) bool {
	if dir == "" {
		return false
	}
	dir = path.Clean(dir)
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}

// Protected says why p needs a question even inside the workspace, or returns
// the empty string. Protected are, wherever they stand, version control data
// (.git, .hg, .svn), keys and credentials (.ssh, .gnupg, .aws, .netrc,
// .git-credentials, .pypirc, .npmrc), environment files (.env, .env.*, .envrc)
// and this program's own folder (.ml-intern); in the home folder .config,
// .cache/huggingface, .kube, .docker, .local/bin, .local/state/ml-intern, LaunchAgents and git's
// settings; shell start-up files in the home folder or outside the workspace.
func (s Surroundings) Protected(p string) string {
	for _, name := range strings.Split(p, "/") {
		if why := protectedName(name); why != "" && !s.worksIn(p, name) {
			return why
		}
	}
	for _, folder := range homeFolders() {
		full := path.Join(s.Home, folder)
		if s.Home == "" || !below(p, full) {
			continue
		}
		if !slices.ContainsFunc(s.Workspace, func(root string) bool { return below(root, full) && below(p, root) }) {
			return "~/" + folder
		}
	}
	dir, name := path.Split(p)
	if slices.Contains(startFiles(), name) && (!s.Inside(p) || s.Home != "" && path.Clean(dir) == path.Clean(s.Home)) {
		return "the shell start-up file " + name
	}
	return ""
}

// worksIn reports whether the workspace itself lies in a folder of that name:
// who works there has chosen to.
func (s Surroundings) worksIn(p, name string) bool {
	return slices.ContainsFunc(s.Workspace, func(root string) bool {
		return below(p, root) && slices.Contains(strings.Split(root, "/"), name) &&
			!slices.Contains(strings.Split(strings.TrimPrefix(p, path.Clean(root)), "/"), name)
	})
}

func protectedName(name string) string {
	switch strings.ToLower(name) {
	case ".git", ".hg", ".svn":
		return "version control data in " + name
	case ".ssh", ".gnupg", ".aws", ".netrc", ".git-credentials", ".pypirc", ".npmrc":
		return "credentials in " + name
	case ".ml-intern":
		return "settings in " + name
	case ".env", ".envrc":
		return "the environment file " + name
	case ".env.example", ".env.sample", ".env.template", ".env.dist":
		return "" // made to be shared
	}
	if strings.HasPrefix(strings.ToLower(name), ".env.") {
		return "the environment file " + name
	}
	return ""
}

func homeFolders() []string {
	return []string{
		".config", ".cache/huggingface", ".kube", ".docker", ".local/bin", "Library/LaunchAgents", ".gitconfig",
		".huggingface", ".local/state/ml-intern",
	}
}

func startFiles() []string {
	return []string{
		".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv",
		".zprofile", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login", ".inputrc", ".xprofile",
	}
}
