package paper

import (
	"cmp"
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// Linked are the repositories that name a paper, in the Hub's short form.
type Linked struct{ Models, Datasets, Spaces []map[string]any }

// Options of the services.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	Library  *Library
	// Linked finds the repositories of a paper that the caller may see; nil
	// means that there are none.
	Linked func(ctx context.Context, id string) (Linked, error)
}

// Service serves the papers of a library.
type Service struct {
	*Library
	clock    *clock.Clock
	accounts *account.Book
	linked   func(ctx context.Context, id string) (Linked, error)
}

// Serve returns the services over a library.
func Serve(o Options) *Service {
	if o.Linked == nil {
		o.Linked = func(context.Context, string) (Linked, error) { return Linked{}, nil }
	}
	return &Service{Library: o.Library, clock: o.Clock, accounts: o.Accounts, linked: o.Linked}
}

// Routes adds the Hub's own routes of papers.
func (p *Service) Routes(mux *http.ServeMux) {
	mux.Handle("GET /api/daily_papers", answer.Handler(p.daily))
	mux.Handle("GET /api/papers/search", answer.Handler(p.search))
	mux.Handle("GET /api/papers/{id}", answer.Handler(p.details))
	mux.Handle("POST /api/papers/index", answer.Handler(p.add))
	mux.Handle("GET /api/arxiv/{id}/repos", answer.Handler(p.repos))
}

// Pages adds the papers' pages on the Hub, and arXiv and ar5iv below their
// prefixes.
func (p *Service) Pages(mux *http.ServeMux) {
	mux.Handle("GET /papers/{id}", answer.Handler(p.page))
	p.arxivRoutes(mux)
}

// record is what every answer of the Hub holds of a paper.
func (p *Service) record(x *Paper) map[string]any {
	authors := make([]map[string]any, len(x.Authors))
	for i, name := range x.Authors {
		authors[i] = map[string]any{"_id": Digest(24, "author", x.ID, name), "name": name, "hidden": false}
	}
	r := map[string]any{
		"id": x.ID, "title": x.Title, "authors": authors, "publishedAt": clock.Format(x.PublishedAt),
		"summary": x.Summary, "upvotes": x.Upvotes, "discussionId": Digest(24, "discussion", x.ID),
	}
	if !x.DailyAt.IsZero() {
		r["submittedOnDailyAt"] = clock.Format(x.DailyAt)
		r["submittedOnDailyBy"] = p.submitter(x)
	}
	if org, ok := p.accounts.Find(x.Organization); ok {
		r["organization"] = map[string]any{"_id": org.ID, "name": org.Name, "fullname": cmp.Or(org.Fullname, org.Name), "avatar": org.Avatar()}
	}
	optional(r, "projectPage", x.ProjectPage)
	optional(r, "ai_summary", x.AISummary)
	if x.GithubRepo != "" {
		r["githubRepo"], r["githubRepoAddedBy"], r["githubStars"] = x.GithubRepo, "user", x.GithubStars
	}
	if len(x.Keywords) > 0 {
		r["ai_keywords"] = x.Keywords
	}
	return r
}

func optional(m map[string]any, key, value string) {
	if value != "" {
		m[key] = value
	}
}

func (p *Service) submitter(x *Paper) map[string]any {
	user, ok := p.accounts.Find(x.SubmittedBy)
	if !ok {
		user = &account.Entity{Type: "user", ID: Digest(24, "user", x.SubmittedBy), Name: x.SubmittedBy}
	}
	profile := user.Profile()
	profile["user"] = user.Name
	return profile
}

// item is an entry of the daily list and of the search.
func (p *Service) item(x *Paper, r *http.Request) map[string]any {
	it := map[string]any{
		"paper": p.record(x), "publishedAt": clock.Format(x.PublishedAt), "title": x.Title, "summary": x.Summary,
		"thumbnail":   answer.Base(r) + "/social-thumbnails/papers/" + x.ID + ".png",
		"numComments": x.Comments, "submittedBy": p.submitter(x), "isAuthorParticipating": false,
	}
	if org, ok := p.accounts.Find(x.Organization); ok {
		it["organization"] = map[string]any{"_id": org.ID, "name": org.Name, "fullname": cmp.Or(org.Fullname, org.Name)}
	}
	return it
}

func (p *Service) daily(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	in, err := period(q)
	if err != nil {
		return err
	}
	var found []*Paper
	for _, x := range p.All() {
		if !x.DailyAt.IsZero() && in(x.DailyAt) && (q.Get("submitter") == "" || strings.EqualFold(x.SubmittedBy, q.Get("submitter"))) {
			found = append(found, x)
		}
	}
	switch q.Get("sort") {
	case "", "publishedAt":
		slices.SortStableFunc(found, func(a, b *Paper) int { return b.DailyAt.Compare(a.DailyAt) })
	case "trending":
		slices.SortStableFunc(found, func(a, b *Paper) int { return b.Upvotes - a.Upvotes })
	default:
		return answer.Refuse(http.StatusBadRequest, `"sort" must be publishedAt or trending`)
	}
	limit, err := answer.Limit(q, 50, 100)
	if err != nil {
		return err
	}
	page, err := Number(q, "p", 0)
	if err != nil {
		return err
	}
	start := min(page*limit, len(found))
	end := min(start+limit, len(found))
	if end < len(found) {
		answer.NextPage(w, r, url.Values{"p": {strconv.Itoa(page + 1)}})
	}
	items := []map[string]any{}
	for _, x := range found[start:end] {
		items = append(items, p.item(x, r))
	}
	answer.JSON(w, http.StatusOK, items)
	return nil
}

