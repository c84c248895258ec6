package environ

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// BaseURL is one row of the table of places the program talks to. A variable is
// read first, then its aliases, then the row it falls back to, then the default.
type BaseURL struct {
	Variable string
	Aliases  []string
	Default  string // "" = the service is off unless the variable is set
	Fallback string // another row's variable
	Effect   string
	Local    bool // a model server of the user: "host:port" gets "http://"
	Whole    bool // a complete address, to which nothing is appended
	Template bool // a pattern with {placeholders}
}

// BaseURLs are all places the program talks to. All of them count as
// redirecting traffic.
var BaseURLs = []BaseURL{
	{Variable: "HF_ENDPOINT", Default: "https://huggingface.co", Effect: "Hugging Face Hub"},
	{Variable: "OPENID_PROVIDER_URL", Default: "https://huggingface.co", Fallback: "HF_ENDPOINT", Effect: "OAuth login"},
	{Variable: "HF_ROUTER_BASE_URL", Default: "https://router.huggingface.co/v1", Effect: "Hugging Face router: models of inference providers"},
	{Variable: "ANTHROPIC_BASE_URL", Default: "https://api.anthropic.com", Effect: "Anthropic"},
	{Variable: "OPENAI_BASE_URL", Default: "https://api.openai.com/v1", Effect: "OpenAI"},
	{Variable: "OPENROUTER_BASE_URL", Default: "https://openrouter.ai/api/v1", Effect: "OpenRouter"},
	{Variable: "OLLAMA_BASE_URL", Aliases: []string{"OLLAMA_HOST"}, Default: "http://localhost:11434", Fallback: "LOCAL_LLM_BASE_URL", Local: true, Effect: "Ollama, with or without `/v1`"},
	{Variable: "VLLM_BASE_URL", Default: "http://localhost:8000", Fallback: "LOCAL_LLM_BASE_URL", Local: true, Effect: "vLLM"},
	{Variable: "LMSTUDIO_BASE_URL", Default: "http://127.0.0.1:1234", Fallback: "LOCAL_LLM_BASE_URL", Local: true, Effect: "LM Studio"},
	{Variable: "LLAMACPP_BASE_URL", Default: "http://localhost:8080", Fallback: "LOCAL_LLM_BASE_URL", Local: true, Effect: "llama.cpp"},
	{Variable: "LOCAL_LLM_BASE_URL", Local: true, Effect: "every local model server without its own variable"},
	{Variable: "ML_INTERN_DATASETS_SERVER_URL", Default: "https://datasets-server.huggingface.co", Effect: "dataset viewer"},
	{Variable: "ML_INTERN_ARXIV_URL", Default: "https://arxiv.org", Effect: "arXiv pages: `/html`, `/pdf`, `/abs`"},
	{Variable: "ML_INTERN_ARXIV_API_URL", Default: "https://export.arxiv.org", Effect: "arXiv search: `/api/query`"},
	{Variable: "ML_INTERN_AR5IV_URL", Default: "https://ar5iv.labs.arxiv.org", Effect: "ar5iv: `/html`"},
	{Variable: "ML_INTERN_S2_URL", Default: "https://api.semanticscholar.org", Effect: "Semantic Scholar: `/graph/v1`, `/recommendations/v1`"},
	{Variable: "ML_INTERN_OPENALEX_URL", Default: "https://api.openalex.org", Effect: "OpenAlex"},
	{Variable: "ML_INTERN_GITHUB_API_URL", Default: "https://api.github.com", Effect: "GitHub"},
	{Variable: "ML_INTERN_GRADIO_URL", Default: "https://gradio.app", Effect: "Gradio documentation: `/llms.txt`"},
	{Variable: "ML_INTERN_GRADIO_SEARCH_URL", Default: "https://playground-worker.pages.dev", Effect: "Gradio search: `/api/prompt`"},
	{Variable: "ML_INTERN_WEB_SEARCH_BASE_URL", Aliases: []string{"CLAWD_WEB_SEARCH_BASE_URL"}, Default: "https://html.duckduckgo.com/html/", Whole: true, Effect: "web search, the whole address; when set it is the only one asked"},
	{Variable: "ML_INTERN_SEARXNG_URL", Effect: "SearXNG search: `/search`"},
	{Variable: "ML_INTERN_BRAVE_URL", Default: "https://api.search.brave.com", Effect: "Brave search: `/res/v1/web/search`"},
	{Variable: "ML_INTERN_TAVILY_URL", Default: "https://api.tavily.com", Effect: "Tavily search: `/search`"},
	{Variable: "ML_INTERN_WEB_FETCH_URL", Effect: "stand-in for fetched web pages: `/HOST/PATH`"},
	{Variable: "ML_INTERN_SLACK_API_URL", Default: "https://slack.com/api", Effect: "Slack"},
	{Variable: "ML_INTERN_TELEGRAM_API_URL", Default: "https://api.telegram.org", Effect: "Telegram's bots"},
	{Variable: "ML_INTERN_SPACE_HOST_TEMPLATE", Default: "https://{subdomain}.hf.space", Template: true, Effect: "address of a Space"},
	{Variable: "ML_INTERN_JOB_HOST_TEMPLATE", Default: "https://{job_id}--{port}.hf.jobs", Template: true, Effect: "address of a job's port"},
}

