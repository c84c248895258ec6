package text

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/arxiv"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup/latexml"
	"github.com/ml-intern/ml-intern/internal/platform/markup/paper"
)

const (
	day = 24 * time.Hour
	// versionFresh is how long a version of a paper may serve again: it never
	// changes. The newest may be another tomorrow.
	versionFresh = 30 * day
	// documentBytes and documentTime bound a PDF and its transfer.
	documentBytes = 32 << 20
	documentTime  = 60 * time.Second
	// keptDocuments is how many texts of PDFs are kept.
	keptDocuments = 4
)

// errNone says that a place answered with something that is no paper.
var errNone = errors.New("it has no text of this paper")

// missed is a place that does not have a paper's text.
type missed struct {
	place string
	err   error
}

// text returns the paper from the first place that has its text. It is nil with
// the places that have not when none has; err is only that the call was stopped.
func (r *Reader) text(ctx context.Context, id arxiv.ID) (*found, []missed, error) {
	var missing []missed
	for _, s := range [...]struct {
		place string
		read  func(context.Context, arxiv.ID) (*found, error)
	}{{"arXiv HTML", r.html}, {"Hub Markdown", r.hub}, {"ar5iv HTML", r.ar5iv}, {"PDF", r.pdf}} {
		f, err := s.read(ctx, id)
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		if err == nil {
			f.place = cmp.Or(f.place, s.place)
			return f, nil, nil
		}
		missing = append(missing, missed{s.place, err})
	}
	return nil, missing, nil
}

// html reads arXiv's own page.
func (r *Reader) html(ctx context.Context, id arxiv.ID) (*found, error) {
	f, err := r.page(ctx, "https://arxiv.org/html/"+id.String(), fresh(id))
	if err != nil {
		return nil, err
	}
	if v := cmp.Or(f.Paper.Version, id.Version); v != "" {
		f.version = ", version " + v
	} else {
		f.version = ", newest version"
	}
	return f, nil
}

func fresh(id arxiv.ID) time.Duration {
	if id.Version == "" {
		return day
	}
	return versionFresh
}

// ar5iv reads the page of the mirror, which has one version of a paper.
func (r *Reader) ar5iv(ctx context.Context, id arxiv.ID) (*found, error) {
	f, err := r.page(ctx, "https://ar5iv.labs.arxiv.org/html/"+id.Name, day)
	if err != nil {
		return nil, err
	}
	f.version = unversioned(id)
	return f, nil
}

// unversioned says that a place does not tell its version.
func unversioned(id arxiv.ID) string {
	if id.Version == "" {
		return ", version not stated"
	}
	return fmt.Sprintf(", version not stated (%s was asked for)", id.Version)
}

func (r *Reader) page(ctx context.Context, address string, fresh time.Duration) (*found, error) {
	resp, err := r.o.Fetch.Do(ctx, fetch.Request{URL: address, Fresh: fresh})
	if err != nil {
		return nil, err
	}
	p, err := latexml.Parse(resp.Body)
	if err != nil {
		return nil, errNone
	}
	return &found{Paper: p, Response: resp}, nil
}

// hub reads the Hub's Markdown; where it has none it answers with a page.
func (r *Reader) hub(ctx context.Context, id arxiv.ID) (*found, error) {
	address := "https://huggingface.co/papers/" + id.Name
	resp, err := r.o.Fetch.Do(ctx, fetch.Request{URL: address + ".md", Fresh: day})
	if err != nil {
		return nil, err
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "html") || bytes.HasPrefix(bytes.TrimSpace(resp.Body), []byte("<")) {
		return nil, errNone
	}
	p := paper.FromMarkdown(strings.ToValidUTF8(string(resp.Body), "\uFFFD"))
	if p == nil || len(p.Sections) == 0 {
		return nil, errNone
	}
	return &found{Paper: p, Response: resp, version: unversioned(id)}, nil
}

// document is the text of a PDF by the hash of its bytes.
type document struct{ hash, text string }

func (r *Reader) pdf(ctx context.Context, id arxiv.ID) (*found, error) {
	if r.o.PDF == nil {
		return nil, errors.New("documents cannot be read here")
	}
	resp, err := r.o.Fetch.Do(ctx, fetch.Request{
		URL: "https://arxiv.org/pdf/" + id.String(), Fresh: fresh(id), Limit: documentBytes, Timeout: documentTime,
	})
	if err != nil {
		return nil, err
	}
	text, ok := r.recall(resp.SHA256)
	if !ok {
		if text, err = r.o.PDF(ctx, resp.Body); err != nil {
			return nil, err
		}
		r.remember(document{resp.SHA256, text})
	}
	p := paper.FromMarkdown(text)
	if p == nil {
		p = paper.New(paper.Paper{Body: text}, nil)
	}
	version := ""
	if id.Version != "" {
		version = ", version " + id.Version
	}
	return &found{Paper: p, Response: resp, place: "PDF, layout approximate", version: version}, nil
}

func (r *Reader) recall(hash string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.kept {
		if d.hash == hash {
			return d.text, true
		}
	}
	return "", false
}

func (r *Reader) remember(d document) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append([]document{d}, slices.DeleteFunc(r.kept, func(k document) bool { return k.hash == d.hash })...)
	r.kept = r.kept[:min(len(r.kept), keptDocuments)]
}
