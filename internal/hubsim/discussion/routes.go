package discussion

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// pageLength is how many discussions a page of a list holds.
const pageLength = 50

// Routes registers the routes of discussions.
func (a *Area) Routes(mux *http.ServeMux) {
	for _, t := range repo.Types() {
		base := "/api/" + t.Plural() + "/{ns}/{name}/discussions"
		on := func(pattern string, h repo.Handler) {
			method, path, _ := strings.Cut(pattern, " ")
			mux.Handle(method+" "+base+path, a.o.Repos.Route(t, h))
		}
		on("GET ", a.list)
		on("POST ", a.create)
		on("GET /{num}", a.on(a.show))
		on("DELETE /{num}", a.on(a.remove))
		on("GET /{num}/files.diff", a.on(a.diffFile))
		on("GET /{num}/storage", a.on(a.storage))
		on("POST /{num}/comment", a.on(a.say))
		on("POST /{num}/comment/{event}/edit", a.on(a.editComment))
		on("POST /{num}/comment/{event}/hide", a.on(a.hide))
		on("POST /{num}/title", a.on(a.rename))
		on("POST /{num}/status", a.on(a.status))
		on("POST /{num}/merge", a.on(a.merge))
		on("POST /{num}/pin", a.on(a.pin))
		on("DELETE /{num}/ref", a.on(a.deleteRef))
	}
}

// on finds the discussion a request names.
func (a *Area) on(h func(http.ResponseWriter, *http.Request, *repo.Repo, *Discussion) error) repo.Handler {
	return func(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
		if err := enabled(at); err != nil {
			return err
		}
		num, err := strconv.Atoi(r.PathValue("num"))
		if err != nil {
			return answer.Refuse(http.StatusBadRequest, `"num" must be a number`)
		}
		d, err := a.find(at, num)
		if err != nil {
			return err
		}
		return h(w, r, at, d)
	}
}

// chosen are the values of a list's query that are not free text.
func chosen(r *http.Request, name, standard string, others ...string) (string, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return standard, nil
	}
	if v != standard && !slices.Contains(others, v) {
		return "", answer.Refuse(http.StatusBadRequest, fmt.Sprintf("%q must be one of %s, %s", name, standard, strings.Join(others, ", ")))
	}
	return v, nil
}

func (a *Area) list(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	if err := enabled(at); err != nil {
		return err
	}
	found, closed, err := a.filter(r, at)
	if err != nil {
		return err
	}
	p := 0
	if s := r.URL.Query().Get("p"); s != "" {
		if p, err = strconv.Atoi(s); err != nil || p < 0 {
			return answer.Refuse(http.StatusBadRequest, `"p" must be a page number`)
		}
	}
	start := min(p, len(found)) * pageLength
	page := found[min(start, len(found)):min(start+pageLength, len(found))]
	items := make([]map[string]any, len(page))
	for i, d := range page {
		items[i] = a.item(r, at, d)
	}
	answer.JSON(w, http.StatusOK, map[string]any{
		"discussions": items, "count": len(found), "start": start, "numClosedDiscussions": closed,
	})
	return nil
}

// filter lists what the query asks for, in its order, and counts how many of a
// repository's discussions are closed.
func (a *Area) filter(r *http.Request, at *repo.Repo) (found []*Discussion, closed int, err error) {
	kind, err := chosen(r, "type", "all", "discussion", "pull_request")
	if err != nil {
		return nil, 0, err
	}
	status, err := chosen(r, "status", "all", "open", "closed")
	if err != nil {
		return nil, 0, err
	}
	sort, err := chosen(r, "sort", "recently-created", "trending", "reactions")
	if err != nil {
		return nil, 0, err
	}
	q := r.URL.Query()
	author, words := q.Get("author"), strings.ToLower(q.Get("search"))
	for _, d := range a.all(at) {
		done := d.Status == Closed || d.Status == Merged
		if done {
			closed++
		}
		if (kind == "all" || (kind == "pull_request") == d.Pull) && (status == "all" || (status == "closed") == done) &&
			(author == "" || strings.EqualFold(author, d.Author)) && strings.Contains(strings.ToLower(d.Title), words) {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(x, y *Discussion) int {
		if n := y.comments() - x.comments(); sort == "trending" && n != 0 {
			return n
		}
		return y.Num - x.Num
	})
	return found, closed, nil
}

func (a *Area) create(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	user, err := mayTalk(r.Context(), at)
	if err != nil {
		return err
	}
	var body struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		PullRequest bool   `json:"pullRequest"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if err := checkTitle(body.Title); err != nil {
		return err
	}
	if err := checkText("description", body.Description); err != nil {
		return err
	}
	d, err := a.Open(at, Spec{Author: user, Title: body.Title, Text: body.Description, Pull: body.PullRequest})
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{
		"num": d.Num, "url": fmt.Sprintf("%s/discussions/%d", at.URL(answer.Base(r)), d.Num), "pullRequest": d.Pull,
	})
	return nil
}

func (a *Area) show(w http.ResponseWriter, r *http.Request, at *repo.Repo, d *Discussion) error {
	withDiff, _ := answer.Flag(r.URL.Query(), "diff")
	if at.MayRead(account.From(r.Context()), answer.Base(r)) != nil {
		withDiff = false // it shows the files
	}
	v, err := a.details(r, at, d, withDiff)
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, v)
	return nil
}

func (a *Area) remove(w http.ResponseWriter, r *http.Request, at *repo.Repo, d *Discussion) error {
	if _, err := manager(r.Context(), at, ""); err != nil {
		return err
	}
	a.mu.Lock()
	if t := a.threads[at.Hex()]; t != nil {
		t.All = slices.DeleteFunc(t.All, func(other *Discussion) bool { return other.Num == d.Num })
	}
	a.mu.Unlock()
	if _, ok := at.Ref(d.ref()); d.Pull && ok {
		if err := at.DeleteRef(d.ref(), d.Author); err != nil {
			return err
		}
	}
	a.tell(at, d, "delete", nil)
	answer.JSON(w, http.StatusOK, map[string]any{"success": true})
	return nil
}
