package catalogue

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/card"
)

// Lengths of answers that have no pages.
const (
	quickLimit    = 5
	maxQuick      = 20
	trendingLimit = 10
	maxTrending   = 20
	semanticLimit = 40
)

// title is what a Space is called.
func (s *subject) title() string {
	_, name, _ := strings.Cut(s.at.ID(), "/")
	return cmp.Or(card.Text(s.f.Card, "title"), name)
}

// short says in a line what a Space does.
func (s *subject) short() string {
	return cmp.Or(card.Text(s.f.Card, "short_description"), s.set.ShortDescription, description(s.f.Body))
}

// category is the heading a Space stands under, as a seed says.
func (s *subject) category() string { return cmp.Or(card.Text(s.f.Card, "category"), "Other") }

// words are the words of a text, in small letters.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
}

// relevance is how much of a question a text is about, from 0 to 1: a word
// counts fully where it occurs, and half where only its beginning does.
func relevance(question []string, text string) float64 {
	have := map[string]bool{}
	for _, w := range words(text) {
		have[w] = true
	}
	score := 0.0
	for _, w := range question {
		if have[w] {
			score++
			continue
		}
		for h := range have {
			if len(w) > 3 && (strings.HasPrefix(h, w) || len(h) > 3 && strings.HasPrefix(w, h)) {
				score += 0.5
				break
			}
		}
	}
	return score / float64(max(1, len(question)))
}

// semantic finds Spaces by what they are about.
func (c *Catalogue) semantic(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	question := words(q.Get("q"))
	if len(question) == 0 {
		return answer.Refuse(http.StatusBadRequest, `"q" is required`)
	}
	wanted, err := parseFilters(r, repo.Space)
	if err != nil {
		return err
	}
	sdks := parts(answer.Values(q, "sdk"))
	sleeping, _ := answer.Flag(q, "includeNonRunning")
	type hit struct {
		view  map[string]any
		score float64
	}
	var hits []hit
	for _, at := range c.visible(r, repo.Space) {
		s := c.subject(r, at, c.head(at))
		v := s.members("author", "createdAt", "lastModified", "likes", "private", "sdk", "tags", "trendingScore", "runtime")
		run, _ := v["runtime"].(map[string]any)
		sdk, _ := v["sdk"].(string)
		if run != nil && run["stage"] != "RUNNING" && !sleeping || !wanted.match(s) || len(sdks) > 0 && !slices.Contains(sdks, sdk) {
			continue
		}
		score := relevance(question, strings.Join(append([]string{at.ID(), s.title(), s.short(), s.f.Body}, s.tags()...), " "))
		if score == 0 {
			continue
		}
		v["title"], v["emoji"], v["ai_short_description"], v["ai_category"] = s.title(), card.Text(s.f.Card, "emoji"), s.short(), s.category()
		v["shortDescription"], v["semanticRelevancyScore"] = s.short(), score
		hits = append(hits, hit{v, score})
	}
	slices.SortStableFunc(hits, func(x, y hit) int { return cmp.Compare(y.score, x.score) })
	views := []map[string]any{}
	for _, h := range hits[:min(len(hits), semanticLimit)] {
		views = append(views, h.view)
	}
	answer.JSON(w, http.StatusOK, views)
	return nil
}

// quickSearch finds repositories, users and organisations by their names.
func (c *Catalogue) quickSearch(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := answer.Limit(q, quickLimit, maxQuick)
	if err != nil {
		return err
	}
	types, wanted := parts(answer.Values(q, "type")), words(q.Get("q"))
	asked := func(kind string) bool {
		return len(types) == 0 || slices.Contains(types, kind) || slices.Contains(types, kind+"s")
	}
	v := map[string]any{}
	for _, t := range repo.Types() {
		if !asked(string(t)) {
			continue
		}
		items, count := []map[string]any{}, 0
		for _, at := range c.byTrend(r, t) {
			if !containsAll(strings.ToLower(at.ID()), wanted) {
				continue
			}
			if count++; len(items) < limit {
				s := c.subject(r, at, c.head(at))
				items = append(items, s.members("private", "trendingScore"))
			}
		}
		v[t.Plural()], v[t.Plural()+"Count"] = items, count
	}
	for _, kind := range []string{"user", "org"} {
		if asked(kind) {
			v[kind+"s"], v[kind+"sCount"] = c.people(kind, wanted, limit)
		}
	}
	v["q"] = q.Get("q")
	answer.JSON(w, http.StatusOK, v)
	return nil
}

