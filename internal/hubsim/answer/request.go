package answer

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxBody is how much of a JSON body is read.
const maxBody = 16 << 20

// Body reads a JSON body into v; an empty one leaves v as it is.
func Body(w http.ResponseWriter, r *http.Request, v any) error {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return Refuse(http.StatusRequestEntityTooLarge, "request entity too large")
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return Refuse(http.StatusBadRequest, "Invalid JSON body: "+err.Error())
	}
	return nil
}

// Lines reads the lines of a body that are not blank, the last one with or
// without its end. It ends with an error at one of more than line bytes, and
// where the body has more than most.
func Lines(body io.Reader, line int, most int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		in := bufio.NewReaderSize(&bounded{body, most}, 64<<10)
		for {
			text, err := readLine(in, line)
			if err != nil && err != io.EOF {
				yield(nil, err)
				return
			}
			if text = bytes.TrimSpace(text); len(text) > 0 && !yield(text, nil) || err == io.EOF {
				return
			}
		}
	}
}

// readLine reads up to and with the end of a line.
func readLine(in *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > most {
			return nil, Refuse(http.StatusRequestEntityTooLarge, "a line of the request is too long")
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

// bounded refuses what comes after left bytes.
type bounded struct {
	in   io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, Refuse(http.StatusRequestEntityTooLarge, "request entity too large")
	}
	return n, err
}

// Values lists what the query says of name, also in the spelling name[].
func Values(q url.Values, name string) []string {
	return slices.Concat(q[name], q[name+"[]"])
}

// Flag reads a boolean of the query; ok is false where it is absent.
func Flag(q url.Values, name string) (value, ok bool) {
	switch strings.ToLower(q.Get(name)) {
	case "":
		return false, false
	case "true", "1":
		return true, true
	}
	return false, true
}

// Limit reads the length of a page: standard where the query names none, most
// at most.
func Limit(q url.Values, standard, most int) (int, error) {
	s := q.Get("limit")
	if s == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, Refuse(http.StatusBadRequest, `"limit" must be a positive number`)
	}
	return min(n, most), nil
}

// Tail reads how many of the last lines of a log are wanted; 0 is all.
func Tail(q url.Values) (int, error) {
	s := q.Get("tail")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, Invalid(`"tail" must be a positive number`)
	}
	return n, nil
}

// Cursor writes a place in a list so that clients take it as it is.
func Cursor(place string) string { return base64.RawURLEncoding.EncodeToString([]byte(place)) }

// Place reads a cursor; one that Cursor did not write is refused.
func Place(cursor string) (string, error) {
	place, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return "", Refuse(http.StatusBadRequest, "Invalid cursor")
	}
	return string(place), nil
}

// Page sorts items by their places and returns those behind the request's
// cursor, limit at most; where more follow the answer gets its Link header. A
// cursor is the place of the last item seen, so what comes and goes between two
// pages moves nothing that stays.
func Page[T any](w http.ResponseWriter, r *http.Request, items []T, limit int, place func(T) string) ([]T, error) {
	type row struct {
		place string
		item  T
	}
	after, seen := "", r.URL.Query().Has("cursor")
	if seen {
		var err error
		if after, err = Place(r.URL.Query().Get("cursor")); err != nil {
			return nil, err
		}
	}
	rows := make([]row, 0, len(items))
	for _, item := range items {
		if p := place(item); !seen || p > after {
			rows = append(rows, row{p, item})
		}
	}
	slices.SortFunc(rows, func(x, y row) int { return strings.Compare(x.place, y.place) })
	if len(rows) > limit {
		rows = rows[:limit]
		NextPage(w, r, url.Values{"cursor": {Cursor(rows[limit-1].place)}})
	}
	page := make([]T, len(rows))
	for i, r := range rows {
		page[i] = r.item
	}
	return page, nil
}

// Ascending writes n so that places have the order of numbers.
func Ascending(n int64) string {
	s := strconv.FormatUint(uint64(n)^1<<63, 16)
	return strings.Repeat("0", 16-len(s)) + s
}

// Descending writes n so that places have the opposite order.
func Descending(n int64) string { return Ascending(^n) }

// Backwards writes a text so that places have the opposite order of texts.
func Backwards(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = ^b[i]
	}
	return string(append(b, 0xff)) // a text comes after those it begins
}
