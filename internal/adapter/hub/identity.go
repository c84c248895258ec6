package hub

import (
	"cmp"
	"context"
)

// Identity is who a token belongs to and what it may do.
type Identity struct {
	Name  string
	Email string
	// Pro says that the user pays for the Hub's pro plan.
	Pro  bool
	Orgs []string
	// TokenName is the token's own name and Role its kind: "read", "write" or
	// "fineGrained"; both are empty when the Hub does not say.
	TokenName string
	Role      string
	// Inference and Write say whether the token may call inference providers
	// and write repositories; Known is false when that cannot be told.
	Inference, Write, Known bool
}

// Plan is "pro" or "free".
func (i Identity) Plan() string {
	if i.Pro {
		return "pro"
	}
	return "free"
}

// whoami is the Hub's answer, as far as it is used.
type whoami struct {
	Name      string `json:"name"`
	User      string `json:"user"`
	Preferred string `json:"preferred_username"`
	Email     string `json:"email"`
	IsPro     any    `json:"isPro"` // only a true counts
	Orgs      []struct {
		Name string `json:"name"`
	} `json:"orgs"`
	Auth struct {
		Token struct {
			Name        string `json:"displayName"`
			Role        string `json:"role"`
			FineGrained struct {
				Global []string `json:"global"`
				Scoped []struct {
					Permissions []string `json:"permissions"`
				} `json:"scoped"`
			} `json:"fineGrained"`
		} `json:"accessToken"`
	} `json:"auth"`
}

// Whoami asks who the client's token belongs to. The context bounds the wait.
func (c *Client) Whoami(ctx context.Context) (Identity, error) {
	const op = "ask who the token belongs to"
	if c.opts.Token == "" {
		return Identity{}, &Error{Kind: Unauthorized, Op: op, Host: c.base.Host, Message: "there is no token"}
	}
	var in whoami
	if err := c.get(ctx, op, "/api/whoami-v2", &in); err != nil {
		return Identity{}, err
	}
	id := Identity{
		Name: cmp.Or(in.Name, in.User, in.Preferred), Email: in.Email, Pro: in.IsPro == true,
		TokenName: in.Auth.Token.Name, Role: in.Auth.Token.Role,
	}
	if id.Name == "" {
		return Identity{}, &Error{Kind: Unexpected, Op: op, Host: c.base.Host, Message: "the answer names no user"}
	}
	for _, org := range in.Orgs {
		id.Orgs = append(id.Orgs, org.Name)
	}
	in.rights(&id)
	return id, nil
}

// rights reads what the token may do.
func (in *whoami) rights(id *Identity) {
	switch id.Role {
	case "read":
		id.Known, id.Inference = true, true
	case "write", "admin":
		id.Known, id.Inference, id.Write = true, true, true
	case "fineGrained":
		id.Known = true
		all := in.Auth.Token.FineGrained.Global
		for _, scope := range in.Auth.Token.FineGrained.Scoped {
			all = append(all, scope.Permissions...)
		}
		for _, permission := range all {
			switch permission {
			case "inference.serverless.write":
				id.Inference = true
			case "repo.write":
				id.Write = true
			}
		}
	}
}
