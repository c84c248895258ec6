package catalogue

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// likesPage is how many likes a page holds.
const likesPage = 1000

// Like notes that a user likes a repository. There is no route for it: on the
// Hub only people like things.
func (c *Catalogue) Like(r *repo.Repo, user string) {
	at := c.o.Clock.Stamp()
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.likes[r.Hex()], func(l like) bool { return l.User == user }) {
		return
	}
	c.likes[r.Hex()] = append(slices.Clip(c.likes[r.Hex()]), like{User: user, At: at})
	r.Update(func(s *repo.Settings) { s.Likes++ })
}

// of lists the likes of a repository, oldest first.
func (c *Catalogue) of(r *repo.Repo) []like {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.likes[r.Hex()]
}

func (c *Catalogue) unlike(w http.ResponseWriter, r *http.Request, t repo.Type) error {
	at, err := c.find(r, t)
	if err != nil {
		return err
	}
	caller := account.From(r.Context())
	switch {
	case caller == nil:
		return answer.Login("")
	case caller.Token.Role == "read":
		return answer.Refuse(http.StatusForbidden, "This token may only read")
	}
	c.mu.Lock()
	had := c.likes[at.Hex()]
	left := slices.DeleteFunc(slices.Clone(had), func(l like) bool { return l.User == caller.Name() })
	c.likes[at.Hex()] = left
	c.mu.Unlock()
	if len(left) < len(had) {
		at.Update(func(s *repo.Settings) { s.Likes = max(0, s.Likes-1) })
	}
	answer.JSON(w, http.StatusOK, map[string]any{"success": true})
	return nil
}

// place orders likes by time, the newest first.
func (l like) place() string { return answer.Descending(l.At.UnixNano()) + l.User }

func (c *Catalogue) likers(w http.ResponseWriter, r *http.Request, t repo.Type) error {
	at, err := c.find(r, t)
	if err != nil {
		return err
	}
	limit, err := answer.Limit(r.URL.Query(), likesPage, likesPage)
	if err != nil {
		return err
	}
	page, err := answer.Page(w, r, c.of(at), limit, like.place)
	if err != nil {
		return err
	}
	users := make([]map[string]any, len(page))
	for i, l := range page {
		users[i] = map[string]any{"user": l.User, "fullname": l.User, "avatarUrl": "", "type": "user"}
		if e, ok := c.o.Accounts.Find(l.User); ok {
			p := e.Profile()
			users[i]["_id"], users[i]["fullname"], users[i]["avatarUrl"], users[i]["isPro"] = e.ID, p["fullname"], p["avatarUrl"], p["isPro"]
		}
	}
	answer.JSON(w, http.StatusOK, users)
	return nil
}

// liked lists what a user likes and the caller may see.
func (c *Catalogue) liked(w http.ResponseWriter, r *http.Request) error {
	user, ok := c.o.Accounts.Find(r.PathValue("user"))
	if !ok || user.Type != "user" {
		return answer.Refuse(http.StatusNotFound, "This user does not exist")
	}
	limit, err := answer.Limit(r.URL.Query(), likesPage, likesPage)
	if err != nil {
		return err
	}
	type row struct {
		like
		at *repo.Repo
	}
	var all []row
	for _, t := range repo.Types() {
		for _, at := range c.visible(r, t) {
			for _, l := range c.of(at) {
				if l.User == user.Name {
					all = append(all, row{l, at})
				}
			}
		}
	}
	page, err := answer.Page(w, r, all, limit, func(x row) string { return x.place() + x.at.Hex() })
	if err != nil {
		return err
	}
	out := make([]map[string]any, len(page))
	for i, x := range page {
		out[i] = map[string]any{
			"createdAt": clock.Format(x.At), "repo": map[string]any{"name": x.at.ID(), "type": x.at.Type()},
		}
	}
	answer.JSON(w, http.StatusOK, out)
	return nil
}

// byName orders things by name, whatever its case.
func byName(x, y string) int {
	return cmp.Or(cmp.Compare(strings.ToLower(x), strings.ToLower(y)), cmp.Compare(x, y))
}
