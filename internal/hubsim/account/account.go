// Package account keeps who is who on the simulated Hub: users, organisations,
// their tokens and what each may do, and what they have spent. It knows neither
// repositories nor jobs: those ask it.
package account

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// Permissions of fine-grained tokens, in the Hub's words.
const (
	RepoRead        = "repo.content.read"
	RepoWrite       = "repo.write"
	JobWrite        = "job.write"
	CollectionWrite = "collection.write"
	DiscussionWrite = "discussion.write"
	BillingRead     = "user.billing.read"
	Inference       = "inference.serverless.write"
)

// Entity is a user or an organisation: a namespace that owns things and pays.
type Entity struct {
	Type        string            `json:"type"` // user or org
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Fullname    string            `json:"fullname,omitempty"`
	Email       string            `json:"email,omitempty"`
	Plan        string            `json:"plan,omitempty"` // user: free, pro; org: empty, team, enterprise, plus, academia
	CanPay      bool              `json:"canPay,omitempty"`
	BillingMode string            `json:"billingMode,omitempty"` // prepaid or postpaid
	Members     map[string]string `json:"members,omitempty"`     // org: user name to role
	// Restrictions are, by member, what keeps a token from reading the
	// organisation until it is cleared: mfa, token-policy, token-revoked, sso, ip.
	Restrictions map[string][]string `json:"restrictions,omitempty"`
	// CreditMicroUSD is what is left, in millionths of a dollar.
	CreditMicroUSD int64 `json:"creditMicroUSD,omitempty"`
}

// Paying reports whether paid features are open to it.
func (e *Entity) Paying() bool {
	if e.Type == "org" {
		return e.Plan != ""
	}
	return e.Plan == "pro"
}

// Scope lets a fine-grained token do something in one namespace.
type Scope struct {
	Entity      string   `json:"entity"`
	Permissions []string `json:"permissions"`
}

// Token is a credential.
type Token struct {
	Value       string    `json:"value"`
	Owner       string    `json:"owner"`
	DisplayName string    `json:"displayName,omitempty"`
	Role        string    `json:"role"` // read, write, fineGrained
	Global      []string  `json:"global,omitempty"`
	Scoped      []Scope   `json:"scoped,omitempty"`
	OAuthScopes []string  `json:"oauthScopes,omitempty"` // set for hf_oauth_ tokens
	CreatedAt   time.Time `json:"createdAt,omitzero"`
	ExpiresAt   time.Time `json:"expiresAt,omitzero"`
	Revoked     bool      `json:"revoked,omitempty"`
}

// Caller is who makes a request. The zero pointer is an anonymous one.
type Caller struct {
	User  *Entity
	Token *Token
	book  *Book
}

// Name is the user's name, empty when anonymous.
func (c *Caller) Name() string {
	if c == nil {
		return ""
	}
	return c.User.Name
}

// Role is the caller's role in a namespace: admin in his own, his membership
// in an organisation, empty elsewhere.
func (c *Caller) Role(ns string) string {
	switch {
	case c == nil:
		return ""
	case strings.EqualFold(c.User.Name, ns):
		return "admin"
	}
	if org, ok := c.book.Find(ns); ok {
		return org.Members[c.User.Name]
	}
	return ""
}

// May reports whether the caller's token and role allow permission in ns. Read
// permissions need membership; public things need no permission at all.
func (c *Caller) May(permission, ns string) bool {
	role := c.Role(ns)
	if role == "" || role == "no_access" {
		return false
	}
	read := strings.HasSuffix(permission, ".read")
	if !read && role == "read" {
		return false
	}
	switch c.Token.Role {
	case "write", "god":
		return true
	case "read":
		return read
	}
	if slices.Contains(c.Token.Global, permission) {
		return true
	}
	return slices.ContainsFunc(c.Token.Scoped, func(s Scope) bool {
		return strings.EqualFold(s.Entity, ns) && slices.Contains(s.Permissions, permission)
	})
}

type callerKey struct{}

