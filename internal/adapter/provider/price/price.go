// Package price is what the program knows by heart about models: prices,
// context windows and largest answers, as of August 2026. It is pure tables
// and lookup rules; it knows no provider's live list and does no I/O.
package price

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Entry is what the table says about one model.
type Entry struct {
	Prices llm.Prices
	// Window is the input window in tokens.
	Window int
	// MaxOutput is the largest answer in tokens, 0 when unknown.
	MaxOutput int
}

const (
	// thousand and million are tokens.
	thousand = 1_000
	million  = 1_000_000
)

// table is keyed by the direct provider's own names.
var table = map[string]Entry{
	"claude-opus-5":   claude(5, 25, 0.5, 6.25, million),
	"claude-opus-4-8": claude(5, 25, 0.5, 6.25, million),
	"claude-opus-4-7": claude(5, 25, 0.5, 6.25, million),
	// The models endpoint may say that an account has a million.
	"claude-opus-4-6":   claude(5, 25, 0.5, 6.25, 200*thousand),
	"claude-opus-4-5":   claude(5, 25, 0.5, 6.25, 200*thousand),
	"claude-sonnet-5":   claude(2, 10, 0.2, 2.5, million),
	"claude-sonnet-4-6": claude(3, 15, 0.3, 3.75, 200*thousand),
	"claude-sonnet-4-5": claude(3, 15, 0.3, 3.75, 200*thousand),
	"claude-haiku-4-5":  claude(1, 5, 0.1, 1.25, 200*thousand),

	"gpt-5.6-sol":   gpt(5, 30, 0.5, 6.25, 922*thousand, 128*thousand),
	"gpt-5.6-terra": gpt(2.5, 15, 0.25, 3.125, 922*thousand, 128*thousand),
	"gpt-5.6-luna":  gpt(1, 6, 0.1, 1.25, 922*thousand, 128*thousand),
	// A prompt of these costs no more when it is written to the cache.
	"gpt-5.5":       gpt(5, 30, 0.5, 5, 922*thousand, 128*thousand),
	"gpt-5.4":       gpt54(),
	"gpt-5.4-mini":  gpt(0.75, 4.5, 0.075, 0.75, 272*thousand, 128*thousand),
	"gpt-5.4-nano":  gpt(0.2, 1.25, 0.02, 0.2, 272*thousand, 128*thousand),
	"gpt-5.3-codex": gpt(1.75, 14, 0.175, 1.75, 272*thousand, 128*thousand),
	"gpt-5.2":       gpt(1.75, 14, 0.175, 1.75, 272*thousand, 128*thousand),
	"gpt-5.1":       gpt(1.25, 10, 0.125, 1.25, 272*thousand, 128*thousand),
	"gpt-5":         gpt(1.25, 10, 0.125, 1.25, 272*thousand, 128*thousand),
	"gpt-4.1":       gpt(2, 8, 0.5, 2, 1_047_576, 32_768),
	"gpt-4o":        gpt(2.5, 10, 1.25, 2.5, 128*thousand, 16_384),
	"o3":            gpt(2, 8, 0.5, 2, 200*thousand, 100*thousand),
	"o4-mini":       gpt(1.1, 4.4, 0.275, 1.1, 200*thousand, 100*thousand),
}

func claude(in, out, read, write float64, window int) Entry {
	return Entry{Prices: llm.Prices{Input: in, Output: out, CacheRead: read, CacheWrite: write}, Window: window}
}

func gpt(in, out, read, write float64, window, maxOutput int) Entry {
	return Entry{llm.Prices{Input: in, Output: out, CacheRead: read, CacheWrite: write}, window, maxOutput}
}

func gpt54() Entry {
	e := gpt(2.5, 15, 0.25, 2.5, 922*thousand, 128*thousand)
	e.Prices.Long = &llm.LongPrices{
		Above:  200 * thousand,
		Prices: llm.Prices{Input: 5, Output: 22.5, CacheRead: 0.5, CacheWrite: 5},
	}
	return e
}

var dateSuffix = regexp.MustCompile(`-(\d{8}|\d{4}-\d{2}-\d{2})$`)

