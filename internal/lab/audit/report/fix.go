package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/lab/pii"
)

// fix tells what to do, and the code for it.
func (p *page) fix(r *Report) {
	var steps []string
	step := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	c := &r.Checks
	if len(r.Drop) > 0 {
		step("Drop copies, rows that other splits or benchmarks have, and rows without a text or with a repeated one.")
	}
	if c.PII != nil && len(c.PII.Kinds) > 0 {
		step("Mask personal data; revoke every key, it has been public.")
	}
	if c.Length != nil && c.Length.Over > 0 {
		step("Raise max_length or split the rows that are longer: what is over it is cut off.")
	}
	if c.Balance != nil {
		if level, _ := c.Balance.finding(); level != OK {
			step("Weigh or resample the classes, and report a score for each.")
		}
	}
	if c.Licence != nil {
		if level, _ := licenceFinding(c.Licence); level != OK {
			step("Settle the licence before you publish what is trained on this.")
		}
	}
	if len(steps) == 0 {
		p.line("Nothing needs mending.\n")
	}
	for _, s := range steps {
		p.line("- %s", s)
	}
	if len(steps) > 0 {
		p.line("")
	}
	p.line("```python")
	p.code(r)
	p.line("```")
}

// code loads the data and mends what can be mended without a decision.
func (p *page) code(r *Report) {
	load := r.Load
	if load == "" {
		load = "load_dataset(" + quote(r.Dataset) + ")"
	}
	p.line("from datasets import load_dataset\n\ndata = %s", load)
	complete := true
	for _, s := range r.Sample.Splits {
		complete = complete && s.Complete
	}
	var texts []string
	if r.Checks.Duplicates != nil {
		texts = r.Checks.Duplicates.TextColumns
	}
	switch {
	case len(r.Drop) > 0 && complete && !r.More:
		p.drop(r.Drop)
	case len(r.Drop) > 0 && len(texts) > 0:
		p.filter(r, texts)
	}
	if f := r.Checks.PII; f != nil && len(f.Kinds) > 0 {
		p.mask(f)
	}
	if l := r.Checks.Length; l != nil && l.Over > 0 {
		p.line("# trainer: max_length=%d cuts %s; the longest has %s tokens", l.MaxLength, rows(l.Over), amount.Grouped(int64(l.Max)))
	}
}

// drop is code that drops rows by their numbers.
func (p *page) drop(list []Ref) {
	for len(list) > 0 {
		split := list[0].Split
		var numbers []string
		for len(list) > 0 && list[0].Split == split {
			numbers = append(numbers, strconv.FormatInt(list[0].Row, 10))
			list = list[1:]
		}
		p.line("drop = {%s}", strings.Join(numbers, ", "))
		p.line("data[%s] = data[%s].filter(lambda row, i: i not in drop, with_indices=True)", quote(split), quote(split))
	}
}

// filter is code that finds exact copies and empty texts anew, for what is too
// much to list or was only sampled.
func (p *page) filter(r *Report, texts []string) {
	var columns []string
	for _, t := range texts {
		columns = append(columns, quote(t))
	}
	p.line("\ndef text(row):\n    return \" \".join(str(row[c] or \"\").lower() for c in (%s,)).split()\n", strings.Join(columns, ", "))
	p.line("seen = set()")
	for _, audited := range []bool{false, true} { // what is held back for tests first
		for _, s := range r.Sample.Splits {
			if s.Compared == audited {
				continue
			}
			if !audited {
				p.line("seen.update(hash(tuple(text(row))) for row in data[%s])", quote(s.Split))
				continue
			}
			p.line("data[%s] = data[%s].filter(lambda row: (h := hash(tuple(text(row)))) not in seen and not seen.add(h))", quote(s.Split), quote(s.Split))
		}
	}
	p.line("# near copies: MinHash, 128 permutations in 32 bands, Jaccard of at least 0.8")
}

// mask is code that masks what has a plain form.
func (p *page) mask(f *PIIResult) {
	p.line("\nimport re")
	patterns := map[pii.Kind]string{
		pii.Key:   `\b(hf_|sk-|gh[pousr]_|AKIA|xox[abps]-)[A-Za-z0-9_-]{16,}`,
		pii.Email: `[\w.+-]+@[\w-]+(\.[\w-]+)+`,
		pii.Phone: `\+\d[\d .()-]{7,}\d`,
		pii.IP:    `\b\d{1,3}(\.\d{1,3}){3}\b`,
	}
	var list []string
	for _, k := range f.Kinds {
		list = append(list, patterns[k.Kind])
	}
	p.line("private = re.compile(r\"%s\")", strings.Join(list, "|"))
	p.line("data = data.map(lambda row: {k: private.sub(\"[removed]\", v) if isinstance(v, str) else v for k, v in row.items()})")
}

// quote writes a Python string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == '`' || r >= 0x7f && r < 0xa0:
			fmt.Fprintf(&b, "\\x%02x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}
