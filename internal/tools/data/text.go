package data

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/lab/trainformat"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/data/show"
)

const (
	maxWarnings = 12
	warningSize = 400 // characters
	// closing is the room of the line that says how to read on, in characters.
	closing = 600
	// rowsShare is the part of the room that sample rows may take.
	rowsShare = 2
)

// text writes everything in room characters.
func (v *visit) text(room int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", v.dataset)
	for _, n := range v.notes {
		b.WriteString(n + "\n\n")
	}
	section := func(title, body string) {
		if body != "" {
			fmt.Fprintf(&b, "## %s\n%s\n\n", title, strings.TrimRight(body, "\n"))
		}
	}
	if v.record != nil {
		section("Access and licence", show.Access(v.record))
	}
	section("Status", v.status())
	if v.splits != nil && len(v.splits.All) > 0 {
		section("Structure (configs & splits)", show.Structure(v.splits, v.size, v.info, v.at.Config))
	}
	if features := v.features(); len(features) > 0 {
		section(fmt.Sprintf("Schema (%s)", show.Name(v.at.Config)), show.Schema(features))
	}
	where := show.Name(v.at.Config) + "/" + show.Name(v.at.Split)
	if v.statistics != nil {
		section("Statistics ("+where+")", show.Statistics(v.statistics))
	}
	if v.page != nil {
		section("Sample Rows ("+where+")", v.sample(room/rowsShare))
		section("Messages Column Format", show.Messages(v.page))
		if text := v.training(); text != "" {
			b.WriteString(text + "\n")
		}
	}
	section("Files (Parquet)", v.files())
	if text := v.problems(); text != "" {
		b.WriteString("**Warnings:**\n" + text)
	}
	return lookup.Part{Max: max(room-closing, 0), More: func(int) string {
		return v.readOn(0)
	}}.Cut(strings.TrimRight(b.String(), "\n"))
}

// status says what the viewer can do, or why it cannot.
func (v *visit) status() string {
	if v.refusal != nil && v.record.Private {
		return fmt.Sprintf("✗ No viewer for this private data set: %v. %s", v.refusal, next(v.refusal))
	}
	var f *fetch.Error
	if errors.As(v.refusal, &f) && slices.Contains([]fetch.Kind{fetch.RateLimited, fetch.Network, fetch.Timeout, fetch.NotReady}, f.Kind) {
		return fmt.Sprintf("? The viewer cannot be asked now: %v. %s", v.refusal, next(v.refusal))
	}
	if v.refusal != nil {
		return fmt.Sprintf("✗ Dataset may have issues: %v. %s", v.refusal, next(v.refusal))
	}
	if v.valid == nil {
		return "? The viewer did not say"
	}
	text := show.Status(v.valid)
	if v.record != nil && v.record.Private && !v.valid.Viewer {
		text += "\nThe viewer shows private data sets only where a PRO user or a Team or Enterprise organisation owns them."
	}
	return text
}

// features are the columns; the rows tell them where the schema is missing.
func (v *visit) features() []viewer.Field {
	if v.info != nil && len(v.info.Configs) > 0 && len(v.info.Configs[0].Features) > 0 {
		return v.info.Configs[0].Features
	}
	if v.page != nil {
		return v.page.Features
	}
	return nil
}

// readOn is the call for rows from an offset on.
func (v *visit) readOn(offset int) string {
	call := fmt.Sprintf(`hf_dataset_query {"operation":"rows","dataset":%q,"config":%q,"split":%q,"offset":%d}`, v.dataset, v.at.Config, v.at.Split, offset)
	if v.params.Where != "" {
		call = fmt.Sprintf(`hf_dataset_query {"operation":"filter","dataset":%q,"config":%q,"split":%q,"where":%q,"offset":%d}`, v.dataset, v.at.Config, v.at.Split, v.params.Where, offset)
	}
	return call
}

