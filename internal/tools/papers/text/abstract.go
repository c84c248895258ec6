package text

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup/paper"
)

// recordFresh is how long the Hub's record of a paper may serve again.
const recordFresh = 10 * time.Minute

// abstract answers for a paper whose text no place has: with its abstract, from
// the Hub or from arXiv.
func (r *Reader) abstract(ctx context.Context, env tool.Env, c call, missing []missed) tool.Result {
	f, err := r.record(ctx, c)
	if err != nil {
		var other error
		if f, other = r.archive(ctx, c); other != nil {
			if ctx.Err() != nil {
				return lookup.Failed(c.what, context.Cause(ctx))
			}
			return lookup.Failed(c.what+", no place has its text or abstract", worst(append(missing, missed{"Hub record", err}, missed{"arXiv record", other})))
		}
	}
	c.found = f
	var b strings.Builder
	fmt.Fprintf(&b, "## Abstract\n%s\n\nThe text of this paper could not be read", f.Abstract)
	if c.Section != "" {
		b.WriteString("; section is ignored")
	}
	b.WriteString(":\n")
	for _, m := range missing {
		fmt.Fprintf(&b, "- %s: %s\n", m.place, lookup.Line(m.err.Error(), 200))
	}
	fmt.Fprintf(&b, "PDF: https://arxiv.org/pdf/%s", c.Args.Paper)
	return c.answer(env, *c.part("", b.String()))
}

// record reads title and abstract from the Hub.
func (r *Reader) record(ctx context.Context, c call) (*found, error) {
	id := c.Args.Paper.Name
	resp, err := r.o.Fetch.Do(ctx, fetch.Request{URL: "https://huggingface.co/api/papers/" + id, Fresh: recordFresh})
	if err != nil {
		return nil, err
	}
	var in struct {
		Title   string `json:"title"`
		Summary string `json:"summary"`
	}
	if err := json.Unmarshal(resp.Body, &in); err != nil || strings.TrimSpace(in.Summary) == "" {
		return nil, errNone
	}
	return &found{
		Paper:    &paper.Paper{Title: strings.TrimSpace(in.Title), Abstract: strings.TrimSpace(in.Summary)},
		Response: resp, place: "Hub record, abstract only", page: "https://huggingface.co/papers/" + id,
	}, nil
}

// archive reads them from arXiv's search.
func (r *Reader) archive(ctx context.Context, c call) (*found, error) {
	results, err := r.arxiv.Paper(ctx, c.Args.Paper)
	if err != nil {
		return nil, err
	}
	if len(results.Papers) == 0 || results.Papers[0].Summary == "" {
		return nil, errNone
	}
	p := results.Papers[0]
	return &found{
		Paper:    &paper.Paper{Title: p.Title, Abstract: p.Summary, Authors: strings.Join(p.Authors, ", ")},
		Response: results.Response, place: "arXiv record, abstract only", page: c.address(),
	}, nil
}

// worst returns the failure that tells most: one of the services' own, that may
// be gone the next time, before the paper's.
func worst(list []missed) error {
	var out error
	for _, m := range list {
		var f *fetch.Error
		if errors.As(m.err, &f) && f.Kind != fetch.NotFound {
			return m.err
		} else if f != nil && out == nil {
			out = m.err
		}
	}
	if out == nil {
		out = errNone
	}
	return out
}
