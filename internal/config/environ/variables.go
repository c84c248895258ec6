package environ

import (
	"slices"
	"strings"
)

// Variable is one row of the table of environment variables. Base URLs have
// their own table.
type Variable struct {
	Name    string
	Default string
	Effect  string
	// Secret: its value is removed from everything the program shows or stores.
	Secret bool
	// Redirects: it changes what code runs or where traffic and files go, so a
	// working directory's .env may set it only in a trusted folder.
	Redirects bool
	// ProcessOnly: it decides where .env files lie, so none of them may set it.
	ProcessOnly bool
}

// Variables are the environment variables the program reads.
var Variables = []Variable{
	{Name: "HF_TOKEN", Secret: true, Effect: "Hugging Face token for the router, the Hub tools and uploads"},
	{Name: "HUGGING_FACE_HUB_TOKEN", Secret: true, Effect: "used when `HF_TOKEN` is empty"},
	{Name: "HF_HOME", Default: "`~/.cache/huggingface`", Redirects: true, Effect: "folder of the saved login and of the Hub cache"},
	{Name: "HF_TOKEN_PATH", Default: "`$HF_HOME/token`", Redirects: true, Effect: "file of the saved Hub token"},
	{Name: "HF_HUB_CACHE", Default: "`$HF_HOME/hub`", Redirects: true, Effect: "folder of files downloaded from the Hub"},
	{Name: "HUGGINGFACE_HUB_TOKEN", Secret: true, Effect: "set for child shells, jobs and sandboxes; not read"},
	{Name: "ANTHROPIC_API_KEY", Secret: true, Effect: "direct access to Anthropic models"},
	{Name: "ANTHROPIC_AUTH_TOKEN", Secret: true, Effect: "bearer token used when `ANTHROPIC_API_KEY` is empty"},
	{Name: "OPENAI_API_KEY", Secret: true, Effect: "direct access to OpenAI models"},
	{Name: "OPENAI_ORG_ID", Effect: "organisation sent to OpenAI"},
	{Name: "OPENAI_PROJECT_ID", Effect: "project sent to OpenAI"},
	{Name: "OPENAI_API_MODE", Default: "`auto`", Effect: "`auto`, `chat` or `responses`: which OpenAI interface is used"},
	{Name: "OPENROUTER_API_KEY", Secret: true, Effect: "access to OpenRouter models"},
	{Name: "INFERENCE_TOKEN", Secret: true, Effect: "server only: token that pays for its own model calls"},
	{Name: "HF_BILL_TO", Redirects: true, Effect: "organisation or resource group billed for router calls; over `hf_bill_to`"},
	{Name: "ML_INTERN_DEFAULT_MODEL_ID", Default: "`moonshotai/Kimi-K2.6`", Effect: "server only: default model"},
	{Name: "ML_INTERN_CLAUDE_MODEL_ID", Effect: "server only: the Claude model it offers"},
	{Name: "ML_INTERN_MODEL_ROUTING", Default: "`auto`", Effect: "`auto`, `direct` or `router`; over `model_routing`"},
	{Name: "ML_INTERN_ALLOW_LOCAL_MODELS", Default: "off", Effect: "server only: local model servers may be used"},
	{Name: "OLLAMA_API_KEY", Secret: true, Effect: "key for `ollama/`, before `LOCAL_LLM_API_KEY`"},
	{Name: "VLLM_API_KEY", Secret: true, Effect: "key for `vllm/`, before `LOCAL_LLM_API_KEY`"},
	{Name: "LMSTUDIO_API_KEY", Secret: true, Effect: "key for `lm_studio/`, before `LOCAL_LLM_API_KEY`"},
	{Name: "LLAMACPP_API_KEY", Secret: true, Effect: "key for `llamacpp/`, before `LOCAL_LLM_API_KEY`"},
	{Name: "LOCAL_LLM_API_KEY", Default: "`sk-local-no-key-required`", Secret: true, Effect: "key for every local model server"},
	{Name: "LOCAL_LLM_REASONING_EFFORT", Default: "off", Effect: "`1` sends the reasoning effort to local servers"},
	{Name: "GITHUB_TOKEN", Secret: true, Effect: "GitHub tools"},
	{Name: "S2_API_KEY", Secret: true, Effect: "Semantic Scholar in the papers tool"},
	{Name: "BRAVE_API_KEY", Secret: true, Effect: "Brave web search"},
	{Name: "TAVILY_API_KEY", Secret: true, Effect: "Tavily web search"},
	{Name: "SLACK_BOT_TOKEN", Secret: true, Effect: "Slack bot; with a channel it adds a notification destination"},
	{Name: "SLACK_CHANNEL_ID", Effect: "Slack channel of that destination"},
	{Name: "SLACK_CHANNEL", Effect: "used when `SLACK_CHANNEL_ID` is empty"},
	{Name: "ML_INTERN_SLACK_NOTIFICATIONS", Default: "on", Effect: "`0` adds no Slack destination from the environment"},
	{Name: "ML_INTERN_SLACK_DESTINATION", Default: "`slack.default`", Effect: "name of that destination"},
	{Name: "ML_INTERN_SLACK_AUTO_EVENTS", Effect: "comma list over `messaging.auto_event_types`; empty = none"},
	{Name: "ML_INTERN_SLACK_ALLOW_AGENT_TOOL", Default: "on", Effect: "the agent may send to that destination"},
	{Name: "ML_INTERN_SLACK_ALLOW_AUTO_EVENTS", Default: "on", Effect: "automatic notifications go to that destination"},
	{Name: "HF_SESSION_UPLOAD_TOKEN", Secret: true, Effect: "first choice for uploads to the shared dataset; second of `export --target`"},
	{Name: "HF_ADMIN_TOKEN", Secret: true, Effect: "last choice for uploads to the shared dataset and of `export --target`"},
	{Name: "_ML_INTERN_PERSONAL_TOKEN", Secret: true, ProcessOnly: true, Effect: "internal: hands the session's token to the uploader"},
	{Name: "HF_KPI_WRITE_TOKEN", Secret: true, Effect: "first choice of `export kpis --target`"},
	{Name: "HF_SFT_WRITE_TOKEN", Secret: true, Effect: "first choice of `export sft --target`"},
	{Name: "KPI_SOURCE_REPO", Default: "`smolagents/ml-intern-sessions`", Effect: "server only: dataset that its hourly KPI rollup reads"},
	{Name: "KPI_TARGET_REPO", Default: "`smolagents/ml-intern-kpis`", Redirects: true, Effect: "server only: dataset that it writes"},
	{Name: "ML_INTERN_KPIS_DISABLED", Effect: "server only: any text: no KPI rollup"},
	{Name: "ML_INTERN_JOB_TOKEN", Secret: true, Effect: "token given to jobs and sandboxes in place of the session's"},
	{Name: "ML_INTERN_OAUTH_CLIENT_ID", Redirects: true, Effect: "OAuth client of the device login"},
	{Name: "ML_INTERN_TOOLSERVER", Redirects: true, Effect: "program put into sandboxes, a path"},
	{Name: "ML_INTERN_RESEARCH_CACHE", Redirects: true, Effect: "folder of the research cache"},
	{Name: "ML_INTERN_RESEARCH_OFFLINE", Default: "off", Effect: "`1` answers research from the cache alone"},
	{Name: "ML_INTERN_ARTIFACT_COLLECTION_CACHE", Redirects: true, Effect: "file with the artifact collection, for child shells"},
	{Name: "TRACKIO_WRITE_TOKEN", Secret: true, Effect: "token of a self-hosted Trackio server"},
	{Name: "ML_INTERN_CLI_CONFIG", Redirects: true, Effect: "path of the user's config file"},
	{Name: "ML_INTERN_MCP_TOKEN", Secret: true, ProcessOnly: true, Effect: "bearer token of `ml-intern mcp serve --http`, where `--token-file` names none"},
	{Name: "ML_INTERN_HOME", Default: "see places", ProcessOnly: true, Redirects: true, Effect: "one folder for `config`, `state` and `cache`"},
	{Name: "XDG_CONFIG_HOME", Default: "`~/.config`", ProcessOnly: true, Redirects: true, Effect: "parent of the config folder"},
	{Name: "XDG_STATE_HOME", Default: "`~/.local/state`", ProcessOnly: true, Redirects: true, Effect: "parent of the state folder"},
	{Name: "XDG_CACHE_HOME", Default: "`~/.cache`", ProcessOnly: true, Redirects: true, Effect: "parent of the cache folder and of `HF_HOME`"},
	{Name: "CLAUDE_CONFIG_DIR", Default: "`~/.claude`", Redirects: true, Effect: "where `sessions import` looks for sessions of Claude Code"},
	{Name: "CODEX_HOME", Default: "`~/.codex`", Redirects: true, Effect: "where `sessions import` looks for sessions of Codex"},
	{Name: "HTTP_PROXY", Redirects: true, Effect: "proxy of outbound requests; with `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`"},
	{Name: "NO_COLOR", Effect: "any text: no colour"},
	{Name: "FORCE_COLOR", Effect: "any text: colour without a terminal"},
	{Name: "TERM", Effect: "`dumb`: no control sequences"},
	{Name: "CI", Effect: "any text: no animation, no question"},
	{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Redirects: true, Effect: "OpenTelemetry collector, e.g. `http://localhost:4318`; setting it turns telemetry on"},
	{Name: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", Redirects: true, Effect: "whole address for traces"},
	{Name: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", Redirects: true, Effect: "whole address for metrics"},
	{Name: "OTEL_EXPORTER_OTLP_HEADERS", Secret: true, Redirects: true, Effect: "headers for the collector: `name=value,…`"},
	{Name: "OTEL_EXPORTER_OTLP_TRACES_HEADERS", Secret: true, Redirects: true, Effect: "headers for traces, in their place"},
	{Name: "OTEL_EXPORTER_OTLP_METRICS_HEADERS", Secret: true, Redirects: true, Effect: "headers for metrics, in their place"},
	{Name: "OTEL_EXPORTER_OTLP_PROTOCOL", Default: "`http/protobuf`", Redirects: true, Effect: "`http/protobuf` is the only one that is spoken"},
	{Name: "OTEL_TRACES_EXPORTER", Default: "`otlp`", Redirects: true, Effect: "`otlp` or `none`"},
	{Name: "OTEL_METRICS_EXPORTER", Default: "`otlp`", Redirects: true, Effect: "`otlp` or `none`"},
	{Name: "OTEL_SDK_DISABLED", Default: "off", Redirects: true, Effect: "`true` turns telemetry off"},
	{Name: "OTEL_SERVICE_NAME", Default: "`ml-intern`", Redirects: true, Effect: "name of the program in telemetry"},
	{Name: "OTEL_RESOURCE_ATTRIBUTES", Redirects: true, Effect: "more about it: `name=value,…`"},
	{Name: "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", Default: "off", Redirects: true, Effect: "`true` adds prompts, answers, arguments and results to telemetry"},
	{Name: "TRACEPARENT", Effect: "span that turns belong to, as W3C trace context"},
	{Name: "DO_NOT_TRACK", Default: "off", Effect: "`1` turns all shared telemetry off"},
	{Name: "ML_INTERN_NO_ANIMATION", Default: "off", Effect: "`1`: nothing moves on the screen"},
	{Name: "PORT", Default: "`7860`", Effect: "server only: port"},
	{Name: "SPACE_ID", Effect: "server only: the Space it runs in"},
	{Name: "SPACE_HOST", Redirects: true, Effect: "server only: its public host"},
	{Name: "OAUTH_CLIENT_ID", Redirects: true, Effect: "server only: OAuth client"},
	{Name: "OAUTH_CLIENT_SECRET", Secret: true, Effect: "server only: its secret"},
	{Name: "OAUTH_SCOPES", Effect: "server only: scopes asked for"},
	{Name: "MONGODB_URI", Secret: true, Redirects: true, Effect: "server only: old database"},
	{Name: "MONGODB_DB", Default: "`ml-intern`", Effect: "server only: its name"},
	{Name: "DATABASE_URL", Secret: true, Redirects: true, Effect: "server only: database"},
	{Name: "ML_INTERN_SECRET_KEY", Secret: true, Effect: "server only: key that encrypts stored tokens"},
	{Name: "SANDBOX_API_TOKEN", Secret: true, Effect: "token between us and a sandbox's tool server"},
	{Name: "REAPER_IDLE_MINUTES", Default: "`15`", Effect: "server only: idle sessions are put away after so many minutes"},
	{Name: "REAPER_INTERVAL_S", Default: "`300`", Effect: "server only: seconds between looks for them"},
	{Name: "REAP_TEARDOWN_TIMEOUT_S", Default: "`30`", Effect: "server only: seconds one may take"},
}

// row finds a variable in the table.
func row(name string) (Variable, bool) {
	i := slices.IndexFunc(Variables, func(v Variable) bool { return v.Name == name })
	if i < 0 {
		return Variable{}, false
	}
	return Variables[i], true
}

func processOnly(name string) bool {
	v, ok := row(name)
	return ok && v.ProcessOnly || name == "HOME" || name == "USERPROFILE" || name == "APPDATA" || name == "LOCALAPPDATA"
}

// Redirects says whether a variable changes what code runs or where traffic and
// files go. Unknown names are judged by their form.
func Redirects(name string) bool {
	name = strings.ToUpper(name)
	if v, ok := row(name); ok && v.Redirects {
		return true
	}
	if _, ok := baseURL(name); ok {
		return true
	}
	switch name {
	case "PATH", "ENV", "BASH_ENV", "SHELL", "IFS", "EDITOR", "VISUAL", "PAGER", "BROWSER", "TMPDIR",
		"NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS", "GOPROXY", "GOFLAGS":
		return true
	}
	for _, prefix := range []string{"LD_", "DYLD_", "GIT_", "PYTHON", "PIP_", "UV_", "SSL_CERT_", "OTEL_", "XDG_", "HF_ENDPOINT"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	for _, suffix := range []string{"_URL", "_URI", "_HOST", "_ENDPOINT", "_PROXY", "_HOST_TEMPLATE", "_CA_BUNDLE"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// SecretNames lists the variables of the table whose values are secrets, which not
// every name tells: commands do not have them.
func SecretNames() []string {
	var names []string
	for _, v := range Variables {
		if v.Secret {
			names = append(names, v.Name)
		}
	}
	return names
}

// Secret says whether a variable's value has to be kept out of everything the
// program shows, stores or passes on. Unknown names are judged by their form.
func Secret(name string) bool {
	name = strings.ToUpper(name)
	if v, ok := row(name); ok {
		return v.Secret
	}
	for _, suffix := range []string{"_PATH", "_FILE", "_DIR", "_TOKENS", "_PARALLELISM"} {
		if strings.HasSuffix(name, suffix) {
			return false
		}
	}
	for _, word := range []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIAL"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// Secrets lists the values of all secret variables that are set, and passwords
// inside the addresses of proxies and base URLs. Values may be short: what uses
// the list decides from which length on it looks for them in text.
func (e *Env) Secrets() []string {
	var values []string
	for _, name := range e.Names() {
		value := strings.TrimSpace(e.Value(name))
		if _, isBool := ParseBool(value); value == "" || isBool {
			continue
		}
		if Secret(name) {
			values = append(values, value)
		} else if password := passwordIn(value); password != "" {
			values = append(values, password)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}
