package catalog

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/name"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	"github.com/ml-intern/ml-intern/internal/platform/loose"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

//go:embed hf_leaderboard.json
var boardSpec []byte

const (
	defaultRows = 20
	maxRows     = 100
	// looked is how many models, from the top, are looked up for their size and
	// licence, so many at once.
	looked, atOnce = 50, 8
)

// NewLeaderboard returns hf_leaderboard.
func NewLeaderboard(o Options) (tool.Tool, error) { return newLook(o, boardSpec, board) }

// Leaderboard are the arguments of hf_leaderboard.
type Leaderboard struct {
	Dataset      string `json:"dataset,omitempty"`
	Query        string `json:"query,omitempty"`
	MaxParams    string `json:"max_params,omitempty"`
	VerifiedOnly bool   `json:"verified_only,omitempty"`
	Limit        int    `json:"limit,omitempty"`
}

func (p *Leaderboard) check() (most float64, err error) {
	if p.Limit == 0 {
		p.Limit = defaultRows
	}
	if p.Limit < 1 || p.Limit > maxRows {
		return 0, fmt.Errorf("limit must be from 1 to %d, not %d", maxRows, p.Limit)
	}
	p.Dataset = strings.Trim(strings.TrimPrefix(strings.TrimSpace(p.Dataset), hub+"/datasets/"), "/")
	if p.Dataset == "" && strings.TrimSpace(p.Query) == "" {
		return 0, errors.New("dataset (the id of a benchmark) or query is required")
	}
	if p.Dataset != "" {
		if rule := name.RepoID(p.Dataset); rule != "" {
			return 0, fmt.Errorf("dataset %s; it is an id such as owner/name", rule)
		}
	}
	if p.MaxParams == "" {
		return math.Inf(1), nil
	}
	return size("max_params", p.MaxParams)
}

// result is a line of a leaderboard.
type result struct {
	Rank     loose.Value[float64] `json:"rank"`
	Model    loose.Value[string]  `json:"modelId"`
	Value    loose.Value[float64] `json:"value"`
	Verified loose.Value[bool]    `json:"verified"`
	File     loose.Value[string]  `json:"filename"`
	Notes    loose.Value[string]  `json:"notes"`
	Source   loose.Value[struct {
		URL  string `json:"url"`
		Name string `json:"name"`
	}] `json:"source"`

	model entry
	known bool
}

func board(ctx context.Context, l *look, env tool.Env, args json.RawMessage) tool.Result {
	var p Leaderboard
	if err := tool.Decode(args, &p); err != nil {
		return l.bad(err)
	}
	most, err := p.check()
	if err != nil {
		return l.bad(err)
	}
	if p.Dataset == "" {
		id, text, cite, err := l.benchmark(ctx, p)
		if err != nil {
			return lookup.Failed("hf_leaderboard: search the benchmarks for "+lookup.Line(p.Query, 100), err)
		}
		if id == "" {
			return lookup.Cite(env, text, cite)
		}
		p.Dataset = id
	}
	resp, err := l.ask(ctx, "/api/datasets/"+p.Dataset+"/leaderboard", nil)
	if err != nil {
		return lookup.Failed("hf_leaderboard: the leaderboard of "+p.Dataset, err, advice(err))
	}
	items, err := entries(resp)
	if err != nil {
		return lookup.Failed("hf_leaderboard: the leaderboard of "+p.Dataset, err)
	}
	var all []result
	for _, raw := range items {
		var r result
		if json.Unmarshal(raw, &r) == nil && r.Model.V != "" && (r.Verified.V || !p.VerifiedOnly) {
			all = append(all, r)
		}
	}
	l.lookUp(ctx, all, p.Limit, p.MaxParams != "")
	rows := slices.DeleteFunc(slices.Clone(all), func(r result) bool { return r.model.parameters() > most })
	page := hub + "/datasets/" + p.Dataset
	return lookup.Cite(env, p.show(env, all, rows), lookup.Source{Response: resp, Tool: l.spec.Name, Operation: "leaderboard", Object: p.Dataset, Title: "Leaderboard of " + p.Dataset, URL: page})
}

func advice(err error) string {
	var f *fetch.Error
	if errors.As(err, &f) && f.Status == 404 {
		return "The dataset does not exist, is private, or keeps no leaderboard; find benchmarks with query."
	}
	return ""
}

