package hubsim

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// plant puts what a seed describes into a world.
func (h *Hub) plant(w *world, seed string) error {
	switch seed {
	case "empty":
		return nil
	case "acme":
		people(w.accounts)
		return nil
	}
	return fmt.Errorf("seed %q is unknown", seed)
}

// people are the accounts of the seed acme.
func people(b *account.Book) {
	b.Put(account.Entity{
		Type: "user", Name: "alice", Fullname: "Alice", Email: "alice@example.com", Plan: "free", CreditMicroUSD: 5_000_000,
	})
	b.Put(account.Entity{
		Type: "user", Name: "bob", Fullname: "Bob", Email: "bob@example.com", Plan: "pro", CanPay: true, CreditMicroUSD: 25_000_000,
	})
	b.Put(account.Entity{
		Type: "org", Name: "acme", Fullname: "Acme", Plan: "team", CanPay: true, CreditMicroUSD: 100_000_000,
		Members: map[string]string{"bob": "admin", "alice": "read"},
	})
	b.PutToken(account.Token{Value: "hf_bob_write", Owner: "bob", DisplayName: "bob_write", Role: "write"})
	b.PutToken(account.Token{Value: "hf_alice_write", Owner: "alice", DisplayName: "alice_write", Role: "write"})
	b.PutToken(account.Token{Value: "hf_alice_read", Owner: "alice", DisplayName: "alice_read", Role: "read"})
	b.PutToken(account.Token{
		Value: "hf_bob_fine", Owner: "bob", DisplayName: "bob_fine", Role: "fineGrained",
		Scoped: []account.Scope{{Entity: "bob", Permissions: []string{account.RepoRead, account.JobWrite}}},
	})
}

// moveHead lets another commit land on the branch a request wants to commit to:
// /api/models/NS/NAME/commit/REV.
func (h *Hub) moveHead(r *http.Request, path string) {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.EscapedPath(), "/api/"), "/", 5)
	if len(parts) < 5 || parts[3] != "commit" {
		return
	}
	ref, err := url.PathUnescape(parts[4])
	t, known := repo.ParsePlural(parts[0])
	if err != nil || !known {
		return
	}
	w := h.world.Load()
	caller, _ := w.accounts.Caller(r)
	ctx := account.With(r.Context(), caller)
	to, err := w.repos.Find(ctx, t, parts[1]+"/"+parts[2])
	if err != nil {
		return
	}
	// The commit is somebody else's: it meets no fault, and when it cannot be
	// made the request sees why.
	_, _ = to.Commit(fault.With(ctx, fault.Do{}), repo.CommitSpec{
		Ref: ref, Title: "Commit of somebody else", Author: to.Namespace(),
		Changes: []repo.Change{{Path: path, Content: []byte("moved at " + w.clock.Now().Format("15:04:05.000") + "\n")}},
	})
}
