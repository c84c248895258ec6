package hubsim

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/collection"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/seed"
)

// plant puts what a seed describes into a world. Its Spaces run at once.
func (w *world) plant(s *seed.Seed) error {
	if err := s.Plant(context.Background(), w.accounts, w.repos); err != nil {
		return err
	}
	for _, c := range s.Collections {
		made := collection.Collection{
			Owner: c.Owner, Title: c.Title, Description: c.Description, Upvotes: c.Upvotes, Private: c.Private,
		}
		for _, i := range c.Items {
			made.Items = append(made.Items, collection.Item{ID: w.clock.ID(), Type: i.Type, Name: i.ID, Note: i.Note})
		}
		w.collections.Put(made)
	}
	w.spaces.Settle()
	return nil
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
