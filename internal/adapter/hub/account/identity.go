// Package account is the part of the Hub's client that knows who the user is,
// what his token may do, under which names he may work, and what he has spent.
// It knows no prices and decides nothing: whether something is allowed is for
// the Hub to say, this package explains it beforehand.
package account

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Identity is who a token belongs to.
type Identity struct {
	Name, ID, Fullname string
	Email              string // empty where the token may not see it
	EmailVerified      bool
	// Pro says that the user pays for the Hub's pro plan.
	Pro bool
	// CanPay says that usage can be charged to the user.
	CanPay      bool
	BillingMode string    // prepaid or postpaid
	PeriodEnd   time.Time // zero without a billing period
	Orgs        []Org     // sorted by name, each once
	Token       Token
	// Raw is the whole answer as it came.
	Raw json.RawMessage
}

// Org is an organisation the user is a member of.
type Org struct {
	Name, ID, Fullname string
	// Plan is team, enterprise, plus or academia; empty is free.
	Plan string
	// Role is admin, write, contributor, read or no_access.
	Role        string
	CanPay      bool
	BillingMode string
	PeriodEnd   time.Time
	// Restrictions say why this token cannot read the organisation for now:
	// mfa, token-policy, token-revoked, sso or ip.
	Restrictions []string
}

// Token is what the Hub tells of the token itself.
type Token struct {
	Kind string // access_token, oauth, …
	Name string
	Role string // read, write, fineGrained, god; empty when the Hub does not say
	// Global permissions hold everywhere, Scoped ones for one entity.
	Global     []string
	Scoped     []Scope
	ReadsGated bool
	ExpiresAt  time.Time // zero never
}

// Scope is what a fine-grained token may do with one user, organisation or
// repository.
type Scope struct {
	Type, Name  string
	Permissions []string
}

// answer is whoami's.
type answer struct {
	member
	User      string   `json:"user"`
	Preferred string   `json:"preferred_username"`
	Email     string   `json:"email"`
	Verified  bool     `json:"emailVerified"`
	IsPro     any      `json:"isPro"`
	Orgs      []member `json:"orgs"`
	Auth      struct {
		Type      string    `json:"type"`
		ExpiresAt time.Time `json:"expiresAt"`
		Token     struct {
			Name        string `json:"displayName"`
			Role        string `json:"role"`
			FineGrained struct {
				Global     []string `json:"global"`
				ReadsGated bool     `json:"canReadGatedRepos"`
				Scoped     []struct {
					Entity struct {
						Type string `json:"type"`
						Name string `json:"name"`
					} `json:"entity"`
					Permissions []string `json:"permissions"`
				} `json:"scoped"`
			} `json:"fineGrained"`
		} `json:"accessToken"`
	} `json:"auth"`
}

// member is what users and organisations have alike.
type member struct {
	Name         string   `json:"name"`
	ID           string   `json:"id"`
	Fullname     string   `json:"fullname"`
	CanPay       bool     `json:"canPay"`
	BillingMode  string   `json:"billingMode"`
	PeriodEnd    *int64   `json:"periodEnd"` // Unix seconds
	Plan         string   `json:"plan"`
	Role         string   `json:"roleInOrg"`
	Restrictions []string `json:"securityRestrictions"`
}

func (m member) end() time.Time {
	if m.PeriodEnd == nil {
		return time.Time{}
	}
	return time.Unix(*m.PeriodEnd, 0).UTC()
}

// identity reads whoami's answer.
func identity(raw json.RawMessage) (*Identity, error) {
	var in answer
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, fmt.Errorf("it is not the JSON expected: %w", err)
	}
	t := in.Auth.Token
	id := &Identity{
		Name: cmp.Or(in.Name, in.User, in.Preferred), ID: in.ID, Fullname: in.Fullname, Email: in.Email, EmailVerified: in.Verified,
		Pro: in.IsPro == true, CanPay: in.CanPay, BillingMode: in.BillingMode, PeriodEnd: in.end(), Raw: raw,
		Token: Token{
			Kind: in.Auth.Type, Name: t.Name, Role: t.Role, Global: t.FineGrained.Global,
			ReadsGated: t.FineGrained.ReadsGated, ExpiresAt: in.Auth.ExpiresAt,
		},
	}
	for _, s := range t.FineGrained.Scoped {
		id.Token.Scoped = append(id.Token.Scoped, Scope{s.Entity.Type, s.Entity.Name, s.Permissions})
	}
	for _, o := range in.Orgs {
		if o.Name != "" {
			id.Orgs = append(id.Orgs, Org{
				Name: o.Name, ID: o.ID, Fullname: o.Fullname, Plan: o.Plan, Role: o.Role, CanPay: o.CanPay,
				BillingMode: o.BillingMode, PeriodEnd: o.end(), Restrictions: o.Restrictions,
			})
		}
	}
	slices.SortFunc(id.Orgs, func(a, b Org) int { return strings.Compare(a.Name, b.Name) })
	id.Orgs = slices.CompactFunc(id.Orgs, func(a, b Org) bool { return a.Name == b.Name })
	return id, nil
}

