package config_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/config/schema"
)

// world is a home folder, a repository in it and an environment, all temporary.
type world struct {
	t    *testing.T
	home string
	repo string
	env  []string
	opts config.Options
}

func newWorld(t *testing.T) *world {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, home: home, repo: filepath.Join(home, "repo")}
	w.env = []string{"HOME=" + home, "PATH=/bin"}
	w.opts = config.Options{Dir: w.repo, GOOS: "linux"}
	if err := os.MkdirAll(filepath.Join(w.repo, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) write(path, text string) string {
	w.t.Helper()
	path = filepath.Join(w.home, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return path
}

const userFile = ".config/ml-intern/cli_agent_config.json"

func (w *world) user(text string) string { w.t.Helper(); return w.write(userFile, text) }

func (w *world) setenv(pairs ...string) { w.env = append(w.env, pairs...) }

func (w *world) load() (*config.Loaded, error) {
	w.t.Helper()
	o := w.opts
	o.Environ = w.env
	return config.Load(context.Background(), o)
}

func (w *world) must() *config.Loaded {
	w.t.Helper()
	l, err := w.load()
	if err != nil {
		w.t.Fatalf("load: %v", err)
	}
	return l
}

// fails loads, expects faults of the settings and gives their text.
func (w *world) fails(parts ...string) string {
	w.t.Helper()
	_, err := w.load()
	var problems config.Problems
	if !errors.As(err, &problems) {
		w.t.Fatalf("got %v, want faults of the settings", err)
	}
	text := err.Error()
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "config error: ") {
			w.t.Errorf("line %q does not start with \"config error: \"", line)
		}
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			w.t.Errorf("%q is not named in:\n%s", part, text)
		}
	}
	return text
}

func warnings(l *config.Loaded) string {
	var lines []string
	for _, w := range l.Warnings {
		lines = append(lines, w.String())
	}
	return strings.Join(lines, "\n")
}

