package repos_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/repos"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
)

// Acceptance check 30: delete removes what matches, no more, and only what was
// there when it was listed.
func TestCheck30_Delete(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","files":[{"path":"a.tmp","content":"1"},{"path":"d/b.tmp","content":"2"},{"path":"d/keep.txt","content":"3"},{"path":"x[1].tmp","content":"4"}]}`)
	sent := len(d.Sent())
	d.refused(d.files, `{"operation":"delete","repo_id":"bob/m1","patterns":["*.none"]}`, "*.none", "nothing was deleted")
	d.refused(d.files, `{"operation":"delete","repo_id":"bob/m1","patterns":["*"]}`, "every file", "confirm_all")
	if n := len(d.Sent()); n != sent {
		t.Errorf("%d requests changed something", n-sent)
	}
	// What is shown is what is deleted: a file that appears later stays.
	args := json.RawMessage(`{"operation":"delete","repo_id":"m1","patterns":["*.tmp"]}`)
	resolved, err := d.files.Resolve(t.Context(), args)
	if err != nil {
		t.Fatal(err)
	}
	var p repos.FilesParams
	if err := json.Unmarshal(resolved, &p); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Patterns, []string{"a.tmp", "d/b.tmp", "x[[]1].tmp"}) || p.ParentCommit != d.head(m1) || p.RepoID != "bob/m1" {
		t.Errorf("%+v", p)
	}
	if risk := d.files.Risk(resolved); risk.Gate != tool.Ask || !strings.Contains(risk.Reason, "deletes 3 files of bob/m1") {
		t.Errorf("%+v", risk)
	}
	if again, err := d.files.Resolve(t.Context(), resolved); err != nil || string(again) != string(resolved) {
		t.Errorf("resolved again: %s, %v", again, err)
	}
	env := &tooltest.Env{}
	r, err := d.files.Run(t.Context(), env, resolved)
	if err != nil {
		t.Fatal(err)
	}
	d.want(r, true, "**Deleted:** a.tmp, d/b.tmp, x[1].tmp from bob/m1")
	if got := d.paths(m1); got != ".gitattributes d/keep.txt" {
		t.Errorf("left %q", got)
	}
	if got := env.Refs(); !slices.Equal(got, []string{"commit:model/bob/m1@" + d.head(m1)}) {
		t.Errorf("effects %q", got)
	}
	d.must(d.files, `{"operation":"delete","repo_id":"bob/m1","patterns":["d/"],"confirm_all":true}`)
	if got := d.paths(m1); got != ".gitattributes" {
		t.Errorf("left %q", got)
	}
}

// A file that was changed after the list was shown is not deleted.
func TestDeleteAfterAChange(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","files":[{"path":"a.tmp","content":"1"},{"path":"keep","content":"2"}]}`)
	resolved, err := d.files.Resolve(t.Context(), json.RawMessage(`{"operation":"delete","repo_id":"bob/m1","patterns":["*.tmp"]}`))
	if err != nil {
		t.Fatal(err)
	}
	d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","path":"a.tmp","content":"changed"}`)
	r, err := d.files.Run(t.Context(), &tooltest.Env{}, resolved)
	if err != nil {
		t.Fatal(err)
	}
	d.want(r, false, "a.tmp")
	if got := d.paths(m1); !strings.Contains(got, "a.tmp") {
		t.Errorf("left %q", got)
	}
}

