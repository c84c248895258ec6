package command_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/hubsim"
)

// simulation is a running hubsim.
type simulation struct {
	testing.TB
	cmd *exec.Cmd
	env map[string]string
}

func startHubsim(t testing.TB, dir string, args ...string) *simulation {
	t.Helper()
	s := &simulation{TB: t, env: map[string]string{}}
	s.cmd = exec.Command(os.Args[0], append([]string{"hubsim", "--listen", "127.0.0.1:0"}, args...)...)
	s.cmd.Dir = dir
	s.cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), asProgram + "=1"}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = &strings.Builder{}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	for lines := bufio.NewScanner(out); s.env["HF_HUB_DISABLE_TELEMETRY"] == "" && lines.Scan(); {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		s.env[name] = strings.Trim(value, "'")
	}
	if s.env["HF_ENDPOINT"] == "" {
		_ = s.cmd.Wait()
		t.Fatalf("it did not start: %s", s.cmd.Stderr)
	}
	return s
}

// do sends a request as bob and returns the answer.
func (s *simulation) do(method, path, body string) (int, string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.env["HF_ENDPOINT"]+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.env["HF_TOKEN"])
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

func (s *simulation) end() {
	s.Helper()
	http.DefaultClient.CloseIdleConnections()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.Fatalf("%v: %s", err, s.cmd.Stderr)
	}
}

func TestHubsimRunsUntilItIsStopped(t *testing.T) {
	dir := t.TempDir()
	faults := `{"match":{"path":"/api/users/alice"},"do":{"status":418}}`
	if err := os.WriteFile(filepath.Join(dir, "faults.json"), []byte(faults), 0o644); err != nil {
		t.Fatal(err)
	}
	s := startHubsim(t, dir, "--exec", "scripted", "--state", "state", "--clock", "manual", "--faults", "faults.json")
	if code, body := s.do("GET", "/api/whoami-v2", ""); code != 200 || !strings.Contains(body, `"name":"bob"`) {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := s.do("GET", "/api/users/alice/overview", ""); code != 418 {
		t.Errorf("the fault is not played: %d", code)
	}
	if code, body := s.do("POST", "/__hubsim/clock", `{"advance":"1h"}`); code != 200 || !strings.Contains(body, "2026-01-01T01:00") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := s.do("POST", "/api/repos/create", `{"name":"kept","type":"model"}`); code != 200 {
		t.Errorf("%d %s", code, body)
	}
	s.end()

	// Everything is there again.
	s = startHubsim(t, dir, "--exec", "scripted", "--state", "state", "--clock", "manual")
	if code, _ := s.do("GET", "/api/models/bob/kept/tree/main", ""); code != 200 {
		t.Errorf("the repository is gone: %d", code)
	}
	if _, body := s.do("GET", "/__hubsim/clock", ""); !strings.Contains(body, "2026-01-01T01:00") {
		t.Errorf("the time is not kept: %s", body)
	}
	s.end()
	if info, err := os.Stat(filepath.Join(dir, "state", "state.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// The simulator's list of base addresses is the program's, but for the servers
// of models, Telegram's, and the searches that are asked only when they are set up.
func TestHubsimEnvCoversAllBaseURLs(t *testing.T) {
	elsewhere := []string{
		"ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OPENROUTER_BASE_URL", "OLLAMA_BASE_URL", "VLLM_BASE_URL",
		"LMSTUDIO_BASE_URL", "LLAMACPP_BASE_URL", "LOCAL_LLM_BASE_URL", "ML_INTERN_SEARXNG_URL", "ML_INTERN_BRAVE_URL",
		"ML_INTERN_TAVILY_URL", "ML_INTERN_TELEGRAM_API_URL",
	}
	var simulated []string
	for _, v := range hubsim.BaseEnv("http://127.0.0.1:7870") {
		name, value, _ := strings.Cut(v, "=")
		simulated = append(simulated, name)
		if !strings.HasPrefix(value, "http://127.0.0.1:7870") {
			t.Errorf("%s", v)
		}
	}
	for _, b := range environ.BaseURLs {
		if slices.Contains(simulated, b.Variable) == slices.Contains(elsewhere, b.Variable) {
			t.Errorf("%s is neither simulated nor left out, or both", b.Variable)
		}
	}
	for _, name := range simulated {
		if !slices.ContainsFunc(environ.BaseURLs, func(b environ.BaseURL) bool { return b.Variable == name }) {
			t.Errorf("the program does not know %s", name)
		}
	}
}
