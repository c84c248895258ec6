package bucket_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/bucket"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

func api(t *testing.T, h http.HandlerFunc) (*bucket.API, *hubtest.Net) {
	t.Helper()
	n := hubtest.New(t)
	n.ServeHub(h)
	c, err := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub, Token: "hf_testtesttest"})
	if err != nil {
		t.Fatal(err)
	}
	return bucket.New(c), n
}

// The recorded shapes, read and written.
func TestRecordedShapes(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), "bucket.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Create, Info, Tree, BatchOk, Batch422 json.RawMessage
		BatchRequestNdjson                    string
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	fails, sent := false, ""
	a, n := api(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/buckets/bob/bk") {
		case "POST ":
			w.Write(f.Create)
		case "GET ":
			w.Write(f.Info)
		case "GET /tree", "GET /tree/a/b", "POST /paths-info":
			w.Write(f.Tree)
		case "POST /batch":
			sent = string(body)
			if fails {
				w.WriteHeader(422)
				w.Write(f.Batch422)
				return
			}
			w.Write(f.BatchOk)
		}
	})
	if url, err := a.Create(t.Context(), "bob/bk", true, false); err != nil || url != "https://huggingface.co/buckets/bob/bk" {
		t.Errorf("%s, %v", url, err)
	}
	if b, err := a.Find(t.Context(), "bob/bk"); err != nil || b.TotalFiles != 2 || b.Size != 3145751 || !b.Private || !strings.Contains(string(b.Raw), "cdnRegions") {
		t.Errorf("%+v, %v", b, err)
	}
	var paths []string
	for e, err := range a.Tree(t.Context(), "bob/bk", "a/b", true) {
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, e.Type+" "+e.Path)
	}
	if diff := cmp.Diff([]string{"directory a", "file a/b.txt", "file big.bin"}, paths); diff != "" {
		t.Error(diff)
	}
	if entries, err := a.Entries(t.Context(), "bob/bk", []string{"a"}); err != nil || len(entries) != 3 {
		t.Errorf("%v, %v", entries, err)
	}
	changes := []bucket.Change{
		bucket.Delete{Path: "old.txt"},
		bucket.Add{Path: "a/b.txt", XetHash: "a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa", MTime: time.UnixMilli(1767225629000), ContentType: "text/plain"},
		bucket.Copy{Path: "c.bin", XetHash: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", SourceType: "model", SourceRepo: "bob/m1"},
	}
	if err := a.Apply(t.Context(), "bob/bk", changes); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(objects(t, f.BatchRequestNdjson), objects(t, sent)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	fails = true
	var failed *bucket.Failed
	if err := a.Apply(t.Context(), "bob/bk", changes); !errors.As(err, &failed) || failed.Paths["c.bin"] != "Xet hash not found" || failed.Succeeded != 2 {
		t.Errorf("error %v", err)
	}
	if n.Seen()[2].Query != "recursive=false" {
		t.Error(n.Seen()[2].Query)
	}
}

func objects(t *testing.T, lines string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(lines) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

func TestCreateOfOneThatExists(t *testing.T) {
	cut := false
	a, _ := api(t, func(w http.ResponseWriter, _ *http.Request) {
		if cut {
			cut = false
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
			return
		}
		w.WriteHeader(409)
		fmt.Fprint(w, `{"error":"exists"}`)
	})
	if _, err := a.Create(t.Context(), "bob/bk", true, false); !errors.Is(err, wire.Conflict) {
		t.Errorf("error %v", err)
	}
	for _, cut = range []bool{false, true} {
		if url, err := a.Create(t.Context(), "bob/bk", true, !cut); err != nil || url != hubtest.Hub+"/buckets/bob/bk" {
			t.Errorf("%s, %v", url, err)
		}
	}
}

func TestOtherCalls(t *testing.T) {
	a, n := api(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `[{"id":"bob/bk"}]`) })
	err := errors.Join(a.SetPrivate(t.Context(), "bob/bk", false), a.Move(t.Context(), "bob/bk", "bob/b2"), a.Delete(t.Context(), "bob/b2"))
	for b, listErr := range a.List(t.Context(), "bob", "k") {
		if err = errors.Join(err, listErr); b.ID != "bob/bk" {
			t.Errorf("%+v", b)
		}
	}
	var got []string
	for _, s := range n.Seen() {
		got = append(got, s.Method+" "+s.Path+" "+s.Query)
	}
	want := []string{"PUT /api/buckets/bob/bk/settings ", "POST /api/repos/move ", "DELETE /api/buckets/bob/b2 ", "GET /api/buckets/bob search=k"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestNotBuiltAndRefused(t *testing.T) {
	a, n := api(t, func(http.ResponseWriter, *http.Request) {})
	if err := a.Upload(t.Context(), "bob/bk", "a.bin"); !errors.Is(err, bucket.ErrXet) || !strings.Contains(err.Error(), "Xet") {
		t.Errorf("error %v", err)
	}
	_, id := a.Find(t.Context(), "bk")
	path := a.Apply(t.Context(), "bob/bk", []bucket.Change{bucket.Delete{Path: "../x"}})
	for i, err := range []error{id, path} {
		if !errors.Is(err, wire.Invalid) {
			t.Errorf("%d: error %v", i, err)
		}
	}
	if len(n.Seen()) != 0 {
		t.Errorf("%d requests", len(n.Seen()))
	}
}