// bare reduces an id to the name the table uses: lower case, without
// organisation and tag, with dashes in Claude versions.
func bare(model string) string {
	name := strings.ToLower(strings.TrimSpace(model))
	if slash := strings.LastIndexByte(name, '/'); slash >= 0 {
		name = name[slash+1:]
	}
	name, _, _ = strings.Cut(name, ":")
	if strings.HasPrefix(name, "claude-") {
		name = strings.ReplaceAll(name, ".", "-")
	}
	return name
}

// Lookup finds a model by its name or id: exactly, then without a date suffix,
// then by the longest known name that ends at a dash.
func Lookup(model string) (Entry, bool) {
	name := bare(model)
	for _, n := range []string{name, dateSuffix.ReplaceAllString(name, "")} {
		if e, ok := table[n]; ok {
			return known(n, e), true
		}
	}
	for n := name; ; {
		dash := strings.LastIndexByte(n, '-')
		if dash < 0 {
			return Entry{}, false
		}
		n = n[:dash]
		if e, ok := table[n]; ok {
			return known(n, e), true
		}
	}
}

// known completes an entry and makes it safe to hand out.
func known(name string, e Entry) Entry {
	if e.MaxOutput == 0 {
		e.MaxOutput = MaxOutput(name)
	}
	if e.Prices.Long != nil {
		long := *e.Prices.Long
		e.Prices.Long = &long
	}
	return e
}

// Names returns the names of the table in order.
func Names() []string { return slices.Sorted(maps.Keys(table)) }

// Complete adds the usual cache prices of a model to its input and output
// price: where a provider does not state them, a cached read is a tenth of the
// input on Anthropic and OpenAI 5.x models, and a write a quarter more than the
// input on Anthropic models; elsewhere both cost what input costs.
func Complete(model string, in, out float64) llm.Prices {
	p := llm.Prices{Input: in, Output: out, CacheRead: in, CacheWrite: in}
	switch name := bare(model); {
	case strings.HasPrefix(name, "claude-"):
		p.CacheRead, p.CacheWrite = in*0.1, in*1.25
	case strings.HasPrefix(name, "gpt-5"):
		p.CacheRead = in * 0.1
	}
	return p
}

// LongCacheWrite is Anthropic's factor on the input price for a cache write
// that lives an hour instead of five minutes.
const LongCacheWrite = 2.0

// Override is a user's own price for a model, in US dollars per million
// tokens: the setting model_prices.
type Override struct {
	Input      *float64 `json:"input"`
	Output     *float64 `json:"output"`
	CacheRead  *float64 `json:"cache_read,omitempty"`
	CacheWrite *float64 `json:"cache_write,omitempty"`
}

// Check names the field that is missing or no price.
func (o Override) Check(model string) error {
	for _, f := range []struct {
		name     string
		value    *float64
		required bool
	}{
		{"input", o.Input, true},
		{"output", o.Output, true},
		{"cache_read", o.CacheRead, false},
		{"cache_write", o.CacheWrite, false},
	} {
		switch {
		case f.value == nil && f.required:
			return fmt.Errorf("model_prices[%q].%s is missing", model, f.name)
		case f.value != nil && !(*f.value >= 0 && *f.value <= million):
			return fmt.Errorf("model_prices[%q].%s is %v, want dollars per million tokens", model, f.name, *f.value)
		}
	}
	return nil
}

// Prices returns the override with the usual cache prices filled in.
func (o Override) Prices(model string) llm.Prices {
	p := Complete(model, *o.Input, *o.Output)
	if o.CacheRead != nil {
		p.CacheRead = *o.CacheRead
	}
	if o.CacheWrite != nil {
		p.CacheWrite = *o.CacheWrite
	}
	return p
}

// Find looks a setting keyed by model ids up: the id as it is, without its
// tag, then the bare model name.
func Find[T any](settings map[string]T, id string) (T, bool) {
	untagged, name := id, id
	if slash := strings.IndexByte(id, '/'); slash >= 0 {
		name = id[slash+1:]
		if colon := strings.IndexByte(name, ':'); colon >= 0 {
			untagged = id[:slash+1+colon]
		}
	}
	for _, key := range []string{id, untagged, name} {
		if v, ok := settings[key]; ok {
			return v, true
		}
	}
	var zero T
	return zero, false
}
