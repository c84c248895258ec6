// Package secret keeps the secrets of a job out of what others see of it and
// gives the job those it may have. It does not know how a job is submitted.
package secret

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

// Keeper knows the secrets of the user.
type Keeper struct {
	// Token is what jobs get as HF_TOKEN; "" is none.
	Token func() string
	// Find reads a variable of the user's that may be passed to jobs; nil
	// allows none.
	Find func(name string) (value string, allowed bool)
	// Shown reports what kind of secret a text shows, "" for none.
	Shown func(text string) string
	// Hold is told of the secrets that a job gets.
	Hold func(values []string)
}

// hubToken is what Shown says of a token of the Hub.
const hubToken = "hf token"

// errNoToken says why a job may not have the token.
var errNoToken = errors.New("forward_hf_token is off: jobs get no Hub token, also not in env or secrets")

// Move takes tokens out of the open environment, and refuses what must not be
// passed on.
func (k Keeper) Move(p *request.Params) error {
	for _, name := range request.SortedKeys(p.Env) {
		if !request.IsTokenName(name) && k.Shown(p.Env[name]) == "" {
			continue
		}
		if p.Secrets == nil {
			p.Secrets = map[string]string{}
		}
		p.Secrets[name] = p.Env[name]
		delete(p.Env, name)
	}
	for _, name := range request.SortedKeys(p.Secrets) {
		token := request.IsTokenName(name) || k.Shown(p.Secrets[name]) == hubToken
		switch {
		case token && k.Token() == "":
			return errNoToken
		case request.IsTokenName(name):
			delete(p.Secrets, name) // jobs have the user's anyway
		}
	}
	return k.Refuse(*p)
}

// Refuse keeps secrets out of what everybody sees who sees the job.
func (k Keeper) Refuse(p request.Params) error {
	for _, text := range append(append([]string{p.Script, p.Name}, p.Command...), p.ScriptArgs...) {
		if kind := k.Shown(text); kind != "" {
			return fmt.Errorf("the script or command shows a secret (%s), which everybody who sees the job could read: pass it in secrets and read it from the environment", kind)
		}
	}
	return nil
}

// redacted begins what stands in a journal instead of a secret.
const redacted = "[REDACTED"

// Values are the secrets that the job gets and nobody sees.
func (k Keeper) Values(p request.Params) (map[string]string, error) {
	out := map[string]string{}
	for _, name := range request.SortedKeys(p.Secrets) {
		value := p.Secrets[name]
		if strings.HasPrefix(value, redacted) {
			return nil, fmt.Errorf("secrets.%s: its value is not kept when the program is restarted: pass it again, or as $NAME", name)
		}
		if source, ok := strings.CutPrefix(value, "$"); ok {
			found, allowed := "", false
			if k.Find != nil {
				found, allowed = k.Find(source)
			}
			if !allowed {
				return nil, fmt.Errorf("secrets.%s: the variable %s may not be passed to jobs; the user can allow it in job_secret_allow", name, source)
			}
			if found == "" {
				return nil, fmt.Errorf("secrets.%s: the variable %s is not set", name, source)
			}
			value = found
		}
		out[name] = value
	}
	k.Hold(slices.Collect(maps.Values(out)))
	if token := k.Token(); token != "" {
		out["HF_TOKEN"], out["HUGGINGFACE_HUB_TOKEN"] = token, token
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}
