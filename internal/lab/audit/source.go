package audit

import "iter"

// entry is a row and the split it is of.
type entry struct {
	split int
	row   Row
}

// source reads all splits one after another and remembers how far it came: an
// error ends one split, not the reading.
type source struct {
	splits []Split
	counts []int64
	failed []error
}

func newSource(splits []Split) *source {
	return &source{splits: splits, counts: make([]int64, len(splits)), failed: make([]error, len(splits))}
}

// all is the rows of all splits. It is for the first reading.
func (s *source) all() iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for i, split := range s.splits {
			for row, err := range split.Rows {
				if err != nil {
					s.failed[i] = err
					break
				}
				s.counts[i]++
				if !yield(entry{split: i, row: row}, nil) {
					return
				}
			}
		}
	}
}

// repeat is the rows of the first reading once more, by their numbers over all
// splits. It ends with an error when a split no longer has them all.
func (s *source) repeat(show func(number int, e entry) bool) error {
	number := 0
	for i, split := range s.splits {
		n := int64(0)
		if s.counts[i] == 0 {
			continue
		}
		for row, err := range split.Rows {
			if err != nil {
				return err
			}
			if !show(number, entry{split: i, row: row}) {
				return nil
			}
			number++
			if n++; n == s.counts[i] {
				break
			}
		}
		number += int(s.counts[i] - n)
	}
	return nil
}
