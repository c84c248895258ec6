package papers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/arxiv"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/papers/show"
)

// kindOf is a failure in one line.
func kindOf(err error) string { return show.Line(err.Error(), 300) }

// arxivDetails tells what arXiv knows of a paper that the Hub has not; the
// counts of citations go between its halves.
func arxivDetails(p *arxiv.Paper, hubErr error) (head, rest string) {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n**arxiv_id:** %s\n%s\n", show.Line(p.Title, 300), p.ID.Name, p.ID.AbstractURL())
	why := "could not be asked: " + kindOf(hubErr)
	var f *fetch.Error
	if errors.As(hubErr, &f) && f.Kind == fetch.NotFound {
		why = "does not list this paper"
	}
	fmt.Fprintf(&b, "From arXiv: the Hub %s.\n", why)
	if p.Published != "" {
		fmt.Fprintf(&b, "**Published:** %s", p.Published)
		if p.Updated != "" && p.Updated != p.Published {
			fmt.Fprintf(&b, " (updated %s)", p.Updated)
		}
		b.WriteString("\n")
	}
	b.WriteString(authors(p.Authors))
	head = b.String()
	b.Reset()
	for _, x := range []struct{ name, value string }{
		{"Categories", strings.Join(p.Categories, ", ")}, {"Comment", p.Comment}, {"Journal reference", p.Journal}, {"DOI", p.DOI},
	} {
		if x.value != "" {
			fmt.Fprintf(&b, "**%s:** %s\n", x.name, show.Line(x.value, 500))
		}
	}
	fmt.Fprintf(&b, "\n## Abstract\n%s\n", show.OrText(show.Text(p.Summary)))
	return head, b.String()
}
