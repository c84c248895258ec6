package papers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup/latexml"
)

// pageFresh is how long the page of a paper may serve again: a version of it
// never changes.
const pageFresh = 30 * 24 * time.Hour

// bibliography reads a paper's references from its page at arXiv or ar5iv, one
// a line: for papers whose publisher withholds the list elsewhere.
func (t *Tool) bibliography(ctx context.Context, id string) ([]string, *fetch.Response, error) {
	failed := fmt.Errorf("read the references of %s: no page has any", id)
	for _, address := range []string{"https://arxiv.org/html/" + id, "https://ar5iv.labs.arxiv.org/html/" + id} {
		resp, err := t.o.Fetch.Do(ctx, fetch.Request{URL: address, Fresh: pageFresh})
		if err != nil {
			failed = err
			continue
		}
		page, err := latexml.Parse(resp.Body)
		if err != nil || len(page.References) == 0 {
			continue
		}
		lines := make([]string, len(page.References))
		for i, r := range page.References {
			tag := r.Tag
			if tag != "" && strings.Trim(tag, "0123456789") == "" {
				tag = "[" + tag + "]"
			}
			lines[i] = strings.TrimSpace(tag + " " + r.Text)
			if r.ArXiv != "" && !strings.Contains(lines[i], r.ArXiv) {
				lines[i] += " arxiv:" + r.ArXiv
			}
		}
		return lines, resp, nil
	}
	return nil, nil, failed
}
