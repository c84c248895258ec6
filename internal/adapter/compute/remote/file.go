package remote

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// transferLimit is how long one try to move a file or an archive may take.
const transferLimit = 30 * time.Minute

// params are the parameters of a request; zero values are left out.
type params url.Values

func (p params) text(name, value string) params {
	if value != "" {
		url.Values(p).Add(name, value)
	}
	return p
}

func (p params) number(name string, value int64) params {
	if value != 0 {
		p.text(name, strconv.FormatInt(value, 10))
	}
	return p
}

func (p params) set(name string, on bool) params {
	if on {
		p.text(name, "1")
	}
	return p
}

// Stat tells of a file.
func (c *Client) Stat(ctx context.Context, path string, o workspace.StatOptions) (workspace.Info, error) {
	q := params{}.text("path", path).set("change", o.Change).set("sum", o.Sum)
	var info workspace.Info
	err := c.ask(ctx, call{method: http.MethodGet, path: wire.Stat, query: url.Values(q)}, &info)
	return info, err
}

// Read opens a regular file.
func (c *Client) Read(ctx context.Context, path string, o workspace.ReadOptions) (io.ReadCloser, workspace.Info, error) {
	if o.Offset < 0 || o.Length < 0 {
		return nil, workspace.Info{}, &workspace.Fault{
			Kind: workspace.Invalid, Reason: fmt.Sprintf("offset %d and length %d must not be negative", o.Offset, o.Length),
		}
	}
	q := params{}.text("path", path).set("change", o.Change).number("offset", o.Offset).number("length", o.Length)
	body, header, err := c.stream(ctx, call{method: http.MethodGet, path: wire.Files, query: url.Values(q)})
	if err != nil {
		return nil, workspace.Info{}, err
	}
	info, err := wire.UnpackInfo(header.Get(wire.FileInfo))
	if err != nil {
		_ = body.Close()
		return nil, workspace.Info{}, err
	}
	return body, info, nil
}

// stream opens a body that goes on as long as it takes.
func (c *Client) stream(ctx context.Context, q call) (io.ReadCloser, http.Header, error) {
	ctx, stop := context.WithTimeout(ctx, transferLimit)
	var res *http.Response
	err := c.retry(ctx, func() (err error) {
		res, err = c.open(ctx, q)
		return err
	})
	if err != nil {
		stop()
		return nil, nil, err
	}
	return &streamed{res.Body, stop}, res.Header, nil
}

// streamed frees its context when it is closed.
type streamed struct {
	io.ReadCloser
	stop context.CancelFunc
}

func (s *streamed) Close() error {
	defer s.stop()
	return s.ReadCloser.Close()
}

// Write replaces a file.
func (c *Client) Write(ctx context.Context, path string, content io.Reader, o workspace.WriteOptions) (workspace.Info, error) {
	q := params{}.text("path", path).text("over", o.Over).set("anyhow", o.Anyhow).set("part", o.Part).number("at", o.At)
	if o.Mode != 0 {
		q.text("mode", strconv.FormatUint(uint64(o.Mode.Perm()), 8))
	}
	var info workspace.Info
	err := c.once(ctx, call{
		method: http.MethodPut, path: wire.Files, query: url.Values(q), body: bodyOf(content),
		kind: "application/octet-stream", id: rand.Text(), limit: transferLimit,
	}, "the write of "+path, &info)
	return info, err
}

// List tells of what is in a folder.
func (c *Client) List(ctx context.Context, path string) ([]workspace.Info, error) {
	var a wire.ListAnswer
	err := c.ask(ctx, call{method: http.MethodGet, path: wire.List, query: url.Values(params{}.text("path", path))}, &a)
	return a.Entries, err
}

func limits(q params, l workspace.Limits) params {
	return q.number("max_bytes", l.Bytes).number("max_files", int64(l.Files))
}

// Pack streams the files below a folder.
func (c *Client) Pack(ctx context.Context, path string, o workspace.PackOptions) (io.ReadCloser, error) {
	q := limits(params{}.text("path", path), o.Limits)
	for _, name := range o.Exclude {
		q.text("exclude", name)
	}
	body, _, err := c.stream(ctx, call{method: http.MethodGet, path: wire.Archive, query: url.Values(q)})
	return body, err
}

// Unpack makes the files of a tar stream below a folder.
func (c *Client) Unpack(ctx context.Context, path string, tar io.Reader, o workspace.Limits) (workspace.Packed, error) {
	var done workspace.Packed
	err := c.once(ctx, call{
		method: http.MethodPut, path: wire.Archive, query: url.Values(limits(params{}.text("path", path), o)), body: bodyOf(tar),
		kind: "application/x-tar", id: rand.Text(), limit: transferLimit,
	}, "the unpacking into "+path, &done)
	return done, err
}

// Python runs a program with the Python of the workspace.
func (c *Client) Python(ctx context.Context, program string, input []byte, limit time.Duration) ([]byte, error) {
	content, err := encoded(wire.PythonRequest{Program: program, Input: input, LimitMS: limit.Milliseconds()})
	if err != nil {
		return nil, err
	}
	var a wire.PythonAnswer
	// What is a courtesy is asked once.
	err = c.within(ctx, call{method: http.MethodPost, path: wire.Python, body: content, kind: jsonType, limit: limit + c.margin}, &a)
	return a.Output, err
}
