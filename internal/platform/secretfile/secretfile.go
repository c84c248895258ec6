// Package secretfile knows by their names the files that usually hold keys,
// tokens or passwords. It looks into none of them.
package secretfile

import (
	"path"
	"slices"
	"strings"
)

// Why says why a file, named with slashes, is taken for one with secrets; it is
// empty for any other.
func Why(name string) string {
	name = strings.ToLower(path.Clean(name))
	for _, part := range strings.Split(name, "/") {
		if folder(part) {
			return "it lies in " + part
		}
	}
	if file(path.Base(name)) {
		return "such files hold secrets"
	}
	return ""
}

// folder reports whether what lies in folders of that name is nobody else's.
func folder(name string) bool {
	return slices.Contains([]string{".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".git", ".ml-intern", ".secrets", ".kaggle", "gcloud", ".password-store"}, name)
}

// file reports whether files of that name usually hold keys, tokens or
// passwords. The files of tokenizers do not.
func file(name string) bool {
	switch name {
	case ".env.example", ".env.sample", ".env.template", ".env.dist":
		return false // made to be shared
	}
	if name == ".env" || strings.HasPrefix(name, ".env.") || strings.HasPrefix(name, ".env-") || strings.HasPrefix(name, ".envrc") {
		return true
	}
	if keepsSettings(path.Ext(name)) && stem(name) {
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

// stem reports whether a name without its ending says that it holds
// secrets.
func stem(name string) bool {
	bare := strings.TrimSuffix(strings.TrimLeft(name, "._"), path.Ext(name))
	return slices.Contains([]string{
		"netrc", "git-credentials", "pypirc", "npmrc", "htpasswd", "pgpass", "credentials", "credential", "secrets", "secret", "token",
		"tokens", "stored_tokens", "access_token", "api_key", "apikey", "api_keys", "passwords", "password", "kubeconfig", "authorized_keys",
	}, bare) || strings.HasSuffix(bare, "_token") || strings.HasSuffix(bare, "-token") || strings.HasSuffix(bare, "_secret")
}
