// Package manifest knows which documentation sets there are and which pages a
// set has: from the Hub's catalogue and the lists of pages for programs, and
// where those are missing from the sidebar that people see. It reads no page.
package manifest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/loose"
	"github.com/ml-intern/ml-intern/internal/tools/docs/address"
)

// Fresh is how long a catalogue or a list of pages serves again.
const Fresh = 10 * time.Minute

// Product is a documentation set.
type Product struct {
	// ID is its name in the catalogue, Slug the part of its path below Area.
	ID, Area, Slug string
	// Elsewhere is where the set is when it is not on the Hub; then there is
	// neither Area nor Slug.
	Elsewhere string
}

// URL is the public address of the set's first page.
func (p Product) URL() string {
	return cmp.Or(p.Elsewhere, address.Hub+"/"+p.Area+"/"+p.Slug)
}

// known are the sets that have always been offered by name; they are tried
// even if the catalogue does not list them.
const known = "hub transformers diffusers datasets gradio trackio smolagents huggingface_hub huggingface.js transformers.js " +
	"inference-providers inference-endpoints peft accelerate optimum tokenizers courses evaluate tasks dataset-viewer trl " +
	"simulate sagemaker timm safetensors tgi setfit lerobot autotrain tei bitsandbytes sentence_transformers chat-ui " +
	"leaderboards lighteval argilla distilabel microsoft-azure kernels google-cloud"

// Known lists the names that are always offered.
func Known() []string { return strings.Fields(known) }

// Composite lists the sets that a name stands for together; none for others.
func Composite(name string) []string {
	switch name {
	case "optimum":
		return []string{"optimum", "optimum-habana", "optimum-neuron", "optimum-intel", "optimum-executorch", "optimum-tpu"}
	case "courses":
		return []string{
			"llm-course", "robotics-course", "mcp-course", "smol-course", "agents-course", "deep-rl-course", "computer-vision-course",
			"audio-course", "ml-games-course", "diffusion-course", "ml-for-3d-course", "cookbook",
		}
	}
	return nil
}

// slugs are the paths of sets that are named differently.
func slug(id string) string {
	switch id {
	case "tgi":
		return "text-generation-inference"
	case "tei":
		return "text-embeddings-inference"
	}
	return id
}

// Catalogue is the list of the Hub's documentation sets.
type Catalogue struct {
	Products []Product
	// Response is the answer it was read from; nil when it is not to be had.
	Response *fetch.Response
}

// maxProducts bounds what is read of a catalogue.
const maxProducts = 1000

// Catalogue asks for the catalogue. Without it, names are tried as they are.
func (m *Manifests) Catalogue(ctx context.Context) Catalogue {
	resp, err := m.fetch.Do(ctx, fetch.Request{URL: address.Hub + "/api/docs", Fresh: Fresh})
	if err != nil {
		return Catalogue{}
	}
	var list []struct {
		ID  string `json:"id"`
		URL string `json:"url"`
	}
	if loose.Decode(resp.Body, &list) != nil {
		return Catalogue{}
	}
	c := Catalogue{Response: resp}
	for _, e := range list[:min(len(list), maxProducts)] {
		if e.ID == "" || len(e.ID) > 100 {
			continue
		}
		p := Product{ID: e.ID}
		url := e.URL
		if strings.HasPrefix(url, "/") && !strings.HasPrefix(url, "//") {
			url = address.Hub + url
		}
		if a, err := address.Parse(url, ""); err == nil && a.Site == address.Hub && a.Slug != "" {
			p.Area, p.Slug = a.Area, a.Slug
		} else {
			p.Elsewhere = e.URL
		}
		c.Products = append(c.Products, p)
	}
	return c
}

// UnknownError says that there is no set of a name.
type UnknownError struct {
	Name    string
	Nearest []string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("there is no documentation set %q; the nearest are %s", e.Name, strings.Join(e.Nearest, ", "))
}

// Resolve returns the sets that a name stands for: one of the catalogue, by id
// or by slug, one that is always offered, or several together. The error is an
// [*UnknownError].
func (c Catalogue) Resolve(name string) ([]Product, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if parts := Composite(name); parts != nil {
		var all []Product
		for _, part := range parts {
			p := c.product(part)
			if p.Area == "docs" && name == "courses" && !c.has(part) {
				p.Area = "learn"
			}
			all = append(all, p)
		}
		return all, nil
	}
	if c.has(name) || slices.Contains(Known(), name) || partOfAny(name) || c.Response == nil && plain(name) {
		return []Product{c.product(name)}, nil
	}
	return nil, &UnknownError{name, c.nearest(name, 5)}
}

func partOfAny(name string) bool {
	return slices.Contains(Composite("optimum"), name) || slices.Contains(Composite("courses"), name)
}

// plain reports whether a name can be part of a path.
func plain(name string) bool {
	return name != "" && len(name) <= 100 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) && strings.Trim(name, ".") != ""
}

func (c Catalogue) has(name string) bool {
	return slices.ContainsFunc(c.Products, func(p Product) bool { return p.is(name) })
}

func (p Product) is(name string) bool {
	return strings.EqualFold(p.ID, name) || p.Slug != "" && strings.EqualFold(p.Slug, name)
}

// product is the set of a name, as the catalogue has it or as it will be.
func (c Catalogue) product(name string) Product {
	if i := slices.IndexFunc(c.Products, func(p Product) bool { return p.is(name) }); i >= 0 {
		return c.Products[i]
	}
	p := Product{ID: name, Area: "docs", Slug: slug(name)}
	if slices.Contains(Composite("courses"), name) {
		p.Area = "learn"
	}
	return p
}

// nearest are the names that look most like one.
func (c Catalogue) nearest(name string, n int) []string {
	names := Known()
	for _, p := range c.Products {
		if !slices.Contains(names, p.ID) {
			names = append(names, p.ID)
		}
	}
	return Nearest(name, names, n)
}

// maxCompared is how much of a name is compared, in bytes.
const maxCompared = 100

// Nearest returns the n names that look most like one, best first.
func Nearest(name string, names []string, n int) []string {
	if len(name) > maxCompared {
		name = name[:maxCompared]
	}
	cost := make(map[string]int, len(names))
	for _, other := range names {
		d := distance(name, other)
		if len(name) > 2 && strings.Contains(other, name) || len(other) > 2 && strings.Contains(name, other) {
			d /= 3 // one within the other is no accident
		}
		cost[other] = d
	}
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(a, b string) int { return cost[a] - cost[b] })
	return sorted[:min(n, len(sorted))]
}

// distance is how many letters have to be changed, added or dropped.
func distance(a, b string) int {
	if len(b) > maxCompared {
		b = b[:maxCompared]
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
