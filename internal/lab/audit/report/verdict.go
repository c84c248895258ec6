package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/lab/licence"
	"github.com/ml-intern/ml-intern/internal/lab/pii"
	"github.com/ml-intern/ml-intern/internal/lab/quality"
)

// From which shares a finding is how bad.
const (
	manyCopies   = 0.3  // redundant rows: a blocker
	manyBroken   = 0.05 // rows without a text, or with a repeated one: a blocker
	manyShort    = 0.05 // rows with few words, a cut ending or a refusal: a warning
	oneClass     = 0.8  // rows of one class: a warning
	manyTooLong  = 0.2  // rows over the limit: a blocker
	smallestLeak = 0.01 // near copies in a split: a blocker
)

// Verdict is one finding a check, worst first, then in the order of the report.
func (r *Results) Verdict() []Finding {
	out := []Finding{}
	add := func(check Check, level Level, text string) {
		out = append(out, Finding{Level: level, Check: check, Text: text})
	}
	if d := r.Duplicates; d != nil {
		level, text := d.finding()
		add(Duplicates, level, text)
	}
	if l := r.Leakage; l != nil {
		level, text := l.finding()
		add(Leakage, level, text)
	}
	if b := r.Balance; b != nil {
		level, text := b.finding()
		add(Balance, level, text)
	}
	if l := r.Length; l != nil {
		level, text := l.finding()
		add(Length, level, text)
	}
	if q := r.Quality; q != nil {
		level, text := q.finding()
		add(Quality, level, text)
	}
	if p := r.PII; p != nil {
		level, text := p.finding()
		add(PII, level, text)
	}
	if c := r.Contamination; c != nil {
		level, text := c.finding()
		add(Contamination, level, text)
	}
	if l := r.Licence; l != nil {
		level, text := licenceFinding(l)
		add(Licence, level, text)
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Level.rank(), b.Level.rank()) })
	return out
}

func (l Level) rank() int { return slices.Index([]Level{Blocker, Warning, OK}, l) }

func worse(a, b Level) Level {
	if a.rank() <= b.rank() {
		return a
	}
	return b
}

// part is n of all, at most 1.
func part(n, all int64) float64 {
	if all == 0 {
		return 0
	}
	return float64(n) / float64(all)
}

func (d *DuplicatesResult) finding() (Level, string) {
	if d.Redundant == 0 {
		return OK, "no copies"
	}
	level := Warning
	if part(d.Redundant, d.Rows) >= manyCopies {
		level = Blocker
	}
	return level, fmt.Sprintf("%s of %s are copies: %s, %s", rows(d.Redundant), amount.Grouped(d.Rows),
		plural(d.ExactRows, "exact", "exact"), plural(d.NearPairs, "near pair", "near pairs"))
}

func (l *LeakageResult) finding() (Level, string) {
	if len(l.Splits) == 0 {
		return OK, "there is one split only"
	}
	level, texts := OK, []string(nil)
	for _, s := range l.Splits {
		n := s.ExactRows + s.NearRows
		if n == 0 {
			continue
		}
		level = worse(level, Warning)
		if s.ExactRows > 0 || part(n, s.Rows) >= smallestLeak {
			level = Blocker
		}
		texts = append(texts, fmt.Sprintf("%s of %s (%s) stand in %s: %s exact, %s near", rows(n), s.To, percent(n, s.Rows), s.From, amount.Grouped(s.ExactRows), amount.Grouped(s.NearRows)))
	}
	if level == OK {
		return OK, "no row of one split stands in another"
	}
	return level, strings.Join(texts, "; ")
}

func (b *BalanceResult) finding() (Level, string) {
	if len(b.Columns) == 0 {
		return OK, "there is no column of classes"
	}
	var texts []string
	for _, c := range b.Columns {
		switch top := c.Classes[0]; {
		case len(c.Classes) == 1 && !c.Declared:
			continue // a constant column says nothing
		case top.Share >= oneClass:
			texts = append(texts, fmt.Sprintf("%s of the rows have %s %q", percent(top.Rows, c.Rows), c.Column, top.Label))
		}
	}
	if len(texts) > 0 {
		return Warning, strings.Join(texts, "; ")
	}
	return OK, fmt.Sprintf("no class has %.0f %% of the rows", 100*oneClass)
}

