package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Remark stands behind references that nothing stands behind.
const Remark = "[unverified]"

// Mark returns text with the remark behind each reference that no entry stands
// behind. A reference that has it already keeps the one.
func Mark(text string, entries []event.Evidence) string {
	var places []int
	for _, r := range unverified(text, entries, nil) {
		places = append(places, r.behind)
	}
	slices.Sort(places)
	var b strings.Builder
	from := 0
	for _, p := range slices.Compact(places) {
		b.WriteString(text[from:p])
		if from = p; !strings.HasPrefix(text[p:], " "+Remark) {
			b.WriteString(" " + Remark)
		}
	}
	b.WriteString(text[from:])
	return b.String()
}

// Cited are the entries whose marks or addresses text mentions, in the order of
// the ledger.
func Cited(text string, entries []event.Evidence) []event.Evidence {
	ids, named := map[string]bool{}, map[string]bool{}
	for _, r := range References(text) {
		if r.form == "" {
			ids[r.Text] = true
		} else {
			named[r.form] = true
		}
	}
	if len(ids)+len(named) == 0 {
		return nil
	}
	var out []event.Evidence
	for _, e := range entries {
		if ids[e.ID] || slices.ContainsFunc(forms(e), func(f string) bool { return named[f] }) {
			out = append(out, e)
		}
	}
	return out
}

// Line is an entry for people: [S12] title, address, and how it was looked up.
func Line(e event.Evidence) string {
	text := cmp.Or(e.URL, e.Object)
	if e.Title != "" {
		text = strings.TrimSuffix(e.Title+", "+text, ", ")
	}
	if how := strings.TrimSpace(e.Tool + " " + e.Operation); how != "" {
		text += " (" + how + ")"
	}
	return "[" + cmp.Or(e.ID, "-") + "] " + text
}

// Sources is the section ## Sources of a report, at most limit characters long:
// first come the entries that text cites, then the others. What does not fit is
// counted.
func Sources(text string, entries []event.Evidence, limit int) string {
	if len(entries) == 0 {
		return "## Sources\n\nNothing was looked up."
	}
	order := Cited(text, entries)
	first := map[string]bool{}
	for _, e := range order {
		first[e.ID] = true
	}
	for _, e := range entries {
		if !first[e.ID] {
			order = append(order, e)
		}
	}
	const reserve = 60 // for the line that counts the rest
	var b strings.Builder
	b.WriteString("## Sources\n")
	left := limit - reserve - utf8.RuneCountInString(b.String())
	for i, e := range order {
		line := "\n- " + Line(e)
		if left -= utf8.RuneCountInString(line); left < 0 {
			fmt.Fprintf(&b, "\n- … and %d more in the session's evidence", len(order)-i)
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

// Footnotes is text for an export as Markdown: the marks of the ledger become
// footnotes. References that nothing stands behind have their remark.
func Footnotes(text string, entries []event.Evidence) string {
	text = Mark(text, entries)
	byID := make(map[string]event.Evidence, len(entries))
	for _, e := range entries {
		byID[e.ID] = e
	}
	var notes, order []string
	var b strings.Builder
	from := 0
	for _, r := range References(text) {
		if r.form != "" {
			continue
		}
		if r.from >= from { // the first of a list such as [S1, S2]
			b.WriteString(text[from:r.from])
			from = r.to
		}
		b.WriteString("[^" + r.Text + "]")
		if !slices.Contains(order, r.Text) {
			order = append(order, r.Text)
			notes = append(notes, "[^"+r.Text+"]: "+note(byID, r.Text))
		}
	}
	b.WriteString(text[from:])
	if len(notes) == 0 {
		return text
	}
	return strings.TrimRight(b.String(), "\n") + "\n\n" + strings.Join(notes, "\n") + "\n"
}

// note is what a footnote says.
func note(byID map[string]event.Evidence, id string) string {
	e, known := byID[id]
	if !known {
		return "not in the session's evidence"
	}
	text := strings.TrimPrefix(Line(e), "["+id+"] ")
	if !e.FetchedAt.IsZero() {
		text += ", fetched " + e.FetchedAt.UTC().Format(time.RFC3339)
	}
	return text
}
