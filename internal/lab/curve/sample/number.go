package sample

import (
	"math"
	"strconv"
	"strings"
)

// number is a number with what is written around it.
type number struct {
	value float64
	unit  string
	// total is what stands behind a slash, as in 450/1000; 0 for none.
	total float64
	end   int // behind it in the text
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) || c == '_' }

// plainNumber reads a number at the beginning of text, without what may follow.
func plainNumber(text string) (value float64, n int, ok bool) {
	sign := 0
	if text != "" && (text[0] == '-' || text[0] == '+') {
		sign = 1
	}
	if v, length := oddNumber(text[sign:]); length > 0 {
		if sign == 1 && text[0] == '-' {
			v = -v
		}
		return v, sign + length, true
	}
	i, digits, commas := sign, 0, false
	for i < len(text) && (isDigit(text[i]) || isThousands(text, i)) {
		if text[i] == ',' {
			commas = true
		} else {
			digits++
		}
		i++
	}
	if i < len(text) && text[i] == '.' && (i+1 >= len(text) || text[i+1] != '.') {
		i++
		for i < len(text) && isDigit(text[i]) {
			digits++
			i++
		}
	}
	if digits == 0 || digits > 40 {
		return 0, 0, false
	}
	if end := exponent(text, i); end > i {
		i = end
	}
	word := text[:i]
	if commas {
		word = strings.ReplaceAll(word, ",", "")
	}
	v, err := strconv.ParseFloat(word, 64)
	if err != nil && !math.IsInf(v, 0) {
		return 0, 0, false
	}
	return v, i, true
}

// isThousands reports whether the comma at i parts thousands: 1,234 but not
// 1,2345 and not the one of a list.
func isThousands(text string, i int) bool {
	if text[i] != ',' || i == 0 || !isDigit(text[i-1]) || i+3 >= len(text) {
		return false
	}
	for j := i + 1; j <= i+3; j++ {
		if !isDigit(text[j]) {
			return false
		}
	}
	return i+4 >= len(text) || !isDigit(text[i+4])
}

// exponent is where an exponent at i ends, or i.
func exponent(text string, i int) int {
	if i >= len(text) || text[i]|0x20 != 'e' {
		return i
	}
	j := i + 1
	if j < len(text) && (text[j] == '-' || text[j] == '+') {
		j++
	}
	begin := j
	for j < len(text) && isDigit(text[j]) {
		j++
	}
	if j == begin {
		return i
	}
	return j
}

// oddNumber reads NaN or infinity.
func oddNumber(text string) (v float64, n int) {
	for _, odd := range [...]struct {
		word  string
		value float64
	}{{"infinity", math.Inf(1)}, {"nan", math.NaN()}, {"inf", math.Inf(1)}} {
		if n := len(odd.word); len(text) >= n && strings.EqualFold(text[:n], odd.word) && (len(text) == n || !isWord(text[n])) {
			return odd.value, n
		}
	}
	return 0, 0
}

// parse reads the number at the beginning of text with its unit. What is no
// number after all, such as a date, a time, a version, is refused.
func parse(text string) (number, bool) {
	v, i, ok := plainNumber(text)
	if !ok {
		return number{}, false
	}
	out := number{value: v, end: i}
	rest := text[i:]
	switch {
	case rest == "":
		return out, true
	case rest[0] == '%':
		out.unit, out.end = "%", i+1
		return out, true
	case rest[0] == '/':
		t, n, ok := plainNumber(strings.TrimLeft(rest[1:], " "))
		if !ok {
			break
		}
		out.total, out.end = t, i+1+len(rest[1:])-len(strings.TrimLeft(rest[1:], " "))+n
		return out, out.end >= len(text) || text[out.end] != '/' && !isWord(text[out.end])
	case len(rest) > 1 && (rest[0] == '.' || rest[0] == ':' || rest[0] == '-') && isDigit(rest[1]), rest[0] == '_':
		return number{}, false
	}
	return out.withUnit(text)
}