// sample writes the rows that the call wants.
func (v *visit) sample(room int) string {
	if len(v.page.Rows) == 0 {
		return "No rows."
	}
	wanted := min(*v.params.Sample, len(v.page.Rows))
	text, written := show.Rows(v.page, wanted, room)
	if written < wanted {
		text += fmt.Sprintf("… %d more row(s) do not fit; read them with %s\n", wanted-written, v.readOn(written))
	}
	return text
}

// training judges the format.
func (v *visit) training() string {
	in := trainformat.Input{
		Trainer: v.params.Trainer, Counter: v.counter,
		Dataset: v.dataset, Config: v.at.Config, Split: v.at.Split,
	}
	for _, f := range v.page.Features {
		in.Columns = append(in.Columns, trainformat.Column{Name: f.Name, Type: kindOf(f.Feature)})
	}
	for _, r := range v.page.Rows {
		in.Rows = append(in.Rows, trainformat.Row{Index: r.Index, Values: r.Values, Cut: r.Cut})
	}
	if v.statistics != nil && v.params.Where == "" {
		for _, c := range v.statistics.Columns {
			for _, f := range c.Values {
				if c.Name == "label" && c.Type == "bool" && strings.EqualFold(f.Value, "true") {
					in.Good = f.Count
				} else if c.Name == "label" && c.Type == "bool" {
					in.Bad = f.Count
				}
			}
		}
	}
	report, err := trainformat.Judge(in)
	if err != nil {
		v.warn("training format", err)
		return ""
	}
	return report.Markdown()
}

// kindOf is a feature as the trainers see it.
func kindOf(f viewer.Feature) trainformat.Type {
	var t trainformat.Type
	switch f.Kind {
	case viewer.Value:
		t.Kind = scalar(f.DType)
	case viewer.ClassLabel:
		t.Kind, t.Classes = trainformat.Label, len(f.Names)
	case viewer.List:
		elem := kindOf(*f.Elem)
		t.Kind, t.Elem = trainformat.List, &elem
	case viewer.Struct:
		t.Kind = trainformat.Struct
		for _, one := range f.Fields {
			t.Fields = append(t.Fields, trainformat.Column{Name: one.Name, Type: kindOf(one.Feature)})
		}
	case viewer.JSON:
		t.Kind = trainformat.JSON
	case viewer.Image:
		t.Kind = trainformat.Image
	default:
		t.Kind = trainformat.Other
	}
	return t
}

func scalar(dtype string) trainformat.Kind {
	switch {
	case strings.Contains(dtype, "string"):
		return trainformat.Text
	case dtype == "bool":
		return trainformat.Bool
	case strings.Contains(dtype, "int"):
		return trainformat.Int
	case strings.HasPrefix(dtype, "float"), strings.HasPrefix(dtype, "double"):
		return trainformat.Float
	}
	return trainformat.Other
}

// files lists the Parquet files, else those of the repository.
func (v *visit) files() string {
	if v.parquet != nil && len(v.parquet.Files) > 0 {
		return show.Files(v.parquet)
	}
	if v.record != nil && len(v.record.Files) > 0 {
		return "None converted. Files of the repository:\n" + show.Paths(v.record.Files)
	}
	return ""
}

// problems lists the parts that could not be had, each once.
func (v *visit) problems() string {
	warnings := slices.Clone(v.warnings)
	if v.page != nil && v.page.Truncated && len(v.page.Rows) < viewer.MaxRows {
		warnings = append(warnings, fmt.Sprintf("the viewer sent only the first %d rows", len(v.page.Rows)))
	}
	if v.page != nil && v.page.Partial || v.info != nil && v.info.Partial {
		warnings = append(warnings, "partial: only the first 5 GB of the data set are converted; counts describe that part")
	}
	slices.Sort(warnings)
	var b strings.Builder
	warnings = slices.Compact(warnings)
	for _, w := range warnings[:min(len(warnings), maxWarnings)] {
		if r := []rune(w); len(r) > warningSize {
			w = string(r[:warningSize]) + "…"
		}
		b.WriteString("- " + w + "\n")
	}
	return b.String()
}
