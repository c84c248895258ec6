package audit

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ml-intern/ml-intern/internal/lab/audit/report"
	"github.com/ml-intern/ml-intern/internal/lab/balance"
	"github.com/ml-intern/ml-intern/internal/lab/length"
	"github.com/ml-intern/ml-intern/internal/lab/pii"
	"github.com/ml-intern/ml-intern/internal/lab/quality"
	"github.com/ml-intern/ml-intern/internal/lab/text"
)

// tally adds up what was found in the rows, in their order.
type tally struct {
	*run
	rows    int64 // of the audited splits
	lengths length.Counter
	longest []report.LongRow
	faults  map[quality.Issue]*report.FaultCount
	scripts map[text.Script]int64
	private int64 // rows with personal data
	kinds   map[pii.Kind]*report.PIICount
	classes [][]balance.Counter // by split and column
	drop    drops
}

func newTally(a *run) *tally {
	t := &tally{
		run: a, faults: map[quality.Issue]*report.FaultCount{}, scripts: map[text.Script]int64{}, kinds: map[pii.Kind]*report.PIICount{},
		classes: make([][]balance.Counter, len(a.Splits)), drop: drops{seen: map[report.Ref]struct{}{}},
	}
	for i := range t.classes {
		t.classes[i] = make([]balance.Counter, len(a.Labels))
	}
	return t
}

// add takes the next row.
func (t *tally) add(s *seen) error {
	if t.copies != nil {
		if err := t.copies.add(s); err != nil {
			return err
		}
	}
	split := t.Splits[s.split]
	if split.Compared {
		return nil
	}
	ref := report.Ref{Split: split.Name, Row: s.index}
	t.rows++
	if t.runs(Length) {
		if t.lengths.Add(s.tokens); s.tokens > t.MaxLength {
			t.long(report.LongRow{Ref: ref, Tokens: s.tokens})
		}
	}
	for _, i := range s.issues {
		t.fault(i, ref)
	}
	if t.runs(Quality) {
		t.scripts[s.script]++
	}
	for i, c := range s.classes {
		if c.present {
			t.classes[s.split][i].Add(c.name)
		} else {
			t.classes[s.split][i].Miss(1)
		}
	}
	t.personal(s.personal, ref)
	if t.items != nil {
		t.items.add(s.hits, ref)
	}
	return nil
}

// long keeps the longest rows, earlier ones first among equals.
func (t *tally) long(row report.LongRow) {
	at, _ := slices.BinarySearchFunc(t.longest, row, func(a, b report.LongRow) int {
		if a.Tokens >= b.Tokens {
			return -1
		}
		return 1
	})
	if at == report.Examples {
		return
	}
	t.longest = slices.Insert(t.longest, at, row)
	t.longest = t.longest[:min(len(t.longest), report.Examples)]
}

func (t *tally) fault(i quality.Issue, ref report.Ref) {
	f := t.faults[i]
	if f == nil {
		f = &report.FaultCount{Fault: i.Fault, Column: i.Column}
		t.faults[i] = f
	}
	if f.Rows++; len(f.Examples) < report.Examples {
		f.Examples = append(f.Examples, ref)
	}
	switch i.Fault {
	case quality.Null, quality.Empty, quality.Repeated:
		t.drop.add(ref)
	}
}

func (t *tally) personal(found []personal, ref report.Ref) {
	if len(found) > 0 {
		t.private++
	}
	counted := map[pii.Kind]bool{}
	for _, p := range found {
		k := t.kinds[p.kind]
		if k == nil {
			k = &report.PIICount{Kind: p.kind}
			t.kinds[p.kind] = k
		}
		k.Matches++
		if !counted[p.kind] {
			counted[p.kind] = true
			k.Rows++
		}
		if len(k.Examples) < report.Examples {
			k.Examples = append(k.Examples, report.PIIExample{Ref: ref, Column: p.column, Masked: p.masked})
		}
	}
}

// results writes what was added up.
func (t *tally) results(r *report.Results) {
	if t.runs(Balance) {
		r.Balance = t.balance()
	}
	if t.runs(Length) {
		r.Length = t.length()
	}
	if t.runs(Quality) {
		r.Quality = t.quality()
	}
	if t.runs(PII) {
		r.PII = &report.PIIResult{Rows: t.private, Kinds: []report.PIICount{}, Entities: t.Entities}
		for _, kind := range pii.Kinds() {
			if k := t.kinds[kind]; k != nil {
				r.PII.Kinds = append(r.PII.Kinds, *k)
			}
		}
	}
}