// Number reads a number of a query; one below zero is refused.
func Number(q url.Values, key string, standard int) (int, error) {
	if q.Get(key) == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(q.Get(key))
	if err != nil || n < 0 {
		return 0, answer.Refuse(http.StatusBadRequest, fmt.Sprintf("%q must be a number", key))
	}
	return n, nil
}

var weekForm = regexp.MustCompile(`^(\d{4})-W(\d{2})$`)

// period tells which days the query asks for.
func period(q url.Values) (func(time.Time) bool, error) {
	date, week, month := q.Get("date"), q.Get("week"), q.Get("month")
	switch {
	case date != "":
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return nil, answer.Refuse(http.StatusBadRequest, `"date" must be of the form YYYY-MM-DD`)
		}
		return func(t time.Time) bool { return t.UTC().Format(time.DateOnly) == date }, nil
	case week != "":
		if !weekForm.MatchString(week) {
			return nil, answer.Refuse(http.StatusBadRequest, `"week" must be of the form YYYY-Www`)
		}
		return func(t time.Time) bool {
			y, n := t.UTC().ISOWeek()
			return fmt.Sprintf("%04d-W%02d", y, n) == week
		}, nil
	case month != "":
		if _, err := time.Parse("2006-01", month); err != nil {
			return nil, answer.Refuse(http.StatusBadRequest, `"month" must be of the form YYYY-MM`)
		}
		return func(t time.Time) bool { return t.UTC().Format("2006-01") == month }, nil
	}
	return func(time.Time) bool { return true }, nil
}

func (p *Service) search(w http.ResponseWriter, r *http.Request) error {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	if q == "" || len([]rune(q)) > 250 {
		return answer.Refuse(http.StatusBadRequest, `"q" must have 1 to 250 characters`)
	}
	limit, err := answer.Limit(r.URL.Query(), 120, 120)
	if err != nil {
		return err
	}
	items := []map[string]any{}
	for _, x := range p.Matching(q) {
		if len(items) == limit {
			break
		}
		items = append(items, p.item(x, r))
	}
	answer.JSON(w, http.StatusOK, items)
	return nil
}

func notFound(id string) error {
	return &answer.Error{Status: http.StatusNotFound, Message: "Paper " + id + " not found"}
}

func (p *Service) details(w http.ResponseWriter, r *http.Request) error {
	x, ok := p.Find(r.PathValue("id"))
	if !ok {
		return notFound(r.PathValue("id"))
	}
	if r.URL.Query().Get("field") == "comments" {
		answer.JSON(w, http.StatusOK, map[string]any{"comments": []any{}, "numComments": x.Comments})
		return nil
	}
	linked, err := p.linked(r.Context(), x.ID)
	if err != nil {
		return err
	}
	rec := p.record(x)
	rec["linkedModels"], rec["numTotalModels"] = list(linked.Models), len(linked.Models)
	rec["linkedDatasets"], rec["numTotalDatasets"] = list(linked.Datasets), len(linked.Datasets)
	rec["linkedSpaces"], rec["numTotalSpaces"] = list(linked.Spaces), len(linked.Spaces)
	answer.JSON(w, http.StatusOK, rec)
	return nil
}

// list writes an empty list as [] and never as null.
func list(items []map[string]any) []map[string]any {
	if items == nil {
		return []map[string]any{}
	}
	return items
}

// add is how a user has the Hub take a paper in; those it knows are already
// there, others would need arXiv.
func (p *Service) add(w http.ResponseWriter, r *http.Request) error {
	if account.From(r.Context()) == nil {
		return answer.Login("")
	}
	var body struct {
		ArxivID string `json:"arxivId"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	x, ok := p.Find(body.ArxivID)
	if !ok {
		return notFound(body.ArxivID)
	}
	answer.JSON(w, http.StatusOK, map[string]any{"id": x.ID})
	return nil
}

func (p *Service) repos(w http.ResponseWriter, r *http.Request) error {
	id := versionSuffix.ReplaceAllString(r.PathValue("id"), "")
	linked, err := p.linked(r.Context(), id)
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{
		"models": list(linked.Models), "datasets": list(linked.Datasets), "spaces": list(linked.Spaces),
	})
	return nil
}

// page is a paper's page: Markdown when the address ends in .md.
func (p *Service) page(w http.ResponseWriter, r *http.Request) error {
	id, plain := strings.CutSuffix(r.PathValue("id"), ".md")
	x, ok := p.Find(id)
	if !ok {
		return notFound(id)
	}
	if plain && x.Markdown != "" {
		return write(w, "text/markdown", x.Markdown)
	}
	// A page that has no Markdown form answers as a web page.
	return write(w, "text/html", fmt.Sprintf("<!doctype html><html><head><title>Paper page - %[1]s</title></head><body>\n<h1>%[1]s</h1>\n<p>%[2]s</p>\n<h2>Abstract</h2>\n<p>%[3]s</p>\n<a href=\"https://arxiv.org/abs/%[4]s\">View arXiv page</a>\n</body></html>\n",
		html.EscapeString(x.Title), html.EscapeString(strings.Join(x.Authors, ", ")), html.EscapeString(x.Summary), x.ID))
}

func write(w http.ResponseWriter, kind, body string) error {
	if !strings.Contains(kind, "pdf") {
		kind += "; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = fmt.Fprint(w, body) // the client has gone
	return nil
}
