package catalogue

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/card"
)

// filters are what a list is narrowed to: everything must hold.
type filters []func(s *subject) bool

func (f filters) match(s *subject) bool {
	for _, holds := range f {
		if !holds(s) {
			return false
		}
	}
	return true
}

// parts splits values that hold lists.
func parts(values []string) []string {
	var all []string
	for _, v := range values {
		for _, p := range strings.Split(v, ",") {
			if p = strings.TrimSpace(p); p != "" {
				all = append(all, p)
			}
		}
	}
	return all
}

// parseFilters reads what a list is narrowed to.
func parseFilters(r *http.Request, t repo.Type) (filters, error) {
	q := r.URL.Query()
	var all filters
	if words := strings.Fields(strings.ToLower(strings.Join(answer.Values(q, "search"), " "))); len(words) > 0 {
		all = append(all, func(s *subject) bool { return containsAll(strings.ToLower(s.at.ID()), words) })
	}
	if author := q.Get("author"); author != "" {
		all = append(all, func(s *subject) bool { return strings.EqualFold(s.at.Namespace(), author) })
	}
	tags := parts(append(answer.Values(q, "filter"), answer.Values(q, "tags")...))
	for _, id := range parts(answer.Values(q, "trained_dataset")) {
		tags = append(tags, "dataset:"+strings.TrimPrefix(id, "dataset:"))
	}
	for _, tag := range tags {
		all = append(all, func(s *subject) bool { return s.tagged(tag) })
	}
	if gated, ok := answer.Flag(q, "gated"); ok {
		all = append(all, func(s *subject) bool { return (s.at.Gated() != false) == gated })
	}
	switch t {
	case repo.Model:
		return modelFilters(r, all)
	case repo.Space:
		return spaceFilters(r, all), nil
	}
	return all, nil
}

func containsAll(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// bare are the prefixes of filters whose tags a model has without them.
var bare = []string{"language:", "library:", "pipeline_tag:", "task_categories:", "other:"}

// tagged reports whether the repository has a tag, in any case.
func (s *subject) tagged(tag string) bool {
	wanted := []string{tag}
	if s.at.Type() != repo.Dataset {
		for _, p := range bare {
			if rest, ok := strings.CutPrefix(tag, p); ok {
				wanted = append(wanted, rest)
			}
		}
	}
	return slices.ContainsFunc(s.tags(), func(have string) bool {
		return slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, have) })
	})
}

func modelFilters(r *http.Request, all filters) (filters, error) {
	q := r.URL.Query()
	if task := q.Get("pipeline_tag"); task != "" {
		all = append(all, func(s *subject) bool { return s.f.Pipeline == task })
	}
	if library := q.Get("library"); library != "" {
		all = append(all, func(s *subject) bool { return s.tagged(library) })
	}
	if q.Get("inference") == "warm" {
		all = append(all, func(s *subject) bool { return slices.ContainsFunc(s.providers(), live) })
	}
	if names := parts(answer.Values(q, "inference_provider")); len(names) > 0 {
		all = append(all, func(s *subject) bool {
			return slices.ContainsFunc(s.providers(), func(p provider) bool {
				return live(p) && (slices.Contains(names, "all") || slices.Contains(names, p.name))
			})
		})
	}
	for _, app := range parts(answer.Values(q, "apps")) {
		all = append(all, func(s *subject) bool { return s.runsIn(app) })
	}
	if span := q.Get("num_parameters"); span != "" {
		low, high, err := parseSpan(span)
		if err != nil {
			return nil, err
		}
		all = append(all, func(s *subject) bool {
			n := float64(s.f.Params)
			return n > 0 && n >= low && n <= high
		})
	}
	return all, nil
}

// runsIn reports whether a local program runs the model's files.
func (s *subject) runsIn(app string) bool {
	if slices.Contains([]string{"llama.cpp", "ollama", "lmstudio", "jan", "koboldcpp"}, app) {
		return s.f.GGUF != nil
	}
	return slices.Contains([]string{"vllm", "sglang", "tgi"}, app) && s.f.Safetensors != nil && s.f.Pipeline == "text-generation"
}

// parseSpan reads min:6B,max:128B, either of which may be left out.
func parseSpan(span string) (low, high float64, err error) {
	high = math.Inf(1)
	for _, p := range parts([]string{span}) {
		name, value, _ := strings.Cut(p, ":")
		n, ok := parseCount(value)
		switch {
		case ok && name == "min":
			low = n
		case ok && name == "max":
			high = n
		default:
			return 0, 0, answer.Refuse(http.StatusBadRequest, `Invalid num_parameters: it must be like min:6B,max:128B`)
		}
	}
	return low, high, nil
}

// parseCount reads a number with a unit, such as 1.5B.
func parseCount(s string) (float64, bool) {
	units := map[string]float64{"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
	factor := 1.0
	if s != "" {
		if f, ok := units[strings.ToUpper(s[len(s)-1:])]; ok {
			s, factor = s[:len(s)-1], f
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	return n * factor, err == nil && n >= 0 && !math.IsInf(n, 0)
}

func spaceFilters(r *http.Request, all filters) filters {
	q := r.URL.Query()
	for _, field := range []string{"models", "datasets"} {
		for _, id := range parts(answer.Values(q, field)) {
			all = append(all, func(s *subject) bool { return slices.Contains(card.Strings(s.f.Card[field]), id) })
		}
	}
	if linked, _ := answer.Flag(q, "linked"); linked {
		all = append(all, func(s *subject) bool {
			return len(card.Strings(s.f.Card["models"]))+len(card.Strings(s.f.Card["datasets"])) > 0
		})
	}
	return all
}
