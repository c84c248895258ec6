package lfs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
)

// transfer is one file on its way. It remembers which parts have arrived.
type transfer struct {
	*Store
	object Object

	upload string // the address that puts the parts together
	chunk  int64

	mu    sync.Mutex
	etags map[int]string // of the parts that have arrived, from 1
}

func (t *transfer) arrived() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.etags)
}

func (t *transfer) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.etags = nil
}

// put sends the file to where its action says.
func (t *transfer) put(ctx context.Context, a *actions) error {
	up := a.Upload
	if _, xet := up.Header["X-Xet-Cas-Url"]; xet {
		return fmt.Errorf("upload %s: the store wants it by Xet, which is not built in", t.object.Path)
	}
	chunk, err := up.chunk()
	if err != nil {
		return fmt.Errorf("upload %s: %w", t.object.Path, err)
	}
	if chunk == 0 {
		return t.whole(ctx, up)
	}
	urls, err := up.parts(t.object.Size, chunk)
	if err != nil {
		return fmt.Errorf("upload %s: %w", t.object.Path, err)
	}
	if uploadID(t.upload) != uploadID(up.Href) || t.chunk != chunk {
		t.forget() // another upload, with parts of its own
	}
	t.upload, t.chunk = up.Href, chunk
	for range 1 + renewals {
		if err := t.missing(ctx, urls); err != nil {
			return err
		}
		again, err := t.complete(ctx, len(urls))
		if err == nil || len(again) == 0 {
			return err
		}
		t.mu.Lock()
		for _, n := range again {
			delete(t.etags, n)
		}
		t.mu.Unlock()
	}
	return fmt.Errorf("upload %s: the store loses parts of it again and again", t.object.Path)
}

// uploadID is what an upload keeps when its addresses are made anew.
func uploadID(href string) string {
	if u, err := url.Parse(href); err == nil && u.Query().Get("uploadId") != "" {
		return u.Host + u.Path + "?" + u.Query().Get("uploadId")
	}
	return href
}

// whole sends the file in one piece.
func (t *transfer) whole(ctx context.Context, up *action) error {
	header := http.Header{}
	for key, value := range up.Header {
		if !strings.EqualFold(key, "Authorization") { // the address carries its own right
			header.Set(key, string(value))
		}
	}
	// The store knows the hash and checks it: hashing here again would only be slower.
	whole := func(ctx context.Context) (io.ReadCloser, error) { return t.object.Source.Part(ctx, 0, t.object.Size) }
	_, err := t.send(ctx, up.Href, header, t.object.Size, whole)
	return err
}

// missing sends the parts that have not arrived, several at once.
func (t *transfer) missing(ctx context.Context, urls []string) error {
	var todo []int
	for i := range urls {
		if _, ok := t.etags[i+1]; !ok {
			todo = append(todo, i)
		}
	}
	return each(ctx, cap(t.slots), len(todo), func(ctx context.Context, k int) error {
		return t.part(ctx, todo[k], urls[todo[k]])
	})
}

// part sends one part and keeps what the store calls it.
func (t *transfer) part(ctx context.Context, i int, href string) error {
	offset := int64(i) * t.chunk
	n := min(t.chunk, t.object.Size-offset)
	open := func(ctx context.Context) (io.ReadCloser, error) { return t.object.Source.Part(ctx, offset, n) }
	for range 3 {
		header, err := t.send(ctx, href, nil, n, open)
		if err != nil {
			return err
		}
		if etag := header.Get("ETag"); etag != "" {
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.etags == nil {
				t.etags = map[int]string{}
			}
			t.etags[i+1] = etag
			return nil
		}
		t.o.Sent(t.object.Path, -n)
	}
	return fmt.Errorf("upload %s: the store takes part %d and does not name it (no ETag)", t.object.Path, i+1)
}