// benchmark finds the one benchmark that a query means; without one, text lists
// those there are.
func (l *look) benchmark(ctx context.Context, p Leaderboard) (id, text string, cite lookup.Source, err error) {
	q := url.Values{"filter": {"benchmark:official"}, "search": {p.Query}, "limit": {"20"}, "sort": {"likes"}, "direction": {"-1"}}
	items, resp, _, err := l.list(ctx, "/api/datasets", q, 20)
	if err != nil {
		return "", "", cite, err
	}
	cite = lookup.Source{Response: resp, Tool: l.spec.Name, Operation: "search", Object: p.Query, Title: "Benchmarks on the Hub"}
	var names []string
	for _, raw := range items {
		var e entry
		if json.Unmarshal(raw, &e) != nil || name.RepoID(e.ID.V) != "" {
			continue
		}
		if _, bare, _ := strings.Cut(e.ID.V, "/"); strings.EqualFold(bare, p.Query) || strings.EqualFold(e.ID.V, p.Query) {
			return e.ID.V, "", cite, nil
		}
		names = append(names, e.ID.V)
	}
	switch len(names) {
	case 0:
		return "", fmt.Sprintf("No official benchmark matches '%s'. Use other words, or give the id of the dataset.", lookup.Line(p.Query, 100)), cite, nil
	case 1:
		return names[0], "", cite, nil
	}
	return "", fmt.Sprintf("%d benchmarks match '%s'; call hf_leaderboard again with dataset set to one of them:\n\n- %s\n", len(names), lookup.Line(p.Query, 100), strings.Join(names, "\n- ")), cite, nil
}

// lookUp asks for the size and licence of the models on top: of those shown,
// and of more when some are left out by size.
func (l *look) lookUp(ctx context.Context, all []result, limit int, filtered bool) {
	n := min(len(all), looked)
	if !filtered {
		n = min(n, limit)
	}
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range all[:n] {
		r := &all[i]
		if name.RepoID(r.Model.V) != "" {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			resp, err := l.ask(ctx, "/api/models/"+r.Model.V, url.Values{"expand": {"safetensors", "tags"}})
			r.known = err == nil && json.Unmarshal(resp.Body, &r.model) == nil
		})
	}
	wg.Wait()
}

func (p Leaderboard) show(env tool.Env, all, rows []result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**Leaderboard of %s:** %d entries", p.Dataset, len(all))
	if p.VerifiedOnly {
		b.WriteString(", verified only")
	}
	if p.MaxParams != "" {
		fmt.Fprintf(&b, ", %d over %s parameters left out", len(all)-len(rows), lookup.Line(p.MaxParams, 20))
		if len(all) > looked {
			fmt.Fprintf(&b, " (the first %d were looked up)", looked)
		}
	}
	if len(rows) == 0 {
		b.WriteString("\n\nNo entry fits.\n")
		return b.String()
	}
	b.WriteString("\n\n| Rank | Model | Value | Verified | Parameters | Licence | Source |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	left := lookup.Room(env, 0) - b.Len() - 200 // for the last words
	shown := 0
	for _, r := range rows[:min(len(rows), p.Limit)] {
		row := r.row()
		if left -= len([]rune(row)); left < 0 {
			break
		}
		b.WriteString(row)
		shown++
	}
	if shown < len(rows) {
		fmt.Fprintf(&b, "\n%d more rows; raise limit (at most %d).\n", len(rows)-shown, maxRows)
	}
	if p.MaxParams != "" && slices.ContainsFunc(rows[:shown], func(r result) bool { return r.model.parameters() == 0 }) {
		b.WriteString("\nModels whose size is unknown (?) are kept.\n")
	}
	return b.String()
}

func (r result) row() string {
	params, licence, verified, rank, value := "?", "?", "no", "?", "?"
	if n := r.model.parameters(); n > 0 {
		params = amount.Short(n, 2)
	}
	if r.known {
		licence = first(r.model.tag("license:"), "not stated")
	}
	if r.Verified.V {
		verified = "yes"
	}
	if r.Rank.Set {
		rank = strconv.FormatFloat(r.Rank.V, 'f', -1, 64)
	}
	if r.Value.Set {
		value = strconv.FormatFloat(r.Value.V, 'g', 8, 64)
	}
	source := first(r.Source.V.URL, r.Source.V.Name, r.File.V)
	if r.Notes.V != "" {
		source += " (" + r.Notes.V + ")"
	}
	cell := func(s string, n int) string { return strings.ReplaceAll(lookup.Line(s, n), "|", "\\|") }
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |\n", rank, cell(r.Model.V, 200), value, verified, params, cell(licence, 40), cell(source, 200))
}
