package environ_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/config/environ"
)

func TestNew(t *testing.T) {
	e := environ.New([]string{"A=1", "A=2", "E=", "=C:=C:\\", "odd"}, false)
	if v, ok := e.Lookup("E"); !ok || v != "" {
		t.Error("set but empty does not count as set")
	}
	if _, ok := e.Lookup("a"); ok || e.Value("A") != "1" {
		t.Errorf("A is %q", e.Value("A"))
	}
	if w := environ.New([]string{"Path=x"}, true); w.Value("PATH") != "x" {
		t.Error("Windows names are not the same in any case")
	}
}

func TestRedirects(t *testing.T) {
	yes := []string{
		"PATH", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "ML_INTERN_CLI_CONFIG", "OPENAI_BASE_URL", "ANY_BASE_URL", "HF_ENDPOINT", "HTTP_PROXY",
		"https_proxy", "OPENID_PROVIDER_URL", "OLLAMA_HOST", "CLAWD_WEB_SEARCH_BASE_URL", "ML_INTERN_JOB_HOST_TEMPLATE", "PYTHONPATH", "HF_TOKEN_PATH",
		"HF_HOME", "ML_INTERN_TOOLSERVER", "GIT_SSH_COMMAND", "SSL_CERT_FILE", "MCP_URL",
	}
	for _, b := range environ.BaseURLs {
		yes = append(yes, b.Variable)
		yes = append(yes, b.Aliases...)
	}
	for _, name := range yes {
		if !environ.Redirects(name) {
			t.Errorf("%s does not count as redirecting", name)
		}
	}
	for _, name := range []string{"HF_TOKEN", "GITHUB_TOKEN", "ANTHROPIC_API_KEY", "WANDB_PROJECT", "SLACK_CHANNEL_ID", "CUDA_VISIBLE_DEVICES"} {
		if environ.Redirects(name) {
			t.Errorf("%s counts as redirecting", name)
		}
	}
}

func TestSecret(t *testing.T) {
	for _, name := range []string{"HF_TOKEN", "MY_API_KEY", "AWS_SECRET_ACCESS_KEY", "db_password", "OPENAI_API_KEY", "X_CREDENTIALS"} {
		if !environ.Secret(name) {
			t.Errorf("%s is no secret", name)
		}
	}
	for _, name := range []string{"HF_TOKEN_PATH", "TOKENIZERS_PARALLELISM", "MAX_TOKENS", "HOME", "OPENAI_ORG_ID"} {
		if environ.Secret(name) {
			t.Errorf("%s is a secret", name)
		}
	}
}

// Every place the program talks to can be moved by a variable.
func TestURLs(t *testing.T) {
	tests := []struct {
		name string
		env  []string
		row  string
		want string
		from string
	}{
		{"default", nil, "HF_ROUTER_BASE_URL", "https://router.huggingface.co/v1", ""},
		{"slash dropped", []string{"HF_ENDPOINT= https://hub.example/ "}, "HF_ENDPOINT", "https://hub.example", "HF_ENDPOINT"},
		{"empty is unset", []string{"HF_ENDPOINT="}, "HF_ENDPOINT", "https://huggingface.co", ""},
		{"login follows the Hub", []string{"HF_ENDPOINT=https://hub.example"}, "OPENID_PROVIDER_URL", "https://hub.example", "HF_ENDPOINT"},
		{"login of its own", []string{"HF_ENDPOINT=https://hub.example", "OPENID_PROVIDER_URL=https://id.example"}, "OPENID_PROVIDER_URL", "https://id.example", "OPENID_PROVIDER_URL"},
		{"alias", []string{"CLAWD_WEB_SEARCH_BASE_URL=http://127.0.0.1:1/s/?q="}, "ML_INTERN_WEB_SEARCH_BASE_URL", "http://127.0.0.1:1/s/?q=", "CLAWD_WEB_SEARCH_BASE_URL"},
		{"shared local", []string{"LOCAL_LLM_BASE_URL=gpu:8000/v1/"}, "VLLM_BASE_URL", "http://gpu:8000/v1", "LOCAL_LLM_BASE_URL"},
		{"own before shared", []string{"LOCAL_LLM_BASE_URL=gpu:8000", "VLLM_BASE_URL=http://v"}, "VLLM_BASE_URL", "http://v", "VLLM_BASE_URL"},
		{"ollama host", []string{"OLLAMA_HOST=10.0.0.1", "LOCAL_LLM_BASE_URL=gpu:8000"}, "OLLAMA_BASE_URL", "http://10.0.0.1:11434", "OLLAMA_HOST"},
		{"ollama port", []string{"OLLAMA_HOST=:9"}, "OLLAMA_BASE_URL", "http://localhost:9", "OLLAMA_HOST"},
		{"ollama url first", []string{"OLLAMA_HOST=:9", "OLLAMA_BASE_URL=http://o"}, "OLLAMA_BASE_URL", "http://o", "OLLAMA_BASE_URL"},
		{"template", []string{"ML_INTERN_JOB_HOST_TEMPLATE=http://127.0.0.1:1/__jobs/{job_id}/{port}/"}, "ML_INTERN_JOB_HOST_TEMPLATE", "http://127.0.0.1:1/__jobs/{job_id}/{port}", "ML_INTERN_JOB_HOST_TEMPLATE"},
		{"off", nil, "ML_INTERN_WEB_FETCH_URL", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			urls, bad := environ.New(tt.env, false).URLs()
			if len(bad) > 0 {
				t.Fatal(bad)
			}
			i := slices.IndexFunc(urls, func(u environ.URL) bool { return u.Variable == tt.row })
			if u := urls[i]; u.Value != tt.want || u.From != tt.from {
				t.Errorf("%q from %q, want %q from %q", u.Value, u.From, tt.want, tt.from)
			}
		})
	}
	for _, pair := range []string{"HF_ENDPOINT=hub.example", "OPENAI_BASE_URL=ftp://x", "LOCAL_LLM_BASE_URL=unix:///x", "HF_ENDPOINT=https://", "HF_ENDPOINT=https://x/{y}", "ML_INTERN_SPACE_HOST_TEMPLATE=https://x", "HF_ENDPOINT=https://a b"} {
		if _, bad := environ.New([]string{pair}, false).URLs(); len(bad) != 1 {
			t.Errorf("%s: faults %v, want one", pair, bad)
		}
	}
}

func TestAddFile(t *testing.T) {
	dir := t.TempDir()
	e := environ.New([]string{"A=process"}, false)
	if w := e.AddFile(filepath.Join(dir, "none"), true); len(w) > 0 {
		t.Errorf("a missing file is reported: %v", w)
	}
	if w := e.AddFile(dir, true); len(w) != 1 {
		t.Errorf("a folder: %v", w)
	}
	path := filepath.Join(dir, ".env")
	if err := os.WriteFile(path, []byte("A=file\nB=1\nB=2\nPATH=/evil\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.AddFile(path, false)
	want := []environ.File{{Path: path, Names: []string{"B"}, Ignored: []string{"PATH"}}}
	if diff := cmp.Diff(want, e.Files()); diff != "" || e.Value("B") != "2" || e.Value("A") != "process" {
		t.Error(diff)
	}
}
