// Package sample reads the numbers that training programs print: dictionaries of
// trainers, "name=value" and "name: value" lines, JSON lines, what stands behind
// a progress bar, records of Trackio. It works on one line at a time and knows
// neither where lines come from nor what their numbers mean for a run.
package sample

import (
	"math"
	"strings"
)

// Limits of one line. What is beyond them is not read.
const (
	maxLine   = 16 << 10 // bytes
	maxValues = 48
	maxName   = 64 // bytes
	maxDepth  = 8  // objects within objects
)

// Sample is what one line told at one moment of a run.
type Sample struct {
	// Step and Epoch say how far the run is; NaN where the line does not say.
	Step, Epoch float64
	Values      []Value
}

// Value is one number of a sample.
type Value struct {
	// Name is the number's own name in lower case, with _ for blanks.
	Name string
	Kind Kind
	// Number is as it was printed, NaN and infinity included; 1.2k is 1200 and
	// memory is in GiB where its unit was told.
	Number float64
	// Unit is "%", "GiB", "tokens/s" and such; empty where none was told.
	Unit string
}

// Of returns the first value of a kind.
func (s *Sample) Of(k Kind) (Value, bool) {
	for _, v := range s.Values {
		if v.Kind == k {
			return v, true
		}
	}
	return Value{}, false
}

// Read returns what a line tells, in order: mostly nothing or one sample, more
// for a line that a progress bar has written over or that holds a whole series.
// A sample without values says only how far the run is.
func Read(line string) []Sample {
	if len(line) > maxLine {
		line = line[:maxLine]
	}
	if !strings.ContainsAny(line, "0123456789") && !hasOddNumber(line) {
		return nil
	}
	var out []Sample
	for part := range strings.SplitSeq(line, "\r") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if all, ok := records(part); ok {
			out = append(out, all...)
			continue
		}
		s := scanner{text: part}
		if got, ok := s.run(); ok {
			out = append(out, got)
		}
	}
	return out
}

// hasOddNumber reports whether a text may hold NaN or infinity.
func hasOddNumber(text string) bool {
	for i := 0; i+3 <= len(text); i++ {
		if w := text[i : i+3]; strings.EqualFold(w, "nan") || strings.EqualFold(w, "inf") {
			return true
		}
	}
	return false
}

// nothing is a sample that tells nothing.
func nothing() Sample { return Sample{Step: math.NaN(), Epoch: math.NaN()} }