// withUnit reads a unit behind the number, attached or after one blank.
func (n number) withUnit(text string) (number, bool) {
	at := n.end
	word := unitWord(text[at:])
	if factor := scaleOf(word); factor != 0 {
		n.value, n.end = n.value*factor, at+len(word)
		at, word = n.end, ""
	} else if word != "" {
		return n.in(word, at+len(word), true)
	}
	if at+1 < len(text) && text[at] == ' ' {
		if word = unitWord(text[at+1:]); word != "" {
			return n.in(word, at+1+len(word), false)
		}
	}
	return n, true
}

// unitWord is the word at the beginning of text as units are written: letters
// with a slash, such as GiB and tok/s.
func unitWord(text string) string {
	i := 0
	for i < len(text) && i < 24 && (isLetter(text[i]) || text[i] == '/' && i > 0 && i+1 < len(text) && isLetter(text[i+1])) {
		i++
	}
	if i < len(text) && (isDigit(text[i]) || text[i] == '_' || text[i] == '=') {
		return ""
	}
	return text[:i]
}

// scaleOf is what k, M and such multiply by; 0 for other words.
func scaleOf(word string) float64 {
	switch word {
	case "k", "K":
		return 1e3
	case "M":
		return 1e6
	case "G", "B":
		return 1e9
	}
	return 0
}

// in is the number in a unit. A word that is none is no part of the number, and
// when it is attached there is no number at all.
func (n number) in(word string, end int, attached bool) (number, bool) {
	if gib, ok := gibibytes(word); ok {
		n.value, n.unit, n.end = n.value*gib, "GiB", end
		return n, true
	}
	if unit, scale := rateUnit(word); unit != "" {
		switch {
		case strings.HasPrefix(strings.ToLower(word), "s/") || strings.HasPrefix(strings.ToLower(word), "sec/"):
			if n.value == 0 {
				return n, false
			}
			n.value = 1 / n.value
		default:
			n.value *= scale
		}
		n.unit, n.end = unit, end
		return n, true
	}
	switch word {
	case "s", "ms", "us", "sec", "secs", "seconds", "min", "mins", "minutes", "h", "hours", "ns", "ms/step", "s/step", "ms/batch":
		n.unit, n.end = "time", end
		return n, true
	}
	return n, !attached
}

// gibibytes is what a unit of memory is in GiB.
func gibibytes(word string) (float64, bool) {
	switch strings.ToLower(word) {
	case "kb":
		return 1e3 / (1 << 30), true
	case "kib":
		return 1.0 / (1 << 20), true
	case "mb":
		return 1e6 / (1 << 30), true
	case "mib":
		return 1.0 / (1 << 10), true
	case "gb":
		return 1e9 / (1 << 30), true
	case "gib":
		return 1, true
	case "tb":
		return 1e12 / (1 << 30), true
	case "tib":
		return 1 << 10, true
	}
	return 0, false
}

// rateUnit is the common name of a unit of throughput.
func rateUnit(word string) (unit string, scale float64) {
	what, per, ok := strings.Cut(strings.ToLower(word), "/")
	if !ok {
		if word == "tps" {
			return "tokens/s", 1
		}
		return "", 0
	}
	if what == "s" || what == "sec" {
		what, per = per, "s"
		if what == "step" { // Keras prints 2s/step: a time, not a rate
			return "", 0
		}
	}
	scale = 1
	if strings.HasPrefix(what, "k") && len(what) > 2 {
		what, scale = what[1:], 1e3
	}
	if per != "s" && per != "sec" && per != "second" {
		return "", 0
	}
	switch what {
	case "tok", "toks", "token", "tokens":
		return "tokens/s", scale
	case "it", "its", "iter", "iters", "iterations":
		return "it/s", scale
	case "step", "steps":
		return "steps/s", scale
	case "batch", "batches":
		return "batches/s", scale
	case "sample", "samples", "ex", "example", "examples", "seq", "seqs", "sequences":
		return "samples/s", scale
	case "img", "imgs", "image", "images":
		return "images/s", scale
	}
	return "", 0
}
