package index

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/tools/docs/rank"
)

// Query is what is looked for.
type Query struct {
	// Text is a question or a few words; names in code count as a whole and by
	// their parts.
	Text string
	// Slugs are the sets that are searched; none is all.
	Slugs []string
	// Limit is the most hits.
	Limit int
}

// Hit is a page that was found, without its whole text.
type Hit struct {
	Page
	// Score is higher for better hits; it says nothing across queries.
	Score float64
	// Heading and Anchor name the section that fits best, "" at the page's
	// beginning; Excerpt is the beginning of its text, at most 1,200
	// characters.
	Heading, Anchor, Excerpt string
}

// maxExcerpt is the most characters of an excerpt.
const maxExcerpt = 1200

// What a word is worth by where it stands: place, title, headings, path, names,
// body. A title says what a page is about; the parts of names are hints only.
const weights = "0, 10, 4, 5, 1.5, 1"

// maxFound is how many pages are looked at for each word: those in which it
// counts most.
const maxFound = 200

// Search returns the pages that answer a query best. Each word is asked for by
// itself, because the database gives words that most pages have no weight at
// all, and in a set on one subject those are often what is asked about.
func (x *Index) Search(ctx context.Context, q Query) ([]Hit, error) {
	wanted := terms(q.Text)
	if len(wanted) == 0 || q.Limit < 1 {
		return nil, nil
	}
	var hits []Hit
	err := x.use(ctx, func(db *sql.DB) error {
		scores, err := rate(ctx, db, wanted, q.Slugs)
		if err != nil {
			return err
		}
		hits, err = read(ctx, db, scores, q.Limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search the documentation index: %w", err)
	}
	words := rank.Query(q.Text)
	for i := range hits {
		hits[i].choose(words)
	}
	return hits, nil
}

// perTerm finds the pages that have a term.
const perTerm = `with found as materialized (select rowid as page, -bm25(search, ` + weights + `) as score from search where search match ?)
	select page, score, (select count(*) from found) from found order by score desc limit ?`

// rate returns the score of every page that has one of the terms.
func rate(ctx context.Context, db *sql.DB, wanted []term, slugs []string) (map[int64]float64, error) {
	in, pages, all, err := scope(ctx, db, slugs)
	if err != nil || pages == 0 {
		return nil, err
	}
	scores, covered := map[int64]float64{}, map[int64]float64{}
	whole := 0.0 // what a page would have of covered that has all the words
	for _, w := range wanted {
		var holders float64 // pages of all sets that have it
		if err := db.QueryRowContext(ctx, "select count(*) from search where search match ?", w.phrase).Scan(&holders); err != nil {
			return nil, err
		}
		rows, err := db.QueryContext(ctx, perTerm, in+w.phrase, maxFound)
		if err != nil {
			return nil, err
		}
		found, err := scan(rows, func(f *occurrence) []any { return []any{&f.page, &f.score, &f.here} })
		if err != nil {
			return nil, err
		}
		rare := rarity(pages, 0)
		for _, f := range found {
			rare = rarity(pages, f.here)
			scores[f.page] += w.weight * rare * f.score / databaseRarity(all, holders)
			if w.own {
				covered[f.page] += rare
			}
		}
		if w.own {
			whole += rare
		}
	}
	for page := range scores {
		// A page that has all of the words comes before one that repeats some.
		if whole > 0 {
			scores[page] *= 0.4 + 0.6*covered[page]/whole
		}
	}
	return scores, nil
}

// occurrence is a page that has a term: what the database gives it for that, and
// how many pages of the searched sets have it.
type occurrence struct {
	page        int64
	score, here float64
}

// rarity is what a term is worth that n of pages have.
func rarity(pages, n float64) float64 { return math.Log(1 + (pages-n+0.5)/(n+0.5)) }

// databaseRarity is what the database has multiplied its score by.
func databaseRarity(pages, n float64) float64 {
	return max(math.Log((pages-n+0.5)/(n+0.5)), 1e-6)
}

// scope is the beginning of an expression that keeps to sets, and how many pages
// they and all sets have.
func scope(ctx context.Context, db *sql.DB, slugs []string) (in string, pages, all float64, err error) {
	if err := db.QueryRowContext(ctx, "select count(*) from page").Scan(&all); err != nil {
		return "", 0, 0, err
	}
	if len(slugs) == 0 {
		return "", all, all, nil
	}
	var places []string
	for _, slug := range slugs {
		var n float64
		if err := db.QueryRowContext(ctx, "select count(*) from page where slug = ?", slug).Scan(&n); err != nil {
			return "", 0, 0, err
		}
		pages += n
		places = append(places, place(slug))
	}
	return "place : (" + strings.Join(places, " OR ") + ") AND ", pages, all, nil
}

// read returns the best pages.
func read(ctx context.Context, db *sql.DB, scores map[int64]float64, limit int) ([]Hit, error) {
	ids := slices.SortedFunc(maps.Keys(scores), func(a, b int64) int {
		return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b))
	})
	var hits []Hit
	for _, id := range ids[:min(len(ids), limit)] {
		h := Hit{Score: scores[id]}
		var at int64
		err := db.QueryRowContext(ctx, "select slug, path, version, url, title, text, source, sha256, fetched_at from page where id = ?", id).
			Scan(&h.Slug, &h.Path, &h.Version, &h.URL, &h.Title, &h.Text, &h.Origin.URL, &h.Origin.SHA256, &at)
		if errors.Is(err, sql.ErrNoRows) {
			continue // replaced meanwhile
		}
		if err != nil {
			return nil, err
		}
		h.Origin.FetchedAt = time.Unix(at, 0).UTC()
		hits = append(hits, h)
	}
	return hits, nil
}

