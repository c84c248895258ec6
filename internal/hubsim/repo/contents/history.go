package contents

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Lengths of pages of commits.
const (
	commitPage    = 50
	maxCommitPage = 1000
)

func (s *Routes) refs(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	branches := at.Refs(git.Heads)
	slices.SortStableFunc(branches, func(x, y repo.NamedCommit) int {
		return rank(x) - rank(y)
	})
	body := map[string]any{
		"branches": answer.List(branches), "converts": answer.List(at.Refs(git.Converts)), "tags": answer.List(at.Refs(git.Tags)),
	}
	if with, _ := answer.Flag(r.URL.Query(), "include_prs"); with {
		body["pullRequests"] = answer.List(at.Refs(git.Pulls))
	}
	answer.JSON(w, http.StatusOK, body)
	return nil
}

// rank puts main before the other branches.
func rank(c repo.NamedCommit) int {
	if c.Ref == git.Main {
		return 0
	}
	return 1
}

type author struct {
	User   string `json:"user"`
	Avatar string `json:"avatar"`
}

type formatted struct {
	Title   string `json:"title"`
	Message string `json:"message"`
}

type commit struct {
	ID        string     `json:"id"`
	Title     string     `json:"title"`
	Message   string     `json:"message"`
	Authors   []author   `json:"authors"`
	Date      string     `json:"date"`
	Formatted *formatted `json:"formatted,omitempty"`
}

func (s *Routes) commits(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	rev, err := repo.WholeRevision(repo.Tail(r, 5))
	if err != nil {
		return err
	}
	oid, err := at.Resolve(rev)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	limit, err := answer.Limit(q, commitPage, maxCommitPage)
	if err != nil {
		return err
	}
	p := 0
	if text := q.Get("p"); text != "" {
		if p, err = strconv.Atoi(text); err != nil || p < 0 {
			return answer.Refuse(http.StatusBadRequest, `"p" must be a number from 0`)
		}
	}
	log, err := at.Log(oid)
	if err != nil {
		return err
	}
	from := len(log)
	if p <= len(log)/limit {
		from = p * limit
	}
	to := min(from+limit, len(log))
	pretty := slices.Contains(answer.Values(q, "expand"), "formatted")
	page := []commit{}
	for _, c := range log[from:to] {
		one := commit{
			ID: c.OID, Title: c.Title, Message: c.Message, Date: clock.Format(c.Date),
			Authors: []author{{User: c.Author, Avatar: "/avatars/" + strings.ToLower(c.Author) + ".svg"}},
		}
		if pretty {
			one.Formatted = &formatted{Title: html.EscapeString(c.Title), Message: html.EscapeString(c.Message)}
		}
		page = append(page, one)
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(len(log)))
	if to < len(log) {
		answer.NextPage(w, r, url.Values{"p": {strconv.Itoa(p + 1)}})
	}
	answer.JSON(w, http.StatusOK, page)
	return nil
}

// compare shows what b changed: since a, or with three dots since b parted
// from a.
func (s *Routes) compare(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	spec, err := repo.WholeRevision(repo.Tail(r, 5))
	if err != nil {
		return err
	}
	a, b, three := strings.Cut(spec, "...")
	if !three {
		var ok bool
		if a, b, ok = strings.Cut(spec, ".."); !ok {
			return answer.Refuse(http.StatusBadRequest, `Compare two revisions as "a..b"`)
		}
	}
	from, err := at.Resolve(a)
	if err != nil {
		return err
	}
	to, err := at.Resolve(b)
	if err != nil {
		return err
	}
	if err := mayRead(r, at); err != nil {
		return err
	}
	if three {
		base, err := at.MergeBase(from, to)
		if err != nil {
			return err
		}
		if base != "" {
			from = base
		}
	}
	text, err := at.Compare(from, to)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = io.WriteString(w, text) // the client has gone
	return nil
}

func (s *Routes) squash(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	caller := account.From(r.Context())
	if err := at.MayWrite(caller); err != nil {
		return err
	}
	rev, err := repo.WholeRevision(repo.Tail(r, 5))
	if err != nil {
		return err
	}
	var body struct {
		Message string `json:"message"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	c, err := at.Squash(rev, body.Message, caller.Name())
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]string{"commitId": c.OID})
	return nil
}
