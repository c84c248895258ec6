// Package bucket is the part of the Hub's client for buckets: storage without a
// history. It lists, describes and rearranges what is there. Bytes go into a
// bucket by Xet only, which is not built in: a file that is stored already
// somewhere on the Hub can be added by its hash.
package bucket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// ErrXet is why no bytes can be uploaded into a bucket.
var ErrXet = errors.New("files go into a bucket by Xet only, which is not built in; use a dataset repository, or the S3 gateway https://s3.hf.co with keys from the token settings")

// pathsAtOnce is how many paths one request asks about.
const pathsAtOnce = 2000

// API makes the calls. It is safe for concurrent use.
type API struct{ conn *wire.Conn }

// New returns the API over a connection.
func New(c *wire.Conn) *API { return &API{conn: c} }

// Bucket is a bucket as the Hub describes it.
type Bucket struct {
	ID         string          `json:"id"` // namespace/name
	Author     string          `json:"author"`
	Private    bool            `json:"private"`
	CreatedAt  time.Time       `json:"createdAt"`
	UpdatedAt  time.Time       `json:"updatedAt"`
	Size       int64           `json:"size"` // bytes
	TotalFiles int64           `json:"totalFiles"`
	Raw        json.RawMessage `json:"-"` // the whole object as it came
}

// UnmarshalJSON decodes a bucket and keeps all of it.
func (b *Bucket) UnmarshalJSON(data []byte) error {
	type plain Bucket
	if err := json.Unmarshal(data, (*plain)(b)); err != nil {
		return err
	}
	b.Raw = slices.Clone(data)
	return nil
}

// Entry is a file or a folder of a bucket.
type Entry struct {
	Type        string    `json:"type"` // "file" or "directory"
	Path        string    `json:"path"`
	Size        int64     `json:"size"`
	XetHash     string    `json:"xetHash"`
	MTime       time.Time `json:"mtime"`
	UploadedAt  time.Time `json:"uploadedAt"`
	ContentType string    `json:"contentType"`
}

func path(id string, more ...string) (string, error) {
	if err := wire.CheckFullRepoID("bucket", id); err != nil {
		return "", err
	}
	return wire.Path(append(append([]string{"api", "buckets"}, strings.Split(id, "/")...), more...)...), nil
}

// Create makes a bucket. One that exists is a failure of Kind
// [wire.Conflict], unless known is set.
func (a *API) Create(ctx context.Context, id string, private, known bool) (url string, err error) {
	where, err := path(id)
	if err != nil {
		return "", err
	}
	var out struct {
		URL string `json:"url"`
	}
	r := wire.Request{Op: "make bucket " + id, Method: http.MethodPost, Path: where, JSON: map[string]bool{"private": private}}
	_, err = a.conn.JSON(ctx, r, &out)
	if wire.Ambiguous(err) && ctx.Err() == nil {
		known = true // by the first request, if it exists now
		_, err = a.conn.JSON(ctx, r, &out)
	}
	if known && errors.Is(err, wire.Conflict) {
		return strings.TrimRight(a.conn.Endpoint().String(), "/") + "/buckets/" + id, nil
	}
	return out.URL, err
}

// Find describes a bucket.
func (a *API) Find(ctx context.Context, id string) (*Bucket, error) {
	where, err := path(id)
	if err != nil {
		return nil, err
	}
	out := new(Bucket)
	if _, err := a.conn.JSON(ctx, wire.Request{Op: "read bucket " + id, Path: where}, out); err != nil {
		return nil, err
	}
	return out, nil
}

// List yields the buckets of a namespace; search, if not empty, must be part
// of their names.
func (a *API) List(ctx context.Context, namespace, search string) iter.Seq2[Bucket, error] {
	return func(yield func(Bucket, error) bool) {
		if err := wire.CheckNamespace("namespace", namespace); err != nil {
			yield(Bucket{}, err)
			return
		}
		q := url.Values{}
		if search != "" {
			q.Set("search", search)
		}
		wire.Pages[Bucket](ctx, a.conn, wire.Request{
			Op: "list the buckets of " + namespace, Path: wire.Path("api", "buckets", namespace), Query: q,
		})(yield)
	}
}

// SetPrivate shows a bucket to all, or to those who may read its namespace.
func (a *API) SetPrivate(ctx context.Context, id string, private bool) error {
	where, err := path(id, "settings")
	if err != nil {
		return err
	}
	_, err = a.conn.JSON(ctx, wire.Request{
		Op: "change bucket " + id, Method: http.MethodPut, Path: where, JSON: map[string]bool{"private": private}, Retry: wire.Idempotent,
	}, nil)
	return err
}

// Delete removes a bucket and all that is in it.
func (a *API) Delete(ctx context.Context, id string) error {
	where, err := path(id)
	if err != nil {
		return err
	}
	_, err = a.conn.JSON(ctx, wire.Request{Op: "delete bucket " + id, Method: http.MethodDelete, Path: where}, nil)
	return err
}

// Move renames a bucket.
func (a *API) Move(ctx context.Context, from, to string) error {
	for field, id := range map[string]string{"from": from, "to": to} {
		if err := wire.CheckFullRepoID(field, id); err != nil {
			return err
		}
	}
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: "move bucket " + from, Method: http.MethodPost, Path: "/api/repos/move",
		JSON: map[string]string{"fromRepo": from, "toRepo": to, "type": "bucket"},
	}, nil)
	return err
}