// send puts one body to a signed address, when its turn has come.
func (t *transfer) send(ctx context.Context, href string, header http.Header, n int64, open func(context.Context) (io.ReadCloser, error)) (http.Header, error) {
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	var try *metered
	resp, err := t.o.Conn.Signed(ctx, wire.SignedRequest{
		Op: "upload " + t.object.Path, Method: "PUT", URL: href, Header: header, Retry: wire.Idempotent, FirstByte: settle,
		Body: func() (io.Reader, int64, error) {
			try.takeBack()
			r, err := open(ctx)
			if err != nil {
				try = nil
				return nil, 0, err
			}
			try = &metered{ReadCloser: r, sent: func(n int64) { t.o.Sent(t.object.Path, n) }}
			return try, n, nil
		},
	})
	if err == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
		resp.Body.Close()
		return resp.Header, nil
	}
	try.takeBack()
	var e *wire.Error
	switch {
	case !errors.As(err, &e):
	case e.Kind == wire.Invalid && e.Err != nil: // the bytes could not be read
		err = e.Err
	case e.Status == http.StatusForbidden: // the address is too old
		err = &stale{err}
	}
	return nil, err
}

// complete has the parts put together. On failure it names those the store
// misses; where it cannot tell, the store must be asked again.
func (t *transfer) complete(ctx context.Context, n int) ([]int, error) {
	type part struct {
		Number int    `json:"partNumber"`
		ETag   string `json:"etag"`
	}
	parts := make([]part, 0, n)
	for i := 1; i <= n; i++ {
		parts = append(parts, part{i, t.etags[i]})
	}
	op := "put " + t.object.Path + " together"
	resp, err := t.o.Conn.Signed(ctx, wire.SignedRequest{
		Op: op, Method: "POST", URL: t.upload, Accept: mediaType, Type: mediaType,
		JSON: map[string]any{"oid": t.object.OID, "parts": parts}, Retry: wire.Idempotent, FirstByte: settle,
		Status: []int{200, 201, 202, 204, 400, 422},
	})
	if err == nil {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what came of it is enough
		if resp.StatusCode < 300 {
			return nil, nil
		}
		missing, why := refused(text, n)
		err = &wire.Error{Kind: wire.BadRequest, Op: op, Method: "POST", Status: resp.StatusCode, Message: why}
		if len(missing) > 0 {
			return missing, err
		}
		return nil, t.afresh(err)
	}
	var e *wire.Error
	if errors.As(err, &e) && e.Status >= 400 && e.Status < 500 && e.Status != http.StatusTooManyRequests {
		return nil, t.afresh(err)
	}
	return nil, err
}

// afresh gives an upload up. Either its parts were put together before and the
// answer got lost, or the store does not know it any more: its next answer
// tells.
func (t *transfer) afresh(err error) error {
	t.forget()
	return &stale{err}
}

// refused finds which of n parts the store misses, and its words.
func refused(body []byte, n int) (missing []int, why string) {
	var in struct {
		Error   string `json:"error"`
		Message string `json:"message"`
		Missing []int  `json:"missingParts"`
	}
	why = strings.TrimSpace(string(body))
	if json.Unmarshal(body, &in) == nil {
		why = cmp.Or(in.Error, in.Message, why)
	}
	if len(in.Missing) == 0 {
		named := regexp.MustCompile(`(?i)\bparts?\b[^0-9]{0,120}?([0-9]+(?:(?:, ?| and | )[0-9]+)*)`)
		for _, m := range named.FindAllStringSubmatch(why, -1) {
			for _, digits := range regexp.MustCompile(`[0-9]+`).FindAllString(m[1], -1) {
				if k, err := strconv.Atoi(digits); err == nil {
					in.Missing = append(in.Missing, k)
				}
			}
		}
	}
	for _, k := range in.Missing {
		if k >= 1 && k <= n && !slices.Contains(missing, k) {
			missing = append(missing, k)
		}
	}
	return missing, excerpt.Head(why, 300)
}

// metered counts what is read of one try's body. What is read after the try
// was given up does not count.
type metered struct {
	io.ReadCloser
	sent func(n int64)

	mu    sync.Mutex
	total int64
	over  bool
}

// Read reads and counts.
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	if n > 0 && !m.over {
		m.total += int64(n)
		m.sent(int64(n))
	}
	return n, err
}

// takeBack gives the try up; nil is no try.
func (m *metered) takeBack() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over = true; m.total > 0 {
		m.sent(-m.total)
	}
}