// audited is the splits that are not only compared with, and their places.
func (t *tally) audited(show func(place int, s Split)) {
	for i, s := range t.Splits {
		if !s.Compared {
			show(i, s)
		}
	}
}

func (t *tally) balance() *report.BalanceResult {
	const listed = 20
	out := &report.BalanceResult{Columns: []report.ClassColumn{}}
	for column, l := range t.Labels {
		var all balance.Counter
		whole := false
		t.audited(func(place int, s Split) {
			counted, _ := t.classes[place][column].Summary()
			for _, st := range s.Statistics {
				if st.Column == l.Column && st.Classes != nil && st.Rows > t.source.counts[place] {
					for _, name := range slices.Sorted(maps.Keys(st.Classes)) {
						all.AddN(name, st.Classes[name])
					}
					all.Miss(st.Nulls)
					whole = true
					return
				}
			}
			for _, c := range counted.Classes {
				all.AddN(c.Label, c.Rows)
			}
			all.Miss(counted.Missing)
		})
		summary, ok := all.Summary()
		if !ok {
			continue
		}
		c := report.ClassColumn{Column: l.Column, Declared: len(l.Names) > 0, Whole: whole, Summary: summary}
		if c.More = len(c.Classes) - listed; c.More > 0 {
			c.Classes = c.Classes[:listed]
		}
		c.More = max(0, c.More)
		for i := range c.Classes {
			c.Classes[i].Label = short(c.Classes[i].Label)
		}
		out.Columns = append(out.Columns, c)
	}
	return out
}

func (t *tally) length() *report.LengthResult {
	out := &report.LengthResult{
		Tokenizer: t.TokenizerName, Estimate: t.Tokenizer == nil, MaxLength: t.MaxLength,
		Summary: t.lengths.Summary(t.MaxLength), Longest: t.longest,
	}
	if out.Longest == nil {
		out.Longest = []report.LongRow{}
	}
	if t.Conversational {
		out.Overhead = Overhead
	}
	t.audited(func(place int, s Split) {
		for _, st := range s.Statistics {
			if st.Characters != nil && slices.Contains(t.Texts, st.Column) && st.Rows > t.source.counts[place] {
				out.Characters = append(out.Characters, report.ColumnCharacters{Split: s.Name, Column: st.Column, Characters: *st.Characters})
			}
		}
	})
	return out
}

func (t *tally) quality() *report.QualityResult {
	out := &report.QualityResult{Rows: t.rows, Faults: []report.FaultCount{}, Scripts: []report.ScriptCount{}}
	for _, f := range t.faults {
		out.Faults = append(out.Faults, *f)
	}
	slices.SortFunc(out.Faults, func(a, b report.FaultCount) int {
		return cmp.Or(cmp.Compare(slices.Index(quality.Faults(), a.Fault), slices.Index(quality.Faults(), b.Fault)), cmp.Compare(a.Column, b.Column))
	})
	for s, n := range t.scripts {
		if s == "" {
			s = "none"
		}
		out.Scripts = append(out.Scripts, report.ScriptCount{Script: s, Rows: n, Share: float64(n) / float64(t.rows)})
	}
	slices.SortFunc(out.Scripts, func(a, b report.ScriptCount) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Script, b.Script))
	})
	t.audited(func(place int, s Split) {
		for _, st := range s.Statistics {
			if st.Nulls > 0 && st.Rows > t.source.counts[place] {
				out.Nulls = append(out.Nulls, report.ColumnNulls{Split: s.Name, Column: st.Column, Nulls: st.Nulls, Rows: st.Rows})
			}
		}
	})
	return out
}

// drops is the rows that should go.
type drops struct {
	seen map[report.Ref]struct{}
	more bool
}

// maxDrops is how many rows to drop are listed.
const maxDrops = 100

func (d *drops) add(r report.Ref) {
	if _, ok := d.seen[r]; ok {
		return
	}
	if len(d.seen) == maxDrops {
		d.more = true
		return
	}
	d.seen[r] = struct{}{}
}

func (d *drops) sorted(splits []Split) ([]report.Ref, bool) {
	place := map[string]int{}
	for i, s := range splits {
		place[s.Name] = i
	}
	out := slices.Collect(maps.Keys(d.seen))
	slices.SortFunc(out, func(a, b report.Ref) int {
		return cmp.Or(cmp.Compare(place[a.Split], place[b.Split]), cmp.Compare(a.Row, b.Row))
	})
	return out, d.more
}
