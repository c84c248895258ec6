package demo

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// What the data set holds. Its faults are planted: somebody who looks finds
// them, and somebody who does not gets a better result than is true.
const (
	rowCount       = 780 // messages before faults are planted
	duplicates     = 14  // copies with the same label
	contradictions = 3   // copies with another label
	empties        = 6
	doubtfulShare  = 0.17 // of the messages fit two desks,
	otherShare     = 0.35 // of which so many are labelled the less likely way
	wrongShare     = 0.03 // of the labels are plainly wrong
	typoShare      = 0.15 // of the messages have a typing mistake
	dataSeed       = 1962
	earlyWordless  = 3   // of the wordless messages are among the first
	early          = 100 // rows, so that a trial run meets them
)

type row struct{ desk, text string }

// messages makes the data set as CSV with the columns id, desk and text. It is
// the same every time.
func messages() []byte {
	rng := rand.New(rand.NewPCG(dataSeed, 0))
	rows := make([]row, 0, rowCount)
	taken := map[string]bool{}
	for len(rows) < rowCount {
		if r := message(rng); !taken[strings.ToLower(r.text)] {
			taken[strings.ToLower(r.text)] = true
			rows = append(rows, r)
		}
	}
	rows = plant(rng, rows)

	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.Write([]string{"id", "desk", "text"}) // a buffer takes everything
	for i, r := range rows {
		_ = w.Write([]string{fmt.Sprintf("M%04d", i+1), r.desk, r.text})
	}
	w.Flush()
	return out.Bytes()
}

// plant adds the faults at places that do not depend on the order of rows.
func plant(rng *rand.Rand, rows []row) []row {
	insert := func(r row) {
		rows = slices.Insert(rows, rng.IntN(len(rows)+1), r)
	}
	for i := range duplicates + contradictions {
		r := rows[rng.IntN(rowCount)]
		if i >= duplicates {
			r.desk = another(rng, r.desk)
		}
		insert(r)
	}
	for range empties {
		insert(row{desk: anyDesk(rng).name})
	}
	for i, text := range wordless {
		r := row{anyDesk(rng).name, text}
		if i < earlyWordless {
			rows = slices.Insert(rows, rng.IntN(early), r)
			continue
		}
		insert(r)
	}
	return rows
}

// message makes one labelled message.
func message(rng *rand.Rand) row {
	d := anyDesk(rng)
	r := row{desk: d.name, text: pick(rng, d.lines)}
	if rng.Float64() < doubtfulShare {
		q := doubtful[rng.IntN(len(doubtful))]
		r = row{desks[q.likely].name, q.line}
		if rng.Float64() < otherShare {
			r.desk = desks[q.other].name
		}
	}
	if rng.Float64() < wrongShare {
		r.desk = another(rng, r.desk)
	}
	if rng.Float64() < 0.45 {
		r.text += " " + pick(rng, asides)
	}
	if rng.Float64() < 0.4 {
		r.text = pick(rng, openers) + " " + r.text
	}
	if rng.Float64() < 0.35 {
		r.text += " " + pick(rng, closers)
	}
	r.text = fillIn(rng, r.text)
	if rng.Float64() < typoShare {
		r.text = mistype(rng, r.text)
	}
	return r
}

// anyDesk draws a desk by its share.
func anyDesk(rng *rand.Rand) desk {
	n := rng.IntN(100)
	for _, d := range desks {
		if n < d.share {
			return d
		}
		n -= d.share
	}
	return desks[0]
}

// another draws a desk that is not the named one.
func another(rng *rand.Rand, name string) string {
	for {
		if d := desks[rng.IntN(len(desks))]; d.name != name {
			return d.name
		}
	}
}

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }

// fillIn replaces the words in braces.
func fillIn(rng *rand.Rand, text string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		out.WriteString(pick(rng, fillings[name]))
		text = after
	}
}

// mistype swaps two neighbouring small letters.
func mistype(rng *rand.Rand, text string) string {
	b := []byte(text)
	small := func(c byte) bool { return c >= 'a' && c <= 'z' }
	for range 20 {
		i := rng.IntN(len(b) - 1)
		if small(b[i]) && small(b[i+1]) && b[i] != b[i+1] {
			b[i], b[i+1] = b[i+1], b[i]
			return string(b)
		}
	}
	return text
}
