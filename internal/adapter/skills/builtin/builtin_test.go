package builtin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/skills"
	"github.com/ml-intern/ml-intern/internal/adapter/skills/builtin"
	"github.com/ml-intern/ml-intern/internal/lab/memory"
)

func library(t *testing.T) *skills.Library {
	t.Helper()
	l := skills.Load(skills.Options{BuiltIn: builtin.Files()})
	for _, p := range l.Problems {
		t.Error(p)
	}
	return l
}

// Every skill is sound, short enough to be loaded, and mentions files that are
// there; every file is mentioned. Its line costs every session's first request.
func TestSkills(t *testing.T) {
	l := library(t)
	var names []string
	for _, e := range l.Skills() {
		names = append(names, e.Name)
		body, err := e.Body()
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(body, "\n") + 1; n < 75 || n > 200 {
			t.Errorf("%s has %d lines", e.Name, n)
		}
		if len(e.Description) > 70 || e.Hint == "" || e.License != "Apache-2.0" {
			t.Errorf("%s: %q (%d bytes), takes %q, %s", e.Name, e.Description, len(e.Description), e.Hint, e.License)
		}
		for i, line := range strings.Split(body, "\n") {
			if n := len([]rune(line)); n > 100 && !strings.HasPrefix(line, "|") {
				t.Errorf("%s:%d has %d characters", e.Name, i+1, n)
			}
		}
		files, _, err := e.Files()
		if err != nil {
			t.Fatal(err)
		}
		there := map[string]bool{}
		for _, f := range files {
			there[f.Name] = true
			if !strings.Contains(body, "`"+f.Name+"`") {
				t.Errorf("%s does not say what %s is for", e.Name, f.Name)
			}
		}
		for _, line := range strings.Split(body, "\n") {
			for _, m := range regexp.MustCompile("`((?:scripts|assets|references)/[^`]+)`").FindAllStringSubmatch(line, -1) {
				if !there[m[1]] && !strings.Contains(line, "skill `") {
					t.Errorf("%s mentions %s, which is not there", e.Name, m[1])
				}
			}
		}
	}
	if diff := cmp.Diff([]string{"dataset-card", "debug-oom", "eval", "finetune", "reproduce-paper"}, names); diff != "" {
		t.Error(diff)
	}
}

// Another skill that a text sends to, and its script, are there.
func TestSkillsThatAreMentioned(t *testing.T) {
	l := library(t)
	for _, e := range l.Skills() {
		body, err := e.Body()
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(body), " ")
		for _, m := range regexp.MustCompile("skill `([^`]+)`").FindAllStringSubmatch(text, -1) {
			if _, ok := l.Skill(m[1]); !ok {
				t.Errorf("%s sends to the skill %s, which is not there", e.Name, m[1])
			}
		}
		for _, m := range regexp.MustCompile("`(scripts/[a-z]+\\.py)` of the skill `([a-z-]+)`").FindAllStringSubmatch(text, -1) {
			other, _ := l.Skill(m[2])
			if _, err := other.Read(m[1]); err != nil {
				t.Errorf("%s: %s of %s: %v", e.Name, m[1], m[2], err)
			}
		}
	}
}

// python runs a script of a skill; without an interpreter the test is skipped,
// but in CI.
func python(t *testing.T, script, stdin string, args ...string) (stdout string, code int) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the scripts of skills need python3")
		}
		t.Skip("there is no python3")
	}
	raw, err := fs.ReadFile(builtin.Files(), script)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), filepath.Base(script))
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"-I", file}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if errs.Len() > 0 {
		t.Logf("stderr: %s", errs.String())
	}
	if strings.Contains(errs.String(), "Traceback") {
		t.Error("the script failed inside")
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*math.Max(1, math.Abs(want)) {
		t.Errorf("%s: %g, want %g", what, got, want)
	}
}

// The estimator agrees with the program's own arithmetic.
func TestVRAM(t *testing.T) {
	shapes := map[string]struct {
		config string
		shape  memory.Shape
		params float64
	}{
		"Llama 3.1 8B": {
			`{"num_hidden_layers":32,"hidden_size":4096,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":14336,"vocab_size":128256}`,
			memory.Shape{Layers: 32, Hidden: 4096, Heads: 32, KVHeads: 8, Intermediate: 14336, Vocabulary: 128256},
			8.03e9,
		},
		"wide heads, a text part": {
			`{"text_config":{"num_hidden_layers":28,"hidden_size":1024,"num_attention_heads":16,"num_key_value_heads":8,"head_dim":128,"intermediate_size":3072,"vocab_size":151936}}`,
			memory.Shape{Layers: 28, Hidden: 1024, Heads: 16, KVHeads: 8, HeadDim: 128, Intermediate: 3072, Vocabulary: 151936},
			5.96e8,
		},
		"experts": {
			`{"num_hidden_layers":32,"hidden_size":4096,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":14336,"num_local_experts":8,"vocab_size":32000}`,
			memory.Shape{Layers: 32, Hidden: 4096, Heads: 32, KVHeads: 8, Intermediate: 14336, Experts: 8},
			46.7e9,
		},
	}
	for name, test := range shapes {
		for _, method := range []string{"full", "lora", "qlora", "serve"} {
			t.Run(name+" "+method, func(t *testing.T) {
				params, err := json.Marshal(test.params)
				if err != nil {
					t.Fatal(err)
				}
				out, code := python(t, "finetune/scripts/vram.py", "", "--config", write(t, "config.json", test.config),
					"--params", string(params), "--method", method, "--rank", "8", "--batch", "2", "--length", "1000", "--json")
				var got struct {
					Parameters, Adapters, Total, Needed float64
					PerToken                            float64 `json:"kv_bytes_per_token"`
					Parts                               map[string]float64
					Fits                                []string
				}
				if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
					t.Fatalf("%d, %v: %s", code, err, out)
				}
				near(t, "parameters", got.Parameters, test.params)
				near(t, "adapters", got.Adapters, test.shape.LoRA(8))
				perToken, _ := test.shape.PerToken(2)
				near(t, "cache of a token", got.PerToken, perToken)
				static := got.Total - got.Parts["activations (estimate)"]
				switch method {
				case "full":
					near(t, "full", static, memory.FullTune(test.params))
				case "lora", "qlora":
					near(t, method, static, memory.Adapters(test.params, test.shape.LoRA(8), method == "qlora"))
				case "serve":
					near(t, method, got.Total, 2*test.params+2000*perToken)
				}
				if got.Needed <= got.Total || len(got.Fits) > 7 {
					t.Errorf("%g of %g: %v", got.Total, got.Needed, got.Fits)
				}
			})
		}
	}
	out, _ := python(t, "finetune/scripts/vram.py", "", "--config", write(t, "config.json", shapes["Llama 3.1 8B"].config), "--batch", "4")
	if !strings.HasPrefix(out, "8.03 B parameters, lora, batch 4 x 2048 tokens") || !strings.Contains(out, "fits on: L4, A10G, L40S") {
		t.Errorf("for people: %s", out)
	}
	for _, bad := range [][]string{{}, {"--params", "8B", "--method", "lora"}, {"--config", write(t, "c.json", "{}")}, {"--params", "1B", "--method", "full", "--shard", "0"}} {
		if _, code := python(t, "finetune/scripts/vram.py", "", bad...); code != 2 {
			t.Errorf("%v: exit code %d", bad, code)
		}
	}
}
