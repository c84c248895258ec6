package command

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// house is a place where nothing may be asked for.
func quietPlace(t *testing.T) console.Streams {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a completion has asked for %s", r.URL)
	}))
	t.Cleanup(server.Close)
	home := t.TempDir()
	return console.Streams{Dir: t.TempDir(), Err: &bytes.Buffer{}, Environ: []string{
		"HOME=" + home, "ML_INTERN_HOME=" + home, "HF_TOKEN=hf_" + strings.Repeat("x", 34), "HF_ENDPOINT=" + server.URL, "HF_ROUTER_BASE_URL=" + server.URL,
		"OLLAMA_BASE_URL=" + server.URL, "OPENAI_BASE_URL=" + server.URL, "ANTHROPIC_BASE_URL=" + server.URL,
	}}
}

// completed is what a shell is offered.
func completed(t *testing.T, s console.Streams, words ...string) string {
	t.Helper()
	var out bytes.Buffer
	s.Out, s.Args = &out, append([]string{cobra.ShellCompRequestCmd}, words...)
	if code := Main(context.Background(), s); code != 0 {
		t.Errorf("%q: exit code %d: %s", words, code, out.String())
	}
	return out.String()
}

// walk visits every command.
func walk(cmd *cobra.Command, visit func(words []string, cmd *cobra.Command)) {
	for _, below := range cmd.Commands() {
		visit(strings.Fields(below.CommandPath())[1:], below)
		walk(below, visit)
	}
}

// Every argument and every flag of every command is completed without a word to
// anybody, and no file is offered where none is meant.
func TestCompletionAsksNobody(t *testing.T) {
	s := quietPlace(t)
	answer := func(words ...string) {
		t.Helper()
		begun := time.Now()
		out := completed(t, s, words...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, ":") {
			t.Errorf("%q: %s", words, out)
		}
		if took := time.Since(begun); took > 5*time.Second { // the patience is checked elsewhere: other tests run beside
			t.Errorf("%q took %s", words, took)
		}
	}
	root := everything()
	answer("")
	root.Flags().VisitAll(func(f *pflag.Flag) { answer("--"+f.Name, "") })
	walk(root, func(words []string, cmd *cobra.Command) {
		answer(append(slices.Clone(words), "")...)
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { answer(append(slices.Clone(words), "--"+f.Name, "")...) })
	})
}

func TestCompletedValues(t *testing.T) {
	s := quietPlace(t)
	for words, want := range map[string]string{
		"":                          "sessions\t",
		"/fine":                     "/finetune\t",
		"--model openai/":           "openai/gpt-5.5:fal-ai\t",
		"--approval-mode a":         "auto-edit\tas ask",
		"acp --effort x":            "xhigh",
		"config set tool":           "tool_runtime\t",
		"config set tool_runtime ":  "sandbox",
		"config set save_sessions ": "false",
		"tools show ba":             "bash_jobs\t",
		"mcp remove ":               "hf-mcp-server\t",
		"hooks test Pre":            "PreCompact",
		"trust ":                    ":16",
		"sessions import ":          ":0",
		"--simulate=job":            "job-oom\t",
		"completion ":               "fish\t",
		"man --dir ":                ":16",
	} {
		if got := completed(t, s, strings.Split(words, " ")...); !strings.Contains("\n"+got, "\n"+want) {
			t.Errorf("%q: %s", words, got)
		}
	}
}

// The scripts are ones that their shells can read.
func TestCompletionScripts(t *testing.T) {
	for shell, args := range map[string][]string{"bash": {"-n"}, "zsh": {"-n"}, "fish": {"-n"}, "powershell": nil} {
		var out bytes.Buffer
		s := console.Streams{Args: []string{"completion", shell}, Dir: t.TempDir(), Out: &out, Err: &out}
		if code := Main(t.Context(), s); code != 0 || out.Len() < 1000 {
			t.Fatalf("%s: %d %s", shell, code, out.String())
		}
		path, err := exec.LookPath(shell)
		if err != nil || args == nil {
			t.Logf("%s is not there to read its script", shell)
			continue
		}
		script := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(script, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if said, err := exec.Command(path, append(args, script)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", shell, err, said)
		}
	}
}
