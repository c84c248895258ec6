package fault

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Context is what the words for a person need beyond the fault itself.
type Context struct {
	Label       string        // how people are told of the provider: "Anthropic API"
	BaseURL     string        // where it was asked
	KeyVariable string        // what holds its key
	URLVariable string        // what changes BaseURL
	Plan        string        // the Hugging Face plan: "free", "pro", …; empty when unknown
	Close       []string      // ids of models with a similar name
	Tried       time.Duration // how long was tried in vain, 0 for one try
}

// Where people see to their bills.
const (
	hubBilling = "https://huggingface.co/settings/billing"
	hubPro     = "https://huggingface.co/subscribe/pro"
)

// consoles are the billing pages of the other providers.
func consoles(provider string) string {
	return map[string]string{
		"anthropic":  "https://console.anthropic.com/settings/billing",
		"openai":     "https://platform.openai.com/settings/organization/billing",
		"openrouter": "https://openrouter.ai/settings/credits",
	}[provider]
}

// Explain fills Text and Hint of f: one sentence each on what happened and on
// what to do next.
func Explain(f *llm.Fault, c Context) {
	if c.Label == "" {
		c.Label = f.Provider
	}
	switch f.Class {
	case llm.ClassMissingKey, llm.ClassAuth, llm.ClassPermission:
		f.Text, f.Hint = explainKey(f, c)
	case llm.ClassBilling:
		f.Text, f.Hint = explainBilling(f, c)
	case llm.ClassNotServing:
		f.Text, f.Hint = explainNotServing(f, c)
	case llm.ClassModelNotFound:
		f.Text, f.Hint = explainNotFound(f, c)
	case llm.ClassRateLimit, llm.ClassOverloaded:
		f.Text, f.Hint = explainBusy(f, c)
	case llm.ClassOverflow, llm.ClassMaxTokensTooLarge, llm.ClassRequestTooLarge:
		f.Text, f.Hint = explainSize(f, c)
	case llm.ClassNetwork, llm.ClassTimeout:
		f.Text, f.Hint = explainNetwork(f, c)
	default:
		f.Text, f.Hint = explainOther(f, c)
	}
}

func onHub(f *llm.Fault) bool { return f.Provider == "hf-router" }

func explainKey(f *llm.Fault, c Context) (text, hint string) {
	variable := c.KeyVariable
	if variable == "" {
		variable = "its key"
	}
	switch f.Class {
	case llm.ClassMissingKey:
		text = fmt.Sprintf("The model %s needs a key for %s, and %s is not set.", f.Model, c.Label, variable)
	case llm.ClassAuth:
		text = fmt.Sprintf("%s refused the key from %s%s.", c.Label, variable, quoted(f.Message))
	default:
		text = fmt.Sprintf("The key from %s may not do this at %s%s.", variable, c.Label, quoted(f.Message))
	}
	if onHub(f) {
		return text, "Run `hf auth login` or set HF_TOKEN (a .env file works) to a token with the permission " +
			"“Make calls to Inference Providers”, or choose another model with --model or /model."
	}
	return text, fmt.Sprintf("Set %s in the environment or in a .env file, or choose another model with --model or /model.", variable)
}

func explainBilling(f *llm.Fault, c Context) (text, hint string) {
	if !onHub(f) {
		text = fmt.Sprintf("The balance or quota at %s is used up%s.", c.Label, quoted(f.Message))
		if page := consoles(f.Provider); page != "" {
			return text, fmt.Sprintf("Add credits or raise the limit at %s, or choose another model with --model or /model.", page)
		}
		return text, "Add credits or raise the limit in that provider's console, or choose another model with --model or /model."
	}
	switch strings.ToLower(c.Plan) {
	case "free":
		return "The monthly inference credits of your free Hugging Face plan are used up.",
			fmt.Sprintf("Subscribe to PRO at %s, or add credits at %s.", hubPro, hubBilling)
	case "":
		return "The inference credits of your Hugging Face account appear to be exhausted.",
			fmt.Sprintf("See what is left and add credits at %s, or subscribe to PRO at %s.", hubBilling, hubPro)
	}
	return fmt.Sprintf("The inference credits of your Hugging Face %s plan are used up.", strings.ToUpper(c.Plan)),
		fmt.Sprintf("Add credits at %s.", hubBilling)
}

func explainNotServing(f *llm.Fault, c Context) (text, hint string) {
	slash := strings.IndexByte(f.Model, '/')
	if colon := strings.LastIndexByte(f.Model, ':'); colon > slash && slash > 0 {
		return fmt.Sprintf("%s does not serve %s.", f.Model[colon+1:], f.Model[:colon]),
			fmt.Sprintf("Drop the suffix (`--model %[1]s`, `/model %[1]s`), or see with `ml-intern models` or /model who serves it.", f.Model[:colon])
	}
	return fmt.Sprintf("No provider behind %s that your account may use serves %s.", c.Label, f.Model),
		"Choose another model with --model or /model, or enable more providers in your account's inference settings."
}