func (c *Catalogue) people(kind string, wanted []string, limit int) (found []map[string]any, count int) {
	found = []map[string]any{}
	all := c.o.Accounts.Entities()
	slices.SortFunc(all, func(x, y *account.Entity) int { return byName(x.Name, y.Name) })
	for _, e := range all {
		if e.Type != kind || !containsAll(strings.ToLower(e.Name+" "+e.Fullname), wanted) {
			continue
		}
		if count++; len(found) < limit {
			p := e.Profile()
			found = append(found, map[string]any{
				"_id": e.ID, kind: e.Name, "name": e.Name, "fullname": p["fullname"], "avatarUrl": p["avatarUrl"], "type": kind,
			})
		}
	}
	return found, count
}

// byTrend lists what the caller may see, what trends most first.
func (c *Catalogue) byTrend(r *http.Request, t repo.Type) []*repo.Repo {
	all := c.visible(r, t)
	slices.SortStableFunc(all, func(x, y *repo.Repo) int {
		a, b := x.Settings(), y.Settings()
		return cmp.Or(cmp.Compare(b.TrendingScore, a.TrendingScore), cmp.Compare(b.Likes, a.Likes))
	})
	return all
}

func (c *Catalogue) trending(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := answer.Limit(q, trendingLimit, maxTrending)
	if err != nil {
		return err
	}
	type row struct {
		at    *repo.Repo
		score float64
	}
	var all []row
	for _, t := range repo.Types() {
		if kind := q.Get("type"); kind != "" && kind != "all" && kind != string(t) && kind != t.Plural() {
			continue
		}
		for _, at := range c.byTrend(r, t) {
			all = append(all, row{at, at.Settings().TrendingScore})
		}
	}
	slices.SortStableFunc(all, func(x, y row) int { return cmp.Compare(y.score, x.score) })
	views := []map[string]any{}
	for _, x := range all[:min(len(all), limit)] {
		views = append(views, map[string]any{"repoData": c.brief(r.Context(), x.at), "repoType": x.at.Type()})
	}
	answer.JSON(w, http.StatusOK, map[string]any{"recentlyTrending": views})
	return nil
}

// tagsByType lists the tags in use, by what they say.
func (c *Catalogue) tagsByType(t repo.Type) answer.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		found := map[string]map[string]string{} // kind, id: label
		for _, at := range c.visible(r, t) {
			s := c.subject(r, at, c.head(at))
			for _, tag := range s.tags() {
				kind, label := s.kindOf(tag)
				if found[kind] == nil {
					found[kind] = map[string]string{}
				}
				found[kind][tag] = label
			}
		}
		v := map[string]any{}
		for kind, tags := range found {
			list := []map[string]string{}
			for id, label := range tags {
				list = append(list, map[string]string{"type": kind, "id": id, "label": label})
			}
			slices.SortFunc(list, func(x, y map[string]string) int { return byName(x["id"], y["id"]) })
			v[kind] = list
		}
		answer.JSON(w, http.StatusOK, v)
		return nil
	}
}

// kindOf says what a tag of the repository tells.
func (s *subject) kindOf(tag string) (kind, label string) {
	if kind, label, ok := strings.Cut(tag, ":"); ok {
		return kind, label
	}
	switch {
	case tag == s.f.Pipeline:
		return "pipeline_tag", tag
	case tag == s.f.Library, slices.Contains([]string{"safetensors", "gguf", "pytorch", "onnx", "tensorboard"}, tag):
		return "library", tag
	case slices.Contains(card.Strings(s.f.Card["language"]), tag):
		return "language", tag
	}
	return "other", tag
}
