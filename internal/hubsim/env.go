package hubsim

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
)

// bases are the variables with addresses of the services around the Hub and
// where they are below the hub's address.
var bases = [...][2]string{
	{"HF_ENDPOINT", ""},
	{"OPENID_PROVIDER_URL", ""},
	{"HF_ROUTER_BASE_URL", "/router/v1"},
	{"ML_INTERN_DATASETS_SERVER_URL", "/datasets-server"},
	{"ML_INTERN_ARXIV_URL", "/arxiv"},
	{"ML_INTERN_ARXIV_API_URL", "/arxiv-api"},
	{"ML_INTERN_AR5IV_URL", "/ar5iv"},
	{"ML_INTERN_S2_URL", "/s2"},
	{"ML_INTERN_OPENALEX_URL", "/openalex"},
	{"ML_INTERN_GITHUB_API_URL", "/github"},
	{"ML_INTERN_GRADIO_URL", "/gradio"},
	{"ML_INTERN_GRADIO_SEARCH_URL", "/gradio-search"},
	{"ML_INTERN_WEB_SEARCH_BASE_URL", "/web-search"},
	{"ML_INTERN_WEB_FETCH_URL", "/web"},
	{"ML_INTERN_SLACK_API_URL", "/slack"},
	{"ML_INTERN_SPACE_HOST_TEMPLATE", "/__spaces/{subdomain}"},
	{"ML_INTERN_JOB_HOST_TEMPLATE", "/__jobs/{job_id}/{port}"},
}

// BaseEnv are the base addresses alone, as NAME=VALUE, for a hub at origin.
func BaseEnv(origin string) []string {
	all := make([]string, 0, len(bases))
	for _, b := range bases {
		all = append(all, b[0]+"="+origin+b[1])
	}
	return all
}

// Env is the environment that points programs at the simulator as user; empty
// is bob. It is for a hub that listens.
func (h *Hub) Env(user string) ([]string, error) { return h.EnvAt(h.URL(), user) }

// EnvAt is Env for a hub at origin, whether it listens or not.
func (h *Hub) EnvAt(origin, user string) ([]string, error) {
	user = cmp.Or(user, "bob")
	token, err := h.tokenOf(user)
	if err != nil {
		return nil, err
	}
	home := h.o.Home
	if home == "" {
		home = filepath.Join(h.world.Load().dir, "home", strings.ToLower(user))
	}
	return append(
		BaseEnv(origin), "HF_TOKEN="+token, "HF_HOME="+home, "GITHUB_TOKEN=sim", "HF_HUB_DISABLE_XET=1",
		"HF_HUB_DISABLE_TELEMETRY=1",
	), nil
}

// tokenOf is the token of a user that may do most.
func (h *Hub) tokenOf(user string) (string, error) {
	rank := func(t account.Token) int {
		return slices.Index([]string{"god", "write", "fineGrained", "read"}, t.Role)
	}
	tokens := slices.DeleteFunc(h.Accounts().Tokens(user), func(t account.Token) bool {
		return t.Revoked || t.OAuthScopes != nil || !t.ExpiresAt.IsZero() && !h.Clock().Now().Before(t.ExpiresAt)
	})
	if len(tokens) == 0 {
		return "", fmt.Errorf("user %q has no token on this simulator", user)
	}
	return slices.MinFunc(tokens, func(x, y account.Token) int { return rank(x) - rank(y) }).Value, nil
}
