package show

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

const (
	maxRows    = 10  // of a table of splits or files
	maxColumns = 100 // of a table of columns
	typeSize   = 400 // characters of a type
	maxFiles   = 20
)

// Access writes what the Hub's record says about who may do what.
func Access(r *viewer.Record) string {
	var b strings.Builder
	card, tags := r.Words("license"), r.Tagged("license")
	licence := "none stated: ask the owner before using it"
	if all := slices.Concat(card, tags); len(all) > 0 {
		names := slices.Clone(all)
		slices.Sort(names)
		licence = Name(strings.Join(slices.Compact(names), ", "))
		if more := r.Words("license_name"); len(more) > 0 {
			licence += " (" + Name(strings.Join(more, ", ")) + ")"
		}
		if note := obligations(all); note != "" {
			licence += " – " + note
		}
	}
	fmt.Fprintf(&b, "- Licence: %s\n", licence)
	if len(card) > 0 && len(tags) > 0 && !sameWords(card, tags) {
		fmt.Fprintf(&b, "- Licence conflict: the card says %s, the tags %s\n", Name(strings.Join(card, ", ")), Name(strings.Join(tags, ", ")))
	}
	access := "public"
	if r.Private {
		access = "private"
	}
	switch r.Gated {
	case "":
		fmt.Fprintf(&b, "- Access: %s, not gated\n", access)
	case "auto":
		fmt.Fprintf(&b, "- Access: %s, gated: auto (accepting the terms at %s gives access at once)\n", access, viewer.At{Dataset: r.ID}.Page())
	default:
		fmt.Fprintf(&b, "- Access: %s, gated: %s (the owner decides on requests at %s)\n", access, Name(r.Gated), viewer.At{Dataset: r.ID}.Page())
	}
	if r.Disabled {
		b.WriteString("- The Hub has disabled it\n")
	}
	if languages := r.Tagged("language"); len(languages) > 0 {
		fmt.Fprintf(&b, "- Languages: %s\n", Name(strings.Join(languages, ", ")))
	}
	if tasks := r.Tagged("task_categories"); len(tasks) > 0 {
		fmt.Fprintf(&b, "- Tasks: %s\n", Name(strings.Join(tasks, ", ")))
	}
	day, _, _ := strings.Cut(r.LastModified, "T")
	fmt.Fprintf(&b, "- Last changed %s, %s downloads, %s likes\n", cmp.Or(Name(day), "?"), amount.Grouped(r.Downloads), amount.Grouped(r.Likes))
	return b.String()
}

// obligations tells what families of licences ask for.
func obligations(licences []string) string {
	all := strings.ToLower(strings.Join(licences, " "))
	var notes []string
	if strings.Contains(all, "-nc") || strings.Contains(all, "non-commercial") || strings.Contains(all, "noncommercial") {
		notes = append(notes, "no commercial use")
	}
	if strings.Contains(all, "-sa") || strings.Contains(all, "gpl") || strings.Contains(all, "share-alike") {
		notes = append(notes, "share alike")
	}
	if strings.Contains(all, "-nd") {
		notes = append(notes, "no derivatives")
	}
	return strings.Join(notes, ", ")
}

func sameWords(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.EqualFunc(slices.Compact(a), slices.Compact(b), strings.EqualFold)
}

// Status writes what the viewer can do.
func Status(v *viewer.Valid) string {
	var can []string
	for _, one := range []struct {
		name string
		ok   bool
	}{{"viewer", v.Viewer}, {"preview", v.Preview}, {"search", v.Search}, {"filter", v.Filter}, {"statistics", v.Statistics}} {
		if one.ok {
			can = append(can, one.name)
		}
	}
	if len(can) == 0 {
		return "✗ Dataset may have issues: the viewer can show nothing of it"
	}
	return "✓ Valid (" + strings.Join(can, ", ") + ")"
}

