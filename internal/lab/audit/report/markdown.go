package report

import (
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/lab/licence"
)

// page is a report under the pen.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// section begins a section.
func (p *page) section(title string) { p.line("\n## %s\n", title) }

// Markdown is the report as text.
func (r *Report) Markdown() string {
	p := &page{}
	p.line("# Audit of %s\n", cell(r.Dataset))
	p.line("%s", r.head())
	p.section("Verdict")
	for _, l := range r.lines() {
		p.line("- %s", l)
	}
	if len(r.Warnings) > 0 {
		p.line("\n**Warnings:**\n")
		for _, w := range r.Warnings {
			p.line("- %s", cell(w))
		}
	}
	c := &r.Checks
	if c.Duplicates != nil {
		p.duplicates(c.Duplicates)
	}
	if c.Leakage != nil {
		p.leakage(c.Leakage)
	}
	if c.Balance != nil {
		p.balance(c.Balance)
	}
	if c.Length != nil {
		p.length(c.Length)
	}
	if c.Quality != nil {
		p.quality(c.Quality)
	}
	if c.PII != nil {
		p.personal(c.PII)
	}
	if c.Contamination != nil {
		p.contamination(c.Contamination)
	}
	if c.Licence != nil {
		p.licence(c.Licence)
	}
	p.section("How to fix")
	p.fix(r)
	return p.String()
}

// head says what was read.
func (r *Report) head() string {
	n, total, whole := int64(0), int64(0), true
	var audited, compared []string
	for _, s := range r.Sample.Splits {
		text := fmt.Sprintf("%s %s", cell(s.Split), amount.Grouped(s.Rows))
		if s.Rows != s.Total && s.Total > 0 {
			text += " of " + amount.Grouped(s.Total)
		}
		if s.Compared {
			compared = append(compared, text)
			continue
		}
		n, total, whole = n+s.Rows, total+s.Total, whole && s.Total > 0
		audited = append(audited, text)
	}
	line := fmt.Sprintf("sample: %s rows of a split of unknown size, seed %d", amount.Grouped(n), r.Seed)
	if whole {
		line = fmt.Sprintf("sample: %s of %s rows (%s), seed %d", amount.Grouped(n), amount.Grouped(total), percent(n, total), r.Seed)
	}
	line += "\nsplits: " + strings.Join(audited, ", ")
	if len(compared) > 0 {
		line += "; compared with " + strings.Join(compared, ", ")
	}
	if r.Source != "" {
		line += "\nsource: " + cell(r.Source)
	}
	return line
}

// lines is the verdict in at most five lines: what is fine stands in one, and
// so does what does not fit.
func (r *Report) lines() []string {
	const most = 5
	var bad []Finding
	var fine []string
	for _, f := range r.Verdict {
		if f.Level == OK {
			fine = append(fine, string(f.Check))
			continue
		}
		bad = append(bad, f)
	}
	room := most
	if len(fine) > 0 {
		room--
	}
	var out []string
	for i, f := range bad {
		if i == room-1 && len(bad) > room {
			var rest []string
			for _, f := range bad[i:] {
				rest = append(rest, fmt.Sprintf("%s: %s", f.Check, f.Text))
			}
			out = append(out, cell(fmt.Sprintf("%s %s", f.Level, strings.Join(rest, "; "))))
			break
		}
		out = append(out, cell(fmt.Sprintf("%s %s: %s", f.Level, f.Check, f.Text)))
	}
	if len(fine) > 0 {
		out = append(out, fmt.Sprintf("%s %s", OK, strings.Join(fine, ", ")))
	}
	return out
}

func (p *page) duplicates(d *DuplicatesResult) {
	p.section("Duplicates")
	p.line("Texts compared: %s, normalised (NFKC, lower case, one blank). Near: Jaccard similarity of at least 0.8 over shingles of 5 words.\n",
		cell(strings.Join(d.TextColumns, ", ")))
	p.line("- exact: %s in %s", plural(d.ExactRows, "copy", "copies"), plural(d.ExactGroups, "group", "groups"))
	for _, g := range d.Groups {
		p.line("  - %s", cell(refs(g)))
	}
	p.line("- near: %s", plural(d.NearPairs, "pair", "pairs"))
	p.pairs(d.Near)
	p.line("- without copies %s of %s remain", rows(d.Rows-d.Redundant), amount.Grouped(d.Rows))
	p.incomplete(d.Complete)
}

func (p *page) pairs(list []Pair) {
	for _, x := range list {
		how := "exact"
		if !x.Exact {
			how = fmt.Sprintf("near, %.2f", x.Jaccard)
		}
		p.line("  - %s %d and %s %d (%s)", cell(x.A.Split), x.A.Row, cell(x.B.Split), x.B.Row, how)
	}
}

func (p *page) incomplete(complete bool) {
	if !complete {
		p.line("- not every pair of very large groups of alike texts was compared: pairs are a lower bound")
	}
}

func (p *page) leakage(l *LeakageResult) {
	p.section("Leakage")
	if len(l.Splits) == 0 {
		p.line("There is one split only.")
	}
	for _, s := range l.Splits {
		p.line("- %s in %s: %s exact, %s near of %s (%s)", cell(s.To), cell(s.From), amount.Grouped(s.ExactRows), amount.Grouped(s.NearRows), rows(s.Rows),
			percent(s.ExactRows+s.NearRows, s.Rows))
		p.pairs(s.Examples)
	}
	p.incomplete(l.Complete)
}

