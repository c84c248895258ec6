package flavor_test

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/lab/flavor"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]struct {
		family string
		gpus   int
	}{
		"cpu-basic": {flavor.None, 0}, "cpu-upgrade": {flavor.None, 0}, "cpu-performance": {flavor.None, 0}, "cpu-xl": {flavor.None, 0},
		"zero-a10g": {"a10g", 1}, "t4-small": {"t4", 1}, "T4-Medium ": {"t4", 1}, "l4x1": {"l4", 1}, "l4x4": {"l4", 4},
		"l40sx1": {"l40s", 1}, "l40sx4": {"l40s", 4}, "l40sx8": {"l40s", 8}, "a10g-small": {"a10g", 1}, "a10g-large": {"a10g", 1},
		"a10g-largex2": {"a10g", 2}, "a10g-largex4": {"a10g", 4}, "a100-large": {"a100", 1}, "a100x2": {"a100", 2}, "a100x4": {"a100", 4}, "a100x8": {"a100", 8},
		"h100": {"h100", 1}, "h100x8": {"h100", 8}, "h200": {"h200", 1}, "h200x2": {"h200", 2}, "h200x4": {"h200", 4}, "h200x8": {"h200", 8},
		"b200x16": {"b200", 16}, "rtx-pro-6000": {"rtx-pro-6000", 1}, "rtx-pro-6000x8": {"rtx-pro-6000", 8},
		"": {flavor.None, 0}, "unheard-of": {flavor.None, 0}, "v5e-2x4": {flavor.None, 0}, "inf2x6": {flavor.None, 0}, "h1000": {flavor.None, 0}, "t4x0": {flavor.None, 0}, "l4x-1": {flavor.None, 0}, "a100x99999": {flavor.None, 0}, "h100-x8": {flavor.None, 0},
	} {
		if family, gpus := flavor.Family(name), flavor.GPUs(name); family != want.family || gpus != want.gpus {
			t.Errorf("%q is %d of %s, want %d of %s", name, gpus, family, want.gpus, want.family)
		}
	}
}

// The original's tables as the contract lists them.
func TestOriginal(t *testing.T) {
	gpus := map[int][]string{
		1: {"t4-small", "t4-medium", "l4x1", "l40sx1", "a10g-small", "a10g-large", "a100-large", "h100"},
		2: {"a10g-largex2", "a100x2"}, 4: {"l4x4", "l40sx4", "a10g-largex4", "a100x4"}, 8: {"l40sx8", "a100x8", "h100x8"},
		0: {"cpu-basic", "cpu-upgrade", "h200", "h200x8", "rtx-pro-6000x2", ""},
	}
	for want, names := range gpus {
		for _, name := range names {
			if got := flavor.OriginalGPUs(name); got != want {
				t.Errorf("%s: %d, want %d", name, got, want)
			}
		}
	}
	for name, want := range map[string]string{"l4x1": "l40s", "l4x4": "l40s", "l40sx8": "l40s", "h100x8": "h100", "h200": flavor.None, "t4-small": "t4", "a10g-largex4": "a10g", "cpu-basic": flavor.None} {
		if got := flavor.OriginalFamily(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if !flavor.OriginalMulti("l4x4") || flavor.OriginalMulti("l4x1") || flavor.OriginalMulti("h200") {
		t.Error("which have several")
	}
}

func TestCountIsTheSuffix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom([]string{"t4", "l4", "l40s", "a10g-large", "a100", "h100", "h200", "rtx-pro-6000", "zero-a10g"}).Draw(t, "base")
		n := rapid.IntRange(1, 1024).Draw(t, "n")
		name := base + "x" + strconv.Itoa(n)
		if flavor.GPUs(name) != n || flavor.Family(name) != flavor.Family(base) {
			t.Errorf("%s: %d of %s", name, flavor.GPUs(name), flavor.Family(name))
		}
	})
}