func TestDefaults(t *testing.T) {
	l := newWorld(t).must()
	c := l.Config
	if len(l.Warnings) > 0 {
		t.Errorf("warnings without any file: %s", warnings(l))
	}
	got := map[string]any{
		"model_name": c.ModelName, "max_iterations": c.MaxIterations, "reasoning_effort": c.ReasoningEffort, "tool_runtime": c.ToolRuntime,
		"auto_file_upload": c.AutoFileUpload, "confirm_cpu_jobs": c.ConfirmCPUJobs, "max_parallel_tools": c.MaxParallelTools,
		"telemetry": c.TelemetryShared, "retention": c.SessionRetentionDays, "bash_sandbox": c.BashSandbox, "show_thinking": c.ShowThinking,
		"mcp": c.MCPServers["hf-mcp-server"].URL, "messaging": c.Messaging.Enabled, "events": c.Messaging.AutoEventTypes,
		"log dir": l.Config.SessionLogDir, "mode": c.ApprovalMode(false), "headless mode": c.ApprovalMode(true), "interrupt": c.InterruptJobs(false),
	}
	want := map[string]any{
		"model_name": "anthropic/claude-opus-4.8:fal-ai", "max_iterations": 300, "reasoning_effort": "high", "tool_runtime": "local",
		"auto_file_upload": false, "confirm_cpu_jobs": true, "max_parallel_tools": 16,
		"telemetry": false, "retention": 90, "bash_sandbox": "off", "show_thinking": true,
		"mcp": "https://huggingface.co/mcp", "messaging": false, "events": []string{"approval_required", "error", "turn_complete"},
		"log dir": filepath.Join(l.Places.Home, ".local/state/ml-intern/sessions"), "mode": "ask", "headless mode": "yolo", "interrupt": "ask",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if usd, chosen := c.CostCap(false); usd != 0 || chosen {
		t.Errorf("interactive cap %v %v", usd, chosen)
	}
	if usd, chosen := c.CostCap(true); usd != 25 || chosen {
		t.Errorf("headless cap %v %v", usd, chosen)
	}
}

// Acceptance check 4: objects are merged, lists are replaced.
func TestCheck4_DeepMerge(t *testing.T) {
	w := newWorld(t)
	w.user(`{"messaging":{"auto_event_types":["error"]},"mcpServers":{"mine":{"url":"https://mcp.example.org"}}}`)
	c := w.must().Config
	if diff := cmp.Diff([]string{"error"}, c.Messaging.AutoEventTypes); diff != "" {
		t.Error(diff)
	}
	if c.Messaging.Enabled || c.Messaging.Destinations == nil {
		t.Errorf("other messaging keys were lost: %+v", c.Messaging)
	}
	if len(c.MCPServers) != 2 {
		t.Errorf("servers %v, want the built-in and the user's", c.MCPServers)
	}
}

// Acceptance check 5: the named file has to exist and to hold an object.
func TestCheck5_UserFile(t *testing.T) {
	t.Run("missing", func(t *testing.T) {
		w := newWorld(t)
		w.setenv("ML_INTERN_CLI_CONFIG=/missing")
		w.fails("ML_INTERN_CLI_CONFIG", "/missing")
	})
	t.Run("not an object", func(t *testing.T) {
		w := newWorld(t)
		path := w.user(`[]`)
		w.fails(path, "object")
	})
	t.Run("not JSON", func(t *testing.T) {
		w := newWorld(t)
		w.user("{\n \"yolo_mode\": yes }")
		w.fails("line 2, column 15")
	})
	t.Run("home sign", func(t *testing.T) {
		w := newWorld(t)
		w.write("my.json", `{"max_iterations":7}`)
		w.setenv("ML_INTERN_CLI_CONFIG=~/my.json")
		if got := w.must().Config.MaxIterations; got != 7 {
			t.Errorf("got %d", got)
		}
	})
}

// Acceptance check 6: an unset variable stops the start, except inside an MCP
// server or a destination. The table of references stands in the package layer.
func TestCheck6_Substitution(t *testing.T) {
	t.Run("set", func(t *testing.T) {
		w := newWorld(t)
		w.setenv("A=org/m", "N=12", "YES=true")
		w.user(`{"model_name":"${A}","max_iterations":"${N}","yolo_mode":"${YES}","session_dataset_repo":"$${A}"}`)
		c := w.must().Config
		if c.ModelName != "org/m" || c.MaxIterations != 12 || !c.YoloMode || c.SessionDatasetRepo != "${A}" {
			t.Errorf("%q %d %v %q", c.ModelName, c.MaxIterations, c.YoloMode, c.SessionDatasetRepo)
		}
	})
	t.Run("unset", func(t *testing.T) {
		w := newWorld(t)
		path := w.user(`{"model_name":"${NOT_THERE}","permissions":{"allow":["bash(${GONE})"]}}`)
		text := w.fails("config error: "+path+": /model_name: ${NOT_THERE}", "GONE", ".env")
		if n := strings.Count(text, "\n") + 1; n != 2 {
			t.Errorf("%d lines:\n%s", n, text)
		}
	})
	t.Run("unset in one server", func(t *testing.T) {
		w := newWorld(t)
		w.user(`{"mcpServers":{"bad":{"url":"https://x.example","headers":{"Authorization":"Bearer ${GONE}"}},"good":{"command":"run"}}}`)
		l := w.must()
		if got := sortedKeys(l.Config.MCPServers); !slices.Equal(got, []string{"good", "hf-mcp-server"}) {
			t.Errorf("servers %v", got)
		}
		if text := warnings(l); !strings.Contains(text, "/mcpServers/bad") || !strings.Contains(text, "GONE") {
			t.Errorf("warnings: %s", text)
		}
	})
	t.Run("unset in the only destination", func(t *testing.T) {
		w := newWorld(t)
		w.user(`{"messaging":{"enabled":true,"destinations":{"a":{"provider":"slack","token":"${GONE}","channel":"c"}}}}`)
		l := w.must()
		if l.Config.Messaging.Enabled || !strings.Contains(warnings(l), "/messaging/destinations/a") {
			t.Errorf("%+v\n%s", l.Config.Messaging, warnings(l))
		}
	})
}

func sortedKeys[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Acceptance check 7: wrong values name key and choice, unknown keys the nearest.
func TestCheck7_Validation(t *testing.T) {
	t.Run("choice", func(t *testing.T) {
		w := newWorld(t)
		path := w.user(`{"tool_runtime":"hybrid"}`)
		w.fails("config error: "+path+": /tool_runtime: ", `"local"`, `"sandbox"`)
	})
	t.Run("unknown", func(t *testing.T) {
		w := newWorld(t)
		path := w.user(`{"yolo_mod":true,"permissions":{"alow":[]},"mcpServers":{"a":{"command":"x","arg":[]}}}`)
		text := warnings(w.must())
		for _, part := range []string{path + ": /yolo_mod: ", "did you mean yolo_mode?", "/permissions/alow", "permissions.allow?", "/mcpServers/a/arg", "did you mean args?"} {
			if !strings.Contains(text, part) {
				t.Errorf("%q is missing in\n%s", part, text)
			}
		}
	})
	t.Run("all at once", func(t *testing.T) {
		w := newWorld(t)
		w.user(`{"reasoning_effort":"huge","max_iterations":1.5,"session_retention_days":-1,"save_sessions":"maybe","permissions":[],
			"max_cost_usd":"x","tools":{"disabled":[1]},"model_prices":{"m":{"input":1}},"hooks":{"Nope":[],"Stop":[{"command":""}]},
			"messaging":{"enabled":true,"destinations":{"UP":{"provider":"slack","channel":"c"}}},"mcpServers":{"m":{},"n":{"url":"ftp://x"},"o":{"command":"a","url":"https://b"}},"model_context_tokens":{"m":0}}`)
		w.setenv("HF_ENDPOINT=ftp://x", "OPENAI_API_MODE=odd", "ML_INTERN_MODEL_ROUTING=odd")
		w.fails("/reasoning_effort", "/max_iterations", "/session_retention_days", "/save_sessions", "/permissions", "/max_cost_usd", "/tools/disabled/0",
			"/model_prices/m", "/hooks/Nope", "/hooks/Stop/0/command", "/messaging/destinations/UP", "/messaging/destinations/UP/token",
			"/mcpServers/m:", "/mcpServers/n/url", "/mcpServers/o", "/model_context_tokens/m",
			"HF_ENDPOINT", "OPENAI_API_MODE", "environment ML_INTERN_MODEL_ROUTING: /model_routing")
	})
	t.Run("once", func(t *testing.T) {
		for _, faulty := range []string{`{"x y":{"provider":"desktop"}}`, `{"x":{"provider":"command","argv":"ls"}}`, `{"x":{"provider":"slack","token":"a"}}`} {
			w := newWorld(t)
			w.user(`{"messaging":{"enabled":true,"destinations":` + faulty + `}}`)
			if _, err := w.load(); err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v", faulty, err)
			}
		}
	})
	t.Run("null", func(t *testing.T) {
		w := newWorld(t)
		w.user(`{"reasoning_effort":null,"max_cost_usd":null,"mcpServers":{"hf-mcp-server":null}}`)
		c := w.must().Config
		if c.ReasoningEffort != "" || c.MaxCostUSD != nil || len(c.MCPServers) != 0 {
			t.Errorf("%q %v %v", c.ReasoningEffort, c.MaxCostUSD, c.MCPServers)
		}
	})
	t.Run("a bad value leaves the default", func(t *testing.T) {
		w := newWorld(t)
		w.user(`{"tool_runtime":"hybrid","max_iterations":5}`)
		l, err := w.load()
		if err == nil || l == nil || l.Config.ToolRuntime != "local" || l.Config.MaxIterations != 5 {
			t.Errorf("%v %+v", err, l)
		}
	})
}

// Acceptance check 8: Slack from the environment.
func TestCheck8_Slack(t *testing.T) {
	slack := func(t *testing.T, pairs ...string) *world {
		w := newWorld(t)
		w.setenv("SLACK_BOT_TOKEN=xoxb-1${A}", "SLACK_CHANNEL_ID=C1")
		w.setenv(pairs...)
		return w
	}
	t.Run("default", func(t *testing.T) {
		m := slack(t).must().Config.Messaging
		want := schema.Messaging{Enabled: true, LongTurnMinutes: 10, AutoEventTypes: []string{"approval_required", "error", "turn_complete"}, Destinations: map[string]schema.Destination{
			"slack.default": {Provider: "slack", Token: "xoxb-1${A}", Channel: "C1", AllowAgentTool: true, AllowAutoEvents: true},
		}}
		if diff := cmp.Diff(want, m); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("off", func(t *testing.T) {
		if m := slack(t, "ML_INTERN_SLACK_NOTIFICATIONS=0").must().Config.Messaging; m.Enabled || len(m.Destinations) > 0 {
			t.Errorf("%+v", m)
		}
	})
	t.Run("events", func(t *testing.T) {
		m := slack(t, "ML_INTERN_SLACK_AUTO_EVENTS= error, ,", "ML_INTERN_SLACK_ALLOW_AGENT_TOOL=no", "ML_INTERN_SLACK_DESTINATION= ops ").must().Config.Messaging
		if !slices.Equal(m.AutoEventTypes, []string{"error"}) || m.Destinations["ops"].AllowAgentTool || !m.Destinations["ops"].AllowAutoEvents {
			t.Errorf("%+v", m)
		}
	})
	t.Run("no events", func(t *testing.T) {
		if m := slack(t, "ML_INTERN_SLACK_AUTO_EVENTS=").must().Config.Messaging; len(m.AutoEventTypes) > 0 {
			t.Errorf("%+v", m)
		}
	})
	t.Run("bogus event", func(t *testing.T) {
		slack(t, "ML_INTERN_SLACK_AUTO_EVENTS=bogus").fails("ML_INTERN_SLACK_AUTO_EVENTS", "turn_complete")
	})
	t.Run("existing destination stays", func(t *testing.T) {
		w := slack(t)
		w.user(`{"messaging":{"destinations":{"slack.default":{"provider":"slack","token":"mine","channel":"C9"}}}}`)
		if m := w.must().Config.Messaging; !m.Enabled || m.Destinations["slack.default"].Channel != "C9" {
			t.Errorf("%+v", m)
		}
	})
	t.Run("explicit false wins", func(t *testing.T) {
		w := slack(t)
		w.user(`{"messaging":{"enabled":false}}`)
		if m := w.must().Config.Messaging; m.Enabled {
			t.Errorf("%+v", m)
		}
	})
}

// Acceptance check 9: .env of the working directory.
func TestCheck9_DotEnv(t *testing.T) {
	w := newWorld(t)
	w.opts.Dir = filepath.Join(w.repo, "sub")
	env := w.write("repo/sub/.env", "GITHUB_TOKEN=x # c\nS2_API_KEY=file\nHF_ENDPOINT=https://evil.example\nML_INTERN_S2_URL=https://evil.example\nLD_PRELOAD=/x.so\nML_INTERN_HOME=/x\nFOO=${ANTHROPIC_API_KEY}!\n")
	parent := w.write("repo/.env", "GITHUB_TOKEN=parent\nONLY_PARENT=1\n")
	w.write(".env", "OUTSIDE=1\n") // above the repository
	user := w.write(".config/ml-intern/.env", "BRAVE_API_KEY=b\nONLY_PARENT=user\nVLLM_BASE_URL=gpu:8000/\n")
	w.setenv("S2_API_KEY=process", "ANTHROPIC_API_KEY=process")

	l := w.must()
	got := map[string]string{}
	for _, name := range []string{"GITHUB_TOKEN", "S2_API_KEY", "HF_ENDPOINT", "LD_PRELOAD", "ML_INTERN_HOME", "ONLY_PARENT", "OUTSIDE", "BRAVE_API_KEY", "FOO"} {
		if v, ok := l.LookupEnv(name); ok {
			got[name] = v + " " + l.EnvSource(name)
		}
	}
	want := map[string]string{
		"GITHUB_TOKEN": "x " + env, "S2_API_KEY": "process ", "ONLY_PARENT": "1 " + parent, "BRAVE_API_KEY": "b " + user, "FOO": "! " + env,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if u := l.URL("HF_ENDPOINT"); u.Value != "https://huggingface.co" || u.Set() {
		t.Errorf("HF_ENDPOINT is %+v in an untrusted folder", u)
	}
	if u := l.URL("VLLM_BASE_URL"); u.Value != "http://gpu:8000" {
		t.Errorf("VLLM_BASE_URL from the user's file: %+v", u)
	}
	for _, part := range []string{"HF_ENDPOINT", "LD_PRELOAD", "ML_INTERN_S2_URL", "not trusted", "ANTHROPIC_API_KEY is not set"} {
		if !strings.Contains(warnings(l), part) {
			t.Errorf("no warning names %q:\n%s", part, warnings(l))
		}
	}
	if strings.Contains(warnings(l), "evil") {
		t.Errorf("a warning repeats a value:\n%s", warnings(l))
	}

	w.opts.Trust = true
	l = w.must()
	if u := l.URL("HF_ENDPOINT"); u.Value != "https://evil.example" || u.From != "HF_ENDPOINT" {
		t.Errorf("HF_ENDPOINT is %+v in a trusted folder", u)
	}
	if got := l.Config.MCPServers["hf-mcp-server"].URL; got != "https://evil.example/mcp" {
		t.Errorf("built-in server at %s", got)
	}
	if l.Env("ML_INTERN_HOME") != "" || l.Env("FOO") != "process!" {
		t.Errorf("%q %q", l.Env("ML_INTERN_HOME"), l.Env("FOO"))
	}
	if names := l.EnvFiles()[0].Names; !slices.Contains(names, "GITHUB_TOKEN") {
		t.Errorf("files: %+v", l.EnvFiles())
	}
}

func TestProjectFile(t *testing.T) {
	w := newWorld(t)
	w.setenv("HF_TOKEN=hf_secretsecret")
	w.user(`{"permissions":{"deny":["bash(rm *)"]}}`)
	path := w.write("repo/.ml-intern/config.json", `{"yolo_mode":true,"max_iterations":9,"reasoning_effort":"${HF_TOKEN}","permissions":{"allow":["bash"],"deny":[]},
		"mcpServers":{"x":{"command":"evil"}},"hooks":{"Stop":[{"command":"evil"}]},"model_name":"replay/evil.json","ui":{"banner":"animated"},"no_such":1}`)

	l := w.must()
	c := l.Config
	if c.YoloMode || len(c.Permissions.Allow) > 0 || len(c.Permissions.Deny) != 1 || len(c.MCPServers) != 1 || len(c.Hooks) > 0 || strings.HasPrefix(c.ModelName, "replay") || c.ReasoningEffort != "high" {
		t.Errorf("an untrusted file changed what it must not: %+v", c)
	}
	if c.MaxIterations != 9 || c.UI.Banner != "animated" {
		t.Errorf("plain preferences were not taken: %d %s", c.MaxIterations, c.UI.Banner)
	}
	for _, part := range []string{path, "/yolo_mode", "/permissions/allow", "/mcpServers", "/hooks", "/reasoning_effort"} {
		if !strings.Contains(warnings(l), part) {
			t.Errorf("no warning names %q:\n%s", part, warnings(l))
		}
	}

	if err := l.TrustList().Trust(w.repo); err != nil {
		t.Fatal(err)
	}
	w.write("repo/.ml-intern/config.json", `{"yolo_mode":true,"permissions":{"allow":["bash"]}}`)
	l = w.must()
	if !l.Trusted || !l.Config.YoloMode || l.Config.ApprovalMode(false) != "yolo" || len(l.Config.Permissions.Deny) != 1 {
		t.Errorf("trusted %v: %+v", l.Trusted, l.Config.Permissions)
	}
}

func TestControlCharactersOfForeignNamesAreNotPrinted(t *testing.T) {
	w := newWorld(t)
	w.write("repo/.ml-intern/config.json", `{"evil\u001b]52;c;x\u0007":1}`)
	if text := warnings(w.must()); text == "" || strings.ContainsAny(text, "\x1b\x07") {
		t.Errorf("%q", text)
	}
}

func TestNoHomeFolder(t *testing.T) {
	w := newWorld(t)
	w.env = []string{}
	w.fails("HOME", "ML_INTERN_HOME")
}

func TestFlags(t *testing.T) {
	w := newWorld(t)
	w.user(`{"max_iterations":5,"permissions":{"allow":["read"]},"model_name":"huggingface/org/m"}`)
	w.opts.Flags = map[string][]string{"max_iterations": {"7", "-5"}, "permissions.allow": {"bash(git status*)"}, "max_cost_usd": {"0"}, "tool_runtime": {"sandbox"}}
	l := w.must()
	c := l.Config
	usd, chosen := c.CostCap(true)
	if c.MaxIterations != -1 || !slices.Equal(c.Permissions.Allow, []string{"read", "bash(git status*)"}) || usd != 0 || !chosen || c.ToolRuntime != "sandbox" || c.ModelName != "org/m" {
		t.Errorf("%+v", c)
	}
	sources := map[string]string{}
	for _, v := range l.Values() {
		sources[v.Key] = v.Source.String()
	}
	if sources["max_iterations"] != "flag --max-iterations" || sources["model_name"] != "user "+l.UserFile || sources["yolo_mode"] != "default" {
		t.Errorf("sources: %v", sources)
	}
	w.user(`{"mcpServers":{"mine":{"command":"/bin/a"}}}`)
	w.opts.Flags = map[string][]string{"mcpServers": {`{"theirs":{"command":"/bin/b","args":["$HOME","${HOME}"],"env":{"TOKEN":"a secret of ${X}"}}}`}}
	l = w.must()
	theirs := l.Config.MCPServers["theirs"]
	if l.Config.MCPServers["mine"].Command != "/bin/a" || theirs.Command != "/bin/b" || theirs.Layer != "flag" || l.Config.MCPServers["mine"].Layer != "user" {
		t.Errorf("%+v", l.Config.MCPServers)
	}
	if theirs.Args[1] != "${HOME}" || theirs.Env["TOKEN"] != "a secret of ${X}" || !slices.Contains(l.Secrets(), "a secret of ${X}") {
		t.Errorf("what the command line says is taken as it is: %+v, %q", theirs, l.Secrets())
	}
	w.user(`{}`)
	w.opts.Flags = map[string][]string{"max_iterations": {"many"}, "nope": {"1"}}
	w.fails("flag --max-iterations: /max_iterations: must be an integer", "/nope")
}

func TestEnvironmentOverFiles(t *testing.T) {
	w := newWorld(t)
	w.user(`{"model_routing":"direct","telemetry":{"shared":true},"hf_bill_to":"a"}`)
	w.setenv("ML_INTERN_MODEL_ROUTING=router", "DO_NOT_TRACK=1", "HF_BILL_TO=acme")
	c := w.must().Config
	if c.ModelRouting != "router" || c.TelemetryShared || c.HFBillTo != "acme" {
		t.Errorf("%q %v %q", c.ModelRouting, c.TelemetryShared, c.HFBillTo)
	}
	w.setenv("HF_BILL_TO=a")
	w.env = append([]string{"HF_BILL_TO=a\x01b"}, w.env...)
	w.fails("HF_BILL_TO", "control")
}

// No secret may show in an error, a warning or a shown value, wherever it was
// put by mistake.
func TestSecretsStayHidden(t *testing.T) {
	const secret = "hf_0123456789abcdefghijklmnopqrstuv"
	w := newWorld(t)
	w.setenv("HF_TOKEN="+secret, "ANTHROPIC_BASE_URL="+secret)
	w.write("repo/.env", "GITHUB_TOKEN='"+secret+"\nX\n"+secret+"\n")
	w.user(`{"reasoning_effort":"` + secret + `","tool_runtime":"${HF_TOKEN}","max_iterations":"${HF_TOKEN}","yolo_mode":"${HF_TOKEN}","hooks":"${HF_TOKEN}",
		"mcpServers":{"a":{"url":"${HF_TOKEN}","headers":{"Authorization":"Bearer ${HF_TOKEN}"}},"b":{"command":"x","args":["--key","${HF_TOKEN}"],"env":{"K":"${HF_TOKEN}"}}},
		"messaging":{"auto_event_types":["${HF_TOKEN}"],"destinations":{"d":{"provider":"${HF_TOKEN}"}}},"session_dataset_repo":"${HF_TOKEN}"}`)
	l, err := w.load()
	if err == nil {
		t.Fatal("no fault found")
	}
	var shown strings.Builder
	shown.WriteString(err.Error() + warnings(l))
	for _, v := range l.Values() {
		shown.WriteString(v.JSON)
	}
	if strings.Contains(shown.String(), secret) {
		t.Errorf("a secret shows:\n%s", shown.String())
	}
	if !slices.Contains(l.Secrets(), secret) {
		t.Error("the token is not in the list of secrets")
	}
}

func TestSecretsLists(t *testing.T) {
	w := newWorld(t)
	w.setenv("ANTHROPIC_API_KEY=sk-ant-1234567", "MY_DB_PASSWORD=hunter2hunter2", "TOKENIZERS_PARALLELISM=false", "HF_TOKEN_PATH=~/tok", "HTTPS_PROXY=http://u:proxypass@p:1")
	w.write("tok", "hf_filefilefile\r\n")
	w.user(`{"mcpServers":{"a":{"url":"https://x.example","headers":{"Authorization":"Bearer mcptoken1","Content-Type":"application/json"},"auth":"oauth"}},
		"messaging":{"destinations":{"d":{"provider":"webhook","url":"https://hook.example/abc","secret":"hooksecret"}}}}`)
	want := []string{"Bearer mcptoken1", "hf_filefilefile", "hooksecret", "https://hook.example/abc", "hunter2hunter2", "mcptoken1", "proxypass", "sk-ant-1234567"}
	if diff := cmp.Diff(want, w.must().Secrets()); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	o := config.Options{Dir: dir, Environ: []string{"HOME=" + dir}, GOOS: "linux"}
	for b.Loop() {
		if _, err := config.Load(context.Background(), o); err != nil {
			b.Fatal(err)
		}
	}
}
