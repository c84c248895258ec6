// Package audittest makes data sets for tests and measurements of the audit:
// conversations of a seed, as many as wanted, with copies planted among them.
package audittest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
)

// Kind is how a row came to be.
type Kind int

// The kinds of rows.
const (
	Fresh Kind = iota
	Exact      // a copy that differs in blanks and case at most
	Near       // a copy with some words changed
	Short      // a few words that many rows share
)

// Chat is a data set of conversations. The same seed gives the same rows, and
// row n is the same in data sets of any size.
type Chat struct {
	seed  uint64
	words []string
	zipf  []float64
}

// Row is one conversation and how it came to be.
type Row struct {
	ID       string    `json:"id"`
	Messages []Message `json:"messages"`
	Source   string    `json:"source"`
	Kind     Kind      `json:"-"`
	Of       int       `json:"-"` // the row it is a copy of
}

// Message is one turn.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// NewChat returns the data set of the seed.
func NewChat(seed uint64) *Chat {
	c := &Chat{seed: seed}
	r := rand.New(rand.NewPCG(seed, 1))
	c.words = strings.Fields(frequent)
	heads := strings.Fields("b br c ch cl d dr f fl g gr h j k l m n p pl pr qu r s sh sl st t th tr v w")
	middles := strings.Fields("a ai e ea i o oo ou u")
	tails := strings.Fields("b ck d g l m n nd ng nt p r rk s st t x ve ze le ly er ing ed")
	seen := map[string]bool{}
	for len(c.words) < 20000 {
		var w strings.Builder
		for range 1 + r.IntN(3) {
			w.WriteString(heads[r.IntN(len(heads))] + middles[r.IntN(len(middles))])
		}
		w.WriteString(tails[r.IntN(len(tails))])
		if !seen[w.String()] {
			seen[w.String()] = true
			c.words = append(c.words, w.String())
		}
	}
	sum := 0.0
	for i := range c.words {
		sum += 1 / math.Pow(float64(i+3), 1.05)
		c.zipf = append(c.zipf, sum)
	}
	return c
}

// word is a random word, the frequent ones first as in any language.
func (c *Chat) word(r *rand.Rand) string {
	x := r.Float64() * c.zipf[len(c.zipf)-1]
	low, high := 0, len(c.zipf)-1
	for low < high {
		if mid := (low + high) / 2; c.zipf[mid] < x {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return c.words[low]
}

func (c *Chat) random(n int, purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(c.seed^purpose<<56, uint64(n)))
}

// kind decides what row n is: 5 in 100 exact copies, 6 near ones, 2 short.
func (c *Chat) kind(n int) (Kind, *rand.Rand) {
	r := c.random(n, 1)
	switch x := r.IntN(100); {
	case n < 20 || x >= 13:
		return Fresh, r
	case x < 5:
		return Exact, r
	case x < 11:
		return Near, r
	}
	return Short, r
}

// Row is row n.
func (c *Chat) Row(n int) Row {
	kind, r := c.kind(n)
	row := Row{ID: fmt.Sprintf("chat-%08d", n), Kind: kind, Of: -1, Source: sources[r.IntN(len(sources))]}
	switch kind {
	case Fresh:
		row.Messages = c.conversation(n)
	case Short:
		s := greetings[r.IntN(len(greetings))]
		row.Messages = []Message{{"user", s[0]}, {"assistant", s[1]}}
	default:
		row.Of = c.original(n, r)
		row.Messages = c.conversation(row.Of)
		for i := range row.Messages {
			if kind == Exact {
				row.Messages[i].Content = disguise(r, row.Messages[i].Content)
			}
		}
		if kind == Near {
			c.edit(r, row.Messages)
		}
	}
	return row
}

// original is a fresh row before n.
func (c *Chat) original(n int, r *rand.Rand) int {
	for {
		of := r.IntN(n)
		if r.IntN(10) == 0 {
			of = r.IntN(1 + n/50) // some rows are copied more often than others
		}
		if kind, _ := c.kind(of); kind == Fresh {
			return of
		}
	}
}

// disguise changes what the normal form does not see.
func disguise(r *rand.Rand, s string) string {
	switch r.IntN(4) {
	case 0:
		return strings.Replace(s, " ", "  ", 1)
	case 1:
		return strings.ToUpper(s[:1]) + s[1:] + "\n"
	}
	return s
}

// edit changes so many words that the similarity is anything from 0.5 to 0.99,
// half of the rows between 0.7 and 0.9.
func (c *Chat) edit(r *rand.Rand, messages []Message) {
	wanted := 0.5 + 0.49*r.Float64()
	if r.IntN(2) == 0 {
		wanted = 0.7 + 0.2*r.Float64()
	}
	total := 0
	for _, m := range messages {
		total += len(strings.Fields(m.Content))
	}
	// One changed word changes five shingles of both texts.
	changes := max(1, int(math.Round(float64(total)*(1-wanted)/(5*(1+wanted)))))
	for range changes {
		m := &messages[r.IntN(len(messages))]
		words := strings.Fields(m.Content)
		words[r.IntN(len(words))] = c.word(r) + "x"
		m.Content = strings.Join(words, " ")
	}
}

// conversation is the fresh text of row n.
func (c *Chat) conversation(n int) []Message {
	r := c.random(n, 2)
	var out []Message
	if r.IntN(10) < 3 {
		out = append(out, Message{"system", systems[r.IntN(len(systems))]})
	}
	han := r.IntN(50) == 0
	for range 1 + r.IntN(2) {
		asked := 8 + int(r.ExpFloat64()*25)
		answered := 20 + int(math.Exp(4.3+0.7*r.NormFloat64()))
		if han {
			out = append(out, Message{"user", c.han(r, asked)}, Message{"assistant", c.han(r, min(answered, 800))})
			continue
		}
		out = append(out,
			Message{"user", openings[r.IntN(len(openings))] + " " + c.sentences(r, min(asked, 400))},
			Message{"assistant", replies[r.IntN(len(replies))] + " " + c.sentences(r, min(answered, 1500))})
	}
	return out
}

// sentences is about n words of prose, now and then with a list, code or numbers.
func (c *Chat) sentences(r *rand.Rand, n int) string {
	var b strings.Builder
	for n > 0 {
		length := min(n, 4+r.IntN(16))
		n -= length
		for i := range length {
			w := c.word(r)
			if r.IntN(60) == 0 {
				w = fmt.Sprint(r.IntN(10000))
			}
			if i == 0 {
				w = strings.ToUpper(w[:1]) + w[1:]
			} else {
				b.WriteByte(' ')
			}
			b.WriteString(w)
			if i == length/2 && r.IntN(3) == 0 && i+1 < length {
				b.WriteByte(',')
			}
		}
		switch r.IntN(12) {
		case 0:
			b.WriteString(":\n- ")
		case 1:
			b.WriteString(".\n\n")
		case 2:
			b.WriteString("? ")
		default:
			b.WriteString(". ")
		}
	}
	return strings.TrimSpace(b.String())
}

// han is a text of n characters without blanks.
func (c *Chat) han(r *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteRune(rune(0x4E00 + int(math.Pow(r.Float64(), 3)*3000)))
		if i%15 == 14 {
			b.WriteRune('。')
		}
	}
	return b.String()
}

// Write writes n rows as JSON lines.
func (c *Chat) Write(w io.Writer, n int) error {
	out := bufio.NewWriterSize(w, 1<<20)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for i := range n {
		if err := enc.Encode(c.Row(i)); err != nil {
			return err
		}
	}
	return out.Flush()
}
