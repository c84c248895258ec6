package proc

import (
	"regexp"
	"slices"
	"strings"
)

// secretName matches the names of variables that hold credentials.
const secretName = `(?i)(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIAL)`

// agentName is what tells the Hub and its libraries who runs them.
const agentName = "AI_AGENT=ml-intern"

// EnvRule says which variables a child gets.
type EnvRule struct {
	// ForwardHFToken lets the Hub token through, under its three names.
	ForwardHFToken bool
	// Allow lists names that pass although they look like secrets.
	Allow []string
	// Drop lists further names that do not pass.
	Drop []string
}

// Environ returns the variables of env that a child may see: those without
// credentials, and AI_AGENT.
func Environ(env []string, rule EnvRule) []string {
	secret := regexp.MustCompile(secretName)
	out := make([]string, 0, len(env)+1)
	for _, v := range env {
		name, _, ok := strings.Cut(v, "=")
		if ok && name != "AI_AGENT" && rule.passes(name, secret) {
			out = append(out, v)
		}
	}
	return append(out, agentName)
}

func (r EnvRule) passes(name string, secret *regexp.Regexp) bool {
	if slices.Contains(r.Allow, name) {
		return true
	}
	switch name {
	case "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN":
		return r.ForwardHFToken
	case "TOKENIZERS_PARALLELISM": // a switch of the tokenizers library, no token
		return true
	}
	upper := strings.ToUpper(name)
	return !strings.HasPrefix(upper, "SLACK_") && !strings.HasPrefix(upper, "_ML_INTERN_") &&
		!slices.Contains(r.Drop, name) && !secret.MatchString(name)
}
