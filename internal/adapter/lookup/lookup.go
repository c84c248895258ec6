// Package lookup is what every look-up tool does alike: it cites where a result
// comes from, cuts long texts so that reading can go on, and tells failures in
// words. It knows no service.
package lookup

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// MaxOutput is how many characters a look-up's result has at most.
const MaxOutput = 40_000

// Source is an answer that a result was made from.
type Source struct {
	*fetch.Response
	// Tool, Operation and Object say what was looked up, such as "hf_papers",
	// "paper_details" and "2402.03300". URL replaces the answer's own where
	// people should see another, such as the page instead of its API.
	Tool, Operation, Object, Title, URL string
}

// Note writes a source into the session's evidence and returns its mark.
func Note(env tool.Env, s Source) string {
	return env.Evidence(event.Evidence{
		Tool: s.Tool, Operation: s.Operation, Object: s.Object, Title: s.Title,
		URL: s.address(), FetchedAt: s.FetchedAt.UTC(), SHA256: s.SHA256,
	})
}

func (s Source) address() string { return cmp.Or(s.URL, s.Response.URL) }

// Cite returns a good result: the text and, as its last line, the marks of what
// it was made from. Sources that are nil are left out.
func Cite(env tool.Env, text string, sources ...Source) tool.Result {
	var marks []string
	for _, s := range sources {
		if s.Response != nil {
			marks = append(marks, fmt.Sprintf("[%s] %s (fetched %s)", Note(env, s), s.address(), s.FetchedAt.UTC().Format(time.RFC3339)))
		}
	}
	text = strings.TrimRight(text, "\n")
	if len(marks) > 0 {
		text += "\n\n" + strings.Join(marks, " · ")
	}
	return tool.Success(text)
}

// Part is a piece of a long text: Max characters from Offset on. More gives the
// call that reads on from an offset, such as
// `fetch_hf_docs {"url":"…","offset":20000}`.
type Part struct {
	Offset, Max int
	More        func(offset int) string
}

// Cut returns the piece. It ends at the end of a line, closes a code fence it
// would tear, and says in one more line what is left and how to read on. Offsets
// count characters of text.
func (p Part) Cut(text string) string {
	runes := []rune(text)
	start := min(max(p.Offset, 0), len(runes))
	if len(runes)-start <= p.Max {
		return string(runes[start:])
	}
	end := start + p.Max
	for i := end; i > start+p.Max/2; i-- {
		if runes[i-1] == '\n' {
			end = i
			break
		}
	}
	piece := string(runes[start:end])
	if strings.Count(piece, "```")%2 == 1 {
		piece += "\n```\n"
	}
	return fmt.Sprintf("%s\n… %d of %d characters follow; go on with %s", strings.TrimRight(piece, "\n"), len(runes)-end, utf8.RuneCountInString(text), p.More(end))
}

// Failed returns a failed result: what was tried, what came back, what to do
// next. advice replaces the general advice for the kind of failure.
func Failed(what string, err error, advice ...string) tool.Result {
	var f *fetch.Error
	if !errors.As(err, &f) {
		return tool.Failed(what + ": " + err.Error())
	}
	return tool.Failed(fmt.Sprintf("%s: %v. %s", what, f, strings.Join(advice, " ")))
}
