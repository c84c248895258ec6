package secretfile_test

import (
	"testing"

	"github.com/ml-intern/ml-intern/internal/platform/secretfile"
)

func TestWhy(t *testing.T) {
	for _, name := range []string{
		".env", "a/.ENV", ".env.local", ".envrc", "prod.env", "/home/me/.ssh/config", "id_rsa", "id_ed25519.pub", "server.pem", "a.key", "token", "hf_token.txt",
		"stored_tokens", "credentials.json", "secrets.yaml", ".netrc", ".git-credentials", ".git/config", "my_api_token.txt", "kaggle.json", ".bash_history", "x/.aws/credentials",
	} {
		if secretfile.Why(name) == "" {
			t.Errorf("%s is for everybody", name)
		}
	}
	for _, name := range []string{
		".env.example", "tokenizer.json", "tokens.py", "src/token.go", "special_tokens_map.json", "train.py", "data/train.csv", "README.md", "keys.md", "environment.yml", "a/b/",
	} {
		if why := secretfile.Why(name); why != "" {
			t.Errorf("%s: %s", name, why)
		}
	}
}