// Acceptance check 31: of a file of 10 GB no more is read than tells what it is.
func TestCheck31_HugeFile(t *testing.T) {
	const size = 10 << 30
	var sent atomic.Int64
	net := hubtest.New(t)
	net.ServeHub(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/paths-info/") {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `[{"type":"file","path":"model.bin","oid":"%040d","size":%d,"lfs":{"oid":"%064d","size":%d,"pointerSize":135}}]`, 1, size, 1, size)
			return
		}
		var from, to int64
		if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n != 2 || to-from > 1<<20 {
			http.Error(w, "no range", http.StatusTeapot)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, size))
		w.WriteHeader(http.StatusPartialContent)
		sent.Add(to - from + 1) // before it is there: the reader may be done first
		_, _ = w.Write(make([]byte, to-from+1))
	})
	client, err := hub.New(hub.Options{HTTP: net.Client(), Endpoint: hubtest.Hub, Token: "hf_x"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	d := &desk{Stage: &stagetest.Stage{TB: t}}
	if d.files, err = repos.NewFiles(repos.Options{
		Repos: client.Repos, Commits: client.Commits, Discussions: client.Discussions, Endpoint: client.Endpoint(), User: noUser,
	}); err != nil {
		t.Fatal(err)
	}
	d.must(d.files, `{"operation":"read","repo_id":"acme/big","path":"model.bin"}`, "Binary file (10.0GB)", "model.bin")
	if n := sent.Load(); n == 0 || n > 1<<20 {
		t.Errorf("%d bytes were read", n)
	}
}

// Acceptance check 32: one commit of a text and a large file.
func TestCheck32_OneCommit(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	data := make([]byte, 20<<20)
	rand.NewChaCha8([32]byte{7}).Read(data)
	d.write("out/weights.bin", string(data))
	d.write("out/config.json", `{"a":1}`)
	d.write("out/.git/config", "not this")
	r, env := d.callEnv(d.files, `{"operation":"upload","repo_id":"bob/m1","local_path":"out","path":"v1"}`)
	d.want(r, true, "**Uploaded:** 2 files", "/bob/m1/tree/main", "Commit: "+d.head(m1))
	if got := d.paths(m1); got != ".gitattributes v1/config.json v1/weights.bin" {
		t.Errorf("there is %q", got)
	}
	var preupload, batch, puts, commits int
	for _, q := range d.Sim.Requests() {
		switch {
		case strings.Contains(q.Path, "/preupload/"):
			preupload++
		case strings.HasSuffix(q.Path, "/info/lfs/objects/batch"):
			batch++
		case q.Host == "cdn" && q.Method == http.MethodPut:
			if puts++; q.Authorization != "" {
				t.Error("a part was sent with the token")
			}
		case strings.Contains(q.Path, "/commit/"):
			commits++
		}
	}
	if preupload != 1 || batch != 1 || puts != 20 || commits != 1 {
		t.Errorf("%d preuploads, %d batches, %d parts, %d commits", preupload, batch, puts, commits)
	}
	if got := env.Refs(); !slices.Equal(got, []string{"commit:model/bob/m1@" + d.head(m1)}) {
		t.Errorf("effects %q", got)
	}
	if logs := env.Logs(); !strings.Contains(strings.Join(logs, "\n"), "uploading: 50 %") {
		t.Errorf("progress %q", logs)
	}
	// The same again is no commit.
	r, env = d.callEnv(d.files, `{"operation":"upload","repo_id":"bob/m1","local_path":"out","path":"v1"}`)
	d.want(r, true, "**No change:**")
	if len(env.Refs()) != 0 {
		t.Errorf("effects %q", env.Refs())
	}
	// One more file is a commit of that alone.
	d.write("out/new.txt", "new")
	d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","local_path":"out","path":"v1"}`, "2 of the files were there already")
}

// Acceptance check 33, what is refused: an id that leads elsewhere.
func TestCheck33_Ids(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	before := len(d.Sim.Requests())
	for _, id := range []string{"x/../../y", "a/b/c", "bob/..", "bob/m1.git", "bob/a--b", "bob/a b", "../settings", "bob/m1?x=y", strings.Repeat("a", 97)} {
		args, _ := json.Marshal(map[string]any{"operation": "list", "repo_id": id})
		d.refused(d.files, string(args), "repo_id")
		args, _ = json.Marshal(map[string]any{"operation": "list_refs", "repo_id": id})
		d.refused(d.git, string(args), "repo_id")
	}
	for args, want := range map[string]string{
		`{"operation":"read","repo_id":"bob/m1","path":"../x"}`:                               "path",
		`{"operation":"upload","repo_id":"bob/m1","path":"a/../b","content":""}`:              "path",
		`{"operation":"read","repo_id":"bob/m1"}`:                                             "path is required",
		`{"operation":"list"}`:                                                                "repo_id is required",
		`{"operation":"delete","repo_id":"bob/m1"}`:                                           "patterns is required",
		`{"operation":"upload","repo_id":"bob/m1"}`:                                           "path is required",
		`{"operation":"upload","repo_id":"bob/m1","path":"a"}`:                                "content is required",
		`{"operation":"upload","repo_id":"bob/m1","path":"a","content":"x","local_path":"y"}`: "only one",
		`{"operation":"upload","repo_id":"bob/m1","path":"a","content":"key = 'hf_secret'"}`:  "shows a secret",
		`{"operation":"upload","repo_id":"bob/m1","local_path":"nothing"}`:                    "there is no nothing",
		`{"operation":"upload","repo_id":"bob/m1","local_path":"/etc/hostname"}`:              "outside the workspace",
		`{"operation":"dance","repo_id":"bob/m1"}`:                                            "list, read, upload, delete",
		`{}`: "operation is required",
	} {
		d.refused(d.files, args, want)
	}
	for _, q := range d.Sim.Requests()[before:] {
		if q.Path != "/api/whoami-v2" {
			t.Errorf("%s %s was sent", q.Method, q.Path)
		}
	}
}

// Acceptance check 34: a list that goes on at another host is not followed.
func TestCheck34_ForeignLink(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	var files []map[string]string
	for i := range 60 {
		files = append(files, map[string]string{"path": fmt.Sprintf("f%02d", i), "content": "x"})
	}
	args, _ := json.Marshal(map[string]any{"operation": "upload", "repo_id": "bob/m1", "files": files})
	d.must(d.files, string(args), "60 files")
	d.Fault(`{"match":{"path":"/tree/"},"do":{"foreignLink":true}}`)
	before := len(d.Sim.Requests())
	r := d.call(d.files, `{"operation":"list","repo_id":"bob/m1"}`)
	// What lies behind the link is missing: a list that hides that is none.
	d.want(r, false, "localhost", "127.0.0.1", "not followed")
	for _, q := range d.Sim.Requests()[before:] {
		if q.Host == "cdn" {
			t.Errorf("%s %s reached the other host with %q", q.Method, q.Path, q.Authorization)
		}
	}
}

// What lists and reads look like.
func TestListAndRead(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	d.must(d.files, `{"operation":"upload","repo_id":"m1","files":[{"path":"a/b.txt","content":"one\ntwo\nthree\n"},{"path":"empty","content":""},{"path":"big.txt","content":"`+strings.Repeat("x", 2000)+`\ntail"}]}`, "**Uploaded:** 3 files")
	url := d.Base() + "/bob/m1"
	r := d.must(d.files, `{"operation":"list","repo_id":"bob/m1"}`)
	if !strings.HasPrefix(r.Output, "**bob/m1** (4 files, ") || !strings.Contains(r.Output, ")\n"+url+"/tree/main\n\n.gitattributes (") || !strings.Contains(r.Output, "\na/\na/b.txt (14.0B)\nbig.txt (2.0KB)\nempty (0.0B)") {
		t.Errorf("%s", r.Output)
	}
	d.must(d.files, `{"operation":"list","repo_id":"bob/m1","recursive":false}`, "(3 files", "\na/\n")
	d.must(d.files, `{"operation":"list","repo_id":"bob/m1","path":"a","expand":true}`, "a/b.txt (14.0B) 20")
	for args, want := range map[string]string{
		`{"operation":"read","repo_id":"bob/m1","path":"a/b.txt"}`:                        "**a/b.txt**\n" + url + "/blob/main/a/b.txt\n\n```\none\ntwo\nthree\n```",
		`{"operation":"read","repo_id":"bob/m1","path":"a/b.txt","offset":2,"limit":1}`:   "**a/b.txt** (truncated)\n" + url + "/blob/main/a/b.txt\n\n```\ntwo\n```",
		`{"operation":"read","repo_id":"bob/m1","path":"a/b.txt","offset":3}`:             "**a/b.txt**\n" + url + "/blob/main/a/b.txt\n\n```\nthree\n```",
		`{"operation":"read","repo_id":"bob/m1","path":"empty"}`:                          "**empty**\n" + url + "/blob/main/empty\n\n(empty file)",
		`{"operation":"read","repo_id":"bob/m1","path":"a/b.txt","max_chars":5}`:          "**a/b.txt** (truncated)\n" + url + "/blob/main/a/b.txt\n\n```\none\nt\n```",
		`{"operation":"read","repo_id":"acme/toy-chat","repo_type":"dataset","path":"x"}`: "File not found: x",
		`{"operation":"read","repo_id":"bob/none","path":"x"}`:                            "Repository not found: bob/none",
		`{"operation":"list","repo_id":"bob/none"}`:                                       "Repository not found: bob/none",
		`{"operation":"read","repo_id":"bob/m1","path":"a"}`:                              "Error: a is a folder: use list",
		`{"operation":"read","repo_id":"bob/m1","path":"a/b.txt","offset":9}`:             "Error: offset 9 lies behind the end: the file has ",
	} {
		if r := d.call(d.files, args); !strings.HasPrefix(r.Output, want) {
			t.Errorf("%s:\n%s\nwant %s", args, r.Output, want)
		}
	}
}

// Weights and tables are told of by their headers.
func TestReadSummaries(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	header := `{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[10,20],"data_offsets":[0,800]},"b":{"dtype":"BF16","shape":[5],"data_offsets":[800,810]}}`
	weights := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	weights = append(append(weights, header...), make([]byte, 3<<20)...)
	d.write("m/model.safetensors", string(weights))
	type row struct {
		Text  string `parquet:"text"`
		Label int32  `parquet:"label"`
	}
	if err := parquet.WriteFile(filepath.Join(d.dir, "m/data.parquet"), []row{{"a", 1}, {"b", 2}, {"c", 3}}); err != nil {
		t.Fatal(err)
	}
	d.write("m/broken.safetensors", "this is no such file at all, only text\n")
	d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","local_path":"m"}`)
	d.must(d.files, `{"operation":"read","repo_id":"bob/m1","path":"model.safetensors"}`, "2 tensors, 205 parameters (BF16: 5, F32: 200)", `"format":"pt"`, "w F32 [10 20]")
	d.must(d.files, `{"operation":"read","repo_id":"bob/m1","path":"data.parquet"}`, "parquet: 3 rows", "text", "label")
	d.must(d.files, `{"operation":"read","repo_id":"bob/m1","path":"broken.safetensors"}`, "only text")
}

// Uploads: texts, files, pull requests, messages, and who is told.
func TestUpload(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	url := d.Base() + "/bob/m1"
	d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","path":"a b.txt","content":"x"}`, "**Uploaded:** a b.txt\n"+url+"/blob/main/a%20b.txt\nCommit: ")
	d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","path":"README.md","content":"# x","commit_message":"mine"}`)
	if !slices.Equal(d.made, []string{"changed model bob/m1", "card model bob/m1"}) && !slices.Equal(d.made, []string{"changed models/bob/m1", "card models/bob/m1"}) {
		t.Errorf("told %q", d.made)
	}
	r := d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","path":"b.txt","content":"x","create_pr":true}`, "**Uploaded as PR:** b.txt\n"+url+"/discussions/1")
	if strings.Contains(d.paths(m1), "b.txt ") || !r.OK {
		t.Error("the pull request changed main")
	}
	for c, err := range d.client.Repos.Commits(t.Context(), m1, "main", 2) {
		if err != nil || c.Title != "mine" && c.Title != "Upload a b.txt" {
			t.Errorf("%q, %v", c.Title, err)
		}
	}
	old := d.head(m1)
	d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","path":"c.txt","content":"1"}`)
	d.refused(d.files, `{"operation":"upload","repo_id":"bob/m1","path":"c.txt","content":"2","parent_commit":"`+old+`"}`, "c.txt")
	d.write("one.txt", "local")
	if err := os.Symlink("/etc/hostname", filepath.Join(d.dir, "link")); err != nil {
		t.Fatal(err)
	}
	d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","local_path":"one.txt"}`, "**Uploaded:** one.txt")
	d.refused(d.files, `{"operation":"upload","repo_id":"bob/m1","local_path":"link"}`, "outside the workspace")
	if risk := d.files.Risk(json.RawMessage(`{"operation":"upload","repo_id":"bob/m1"}`)); risk.Effect != event.Keyed || risk.Gate != tool.Ask || risk.Lane == "" {
		t.Errorf("%+v", risk)
	}
}

// The tool keeps the promises of every tool.
func TestFilesConformance(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			d := newDesk(t, stagetest.Sockets(t, false))
			return d.files, &tooltest.Env{}
		},
		Params: repos.FilesParams{},
		Good:   `{"operation":"upload","repo_id":"bob/m1","path":"a.txt","content":"x"}`,
		Bad:    map[string]string{`{"operation":"read","repo_id":"bob/m1"}`: "path"},
	})
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			d := newDesk(t, stagetest.Sockets(t, false))
			d.write("big.txt", strings.Repeat("a line of text\n", 20_000))
			d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","local_path":"big.txt"}`)
			d.Fault(`{"match":{"path":"/resolve/","query":"slow"},"do":{"latencyMs":5000}}`)
			return d.files, &tooltest.Env{}
		},
		Params: repos.FilesParams{},
		Good:   `{"operation":"list","repo_id":"bob/m1"}`,
		Large:  `{"operation":"read","repo_id":"bob/m1","path":"big.txt","max_chars":1000000}`,
	})
}

// A call that was cut short returns at once.
func TestCancelledRead(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			d := newDesk(t, stagetest.Sockets(t, false))
			d.Fault(`{"match":{"path":"/paths-info/"},"do":{"latencyMs":5000}}`)
			return d.files, &tooltest.Env{}
		},
		Params: repos.FilesParams{},
		Good:   `{"operation":"list","repo_id":"bob/m1"}`,
		Slow:   `{"operation":"read","repo_id":"bob/m1","path":"x"}`,
	})
}