func (l *LengthResult) finding() (Level, string) {
	if l.Over == 0 {
		return OK, fmt.Sprintf("no row is over %s tokens%s", amount.Grouped(int64(l.MaxLength)), l.estimate())
	}
	level := Warning
	if part(l.Over, l.Rows) >= manyTooLong {
		level = Blocker
	}
	return level, fmt.Sprintf("%s (%s) over %s tokens%s, the longest %s", rows(l.Over), percent(l.Over, l.Rows),
		amount.Grouped(int64(l.MaxLength)), l.estimate(), amount.Grouped(int64(l.Max)))
}

func (l *LengthResult) estimate() string {
	if l.Estimate {
		return " (estimate)"
	}
	return ""
}

func (q *QualityResult) finding() (Level, string) {
	level, texts := OK, []string(nil)
	for _, f := range q.Faults {
		share := part(f.Rows, q.Rows)
		switch f.Fault {
		case quality.Null, quality.Empty, quality.Repeated:
			level = worse(level, Warning)
			if share >= manyBroken {
				level = Blocker
			}
		default:
			if share < manyShort {
				continue
			}
			level = worse(level, Warning)
		}
		texts = append(texts, fmt.Sprintf("%s %s", amount.Grouped(f.Rows), describe(f)))
	}
	if level == OK {
		return OK, "no empty or repeated texts"
	}
	return level, strings.Join(texts, ", ")
}

// describe is a fault in words.
func describe(f FaultCount) string {
	in := ""
	if f.Column != "" {
		in = " " + f.Column
	}
	switch f.Fault {
	case quality.Null:
		return "null" + in
	case quality.Empty:
		return "empty" + in
	case quality.Repeated:
		return "with" + in + " the same as another text of the row"
	case quality.Few:
		return fmt.Sprintf("under %d words", quality.FewWords)
	case quality.Truncated:
		return "with" + in + " cut off at the end"
	}
	return "with" + in + " a stock refusal"
}

func (p *PIIResult) finding() (Level, string) {
	level, texts := OK, []string(nil)
	for _, k := range p.Kinds {
		level = worse(level, Warning)
		if k.Kind == pii.Key {
			level = Blocker
		}
		texts = append(texts, fmt.Sprintf("%s in %s", kindName(k.Kind, k.Matches), rows(k.Rows)))
	}
	for _, e := range p.Entities {
		if e.Count > 0 {
			level = worse(level, Warning)
			texts = append(texts, fmt.Sprintf("%s %s by another scan", amount.Grouped(e.Count), e.Kind))
		}
	}
	if level == OK {
		return OK, "no personal data or keys found"
	}
	return level, strings.Join(texts, ", ")
}

func kindName(k pii.Kind, n int64) string {
	switch k {
	case pii.Email:
		return plural(n, "e-mail address", "e-mail addresses")
	case pii.Phone:
		return plural(n, "phone number", "phone numbers")
	case pii.IP:
		return plural(n, "IP address", "IP addresses")
	}
	return plural(n, "key", "keys")
}

func (c *ContaminationResult) finding() (Level, string) {
	var texts []string
	for _, b := range c.Benchmarks {
		if b.Found > 0 {
			texts = append(texts, fmt.Sprintf("%s of %s stand in %s", plural(b.Found, "item", "items"), b.Benchmark, rows(b.Rows)))
		}
	}
	if len(texts) == 0 {
		return OK, "no item of a benchmark found"
	}
	return Blocker, strings.Join(texts, "; ")
}

func licenceFinding(l *licence.Finding) (Level, string) {
	var texts []string
	if l.Missing {
		texts = append(texts, "no licence is named")
	}
	if l.Conflict {
		texts = append(texts, fmt.Sprintf("card says %s, tags say %s", strings.Join(l.Card, ", "), strings.Join(l.Tags, ", ")))
	}
	for _, t := range []struct {
		names []string
		means string
	}{{l.NonCommercial, "non-commercial"}, {l.NoDerivatives, "no derivatives"}, {l.ShareAlike, "share-alike"}, {l.Special, "terms of its own"}} {
		if len(t.names) > 0 {
			texts = append(texts, fmt.Sprintf("%s: %s", strings.Join(t.names, ", "), t.means))
		}
	}
	if len(texts) > 0 {
		return Warning, strings.Join(texts, "; ")
	}
	names := l.Card
	if len(names) == 0 {
		names = l.Tags
	}
	return OK, strings.Join(names, ", ")
}
