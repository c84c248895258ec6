package command_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
)

// Which Hub token a job gets: the one that was made for jobs, else the
// session's, which is told when it may write everywhere, or none, and then also
// none that the model passes.
func TestTokenOfJobs(t *testing.T) {
	const broad = "may write everywhere"
	for name, c := range map[string]struct {
		config, args string
		env          []string
		token        string // "" is none
		says         string
		quiet        string // what it does not say
		refused      bool
	}{
		"the session's":         {config: `{}`, token: "hf_bob_write", says: broad},
		"one of its own":        {config: `{}`, env: []string{"ML_INTERN_JOB_TOKEN=hf_bob_fine"}, token: "hf_bob_fine", quiet: broad},
		"none":                  {config: `{"forward_hf_token":false}`, quiet: broad},
		"none, whatever is set": {config: `{"forward_hf_token":false}`, env: []string{"ML_INTERN_JOB_TOKEN=hf_bob_fine"}, quiet: broad},
		"none from the model":   {config: `{"forward_hf_token":false}`, args: `,"secrets":{"HF_TOKEN":"hf_other"}`, says: "forward_hf_token is off", refused: true},
		"none in the open":      {config: `{"forward_hf_token":false}`, args: `,"env":{"HUGGINGFACE_HUB_TOKEN":"hf_other"}`, says: "forward_hf_token is off", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hubsimtest.Start(t, hubsim.Options{Clock: clock.Options{Scale: 1}})
			home := t.TempDir()
			if err := os.WriteFile(filepath.Join(home, "settings.json"), []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0], "tools", "call", "--yes", "hf_jobs", `{"operation":"run","command":["true"]`+c.args+`}`)
			cmd.Dir = t.TempDir()
			cmd.Env = append([]string{
				"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "LC_ALL=C.UTF-8", "HF_TOKEN=hf_bob_write",
				"ML_INTERN_CLI_CONFIG=" + filepath.Join(home, "settings.json"), asProgram + "=1",
			}, append(hubsim.BaseEnv(h.URL()), c.env...)...)
			raw, err := cmd.CombinedOutput()
			said := string(raw)
			if (err != nil) != c.refused || !strings.Contains(said, c.says) || c.quiet != "" && strings.Contains(said, c.quiet) {
				t.Fatalf("%v\n%s", err, said)
			}
			for _, token := range []string{"hf_bob_write", "hf_bob_fine", "hf_other"} {
				if strings.Contains(said, token) {
					t.Errorf("it shows %s:\n%s", token, said)
				}
			}
			secrets := secretsOfJobs(t, h)
			if c.refused {
				if len(secrets) != 0 {
					t.Errorf("a job was made: %v", secrets)
				}
				return
			}
			if len(secrets) != 1 || secrets[0]["HF_TOKEN"] != c.token || secrets[0]["HUGGINGFACE_HUB_TOKEN"] != c.token {
				t.Errorf("the jobs have %v, want %q", secrets, c.token)
			}
		})
	}
}

// secretsOfJobs are the secrets of each of bob's jobs.
func secretsOfJobs(t *testing.T, h *hubsim.Hub) []map[string]string {
	t.Helper()
	var ids []string
	for _, r := range h.Requests() {
		_, rest, ok := strings.Cut(r.Path, "/api/jobs/bob/")
		if id, _, _ := strings.Cut(rest, "/"); ok && len(id) == 24 && !strings.Contains(strings.Join(ids, " "), id) {
			ids = append(ids, id)
		}
	}
	all := []map[string]string{}
	for _, id := range ids {
		raw, err := h.Jobs().Spec(account.With(context.Background(), h.Accounts().As("bob")), id)
		if err != nil {
			t.Fatal(err)
		}
		var spec struct {
			Secrets map[string]string `json:"secrets"`
		}
		if err := json.Unmarshal(raw, &spec); err != nil {
			t.Fatal(err)
		}
		all = append(all, spec.Secrets)
	}
	return all
}