// Structure writes the table of configurations and splits, those of the chosen
// configuration first where not all have a place.
func Structure(s *viewer.Splits, size *viewer.Size, info *viewer.Info, config string) string {
	places := slices.Clone(s.All)
	if len(places) > maxRows {
		slices.SortStableFunc(places, func(a, b viewer.Place) int {
			return cmp.Compare(b2i(b.Config == config), b2i(a.Config == config))
		})
	}
	var b strings.Builder
	b.WriteString("| Config | Split | Rows | Size |\n| --- | --- | --- | --- |\n")
	for _, p := range places[:min(len(places), maxRows)] {
		rows, bytes := extent(p, size, info)
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", Name(p.Config), Name(p.Split), rows, bytes)
	}
	if more := len(places) - maxRows; more > 0 {
		fmt.Fprintf(&b, "| … | … | %d more splits | |\n", more)
	}
	if text := s.Progress.String(); text != "" {
		b.WriteString("\nNot there" + strings.TrimPrefix(text, ";") + "\n")
	}
	return b.String()
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// extent is what is known of a split's rows and bytes.
func extent(p viewer.Place, size *viewer.Size, info *viewer.Info) (rows, bytes string) {
	if a := size.Of(p.Config, p.Split); a != nil {
		rows = amount.Grouped(a.Rows)
		if a.Estimated > a.Rows {
			rows += " (about " + amount.Grouped(a.Estimated) + " in all)"
		}
		return rows, amount.Bytes(max(a.Memory, a.Parquet))
	}
	if info != nil {
		for _, c := range info.Configs {
			for _, s := range c.Splits {
				if c.Name == p.Config && s.Name == p.Split {
					return amount.Grouped(s.Rows), amount.Bytes(s.Bytes)
				}
			}
		}
	}
	return "?", "?"
}

// Schema writes the table of columns.
func Schema(features []viewer.Field) string {
	var b strings.Builder
	b.WriteString("| Column | Type |\n| --- | --- |\n")
	for _, f := range features[:min(len(features), maxColumns)] {
		kind := strings.ReplaceAll(f.Feature.String(), "|", "¦")
		if r := []rune(kind); len(r) > typeSize {
			kind = string(r[:typeSize]) + "…"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", Name(f.Name), strings.Join(strings.Fields(kind), " "))
	}
	if more := len(features) - maxColumns; more > 0 {
		fmt.Fprintf(&b, "| … | %d more columns |\n", more)
	}
	return b.String()
}

// Files writes the Parquet files, grouped by split.
func Files(p *viewer.Parquet) string {
	type group struct {
		files int
		bytes int64
	}
	groups := map[string]*group{}
	var order []string
	for _, f := range p.Files {
		// A split of which only the beginning was converted lies in partial-…
		name := Name(f.Config) + "/" + Name(f.Split)
		if strings.Contains(f.URL, "/partial-") {
			name += " (in part)"
		}
		if groups[name] == nil {
			groups[name] = &group{}
			order = append(order, name)
		}
		groups[name].files++
		groups[name].bytes += f.Bytes
	}
	var b strings.Builder
	for _, name := range order[:min(len(order), maxRows)] {
		size := "size not known"
		if bytes := groups[name].bytes; bytes >= 0 {
			size = fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
		}
		fmt.Fprintf(&b, "- %s: %d file(s) (%s)\n", name, groups[name].files, size)
	}
	if more := len(order) - maxRows; more > 0 {
		fmt.Fprintf(&b, "- … %d more splits\n", more)
	}
	if p.Partial {
		b.WriteString("- Only the first 5 GB were converted (partial): counts and statistics describe that part.\n")
	}
	return b.String()
}

// Paths lists the files of a repository.
func Paths(files []string) string {
	var b strings.Builder
	for _, f := range files[:min(len(files), maxFiles)] {
		b.WriteString("- " + Name(f) + "\n")
	}
	if more := len(files) - maxFiles; more > 0 {
		fmt.Fprintf(&b, "- … %d more files\n", more)
	}
	return b.String()
}

// Sizes writes the size of a data set and its splits.
func Sizes(s *viewer.Size) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s rows in all; %s of original files, %s as Parquet, %s in memory\n\n", amount.Grouped(s.Dataset.Rows), amount.Bytes(s.Dataset.Original), amount.Bytes(s.Dataset.Parquet), amount.Bytes(s.Dataset.Memory))
	b.WriteString("| Config | Split | Rows | Columns | Parquet | Memory |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, a := range s.Splits[:min(len(s.Splits), maxColumns)] {
		rows, _ := extent(viewer.Place{Config: a.Config, Split: a.Split}, s, nil)
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %s | %s |\n", Name(a.Config), Name(a.Split), rows, a.Columns, amount.Bytes(a.Parquet), amount.Bytes(a.Memory))
	}
	if more := len(s.Splits) - maxColumns; more > 0 {
		fmt.Fprintf(&b, "| … | %d more splits | | | | |\n", more)
	}
	return b.String()
}