// URL is a base URL as it is in force: no slash at the end, unless the row is a
// whole address.
type URL struct {
	BaseURL
	Value string // "" = off
	From  string // the variable that supplied it; "" = the default
}

// Set says whether a variable chose the value, also when it is the default's.
func (u URL) Set() bool { return u.From != "" }

// URLs resolves the whole table, in its order. An error names the variable and
// never its value.
func (e *Env) URLs() ([]URL, map[string]error) {
	urls := make([]URL, 0, len(BaseURLs))
	bad := map[string]error{}
	for _, b := range BaseURLs {
		u := e.resolve(b, bad)
		u.BaseURL = b
		urls = append(urls, u)
	}
	return urls, bad
}

// URL resolves one row; an unknown variable is a URL without a value.
func (e *Env) URL(variable string) URL {
	b, ok := baseURL(variable)
	if !ok {
		return URL{}
	}
	u := e.resolve(b, map[string]error{})
	u.BaseURL = b
	return u
}

func (e *Env) resolve(b BaseURL, bad map[string]error) URL {
	for _, name := range append([]string{b.Variable}, b.Aliases...) {
		text := strings.TrimSpace(e.Value(name))
		if text == "" {
			continue
		}
		value, err := b.normal(name, text)
		if err != nil {
			bad[name] = err
			return URL{Value: b.Default}
		}
		return URL{Value: value, From: name}
	}
	if next, ok := baseURL(b.Fallback); ok {
		if u := e.resolve(next, bad); u.Set() {
			return u
		}
	}
	return URL{Value: b.Default}
}

// baseURL finds the row of a variable or an alias.
func baseURL(name string) (BaseURL, bool) {
	for _, b := range BaseURLs {
		if b.Variable == name {
			return b, true
		}
		for _, alias := range b.Aliases {
			if alias == name {
				return b, true
			}
		}
	}
	return BaseURL{}, false
}

// ollamaPort is what the bare host of OLLAMA_HOST stands for.
const ollamaPort = "11434"

// normal checks one address and gives the form used in the program.
func (b BaseURL) normal(name, text string) (string, error) {
	if b.Local && !strings.Contains(text, "://") {
		if strings.HasPrefix(text, ":") {
			text = "localhost" + text
		}
		text = "http://" + text
	}
	checked := text
	if b.Template {
		checked = strings.NewReplacer("{", "", "}", "").Replace(text)
	}
	u, err := url.Parse(checked)
	switch {
	case err != nil || strings.ContainsAny(text, " \t\r\n\"<>\\"):
		return "", fmt.Errorf("%s is not a web address", name)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%s must start with http:// or https://", name)
	case u.Hostname() == "":
		return "", fmt.Errorf("%s names no host", name)
	case !b.Template && strings.ContainsAny(text, "{}"):
		return "", fmt.Errorf("%s is not a web address", name)
	case b.Template && !strings.Contains(text, "{"):
		return "", errors.New(name + " holds no {placeholder}")
	}
	if b.Whole {
		return text, nil
	}
	text = strings.TrimRight(text, "/")
	if name == "OLLAMA_HOST" && u.Port() == "" && strings.Trim(u.Path, "/") == "" {
		text += ":" + ollamaPort
	}
	return text, nil
}

// passwordIn gives the password inside an address, if it holds one.
func passwordIn(text string) string {
	if !strings.Contains(text, "://") || !strings.Contains(text, "@") {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return password
}