// maxTerms bounds what is read of a query.
const maxTerms = 24

// term is something that is looked for: a phrase in the language of the
// full-text table. own is false for what the query does not say itself.
type term struct {
	phrase string
	weight float64
	own    bool
}

// terms are the words of a query that say something, names in code as a whole
// and by their parts, and other words for the same.
func terms(query string) []term {
	var out []term
	add := func(weight float64, own bool, words ...string) {
		phrase := `"` + strings.ToLower(strings.Join(words, " ")) + `"`
		if len(out) < maxTerms && !slices.ContainsFunc(out, func(t term) bool { return t.phrase == phrase }) {
			out = append(out, term{phrase, weight, own})
		}
	}
	var plain []string
	for _, field := range strings.Fields(query[:min(len(query), 4096)]) {
		words := rank.Split(field)
		plain = append(plain, words...)
		if len(words) > 1 && len(words) <= 6 {
			add(1, false, words...) // max_length, trl.SFTConfig, fine-tuning
		}
	}
	telling := slices.DeleteFunc(slices.Clone(plain), func(w string) bool { return rank.Stop(strings.ToLower(w)) })
	if len(telling) == 0 {
		telling = plain
	}
	for _, w := range telling {
		add(1, true, w)
	}
	for _, w := range telling {
		if parts := rank.Parts(w); len(parts) > 1 {
			add(0.7, false, parts...)
		}
	}
	for _, words := range otherWords(plain) {
		add(0.7, false, words...)
	}
	return out
}

// abbreviations are those of the field that texts write out or not as they
// please.
var abbreviations = [...][2]string{
	{"sft", "supervised fine tuning"},
	{"dpo", "direct preference optimization"},
	{"ppo", "proximal policy optimization"},
	{"grpo", "group relative policy optimization"},
	{"kto", "kahneman tversky optimization"},
	{"orpo", "odds ratio preference optimization"},
	{"rlhf", "reinforcement learning from human feedback"},
	{"peft", "parameter efficient fine tuning"},
	{"lora", "low rank adaptation"},
	{"oom", "out of memory"},
	{"fsdp", "fully sharded data parallel"},
	{"ddp", "distributed data parallel"},
	{"cli", "command line"},
	{"llm", "large language model"},
	{"vlm", "vision language model"},
	{"asr", "speech recognition"},
	{"ner", "token classification"},
	{"qa", "question answering"},
	{"rag", "retrieval augmented generation"},
	{"lr", "learning rate"},
	{"repo", "repository"},
	{"finetune", "fine tune"},
	{"finetuning", "fine tuning"},
	{"dataset", "data set"},
	{"checkpointing", "check pointing"},
}

// otherWords are the abbreviations of what a query writes out, and what its
// abbreviations stand for.
func otherWords(query []string) (phrases [][]string) {
	text := " " + strings.ToLower(strings.Join(query, " ")) + " "
	for _, a := range abbreviations {
		if strings.Contains(text, " "+a[0]+" ") {
			phrases = append(phrases, strings.Fields(a[1]))
		}
		if strings.Contains(text, " "+a[1]+" ") {
			phrases = append(phrases, []string{a[0]})
		}
	}
	return phrases
}
