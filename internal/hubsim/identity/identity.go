// Package identity answers who somebody is: whoami, profiles, members, what was
// spent, and the OAuth flows that give tokens out. It reads the accounts and
// knows neither repositories nor jobs.
package identity

import (
	"crypto/ed25519"
	"net/http"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// Options of the area.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	// User is who logs in where no token says it; empty is the first user.
	User string
	// Counts tells how many models, datasets and Spaces a namespace has, for
	// profiles; nil is none.
	Counts func(namespace string) (models, datasets, spaces int)
}

// Area serves the routes. It is safe for concurrent use.
type Area struct {
	o    Options
	over chan struct{} // closed at the end
	end  sync.Once

	mu       sync.Mutex
	consent  Consent
	clients  map[string]client
	codes    map[string]grant   // by authorization code
	devices  map[string]*device // by device code
	refresh  map[string]grant   // by refresh token
	settings map[string]MCPSettings
	signer   ed25519.PrivateKey // nil until it is needed
}

// New returns an area whose users agree to everything at once.
func New(o Options) *Area {
	if o.Counts == nil {
		o.Counts = func(string) (int, int, int) { return 0, 0, 0 }
	}
	return &Area{
		o: o, over: make(chan struct{}), clients: map[string]client{}, codes: map[string]grant{}, devices: map[string]*device{},
		refresh: map[string]grant{}, settings: map[string]MCPSettings{},
	}
}

// Close ends the streams.
func (a *Area) Close() { a.end.Do(func() { close(a.over) }) }

// Routes registers the routes.
func (a *Area) Routes(mux *http.ServeMux) {
	mux.Handle("GET /api/whoami-v2", answer.Handler(a.whoami))
	mux.Handle("GET /api/users/{name}/overview", answer.Handler(a.userOverview))
	mux.Handle("GET /api/users/{name}/followers", answer.Handler(a.followers))
	mux.Handle("GET /api/users/{name}/following", answer.Handler(a.followers))
	mux.Handle("GET /api/organizations/{name}/overview", answer.Handler(a.orgOverview))
	mux.Handle("GET /api/organizations/{name}/members", answer.Handler(a.members))
	mux.Handle("GET /api/organizations/{name}/followers", answer.Handler(a.followers))
	mux.Handle("GET /api/settings/mcp", answer.Handler(a.mcp))
	mux.Handle("GET /api/agent-harnesses", answer.Handler(harnesses))
	mux.Handle("GET /api/notifications", answer.Handler(a.notifications))
	a.billingRoutes(mux)
	a.oauthRoutes(mux)
}

func (a *Area) whoami(w http.ResponseWriter, r *http.Request) error {
	c := account.From(r.Context())
	if c == nil {
		return answer.Login("")
	}
	u := c.User
	body := map[string]any{
		"type": "user", "id": u.ID, "name": u.Name, "fullname": fullname(u), "emailVerified": u.Email != "",
		"canPay": u.CanPay, "billingMode": billingMode(u), "periodEnd": a.periodEnd(u),
		"isPro": u.Plan == "pro", "avatarUrl": u.Avatar(), "auth": a.auth(c),
	}
	orgs := []map[string]any{}
	for _, org := range a.o.Accounts.Orgs(u.Name) {
		orgs = append(orgs, a.membership(org, u.Name))
	}
	body["orgs"] = orgs
	if allowed(c, "email") {
		body["email"] = u.Email
	}
	answer.JSON(w, http.StatusOK, body)
	return nil
}

// membership is an organisation as its member sees it.
func (a *Area) membership(org *account.Entity, user string) map[string]any {
	m := map[string]any{
		"type": "org", "id": org.ID, "name": org.Name, "fullname": fullname(org), "email": nil,
		"canPay": org.CanPay, "billingMode": billingMode(org), "periodEnd": a.periodEnd(org),
		"avatarUrl": org.Avatar(), "roleInOrg": org.Members[user], "resourceGroups": []any{},
	}
	if org.Plan != "" {
		m["plan"] = org.Plan
	}
	if len(org.Restrictions[user]) > 0 {
		m["securityRestrictions"] = org.Restrictions[user]
	}
	return m
}

// auth describes the caller's token.
func (a *Area) auth(c *account.Caller) map[string]any {
	t := c.Token
	if t.OAuthScopes != nil {
		return map[string]any{"type": "oauth", "expiresAt": clock.Format(t.ExpiresAt)}
	}
	token := map[string]any{"displayName": t.DisplayName, "role": t.Role, "createdAt": clock.Format(t.CreatedAt)}
	if t.Role == "fineGrained" {
		token["fineGrained"] = a.fineGrained(t)
	}
	auth := map[string]any{"type": "access_token", "accessToken": token}
	if !t.ExpiresAt.IsZero() {
		auth["expiresAt"] = clock.Format(t.ExpiresAt)
	}
	return auth
}

func (a *Area) fineGrained(t *account.Token) map[string]any {
	scoped, gated := []map[string]any{}, false
	for _, s := range t.Scoped {
		entity := map[string]any{"_id": "", "type": "user", "name": s.Entity}
		if e, ok := a.o.Accounts.Find(s.Entity); ok {
			entity = map[string]any{"_id": e.ID, "type": e.Type, "name": e.Name}
		}
		scoped = append(scoped, map[string]any{"entity": entity, "permissions": answer.List(s.Permissions)})
		for _, p := range s.Permissions {
			gated = gated || p == account.RepoRead
		}
	}
	return map[string]any{"global": answer.List(t.Global), "canReadGatedRepos": gated, "scoped": scoped}
}

func fullname(e *account.Entity) string {
	if e.Fullname != "" {
		return e.Fullname
	}
	return e.Name
}

func billingMode(e *account.Entity) string {
	if e.BillingMode != "" {
		return e.BillingMode
	}
	return "postpaid"
}

// period is the month that is billed at the simulated time.
func (a *Area) period() (start, end time.Time) {
	now := a.o.Clock.Now().UTC()
	start = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	return start, start.AddDate(0, 1, 0)
}

// periodEnd is the end of the month for those who pay, nil for others.
func (a *Area) periodEnd(e *account.Entity) any {
	if !e.Paying() && !e.CanPay {
		return nil
	}
	_, end := a.period()
	return end.Unix()
}

// allowed reports whether the caller's token covers an OAuth scope; other kinds
// of tokens have none to respect.
func allowed(c *account.Caller, scope string) bool {
	if c.Token.OAuthScopes == nil {
		return true
	}
	for _, s := range c.Token.OAuthScopes {
		if s == scope {
			return true
		}
	}
	return false
}
