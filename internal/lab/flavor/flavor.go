// Package flavor reads the names of the Hub's machines: how many GPUs one has and
// of which family. It asks nobody: a name says enough.
package flavor

import (
	"strconv"
	"strings"
)

// None is the family of machines without a GPU, and of names that say nothing.
const None = "none"

// families are the GPUs, longest name first where one begins like another.
func families() []string {
	return []string{
		"rtx-pro-6000", "rtxpro6000", "gb200", "gb300", "mi300x", "mi355x", "l40s", "a10g", "a100", "h100", "h200", "b200", "b300",
		"v100", "p100", "a10", "l40", "t4", "l4",
	}
}

// Family is the GPU of a machine, None for one without.
func Family(name string) string {
	family, _, ok := parse(name)
	if !ok {
		return None
	}
	return family
}

// GPUs is how many a machine has: the number behind an x at the end of its name, else
// one. A name that says nothing has none.
func GPUs(name string) int {
	_, n, ok := parse(name)
	if !ok {
		return 0
	}
	return n
}

// mostGPUs is more than any one machine has.
const mostGPUs = 1024

// parse cuts a name such as a10g-largex2 into its family and its count.
func parse(name string) (family string, gpus int, ok bool) {
	name = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "zero-")
	for _, family = range families() {
		rest, found := strings.CutPrefix(name, family)
		if !found {
			continue
		}
		size, count, many := rest, 1, false
		if i := strings.LastIndexByte(rest, 'x'); i >= 0 {
			if n, err := strconv.Atoi(rest[i+1:]); err == nil && n > 0 && n <= mostGPUs {
				size, count, many = rest[:i], n, true
			}
		}
		if size != "" && size[0] != '-' || many && size == "-" {
			return "", 0, false // another word that begins like it
		}
		return family, count, true
	}
	return "", 0, false
}

// The tables of the Python original, for what has to agree with its old results.

// OriginalGPUs is its count, 0 for what it did not know.
func OriginalGPUs(name string) int {
	switch name {
	case "t4-small", "t4-medium", "l4x1", "l40sx1", "a10g-small", "a10g-large", "a100-large", "h100":
		return 1
	case "a10g-largex2", "a100x2":
		return 2
	case "l4x4", "l40sx4", "a10g-largex4", "a100x4":
		return 4
	case "l40sx8", "a100x8", "h100x8":
		return 8
	}
	return 0
}

// OriginalFamily is its family: it took the L4 for an L40S.
func OriginalFamily(name string) string {
	if OriginalGPUs(name) == 0 {
		return None
	}
	family := Family(name)
	if family == "l4" {
		return "l40s"
	}
	return family
}

// OriginalMulti is its rule for machines with several GPUs.
func OriginalMulti(name string) bool {
	return strings.Contains(name, "x2") || strings.Contains(name, "x4") || strings.Contains(name, "x8")
}
