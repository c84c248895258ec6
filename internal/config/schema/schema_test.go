package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/config/layer"
	"github.com/ml-intern/ml-intern/internal/config/schema"
)

func read(object map[string]any) *schema.Reader {
	r := &schema.Reader{Tree: layer.New(), Dir: "/work", Home: "/h"}
	r.Defaults("https://huggingface.co")
	r.Tree.Merge(object, layer.Source{Layer: "user", Name: "f.json"})
	r.Substitute(func(name string) (string, bool) { return "", name == "E" })
	r.Read()
	return r
}

func TestTableIsSound(t *testing.T) {
	r := read(nil)
	if len(r.Problems)+len(r.Warnings) > 0 {
		t.Errorf("the defaults are at fault: %v %v", r.Problems, r.Warnings)
	}
	names, fields, flags := map[string]bool{}, map[any]string{}, map[string]bool{}
	for _, k := range schema.Keys {
		if names[k.Name] || k.Name == "" || k.Effect == "" {
			t.Errorf("%q is double or says nothing", k.Name)
		}
		names[k.Name] = true
		if other := fields[k.Of(&r.Config)]; other != "" {
			t.Errorf("%s and %s share a field", k.Name, other)
		}
		fields[k.Of(&r.Config)] = k.Name
		if k.Flag != "" && flags[k.Flag] {
			t.Errorf("flag %s stands twice", k.Flag)
		}
		flags[k.Flag] = true
		if strings.ContainsAny(k.Effect, "|\n") {
			t.Errorf("%s: the effect breaks the table of the documentation", k.Name)
		}
	}
}

// What decides about code, money, secrets or other people's data never comes
// from a folder nobody has trusted.
func TestOpenKeysAreHarmless(t *testing.T) {
	for _, name := range []string{
		"yolo_mode", "permissions.mode", "permissions.allow", "permissions.deny", "hooks", "mcpServers", "messaging.destinations", "messaging.enabled",
		"model_name", "research_model", "tool_runtime", "tools.disabled", "max_cost_usd", "model_prices", "hf_bill_to", "bash_env_allow", "bash_sandbox",
		"bash_forward_hf_token", "forward_hf_token", "job_secret_allow", "session_log_dir", "session_retention_days", "session_dataset_repo",
		"telemetry.shared", "share_traces", "personal_trace_repo_template", "confirm_cpu_jobs", "auto_file_upload", "research_bash", "confine_files", "workspace_root",
	} {
		if key, ok := schema.Find(name); !ok || key.Open {
			t.Errorf("%s: known %v, open %v", name, ok, key.Open)
		}
	}
}

func TestPaths(t *testing.T) {
	r := read(map[string]any{"session_log_dir": "session_logs", "bash_sandbox_read": []any{"~/data", "/abs"}})
	c := r.Config
	if c.SessionLogDir != "/work/session_logs" || !slices.Equal(c.BashSandboxRead, []string{"/h/data", "/abs"}) {
		t.Errorf("%q %q", c.SessionLogDir, c.BashSandboxRead)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"max_iterations":"-7"}`, `{"mcpServers":{"a":{"command":"x","args":["${B}"]},"b":null}}`, `{"hooks":{"Stop":[{"command":"x","timeout":1}]}}`,
		`{"messaging":{"enabled":"yes","destinations":{"a":{"provider":"slack","token":"${E}","channel":1}}}}`, `{"permissions":{"allow":"a,b","mode":"ASK"}}`,
		`{"model_prices":{"m":{"input":1,"output":"2"}},"model_context_tokens":{"m":1e3}}`, `{"a/b~c":{"d":[]}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		object, err := layer.ParseObject([]byte(text))
		if err != nil {
			return
		}
		r := read(object)
		c := r.Config
		for _, key := range schema.Keys {
			value, isText := key.Of(&c).(*string)
			if isText && len(key.Allowed) > 0 && *value != "" && !slices.Contains(key.Allowed, *value) {
				t.Errorf("%s became %q", key.Name, *value)
			}
		}
		if c.MaxIterations < -1 || c.MaxParallelTools < 1 || c.MaxParallelTools > 64 || c.SessionRetentionDays < 0 {
			t.Errorf("a number is out of its range: %+v", c)
		}
		for name, s := range c.MCPServers {
			if (s.Command == "") == (s.URL == "") {
				t.Errorf("server %q is neither one sort nor the other", name)
			}
		}
		for _, p := range r.Problems {
			if !strings.HasPrefix(p.Error(), "config error: ") || strings.Contains(p.Error(), "\n") {
				t.Errorf("%q", p.Error())
			}
		}
	})
}