func (p *page) balance(b *BalanceResult) {
	p.section("Class balance")
	if len(b.Columns) == 0 {
		p.line("There is no column of classes.")
	}
	for i, c := range b.Columns {
		if i > 0 {
			p.line("")
		}
		whole := ""
		if c.Whole {
			whole = ", counted over the whole split"
		}
		p.line("%s: %s, entropy %.2f bits (%.2f of even)%s\n", cell(c.Column), plural(int64(len(c.Classes)+c.More), "class", "classes"), c.Entropy, c.Even, whole)
		p.line("| class | rows | share |\n| --- | ---: | ---: |")
		for _, k := range c.Classes {
			p.line("| %s | %s | %s |", cell(k.Label), amount.Grouped(k.Rows), percent(k.Rows, c.Rows))
		}
		if c.More > 0 {
			p.line("| %d more | | |", c.More)
		}
		if c.Missing > 0 {
			p.line("| (none) | %s | |", amount.Grouped(c.Missing))
		}
	}
}

func (p *page) length(l *LengthResult) {
	p.section("Length")
	how := "Tokens of " + cell(l.Tokenizer)
	if l.Estimate {
		how = "Tokens are an estimate: characters / 4"
	}
	if l.Overhead > 0 {
		how += fmt.Sprintf(", with %d a message for the chat template", l.Overhead)
	}
	p.line("%s.\n", how)
	p.line("| min | mean | p50 | p90 | p95 | p99 | max | over %s |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", amount.Grouped(int64(l.MaxLength)))
	p.line("| %d | %.1f | %d | %d | %d | %d | %d | %s (%s) |\n", l.Min, l.Mean, l.P50, l.P90, l.P95, l.P99, l.Max, amount.Grouped(l.Over), percent(l.Over, l.Rows))
	p.line("| tokens | rows |\n| --- | ---: |")
	for _, b := range l.Histogram {
		p.line("| %d–%d | %s |", b.From, b.To, amount.Grouped(b.Rows))
	}
	for i, r := range l.Longest {
		if i == 0 {
			p.line("")
		}
		p.line("- %s %d: %s tokens", cell(r.Split), r.Row, amount.Grouped(int64(r.Tokens)))
	}
	for i, c := range l.Characters {
		if i == 0 {
			p.line("")
		}
		p.line("- whole split %s, %s: %d to %d characters, mean %.1f, median %.1f", cell(c.Split), cell(c.Column), c.Min, c.Max, c.Mean, c.Median)
	}
}

func (p *page) quality(q *QualityResult) {
	p.section("Quality")
	if len(q.Faults) == 0 {
		p.line("- no faults found")
	}
	for _, f := range q.Faults {
		p.line("- %s %s: %s", rows(f.Rows), cell(describe(f)), cell(more(refs(f.Examples), f.Rows, len(f.Examples))))
	}
	for _, n := range q.Nulls {
		p.line("- whole split %s: %s of %s null in %s", cell(n.Split), amount.Grouped(n.Nulls), rows(n.Rows), cell(n.Column))
	}
	var scripts []string
	for _, s := range q.Scripts {
		scripts = append(scripts, fmt.Sprintf("%s %s", s.Script, percent(s.Rows, q.Rows)))
	}
	p.line("- scripts: %s", strings.Join(scripts, ", "))
}

// more adds that there are others than those listed.
func more(list string, all int64, listed int) string {
	if all > int64(listed) {
		return list + fmt.Sprintf(" and %s more", amount.Grouped(all-int64(listed)))
	}
	return list
}

func (p *page) personal(f *PIIResult) {
	p.section("Personal data")
	if len(f.Kinds) == 0 {
		p.line("- none found")
	}
	for _, k := range f.Kinds {
		p.line("- %s in %s", kindName(k.Kind, k.Matches), rows(k.Rows))
		for _, e := range k.Examples {
			p.line("  - %s %d, %s: `%s`", cell(e.Split), e.Row, cell(e.Column), strings.ReplaceAll(cell(e.Masked), "`", "'"))
		}
	}
	for _, e := range f.Entities {
		p.line("- %s %s, counted by another scan", amount.Grouped(e.Count), cell(e.Kind))
	}
}

func (p *page) contamination(c *ContaminationResult) {
	p.section("Contamination")
	for _, b := range c.Benchmarks {
		p.line("- %s: %s of %s in %s", cell(b.Benchmark), plural(b.Found, "item", "items"), amount.Grouped(b.Items), rows(b.Rows))
		for _, e := range b.Examples {
			run := fmt.Sprintf("%d words in a row", e.Words)
			p.line("  - %s %d has item %d: %.0f %%, %s", cell(e.Split), e.Row, e.Item, 100*e.Share, run)
		}
	}
	if !c.Complete {
		p.line("- more was found than was weighed: the numbers are a lower bound")
	}
}

func (p *page) licence(l *licence.Finding) {
	p.section("Licence")
	name := func(list []string) string {
		if len(list) == 0 {
			return "none"
		}
		return cell(strings.Join(list, ", "))
	}
	p.line("- card: %s\n- tags: %s", name(l.Card), name(l.Tags))
	if l.Conflict {
		p.line("- conflict: card and tags name different licences")
	}
	for _, t := range []struct {
		names []string
		means string
	}{
		{l.NonCommercial, "forbids commercial use"},
		{l.NoDerivatives, "forbids derived works"},
		{l.ShareAlike, "wants derived works under the same terms"},
		{l.Special, "has terms of its own: read them"},
	} {
		if len(t.names) > 0 {
			p.line("- %s %s", name(t.names), t.means)
		}
	}
	if l.Gated != "" {
		p.line("- access is gated (%s)", cell(l.Gated))
	}
	if l.Private {
		p.line("- the data set is private")
	}
}
