// Package memory estimates how much memory a model takes: to hold, to train and
// to serve. It computes; it knows neither models by name nor machines. Sizes
// are bytes; a gigabyte in words is 10^9 of them.
package memory

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Bytes of a parameter or value of a type, as safetensors and config.json name
// it; 0 is unknown.
func Bytes(dtype string) float64 {
	switch strings.ToUpper(strings.TrimPrefix(strings.ToLower(dtype), "torch.")) {
	case "F64", "FLOAT64", "I64", "INT64", "U64", "DOUBLE":
		return 8
	case "F32", "FLOAT32", "FLOAT", "I32", "INT32", "U32":
		return 4
	case "BF16", "BFLOAT16", "F16", "FLOAT16", "HALF", "I16", "INT16", "U16":
		return 2
	case "F8_E4M3", "F8_E5M2", "F8_E8M0", "FLOAT8_E4M3FN", "FLOAT8_E5M2", "I8", "INT8", "U8", "UINT8", "BOOL":
		return 1
	case "F4", "FP4", "INT4", "U4", "I4", "NF4":
		return 0.5
	}
	return 0
}

// Weights sums the bytes of parameters by type; unknown lists the types whose
// size is not known.
func Weights(parameters map[string]float64) (total float64, unknown []string) {
	for _, dtype := range slices.Sorted(maps.Keys(parameters)) {
		n, b := parameters[dtype], Bytes(dtype)
		if b == 0 {
			unknown = append(unknown, dtype)
		}
		total += b * n
	}
	return total, unknown
}

// Per parameter, in bytes.
const (
	// Full is a full fine-tune with AdamW in mixed precision: 2 for the weight,
	// 2 for its gradient, 4 for the master copy, 8 for the two moments.
	Full = 16
	// Half is a frozen weight in 16 bits, Quarter one in 4 bits with its
	// scales.
	Half, Quarter = 2, 0.55
)

// FullTune is a full fine-tune of n parameters, without activations.
func FullTune(n float64) float64 { return Full * n }

// Adapters is a fine-tune of adapters of a parameters on a frozen model of n;
// quantised keeps the model in 4 bits.
func Adapters(n, a float64, quantised bool) float64 {
	if quantised {
		return Quarter*n + Full*a
	}
	return Half*n + Full*a
}

// Shape is what a model is built of. What is not known is 0.
type Shape struct {
	Layers, Hidden, Heads, KVHeads, HeadDim, Intermediate float64
	Vocabulary                                            float64
	// Experts in all and ExpertsActive for a token; ExpertWidth is the width of
	// one, Shared how many each token passes beside those.
	Experts, ExpertsActive, ExpertWidth, Shared float64
	// DenseLayers have no experts.
	DenseLayers float64
	// Window is how many tokens the layers with a sliding window see;
	// FullLayers have none. KVLatent replaces keys and values of a layer by so
	// many values.
	Window, FullLayers, KVLatent float64
}

// Head is the width of a head.
func (s Shape) Head() float64 {
	switch {
	case s.HeadDim > 0:
		return s.HeadDim
	case s.Heads > 0:
		return s.Hidden / s.Heads
	}
	return 0
}

// kv are the heads of keys and values.
func (s Shape) kv() float64 {
	if s.KVHeads > 0 {
		return s.KVHeads
	}
	return s.Heads
}

// PerToken is what the cache of keys and values takes for each token at width
// bytes a value, with the formula; 0 when the shape is not known.
func (s Shape) PerToken(width float64) (bytes float64, formula string) {
	if s.KVLatent > 0 && s.Layers > 0 {
		return s.Layers * s.KVLatent * width, fmt.Sprintf("%g layers × %g latent values × %g bytes", s.Layers, s.KVLatent, width)
	}
	bytes = 2 * s.Layers * s.kv() * s.Head() * width
	if bytes <= 0 || math.IsNaN(bytes) {
		return 0, ""
	}
	return bytes, fmt.Sprintf("2 × %g layers × %g KV heads × %g wide × %g bytes", s.Layers, s.kv(), s.Head(), width)
}

// Attention names how heads share keys and values.
func (s Shape) Attention() string {
	switch {
	case s.KVLatent > 0:
		return "latent attention (MLA)"
	case s.Heads <= 0:
		return ""
	case s.kv() == 1 && s.Heads > 1:
		return "multi-query attention"
	case s.kv() < s.Heads:
		return fmt.Sprintf("grouped-query attention, %g heads to one of keys and values", math.Round(s.Heads/s.kv()*100)/100)
	}
	return "every head has keys and values of its own"
}

// LoRA is how many parameters adapters of a rank have on all linear layers of
// the blocks; those of experts are left alone, as is usual. 0 is unknown.
func (s Shape) LoRA(rank float64) float64 {
	if s.Layers <= 0 || s.Hidden <= 0 || s.Heads <= 0 {
		return 0
	}
	q, kv := s.Heads*s.Head(), s.kv()*s.Head()
	attention := (s.Hidden + q) + 2*(s.Hidden+kv) + (q + s.Hidden)
	mlp := 3 * (s.Hidden + s.Intermediate)
	dense := s.Layers
	if s.Experts > 0 {
		dense = s.DenseLayers
	}
	if s.Intermediate <= 0 {
		mlp = 0
	}
	return rank * (s.Layers*attention + dense*mlp)
}

// Active is how many of total parameters a token passes in a model with
// experts; 0 when it has none or the shape is not known.
func (s Shape) Active(total float64) float64 {
	if s.Experts <= 0 || s.ExpertsActive <= 0 || s.ExpertWidth <= 0 || s.Hidden <= 0 || s.Layers <= 0 || s.ExpertsActive > s.Experts {
		return 0
	}
	each := 3 * s.Hidden * s.ExpertWidth // gate, up and down
	idle := (s.Experts - s.ExpertsActive) * each * max(s.Layers-s.DenseLayers, 0)
	if active := total - idle; active > 0 {
		return active
	}
	return 0
}
