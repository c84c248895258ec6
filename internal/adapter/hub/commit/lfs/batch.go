package lfs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/words"
)

// mediaType is the protocol's own.
const mediaType = "application/vnd.git-lfs+json"

// actions is what is to be done for one file; nil when nothing is.
type actions struct {
	Upload *action `json:"upload"`
	Verify *action `json:"verify"`
}

type action struct {
	Href   string          `json:"href"`
	Header map[string]text `json:"header"`
}

// text is a JSON string, or a number in its place.
type text string

// UnmarshalJSON reads a string, a number or a truth value as text.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if err := json.Unmarshal(raw, &s); err == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil {
		return fmt.Errorf("a header is neither text nor a number: %w", err)
	}
	*t = text(n)
	return nil
}

type batchObject struct {
	OID  string `json:"oid"`
	Size int64  `json:"size"`
}

// batch asks where the files go. The answers are in the order of the files.
func (s *Store) batch(ctx context.Context, objects []Object) ([]*actions, error) {
	op := fmt.Sprintf("ask where %d large files go", len(objects))
	if len(objects) == 1 {
		op = "ask where " + objects[0].Path + " goes"
	}
	type ref struct {
		Name string `json:"name"`
	}
	in := struct {
		Operation string        `json:"operation"`
		Transfers []string      `json:"transfers"`
		Objects   []batchObject `json:"objects"`
		Algorithm string        `json:"hash_algo"`
		Ref       *ref          `json:"ref,omitempty"`
	}{Operation: "upload", Transfers: []string{"basic", "multipart"}, Algorithm: "sha256"}
	for _, o := range objects {
		in.Objects = append(in.Objects, batchObject{o.OID, o.Size})
	}
	if s.o.Ref != "" {
		in.Ref = &ref{s.o.Ref}
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	var out struct {
		Objects []struct {
			OID     string   `json:"oid"`
			Actions *actions `json:"actions"`
			Error   *struct {
				Code    int    `json:"code"`
				Message string `json:"message"`
			} `json:"error"`
		} `json:"objects"`
	}
	_, err = s.o.Conn.JSON(ctx, wire.Request{
		Op: op, Method: "POST", Path: s.o.Repo + ".git/info/lfs/objects/batch", Accept: mediaType, Type: mediaType,
		Body:  func() (io.Reader, int64, error) { return bytes.NewReader(body), int64(len(body)), nil },
		Retry: wire.Idempotent,
	}, &out)
	if err != nil {
		return nil, err
	}
	found := map[string]*actions{}
	for _, o := range out.Objects {
		if o.Error != nil {
			return nil, fmt.Errorf("upload %s: the store refuses it with %d: %s", name(objects, o.OID), o.Error.Code, words.Clip(o.Error.Message))
		}
		found[o.OID] = o.Actions
	}
	answers := make([]*actions, len(objects))
	for i, o := range objects {
		a, ok := found[o.OID]
		if !ok {
			return nil, fmt.Errorf("upload %s: the store's answer does not speak of it", o.Path)
		}
		answers[i] = a
	}
	return answers, nil
}

func name(objects []Object, oid string) string {
	for _, o := range objects {
		if o.OID == oid {
			return o.Path
		}
	}
	return oid
}

// chunk reads the size of a part; 0 means that the file goes in one piece.
func (a *action) chunk() (int64, error) {
	raw, ok := a.Header["chunk_size"]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("the store's size of a part, %q, is not a number of bytes", string(raw))
	}
	return n, nil
}

// parts are the addresses of the parts, which have numbers as names.
func (a *action) parts(size, chunk int64) ([]string, error) {
	want := int((size + chunk - 1) / chunk)
	urls := make([]string, want)
	got := 0
	for key, url := range a.Header {
		n, err := strconv.Atoi(key)
		if err != nil {
			continue
		}
		got++
		if n >= 1 && n <= want {
			urls[n-1] = string(url)
		}
	}
	for _, url := range urls {
		if url == "" || got != want {
			return nil, fmt.Errorf("the store names %d parts of %d bytes, a file of %d bytes has %d", got, chunk, size, want)
		}
	}
	return urls, nil
}
