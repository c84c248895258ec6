package repo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// partLimit bounds one ranged read, and what is skipped of a server that does
// not know ranges, in bytes.
const partLimit = 64 << 20

// Part is a piece of a file.
type Part struct {
	Data []byte
	// Offset is where Data begins and Size how long the whole file is, -1
	// when the server does not say.
	Offset, Size int64
	// Commit is the state the piece is of.
	Commit string
}

// ReadRange reads length bytes of a file from offset on; fewer at its end. A
// negative offset counts from the end.
func (a *API) ReadRange(ctx context.Context, r Ref, revision, path string, offset, length int64) (Part, error) {
	op := "read " + path + " of " + r.String()
	fail := func(err error) (Part, error) { return Part{}, err }
	if err := r.at(revision); err != nil {
		return fail(err)
	}
	if err := wire.CheckPath("path", path); err != nil {
		return fail(err)
	}
	if length <= 0 || length > partLimit {
		return fail(&wire.Error{Kind: wire.Invalid, Op: op, Message: fmt.Sprintf("length %d is not between 1 and %d", length, partLimit)})
	}
	want := fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)
	if offset < 0 {
		want = fmt.Sprintf("bytes=%d", offset)
	}
	req := wire.Request{
		Op: op, Path: filePath(r, "resolve", revision, path), Accept: "*/*",
		Header: http.Header{"Range": {want}, "Accept-Encoding": {"identity"}},
		Status: []int{http.StatusOK, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable},
	}
	var part Part
	err := a.c.Read(ctx, req, func(resp *http.Response) (err error) {
		part, err = readPart(op, resp, offset, length)
		return err
	})
	return part, err
}

func readPart(op string, resp *http.Response, offset, length int64) (Part, error) {
	part := Part{Commit: resp.Header.Get("X-Repo-Commit"), Offset: max(offset, 0), Size: -1}
	start, size, ranged := contentRange(resp.Header.Get("Content-Range"))
	if ranged {
		part.Size = size
	}
	switch resp.StatusCode {
	case http.StatusRequestedRangeNotSatisfiable:
		return part, nil // beyond the end there is nothing
	case http.StatusOK:
		// The range was ignored: the whole file comes.
		part.Size = resp.ContentLength
		if offset < 0 {
			part.Offset = max(part.Size+offset, 0)
		}
		if part.Size < 0 && offset < 0 || part.Offset > partLimit {
			return part, &wire.Error{Kind: wire.Unexpected, Op: op, Status: resp.StatusCode, Message: "the server does not read files in parts"}
		}
		if _, err := io.CopyN(io.Discard, resp.Body, part.Offset); err != nil && err != io.EOF {
			return part, err
		}
	default:
		if !ranged || offset >= 0 && start != offset {
			return part, &wire.Error{Kind: wire.Unexpected, Op: op, Status: resp.StatusCode, Message: "the server sent another part of the file than asked for"}
		}
		part.Offset = start
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, length))
	part.Data = data
	return part, err
}

// contentRange reads "bytes START-END/SIZE" and "bytes */SIZE"; an unknown
// size is -1.
func contentRange(value string) (start, size int64, ok bool) {
	value, ok = strings.CutPrefix(value, "bytes ")
	span, total, ok2 := strings.Cut(value, "/")
	if !ok || !ok2 {
		return 0, -1, false
	}
	size = -1
	if total != "*" {
		n, err := strconv.ParseInt(total, 10, 64)
		if err != nil || n < 0 {
			return 0, -1, false
		}
		size = n
	}
	if span == "*" {
		return 0, size, true
	}
	first, _, _ := strings.Cut(span, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	return start, size, err == nil && start >= 0
}