// Plan is "pro" or "free".
func (i *Identity) Plan() string {
	if i.Pro {
		return "pro"
	}
	return "free"
}

// Org finds an organisation of the user's by its name.
func (i *Identity) Org(name string) (Org, bool) {
	for _, o := range i.Orgs {
		if strings.EqualFold(o.Name, name) {
			return o, true
		}
	}
	return Org{}, false
}

// Own reports whether a namespace is the user's own name.
func (i *Identity) Own(namespace string) bool { return strings.EqualFold(i.Name, namespace) }

// Paying reports whether a namespace is on a paid plan: the user's own with
// pro, an organisation with any plan.
func (i *Identity) Paying(namespace string) bool {
	if i.Own(namespace) {
		return i.Pro
	}
	o, ok := i.Org(namespace)
	return ok && o.Plan != ""
}

// Chargeable reports whether usage can be charged to a namespace.
func (i *Identity) Chargeable(namespace string) bool {
	if i.Own(namespace) {
		return i.CanPay
	}
	o, ok := i.Org(namespace)
	return ok && o.CanPay
}

// Permissions that are asked for.
const (
	ReadRepo         = "repo.content.read"
	WriteRepo        = "repo.write"
	WriteJob         = "job.write"
	Infer            = "inference.serverless.write"
	WriteCollection  = "collection.write"
	WriteDiscussion  = "discussion.write"
	ReadBilling      = "user.billing.read"
	WriteWebhooks    = "user.webhooks.write"
	ReadOrganisation = "org.read"
)

// Refusal says why a permission is missing for a namespace, in a sentence for
// the user; "" means that nothing is known that speaks against it, and the Hub
// decides.
func (i *Identity) Refusal(permission, namespace string) string {
	if !i.Own(namespace) {
		if why := i.outside(permission, namespace); why != "" {
			return why
		}
	}
	t := i.Token
	name := "the token"
	if t.Name != "" {
		name = fmt.Sprintf("the token %q", t.Name)
	}
	switch t.Role {
	case "read":
		if !reads(permission) {
			return name + " may only read; make one with the role write in the token settings"
		}
	case "fineGrained":
		if !t.grants(permission, namespace) {
			return fmt.Sprintf("%s lacks the permission %s for %s; add it in the token settings", name, permission, namespace)
		}
	}
	return ""
}

func reads(permission string) bool {
	return strings.HasSuffix(permission, ".read") || permission == Infer
}

// outside says what the user's place in an organisation forbids.
func (i *Identity) outside(permission, namespace string) string {
	o, member := i.Org(namespace)
	switch {
	case !member && (permission == WriteRepo || permission == WriteJob || permission == WriteCollection):
		return fmt.Sprintf("%s is neither %s nor one of its organisations", namespace, i.Name)
	case len(o.Restrictions) > 0:
		return fmt.Sprintf("the organisation %s does not accept this token for now (%s)", o.Name, strings.Join(o.Restrictions, ", "))
	case (o.Role == "read" || o.Role == "no_access") && !reads(permission) && permission != WriteDiscussion:
		return fmt.Sprintf("%s has the role %s in %s, which does not allow it", i.Name, o.Role, o.Name)
	}
	return ""
}

// grants reports whether a fine-grained token holds a permission for a
// namespace or a repository in it.
func (t Token) grants(permission, namespace string) bool {
	if slices.Contains(t.Global, permission) {
		return true
	}
	return slices.ContainsFunc(t.Scoped, func(s Scope) bool {
		owner, _, _ := strings.Cut(s.Name, "/")
		if !strings.EqualFold(owner, namespace) {
			return false
		}
		return slices.Contains(s.Permissions, permission) ||
			permission == ReadRepo && slices.Contains(s.Permissions, WriteRepo)
	})
}