// Tree yields what lies in a folder; "" is the whole bucket. Without flat it
// goes into the folders.
func (a *API) Tree(ctx context.Context, id, folder string, flat bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		where, err := path(id, "tree")
		if err == nil && folder != "" {
			err = wire.CheckPath("folder", folder)
			where += wire.Path(strings.Split(folder, "/")...)
		}
		if err != nil {
			yield(Entry{}, err)
			return
		}
		wire.Pages[Entry](ctx, a.conn, wire.Request{
			Op: "list the files of bucket " + id, Path: where, Query: url.Values{"recursive": {strconv.FormatBool(!flat)}},
		})(yield)
	}
}

// Entries tells what lies at paths; those that are absent are left out.
func (a *API) Entries(ctx context.Context, id string, paths []string) ([]Entry, error) {
	where, err := path(id, "paths-info")
	if err != nil {
		return nil, err
	}
	var all []Entry
	for group := range slices.Chunk(paths, pathsAtOnce) {
		var out []Entry
		_, err := a.conn.JSON(ctx, wire.Request{
			Op: "look at files of bucket " + id, Method: http.MethodPost, Path: where, Reads: true, JSON: map[string]any{"paths": group},
		}, &out)
		if err != nil {
			return nil, err
		}
		all = append(all, out...)
	}
	return all, nil
}

// Change is one line of a batch: [Add], [Copy] or [Delete].
type Change interface{ line() (any, string) }

// Add names content that Xet has already.
type Add struct {
	Path, XetHash string
	MTime         time.Time
	ContentType   string
}

// Copy takes a file of a repository or bucket.
type Copy struct {
	Path, XetHash          string
	SourceType, SourceRepo string
}

// Delete removes a file.
type Delete struct{ Path string }

func (c Add) line() (any, string) {
	l := map[string]any{"type": "addFile", "path": c.Path, "xetHash": c.XetHash, "mtime": c.MTime.UnixMilli()}
	if c.ContentType != "" {
		l["contentType"] = c.ContentType
	}
	return l, c.Path
}

func (c Copy) line() (any, string) {
	return map[string]any{
		"type": "copyFile", "path": c.Path, "xetHash": c.XetHash, "sourceRepoType": c.SourceType, "sourceRepoId": c.SourceRepo,
	}, c.Path
}

func (c Delete) line() (any, string) {
	return map[string]any{"type": "deleteFile", "path": c.Path}, c.Path
}

// Failed is a batch of which some lines were not carried out.
type Failed struct {
	Bucket    string
	Succeeded int
	Paths     map[string]string // and why
}

// Error names the paths.
func (f *Failed) Error() string {
	var lines []string
	for path, why := range f.Paths {
		lines = append(lines, path+": "+why)
	}
	slices.Sort(lines)
	return fmt.Sprintf("change bucket %s: %d done, %d failed: %s", f.Bucket, f.Succeeded, len(lines), strings.Join(lines, "; "))
}

// Apply carries changes out. The Hub wants what is deleted last.
func (a *API) Apply(ctx context.Context, id string, changes []Change) error {
	where, err := path(id, "batch")
	if err != nil {
		return err
	}
	body, err := lines(changes)
	if err != nil {
		return err
	}
	op := "change bucket " + id
	resp, err := a.conn.Do(ctx, wire.Request{
		Op: op, Method: http.MethodPost, Path: where, Type: "application/x-ndjson", Retry: wire.Idempotent,
		Body:   func() (io.Reader, int64, error) { return bytes.NewReader(body), int64(len(body)), nil },
		Status: []int{http.StatusOK, http.StatusUnprocessableEntity},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var out struct {
		Succeeded int `json:"succeeded"`
		Failed    []struct {
			Path  string `json:"path"`
			Error string `json:"error"`
		} `json:"failed"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(&out); err != nil {
		return &wire.Error{Kind: wire.Unexpected, Op: op, Status: resp.StatusCode, Message: "the answer is not the JSON expected", Err: err}
	}
	if len(out.Failed) > 0 {
		f := &Failed{Bucket: id, Succeeded: out.Succeeded, Paths: map[string]string{}}
		for _, l := range out.Failed {
			f.Paths[l.Path] = l.Error
		}
		return f
	}
	if resp.StatusCode != http.StatusOK {
		return &wire.Error{Kind: wire.Validation, Op: op, Status: resp.StatusCode, Message: out.Error}
	}
	return nil
}

func lines(changes []Change) ([]byte, error) {
	var b bytes.Buffer
	for _, last := range []bool{false, true} {
		for i, c := range changes {
			if _, isDelete := c.(Delete); isDelete != last {
				continue
			}
			l, path := c.line()
			if err := wire.CheckPath(fmt.Sprintf("changes[%d].path", i), path); err != nil {
				return nil, err
			}
			data, err := json.Marshal(l)
			if err != nil {
				return nil, err
			}
			b.Write(append(data, '\n'))
		}
	}
	return b.Bytes(), nil
}

// Upload fails with [ErrXet].
func (a *API) Upload(_ context.Context, id, path string) error {
	return &wire.Error{Kind: wire.Invalid, Op: "upload " + path + " to bucket " + id, Err: ErrXet}
}