func explainNotFound(f *llm.Fault, c Context) (text, hint string) {
	text = fmt.Sprintf("%s knows no model %s%s.", c.Label, f.Model, at(c))
	if len(c.Close) > 0 {
		return text, fmt.Sprintf("Did you mean %s? Switch with --model or /model.", strings.Join(c.Close, ", "))
	}
	return text, "Check the id, and choose a model with --model or /model."
}

func explainBusy(f *llm.Fault, c Context) (text, hint string) {
	what := "limits how often it may be asked"
	if f.Class == llm.ClassOverloaded {
		what = "is overloaded"
	}
	text = fmt.Sprintf("%s %s%s%s.", c.Label, what, tried(c), quoted(f.Message))
	if f.Wait > 0 {
		return text, fmt.Sprintf("Try again in %s, or choose another model with --model or /model.", spoken(f.Wait))
	}
	return text, "Try again in a few minutes, or choose another model with --model or /model."
}

func explainSize(f *llm.Fault, c Context) (text, hint string) {
	switch {
	case f.Class == llm.ClassRequestTooLarge:
		text = fmt.Sprintf("The conversation has more bytes than %s takes in one request, also without its old images and long outputs.", c.Label)
	case f.Used > 0 && f.Limit > 0:
		text = fmt.Sprintf("The conversation is too large for %s, even after it was compacted (%d of %d tokens).", f.Model, f.Used, f.Limit)
	case f.Limit > 0:
		text = fmt.Sprintf("The conversation is too large for %s, even after it was compacted (at most %d tokens).", f.Model, f.Limit)
	default:
		text = fmt.Sprintf("The conversation is too large for %s, even after it was compacted.", f.Model)
	}
	return text, "Shorten it with /compact, start afresh with /new (without --continue), or choose a model with a larger window with --model or /model."
}

func explainNetwork(f *llm.Fault, c Context) (text, hint string) {
	start := startCommand(f.Provider)
	switch {
	case f.AfterOutput || f.Message == earlyEnd:
		text = fmt.Sprintf("The answer of %s broke off%s%s.", c.Label, tried(c), quoted(f.Message))
	case f.Class == llm.ClassTimeout:
		text = fmt.Sprintf("%s did not answer in time%s%s%s.", c.Label, at(c), tried(c), quoted(f.Message))
	default:
		text = fmt.Sprintf("%s cannot be reached%s%s%s.", c.Label, at(c), tried(c), quoted(f.Message))
	}
	switch {
	case start != "" && c.URLVariable != "":
		return text, fmt.Sprintf("Start the server (%s), or point %s at where it runs.", start, c.URLVariable)
	case c.URLVariable != "":
		return text, fmt.Sprintf("Check the network and proxy settings, and %s if you have set it, then try again.", c.URLVariable)
	}
	return text, "Check the network and proxy settings, then try again."
}

// startCommand says how a local server is started, or "".
func startCommand(provider string) string {
	return map[string]string{
		"ollama":    "`ollama serve`",
		"vllm":      "`vllm serve MODEL`",
		"lm_studio": "`lms server start`",
		"llamacpp":  "`llama-server -m MODEL.gguf`",
	}[provider]
}

func explainOther(f *llm.Fault, c Context) (text, hint string) {
	text = fmt.Sprintf("%s failed on %s (%s%s)%s%s.", c.Label, f.Model,
		strings.ReplaceAll(string(f.Class), "_", " "), status(f), tried(c), quoted(f.Message))
	if f.RequestID != "" {
		return text, fmt.Sprintf("Quote request id %s if you ask the provider about it.", f.RequestID)
	}
	if f.Class == llm.ClassServer {
		return text, "Try again later, or choose another model with --model or /model."
	}
	return text, "Choose another model with --model or /model if it happens again."
}

func status(f *llm.Fault) string {
	if f.Status == 0 {
		return ""
	}
	return fmt.Sprintf(", HTTP %d", f.Status)
}

// at names the place that was asked, without what may be secret in it.
func at(c Context) string {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" {
		return ""
	}
	return fmt.Sprintf(" at %s://%s%s", u.Scheme, u.Host, u.Path)
}

func tried(c Context) string {
	if c.Tried <= 0 {
		return ""
	}
	return fmt.Sprintf(" (tried for %s)", spoken(c.Tried))
}

// quoted adds the provider's own words to a sentence, without their final dot.
func quoted(message string) string {
	message = strings.TrimRight(message, " .")
	if message == "" {
		return ""
	}
	return ": " + message
}

// spoken is a duration in whole seconds, or minutes over an hour.
func spoken(d time.Duration) string {
	seconds := int((d + time.Second - 1) / time.Second)
	if seconds <= 3600 {
		return fmt.Sprintf("%d s", seconds)
	}
	return fmt.Sprintf("%d min", (seconds+59)/60)
}