// With returns ctx with the caller of a request.
func With(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// From returns the caller of a request, nil when anonymous.
func From(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}

// Book keeps the accounts. It is safe for concurrent use; entities and tokens
// it gives out are not changed by their readers.
type Book struct {
	clock *clock.Clock

	mu       sync.Mutex
	entities map[string]*Entity // by lower-case name
	tokens   map[string]*Token
	charges  []Charge
	charged  chan struct{} // closed at the next charge
}

// New returns an empty book.
func New(c *clock.Clock) *Book {
	return &Book{clock: c, entities: map[string]*Entity{}, tokens: map[string]*Token{}, charged: make(chan struct{})}
}

// Put adds or replaces an entity; an empty id is filled in.
func (b *Book) Put(e Entity) *Entity {
	if e.ID == "" {
		e.ID = b.clock.ID()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entities[strings.ToLower(e.Name)] = &e
	return &e
}

// PutToken adds or replaces a token; without a time it is one of now.
func (b *Book) PutToken(t Token) {
	if t.CreatedAt.IsZero() {
		t.CreatedAt = b.clock.Now()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens[t.Value] = &t
}

// Find looks a user or organisation up, in any case.
func (b *Book) Find(name string) (*Entity, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.entities[strings.ToLower(name)]
	return e, ok
}

// Orgs lists the organisations a user is in, by name.
func (b *Book) Orgs(user string) []*Entity {
	b.mu.Lock()
	defer b.mu.Unlock()
	var orgs []*Entity
	for _, e := range b.entities {
		if e.Type == "org" && e.Members[user] != "" {
			orgs = append(orgs, e)
		}
	}
	slices.SortFunc(orgs, func(x, y *Entity) int { return strings.Compare(x.Name, y.Name) })
	return orgs
}

// Caller tells who sends r. ok is false for a token that is unknown, expired or
// revoked; without a token the caller is nil and ok is true.
func (b *Book) Caller(r *http.Request) (caller *Caller, ok bool) {
	value, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		return nil, r.Header.Get("Authorization") == ""
	}
	return b.Authenticate(strings.TrimSpace(value))
}

// Authenticate finds the caller a token stands for.
func (b *Book) Authenticate(value string) (*Caller, bool) {
	now := b.clock.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.tokens[value]
	if !ok || t.Revoked || !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) {
		return nil, false
	}
	user, ok := b.entities[strings.ToLower(t.Owner)]
	if !ok {
		return nil, false
	}
	return &Caller{User: user, Token: t, book: b}, true
}

// EndToken ends a token: revoked, or expired at this moment.
func (b *Book) EndToken(value string, revoke bool) {
	now := b.clock.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.tokens[value]
	if !ok {
		return
	}
	next := *t // readers hold the old one
	if revoke {
		next.Revoked = true
	} else {
		next.ExpiresAt = now
	}
	b.tokens[value] = &next
}

// Tokens lists the tokens of a user, by value.
func (b *Book) Tokens(owner string) []Token {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Token
	for _, t := range b.tokens {
		if strings.EqualFold(t.Owner, owner) {
			all = append(all, *t)
		}
	}
	slices.SortFunc(all, func(x, y Token) int { return strings.Compare(x.Value, y.Value) })
	return all
}

// Entities lists users and organisations, by name.
func (b *Book) Entities() []*Entity {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.Collect(maps.Values(b.entities))
	slices.SortFunc(all, func(x, y *Entity) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// Charge is one thing somebody paid for.
type Charge struct {
	Entity    string    `json:"entity"`
	Product   string    `json:"product"` // jobs, spaces, inference
	Ref       string    `json:"ref"`     // job id, Space id, inference session id
	Flavor    string    `json:"flavor,omitempty"`
	NanoUSD   int64     `json:"nanoUSD"`
	Minutes   int64     `json:"minutes,omitempty"`
	Requests  int64     `json:"requests,omitempty"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
}

// Charge books c: one with the product, entity and ref of an earlier one
// replaces it and the balance moves by the difference. It returns the credit
// left, in millionths of a dollar; below zero means it did not suffice.
func (b *Book) Charge(c Charge) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.charged)
	b.charged = make(chan struct{})
	var before int64
	i := slices.IndexFunc(b.charges, func(old Charge) bool {
		return old.Product == c.Product && old.Entity == c.Entity && old.Ref == c.Ref
	})
	if i >= 0 {
		before = b.charges[i].NanoUSD
		b.charges[i] = c
	} else {
		b.charges = append(b.charges, c)
	}
	e, ok := b.entities[strings.ToLower(c.Entity)]
	if !ok {
		return 0
	}
	next := *e                                          // readers hold the old one
	next.CreditMicroUSD -= c.NanoUSD/1000 - before/1000 // so many small steps cost what one large one does
	b.entities[strings.ToLower(c.Entity)] = &next
	return next.CreditMicroUSD
}

// Charged is closed at the next charge, whoever pays it.
func (b *Book) Charged() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.charged
}

// Charges lists what an entity paid for, oldest first.
func (b *Book) Charges(entity string) []Charge {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Charge
	for _, c := range b.charges {
		if strings.EqualFold(c.Entity, entity) {
			all = append(all, c)
		}
	}
	return all
}
