package research

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// confined is read for sub-agents: only below some folders, and no file that
// usually holds a secret. A sub-agent reads pages written by anybody; nothing
// there should be able to have it fetch a key.
type confined struct {
	tool.Tool
	folders []string
}

// Run reads unless the file is none for sub-agents.
func (c confined) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p struct {
		Path string `json:"path"`
	}
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed("read: " + err.Error()), nil
	}
	for _, file := range append(c.named(p.Path), c.Risk(args).Reads...) {
		if why := c.refused(file); why != "" {
			return tool.Failed(fmt.Sprintf("read: %s is not for sub-agents: %s", p.Path, why)), nil
		}
	}
	return c.Tool.Run(ctx, env, args)
}

// audited is hf_dataset_audit for sub-agents: it reads data sets on the Hub and
// files of the workspace, but none that usually holds a secret.
type audited struct{ tool.Tool }

// Run audits unless a file is none for sub-agents.
func (a audited) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p struct {
		Dataset    string   `json:"dataset"`
		Benchmarks []string `json:"benchmarks"`
	}
	if err := json.Unmarshal(args, &p); err != nil {
		return tool.Failed("hf_dataset_audit: its arguments cannot be read"), nil
	}
	for _, name := range append(p.Benchmarks, p.Dataset) {
		if why := unfit(name); why != "" {
			return tool.Failed(fmt.Sprintf("hf_dataset_audit: %s is not for sub-agents: %s", name, why)), nil
		}
	}
	return a.Tool.Run(ctx, env, args)
}

// unfit says why a data set that is a file is not for sub-agents, or is empty.
// Data sets of the Hub have no ending, and a name that begins with none of the
// signs of a path.
func unfit(name string) string {
	file := strings.ReplaceAll(strings.TrimSpace(name), `\`, "/")
	if strings.HasPrefix(file, "hf:") || !strings.ContainsAny(file[:min(1, len(file))], "./~") && path.Ext(file) == "" {
		return ""
	}
	file = strings.ToLower(path.Clean(file))
	for _, part := range strings.Split(file, "/") {
		if secretFolder(part) {
			return "it lies in " + part
		}
	}
	base := strings.TrimSuffix(strings.TrimSuffix(path.Base(file), ".gz"), ".zst")
	for _, ending := range []string{".tsv", ".jsonl", ".parquet"} { // as much as those of settings
		base = strings.Replace(base, ending, ".json", 1)
	}
	if secretName(base) {
		return "such files hold secrets"
	}
	return ""
}

// named is the file that a path means, before links are followed.
func (c confined) named(file string) []string {
	if !absolute(file) && len(c.folders) > 0 {
		file = path.Join(filepath.ToSlash(c.folders[0]), filepath.ToSlash(file))
	}
	return []string{file}
}

// absolute also knows the paths of a sandbox, which begin with a slash wherever
// this program runs.
func absolute(file string) bool { return path.IsAbs(file) || filepath.IsAbs(file) }

// refused says why a file is not for sub-agents, or is empty.
func (c confined) refused(file string) string {
	file = path.Clean(filepath.ToSlash(file))
	inside := slices.ContainsFunc(c.folders, func(dir string) bool {
		dir = path.Clean(filepath.ToSlash(dir))
		return file == dir || strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/")
	})
	if !inside {
		return "it is outside the workspace"
	}
	for _, part := range strings.Split(strings.ToLower(file), "/") {
		if secretFolder(part) {
			return "it lies in " + part
		}
	}
	if secretName(strings.ToLower(path.Base(file))) {
		return "such files hold secrets"
	}
	return ""
}

func secretFolder(name string) bool {
	return slices.Contains([]string{".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".git", ".ml-intern", ".secrets", ".kaggle", "gcloud", ".password-store"}, name)
}

// secretName reports whether files of that name usually hold keys, tokens or
// passwords. The files of tokenizers do not.
func secretName(name string) bool {
	switch name {
	case ".env.example", ".env.sample", ".env.template", ".env.dist":
		return false // made to be shared
	}
	if name == ".env" || strings.HasPrefix(name, ".env.") || strings.HasPrefix(name, ".env-") || strings.HasPrefix(name, ".envrc") {
		return true
	}
	if keepsSettings(path.Ext(name)) && secretStem(name) {
		return true
	}
	if slices.Contains([]string{".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".asc", ".gpg", ".token", ".env"}, path.Ext(name)) {
		return true
	}
	if strings.HasSuffix(name, "_history") || slices.Contains([]string{"kaggle.json", "hosts.yml", "terraform.tfstate", ".my.cnf", ".s3cfg", ".boto", "application_default_credentials.json"}, name) {
		return true
	}
	for _, part := range []string{"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "hf_token", "service-account", "service_account", "client_secret"} {
		if strings.HasPrefix(name, part) {
			return true
		}
	}
	return false
}

// keepsSettings reports whether files of that kind hold values, not programs.
func keepsSettings(ext string) bool {
	switch ext {
	case "", ".txt", ".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".csv":
		return true
	}
	return ext == ".netrc" || ext == ".pypirc" || ext == ".npmrc" || ext == ".htpasswd" || ext == ".pgpass" || ext == ".git-credentials" || ext == ".token"
}

// secretStem reports whether a name without its ending says that it holds
// secrets.
func secretStem(name string) bool {
	stem := strings.TrimSuffix(strings.TrimLeft(name, "._"), path.Ext(name))
	return slices.Contains([]string{
		"netrc", "git-credentials", "pypirc", "npmrc", "htpasswd", "pgpass", "credentials", "credential", "secrets", "secret", "token",
		"tokens", "stored_tokens", "access_token", "api_key", "apikey", "api_keys", "passwords", "password", "kubeconfig", "authorized_keys",
	}, stem) || strings.HasSuffix(stem, "_token") || strings.HasSuffix(stem, "-token") || strings.HasSuffix(stem, "_secret")
}
