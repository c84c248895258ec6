package catalog

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	"github.com/ml-intern/ml-intern/internal/platform/loose"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
)

// entry is a line of a list. What the Hub leaves out stays empty; what it sends
// in another form than expected, too.
type entry struct {
	ID          loose.Value[string]   `json:"id"`
	Slug        loose.Value[string]   `json:"slug"` // of collections
	Title       loose.Value[string]   `json:"title"`
	Downloads   loose.Value[float64]  `json:"downloads"`
	Likes       loose.Value[float64]  `json:"likes"`
	Upvotes     loose.Value[float64]  `json:"upvotes"`
	Tags        loose.Value[[]string] `json:"tags"`
	Gated       json.RawMessage       `json:"gated"`
	Private     loose.Value[bool]     `json:"private"`
	Modified    loose.Value[string]   `json:"lastModified"`
	Updated     loose.Value[string]   `json:"lastUpdated"`
	Task        loose.Value[string]   `json:"pipeline_tag"`
	Library     loose.Value[string]   `json:"library_name"`
	SDK         loose.Value[string]   `json:"sdk"`
	About       loose.Value[string]   `json:"ai_short_description"`
	Description loose.Value[string]   `json:"description"`
	Relevance   loose.Value[float64]  `json:"semanticRelevancyScore"`
	Safetensors loose.Value[struct {
		Total float64 `json:"total"`
	}] `json:"safetensors"`
	GGUF loose.Value[struct {
		Total float64 `json:"total"`
	}] `json:"gguf"`
	Runtime loose.Value[struct {
		Stage string `json:"stage"`
	}] `json:"runtime"`
	Card loose.Value[struct {
		Title string `json:"title"`
		About string `json:"short_description"`
	}] `json:"cardData"`
	Items loose.Value[[]struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	}] `json:"items"`
}

// tag is the rest of the first tag with a prefix.
func (e entry) tag(prefix string) string {
	for _, t := range e.Tags.V {
		if rest, ok := strings.CutPrefix(t, prefix); ok {
			return rest
		}
	}
	return ""
}

// parameters is how many a model has; 0 is unknown.
func (e entry) parameters() float64 { return max(e.Safetensors.V.Total, e.GGUF.V.Total) }

// gate is how access is limited.
func (e entry) gate() string {
	var how string
	if json.Unmarshal(e.Gated, &how) == nil && how != "" {
		return "gated: " + lookup.Line(how, 20)
	}
	var yes bool
	if json.Unmarshal(e.Gated, &yes) == nil {
		if yes {
			return "gated"
		}
		return "not gated"
	}
	return ""
}

// line is what is known of an entry, in one line.
func (e entry) line(kind string) string {
	var facts []string
	add := func(format string, args ...any) { facts = append(facts, fmt.Sprintf(format, args...)) }
	name := e.ID.V
	switch kind {
	case "collections":
		name = e.Slug.V
	case "spaces":
		name = e.ID.V
		if title := first(e.Title.V, e.Card.V.Title); title != "" {
			add("%s", lookup.Line(title, 80))
		}
		if e.SDK.V != "" {
			add("%s", lookup.Line(e.SDK.V, 20))
		}
		if e.Runtime.V.Stage != "" {
			add("%s", lookup.Line(e.Runtime.V.Stage, 30))
		}
	default:
		if task := first(e.Task.V, e.tag("task_categories:")); task != "" {
			add("%s", lookup.Line(task, 60))
		}
		if e.Library.V != "" {
			add("%s", lookup.Line(e.Library.V, 40))
		}
		if n := e.parameters(); n > 0 {
			add("%s params", amount.Short(n, 2))
		}
		if rows := e.tag("size_categories:"); rows != "" {
			add("%s rows", lookup.Line(rows, 30))
		}
	}
	if e.Downloads.Set {
		add("downloads %s", amount.Short(e.Downloads.V, 2))
	}
	if e.Likes.Set {
		add("likes %s", amount.Short(e.Likes.V, 2))
	}
	if e.Upvotes.Set {
		add("upvotes %s", amount.Short(e.Upvotes.V, 2))
	}
	if kind != "collections" {
		if licence := e.tag("license:"); licence != "" {
			add("%s", lookup.Line(licence, 40))
		} else if e.Tags.Set {
			add("licence not stated")
		}
		if g := e.gate(); g != "" {
			add("%s", g)
		}
	}
	if e.Private.V {
		add("private")
	}
	if day := first(e.Modified.V, e.Updated.V); day != "" {
		add("changed %s", lookup.Line(day[:min(len(day), len(time.DateOnly))], 20))
	}
	if e.Relevance.Set {
		add("relevance %.2f", e.Relevance.V)
	}
	text := lookup.Line(name, 200)
	if kind == "collections" && e.Title.V != "" {
		text += " “" + lookup.Line(e.Title.V, 120) + "”"
	}
	return strings.Join(append([]string{text}, facts...), " | ") + e.more(kind)
}

// more is a second line where the first says too little.
func (e entry) more(kind string) string {
	switch kind {
	case "spaces":
		if about := first(e.About.V, e.Card.V.About); about != "" {
			return "\n   " + lookup.Line(about, 160)
		}
	case "collections":
		text := ""
		if e.Description.V != "" {
			text = "\n   " + lookup.Line(e.Description.V, 160)
		}
		if n := len(e.Items.V); n > 0 {
			names := make([]string, 0, 4)
			for _, item := range e.Items.V[:min(n, 4)] {
				names = append(names, lookup.Line(item.Type+" "+item.ID, 100))
			}
			text += "\n   holds: " + strings.Join(names, ", ")
		}
		return text
	}
	return ""
}

func first(values ...string) string {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return v
		}
	}
	return ""
}

// size reads a number of parameters such as 7B, 500M or 1.5T.
func size(name, s string) (float64, error) {
	text := strings.ToUpper(strings.TrimSpace(s))
	unit := 1.0
	if text != "" {
		if u, ok := map[byte]float64{'K': 1e3, 'M': 1e6, 'B': 1e9, 'T': 1e12}[text[len(text)-1]]; ok {
			unit, text = u, text[:len(text)-1]
		}
	}
	n, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(text), ",", ""), 64)
	if err != nil || n < 0 || math.IsNaN(n) || math.IsInf(n, 0) || n*unit > 1e18 {
		return 0, fmt.Errorf("%s must be a number of parameters such as 7B or 500M, not %q", name, s)
	}
	return n * unit, nil
}
