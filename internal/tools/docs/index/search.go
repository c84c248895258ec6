package index

import (
	"context"
	"database/sql"
	"fmt"
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

// Search returns the pages that answer a query best.
func (x *Index) Search(ctx context.Context, q Query) ([]Hit, error) {
	match := expression(q)
	if match == "" || q.Limit < 1 {
		return nil, nil
	}
	var hits []Hit
	err := x.use(ctx, func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `
			with found as (select rowid as id, -bm25(search, `+weights+`) as score from search where search match ? order by score desc limit ?)
			select slug, path, version, url, title, text, source, sha256, fetched_at, score from found join page using (id) order by score desc, url`,
			match, q.Limit)
		if err != nil {
			return err
		}
		var at []int64
		hits, err = scan(rows, func(h *Hit) []any {
			at = append(at, 0)
			return []any{&h.Slug, &h.Path, &h.Version, &h.URL, &h.Title, &h.Text, &h.Origin.URL, &h.Origin.SHA256, &at[len(at)-1], &h.Score}
		})
		for i := range hits {
			hits[i].Origin.FetchedAt = time.Unix(at[i], 0).UTC()
		}
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

// maxWords bounds what is read of a query.
const maxWords = 40

// expression is the query in the language of the full-text table: the page is
// in one of the sets and has any of the words.
func expression(q Query) string {
	var any []string
	add := func(words ...string) {
		phrase := `"` + strings.Join(words, " ") + `"`
		if !slices.Contains(any, phrase) {
			any = append(any, phrase)
		}
	}
	var plain []string
	for _, field := range strings.Fields(q.Text) {
		words := rank.Split(field)
		if len(words) > 1 && len(words) <= 6 {
			add(words...) // max_length, trl.SFTConfig, fine-tuning
		}
		for _, w := range words {
			if plain = append(plain, strings.ToLower(w)); len(plain) > maxWords {
				break
			}
			if parts := rank.Parts(w); len(parts) > 1 {
				add(parts...)
			}
		}
	}
	plain = plain[:min(len(plain), maxWords)]
	telling := slices.DeleteFunc(slices.Clone(plain), rank.Stop)
	if len(telling) == 0 {
		telling = plain
	}
	for _, w := range telling {
		add(w)
	}
	for _, phrase := range otherWords(plain) {
		add(phrase...)
	}
	if len(any) == 0 {
		return ""
	}
	expr := strings.Join(any, " OR ")
	if len(q.Slugs) == 0 {
		return expr
	}
	var places []string
	for _, slug := range q.Slugs {
		places = append(places, place(slug))
	}
	return "place : (" + strings.Join(places, " OR ") + ") AND (" + expr + ")"
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
	text := " " + strings.Join(query, " ") + " "
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
