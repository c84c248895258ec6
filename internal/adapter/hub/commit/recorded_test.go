package commit_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

func recorded(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), file))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// over is an API for a Hub in memory.
func over(t *testing.T, h http.HandlerFunc) *commit.API {
	t.Helper()
	n := hubtest.New(t)
	n.ServeHub(h)
	c, err := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return commit.New(c, commit.Options{})
}

type exchange struct {
	Method, Path  string
	RequestJSON   any `json:"requestJson"`
	RequestNdjson string
	Status        int
	ResponseBody  json.RawMessage
}

// A recorded upload to a Space: our requests are those, but for the parent
// commit, which ours always names.
func TestRecordedUpload(t *testing.T) {
	var exchanges []exchange
	if err := json.Unmarshal(recorded(t, "space-create-commit.json"), &exchanges); err != nil {
		t.Fatal(err)
	}
	seen := 0
	api := over(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, e := range exchanges {
			if e.Method != r.Method || e.Path != r.URL.Path {
				continue
			}
			seen++
			want, got := []any{e.RequestJSON}, values(t, body)
			if e.RequestNdjson != "" {
				want = values(t, []byte(e.RequestNdjson))
				parent := got[0].(map[string]any)["value"].(map[string]any)
				if parent["parentCommit"] != "c28c3378a2354b5aa3b65c9652ed8ed8941ba3d5" {
					t.Errorf("parent commit %v", parent["parentCommit"])
				}
				delete(parent, "parentCommit")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", e.Path, diff)
			}
			w.WriteHeader(e.Status)
			w.Write(e.ResponseBody)
			return
		}
		t.Errorf("%s %s was not recorded", r.Method, r.URL)
	})
	i := slices.IndexFunc(exchanges, func(e exchange) bool { return strings.Contains(e.Path, "/preupload/") })
	sample := exchanges[i].RequestJSON.(map[string]any)["files"].([]any)[0].(map[string]any)["sample"].(string)
	data, err := base64.StdEncoding.DecodeString(sample)
	if err != nil {
		t.Fatal(err)
	}
	r, err := api.Commit(t.Context(), commit.Request{
		Target: commit.Target{Type: wire.Space, Repo: "user/tmp_test_space"}, Operations: []commit.Operation{commit.Add{Path: "app.py", Data: data}},
		Summary: "Upload app.py with huggingface_hub",
	})
	if err != nil || r.OID != "eff8e0eb38c673ede5f5d4c4d106255900fa39e2" || r.URL != hubtest.Hub+"/spaces/user/tmp_test_space/commit/"+r.OID || seen != 2 {
		t.Errorf("%+v, %v after %d requests", r, err, seen)
	}
}

func values(t *testing.T, data []byte) []any {
	t.Helper()
	var all []any
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var v any
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
}

// Our lines have the members of the recorded ones.
func TestRecordedLines(t *testing.T) {
	shape := func(data []byte) map[string][]string {
		all := map[string][]string{}
		for _, v := range values(t, data) {
			line := v.(map[string]any)
			all[line["key"].(string)] = slices.Sorted(maps.Keys(line["value"].(map[string]any)))
		}
		return all
	}
	f := newFake(t, map[string]string{"w.bin": "w", "a/1": "1"})
	r, err := f.api(commit.Options{}).Commit(t.Context(), request(
		add("q.txt", "q"), add("big.bin", "big"), commit.Delete{Path: "w.bin"}, commit.Delete{Path: "a/", Folder: true}))
	must(t, r, err)
	if diff := cmp.Diff(shape(recorded(t, "commit-request.ndjson")), shape([]byte(f.bodies["commit"][0]))); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// The recorded answers of the store of large files that need no upload.
func TestRecordedBatches(t *testing.T) {
	var batches map[string]json.RawMessage
	if err := json.Unmarshal(recorded(t, "lfs-batch.json"), &batches); err != nil {
		t.Fatal(err)
	}
	const oid = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" // of "a"
	for name, want := range map[string]string{
		"alreadyStored": "", "objectError": "Object too large", "xet": "by Xet, which is not built in",
	} {
		commits := 0
		api := over(t, func(w http.ResponseWriter, r *http.Request) {
			switch nameOf(r) {
			case "preupload":
				fmt.Fprint(w, `{"files":[{"path":"a.bin","uploadMode":"lfs"}],"commitOid":"1234567890123456789012345678901234567890"}`)
			case "batch":
				if r.Header.Get("Accept") != "application/vnd.git-lfs+json" || r.Header.Get("Content-Type") != "application/vnd.git-lfs+json" {
					t.Errorf("headers %v", r.Header)
				}
				body, _ := io.ReadAll(r.Body)
				if want := `{"operation":"upload","transfers":["basic","multipart"],"objects":[{"oid":"` + oid + `","size":1}],"hash_algo":"sha256","ref":{"name":"main"}}`; string(body) != want {
					t.Errorf("asked %s, want %s", body, want)
				}
				w.Write(batches[name])
			case "commit":
				commits++
				fmt.Fprint(w, `{"commitOid":"2234567890123456789012345678901234567890"}`)
			}
		})
		_, err := api.Commit(t.Context(), request(add("a.bin", "a")))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || (commits == 1) != (want == "") {
			t.Errorf("%s: error %v, %d commits", name, err, commits)
		}
	}
}

// What is meant is told before anything is written.
func TestBefore(t *testing.T) {
	f := newFake(t, nil)
	r := request(add("a.txt", "a"), add("b.bin", "b"))
	var wants []commit.Want
	stop := errors.New("stop")
	r.Before = func(w []commit.Want) error {
		wants = w
		return stop
	}
	if _, err := f.api(commit.Options{}).Commit(t.Context(), r); !errors.Is(err, stop) || f.count("batch")+f.count("commit") != 0 {
		t.Errorf("error %v", err)
	}
	r.Before = func([]commit.Want) error { return nil }
	got, err := f.api(commit.Options{}).Commit(t.Context(), r)
	must(t, got, err)
	if h, err := f.api(commit.Options{}).Held(t.Context(), m1, wants); err != nil || !h.All || len(wants) != 2 {
		t.Errorf("%+v, %v", h, err)
	}
}
