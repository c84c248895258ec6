package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Namespaces are the names a user may work under.
type Namespaces struct {
	Eligible   []string `json:"eligible_namespaces"` // the user's own first
	Default    string   `json:"default_namespace"`
	BillingURL string   `json:"billing_url"`
}

// eligible lists the names, the user's own first.
func (i *Identity) eligible() []string {
	var names []string
	if i.Name != "" {
		names = append(names, i.Name)
	}
	for _, o := range i.Orgs {
		if !slices.Contains(names, o.Name) {
			names = append(names, o.Name)
		}
	}
	return names
}

// Namespaces tells the names the user may work under.
func (a *API) Namespaces(ctx context.Context) (Namespaces, error) {
	id, err := a.Whoami(ctx)
	if err != nil {
		return Namespaces{}, err
	}
	n := Namespaces{Eligible: id.eligible(), BillingURL: a.billingURL()}
	if len(n.Eligible) > 0 {
		n.Default = n.Eligible[0]
	}
	return n, nil
}

func (a *API) billingURL() string {
	return strings.TrimRight(a.conn.Endpoint().String(), "/") + "/settings/billing"
}

// Namespace is the name to work under: the one asked for, if the user may, else
// the user's own. Where the Hub does not say who the user is, the one asked for
// is taken at its word.
func (a *API) Namespace(ctx context.Context, asked string) (string, error) {
	if asked != "" {
		if err := wire.CheckNamespace("namespace", asked); err != nil {
			return "", err
		}
	}
	if a.conn.Anonymous() {
		return "", errors.New("no HF token available to resolve a jobs namespace")
	}
	n, err := a.Namespaces(ctx)
	if err != nil {
		if asked != "" && ctx.Err() == nil && !errors.Is(err, wire.Unauthorized) {
			return asked, nil
		}
		return "", err
	}
	if asked == "" {
		if n.Default == "" {
			return "", errors.New("the Hub names no namespace for this token")
		}
		return n.Default, nil
	}
	for _, name := range n.Eligible {
		if strings.EqualFold(name, asked) {
			return name, nil
		}
	}
	return "", &wire.Error{
		Kind: wire.Forbidden, Op: "choose a namespace",
		Message: fmt.Sprintf("namespace %q is neither yours nor one of your organisations'; allowed: %s", asked, strings.Join(n.Eligible, ", ")),
	}
}
