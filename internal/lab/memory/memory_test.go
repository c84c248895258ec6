package memory_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/lab/memory"
)

// Llama 3.1 8B: the figures are known.
var llama = memory.Shape{Layers: 32, Hidden: 4096, Heads: 32, KVHeads: 8, Intermediate: 14336, Vocabulary: 128256}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > want/1000 {
		t.Errorf("%s: %g, want %g", what, got, want)
	}
}

func TestLlama(t *testing.T) {
	kv, formula := llama.PerToken(2)
	near(t, "cache of a token", kv, 131072)
	if formula != "2 × 32 layers × 8 KV heads × 128 wide × 2 bytes" || llama.Attention() != "grouped-query attention, 4 heads to one of keys and values" {
		t.Error(formula, llama.Attention())
	}
	near(t, "adapters of rank 16", llama.LoRA(16), 41_943_040)
	near(t, "full", memory.FullTune(8.03e9), 128.48e9)
	near(t, "LoRA", memory.Adapters(8.03e9, 42e6, false), 16.06e9+0.672e9)
	near(t, "QLoRA", memory.Adapters(8.03e9, 42e6, true), 0.55*8.03e9+0.672e9)
	w, unknown := memory.Weights(map[string]float64{"BF16": 8e9, "F32": 1e6, "X9": 5})
	near(t, "weights", w, 16.004e9)
	if len(unknown) != 1 || unknown[0] != "X9" {
		t.Error(unknown)
	}
	if llama.Active(8e9) != 0 {
		t.Error("it has no experts")
	}
}

// Mixtral 8x7B: 46.7 billion parameters, 12.9 of them active.
func TestExperts(t *testing.T) {
	s := memory.Shape{Layers: 32, Hidden: 4096, Heads: 32, KVHeads: 8, Experts: 8, ExpertsActive: 2, ExpertWidth: 14336}
	near(t, "active", s.Active(46.7e9), 46.7e9-6*3*4096*14336*32)
	if a := s.Active(46.7e9); a < 12.5e9 || a > 13.2e9 {
		t.Errorf("%g", a)
	}
	s.ExpertsActive = 9
	if s.Active(46.7e9) != 0 {
		t.Error("more experts are active than there are")
	}
}

func TestOtherShapes(t *testing.T) {
	mla := memory.Shape{Layers: 61, Heads: 128, Hidden: 7168, KVLatent: 576}
	kv, _ := mla.PerToken(2)
	near(t, "latent", kv, 61*576*2)
	gpt := memory.Shape{Layers: 2, Hidden: 16, Heads: 2}
	kv, _ = gpt.PerToken(4)
	near(t, "gpt2", kv, 2*2*2*8*4)
	if gpt.Attention() != "every head has keys and values of its own" || (memory.Shape{}).Attention() != "" {
		t.Error(gpt.Attention())
	}
	if b, f := (memory.Shape{}).PerToken(2); b != 0 || f != "" {
		t.Error(b, f)
	}
}

// Whatever the numbers are, estimates are neither negative nor absent numbers.
func TestEstimatesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := func(name string) float64 { return rapid.Float64Range(0, 1e15).Draw(t, name) }
		s := memory.Shape{Layers: n("l"), Hidden: n("h"), Heads: n("heads"), KVHeads: n("kv"), HeadDim: n("d"), Intermediate: n("i"), Experts: n("e"), ExpertsActive: n("a"), ExpertWidth: n("w"), DenseLayers: n("dense")}
		total := n("total")
		kv, _ := s.PerToken(2)
		for _, v := range []float64{kv, s.LoRA(16), s.Active(total), memory.FullTune(total), s.Head()} {
			if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%+v: %g", s, v)
			}
		}
		if s.Active(total) > total {
			t.Fatal("more is active than there is")
		}
		_ = s.Attention()
	})
}
