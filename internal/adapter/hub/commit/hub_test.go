package commit_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const token = "hf_testtesttesttesttesttesttesttest"

// file is what the fake Hub holds at a path.
type file struct {
	data  []byte
	large bool
}

func (f file) oid() string {
	if f.large {
		return sha(f.data)
	}
	return gitSHA(f.data)
}

func sha(data []byte) string { s := sha256.Sum256(data); return hex.EncodeToString(s[:]) }

func gitSHA(data []byte) string {
	s := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
	return hex.EncodeToString(s[:])
}

type state struct {
	id, title string
	files     map[string]file
}

// fake is a Hub with one repository, enough of it to commit to. The content
// host is another server.
type fake struct {
	t   *testing.T
	hub *httptest.Server
	cdn *httptest.Server

	mu       sync.Mutex
	history  []state             // of main, oldest first
	pulls    []state             // refs/pr/1, …
	stored   map[string][]byte   // large files
	parts    map[string][][]byte // by sha
	calls    []string            // method, space, path
	bodies   map[string][]string
	waits    []time.Duration
	largeMin int // from this size on files are large
	partSize int // 0: one piece
	partMin  int // from this size on in parts
	// trouble is asked before each request, with the number of requests of
	// that name so far; true means that it has answered.
	trouble func(w http.ResponseWriter, r *http.Request, name string, n int) bool
	// after is asked once the work is done and before the answer.
	after func(w http.ResponseWriter, name string, n int) bool
	seen  map[string]int
}

func newFake(t *testing.T, files map[string]string) *fake {
	t.Helper()
	f := &fake{
		t: t, stored: map[string][]byte{}, parts: map[string][][]byte{}, bodies: map[string][]string{}, seen: map[string]int{},
		largeMin: 10_000, partMin: 1 << 20,
	}
	first := state{files: map[string]file{".gitattributes": {data: []byte("*.bin filter=lfs\n")}}}
	for name, text := range files {
		large := strings.HasSuffix(name, ".bin")
		first.files[name] = file{[]byte(text), large}
		if large {
			f.stored[sha([]byte(text))] = []byte(text)
		}
	}
	f.push("initial commit", first.files)
	f.hub = httptest.NewServer(f.handler(f.serve))
	f.cdn = httptest.NewServer(f.handler(f.content))
	t.Cleanup(f.hub.Close)
	t.Cleanup(f.cdn.Close)
	return f
}

func (f *fake) push(title string, files map[string]file) {
	f.history = append(f.history, f.made(title, len(f.history), files))
}

func (f *fake) made(title string, n int, files map[string]file) state {
	h := sha1.New()
	fmt.Fprintln(h, title, n, len(f.pulls))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintln(h, name, files[name].oid())
	}
	return state{hex.EncodeToString(h.Sum(nil)), title, files}
}

func (f *fake) head() state { return f.history[len(f.history)-1] }

// write is somebody else's commit; the lock is held where the handler calls.
func (f *fake) write(name, text string) {
	files := maps.Clone(f.head().files)
	if files[name] = (file{data: []byte(text)}); text == "" {
		delete(files, name)
	}
	f.push("another's", files)
}

func (f *fake) api(o commit.Options) *commit.API {
	f.t.Helper()
	web, err := httpx.New(httpx.Options{Version: "1.0"})
	if err != nil {
		f.t.Fatal(err)
	}
	c, err := wire.New(wire.Options{
		HTTP: web, Endpoint: f.hub.URL, Token: token,
		Wait: func(ctx context.Context, d time.Duration, _ string) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.waits = append(f.waits, d)
			return ctx.Err()
		},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(web.CloseIdleConnections)
	return commit.New(c, o)
}

// text is what a path of main holds.
func (f *fake) text(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.head().files[name].data)
}

func (f *fake) count(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[name]
}

func (f *fake) handler(next func(w http.ResponseWriter, r *http.Request, name string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := nameOf(r)
		f.mu.Lock()
		f.seen[name]++
		n := f.seen[name]
		f.calls = append(f.calls, r.Method+" "+r.URL.Path)
		f.mu.Unlock()
		if f.trouble != nil && f.trouble(w, r, name, n) {
			return
		}
		if f.after == nil {
			next(w, r, name)
			return
		}
		rec := httptest.NewRecorder()
		next(rec, r, name)
		if f.after(w, name, n) {
			return
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	}
}

// nameOf is the kind of a request.
func nameOf(r *http.Request) string {
	for _, name := range []string{"preupload", "commits", "commit", "revision", "paths-info", "discussions", "batch", "verify", "complete", "validate-yaml", "resolve", "tree", "part", "put"} {
		if slices.Contains(strings.Split(r.URL.Path, "/"), name) {
			return name
		}
	}
	return r.URL.Path
}

func cut(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	reply(w, status, map[string]string{"error": text})
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request, name string) {
	if got := r.Header.Get("Authorization"); got != "Bearer "+token && name != "complete" || got != "" && name == "complete" {
		f.t.Errorf("%s came with Authorization %q", name, got)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bodies[name] = append(f.bodies[name], string(body))
	parts := strings.Split(r.URL.Path, "/")
	rev := ""
	if i := slices.Index(parts, name); i >= 0 && i+1 < len(parts) {
		rev = strings.Join(parts[i+1:], "/")
	}
	at, known := f.resolve(rev)
	if rev != "" && !known && name != "resolve" && name != "tree" && name != "verify" && name != "complete" {
		refuse(w, 404, "RevisionNotFound", "Invalid rev id: "+rev)
		return
	}
	switch name {
	case "validate-yaml":
		if strings.Contains(string(body), "license: 1") {
			reply(w, 400, map[string]any{"errors": []any{map[string]string{"message": `"license" must be a string`}}, "warnings": []any{}})
			return
		}
		reply(w, 200, map[string]any{"errors": []any{}, "warnings": []any{map[string]string{"message": "empty or missing yaml metadata"}}})
	case "preupload":
		f.preupload(w, body, at)
	case "revision":
		reply(w, 200, map[string]string{"_id": "1", "id": "bob/m1", "sha": at.id})
	case "paths-info":
		f.pathsInfo(w, body, at)
	case "commits":
		f.commits(w, r)
	case "discussions":
		list := []any{}
		for i := len(f.pulls); i > 0; i-- {
			list = append(list, map[string]any{"num": i, "isPullRequest": true, "title": f.pulls[i-1].title})
		}
		reply(w, 200, map[string]any{"discussions": list, "count": len(list), "start": 0})
	case "batch":
		f.batch(w, body)
	case "complete":
		f.complete(w, r, body)
	case "verify":
		var in struct{ OID string }
		json.Unmarshal(body, &in)
		if _, ok := f.stored[in.OID]; !ok {
			refuse(w, 404, "", "no such object")
		}
	case "resolve":
		rev, rest, _ := strings.Cut(rev, "/")
		at, _ := f.resolve(rev)
		w.Write(at.files[rest].data)
	case "tree":
		rev, rest, _ := strings.Cut(rev, "/")
		at, _ := f.resolve(rev)
		var list []any
		for _, p := range slices.Sorted(maps.Keys(at.files)) {
			if rest == "" || strings.HasPrefix(p, rest+"/") {
				list = append(list, entry(p, at.files[p]))
			}
		}
		if list == nil {
			refuse(w, 404, "EntryNotFound", "no such folder")
			return
		}
		reply(w, 200, list)
	case "commit":
		f.commit(w, r, body, rev)
	default:
		f.t.Errorf("unserved: %s %s", r.Method, r.URL)
		refuse(w, 404, "", "unserved")
	}
}

func (f *fake) resolve(rev string) (state, bool) {
	if n, ok := strings.CutPrefix(rev, "refs/pr/"); ok {
		i, _ := strconv.Atoi(n)
		if i < 1 || i > len(f.pulls) {
			return state{}, false
		}
		return f.pulls[i-1], true
	}
	if rev == "main" {
		return f.head(), true
	}
	for _, s := range slices.Concat(f.history, f.pulls) {
		if len(rev) >= 7 && strings.HasPrefix(s.id, rev) {
			return s, true
		}
	}
	return state{}, false
}

func (f *fake) preupload(w http.ResponseWriter, body []byte, at state) {
	var in struct {
		Files []struct {
			Path   string
			Size   int
			Sample []byte
		}
		GitIgnore string
	}
	json.Unmarshal(body, &in)
	if len(in.Files) > 256 {
		f.t.Errorf("preupload of %d files", len(in.Files))
	}
	var files []any
	for _, p := range in.Files {
		if len(p.Sample) > 512 || len(p.Sample) == 0 && p.Size > 0 {
			f.t.Errorf("%s: sample of %d bytes", p.Path, len(p.Sample))
		}
		out := map[string]any{"path": p.Path, "uploadMode": "regular", "shouldIgnore": in.GitIgnore != "" && strings.Contains(in.GitIgnore, p.Path)}
		if strings.HasSuffix(p.Path, ".bin") || p.Size > f.largeMin {
			out["uploadMode"] = "lfs"
		}
		if old, ok := at.files[p.Path]; ok {
			out["oid"] = old.oid()
		}
		files = append(files, out)
	}
	reply(w, 200, map[string]any{"files": files, "commitOid": at.id})
}

func entry(p string, v file) map[string]any {
	e := map[string]any{"type": "file", "path": p, "oid": gitSHA(v.data), "size": len(v.data)}
	if v.large {
		e["oid"] = gitSHA([]byte("pointer to " + sha(v.data)))
		e["lfs"] = map[string]any{"oid": sha(v.data), "size": len(v.data), "pointerSize": 134}
	}
	return e
}

func (f *fake) pathsInfo(w http.ResponseWriter, body []byte, at state) {
	var in struct{ Paths []string }
	json.Unmarshal(body, &in)
	out := []any{}
	for _, p := range in.Paths {
		if v, ok := at.files[p]; ok {
			out = append(out, entry(p, v))
			continue
		}
		var below []string
		for _, q := range slices.Sorted(maps.Keys(at.files)) {
			if strings.HasPrefix(q, p+"/") {
				below = append(below, q+at.files[q].oid())
			}
		}
		if below != nil {
			out = append(out, map[string]any{"type": "directory", "path": p, "oid": gitSHA([]byte(strings.Join(below, "\n"))), "size": 0})
		}
	}
	reply(w, 200, out)
}

func (f *fake) commits(w http.ResponseWriter, r *http.Request) {
	p, _ := strconv.Atoi(r.URL.Query().Get("p"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	all := slices.Clone(f.history)
	slices.Reverse(all)
	out := []any{}
	for _, s := range all[min(p*limit, len(all)):min((p+1)*limit, len(all))] {
		out = append(out, map[string]string{"id": s.id, "title": s.title})
	}
	reply(w, 200, out)
}

func (f *fake) batch(w http.ResponseWriter, body []byte) {
	var in struct {
		Objects []struct {
			OID  string
			Size int
		}
	}
	json.Unmarshal(body, &in)
	var out []any
	for _, o := range in.Objects {
		answer := map[string]any{"oid": o.OID, "size": o.Size}
		if _, ok := f.stored[o.OID]; !ok {
			up := map[string]any{"href": f.cdn.URL + "/put/" + o.OID + "?X-Amz-Signature=s" + strconv.Itoa(f.seen["batch"])}
			if f.partSize > 0 && o.Size >= f.partMin {
				header := map[string]any{"chunk_size": strconv.Itoa(f.partSize)}
				n := (o.Size + f.partSize - 1) / f.partSize
				for i := range n {
					header[fmt.Sprintf("%05d", i+1)] = fmt.Sprintf("%s/part/%s/%d?X-Amz-Signature=s", f.cdn.URL, o.OID, i+1)
				}
				if f.parts[o.OID] == nil {
					f.parts[o.OID] = make([][]byte, n)
				}
				up = map[string]any{"href": f.hub.URL + "/complete/" + o.OID + "?uploadId=u1&sig=" + strconv.Itoa(f.seen["batch"]), "header": header}
			}
			answer["actions"] = map[string]any{
				"upload": up, "verify": map[string]any{"href": "https://huggingface.co/bob/m1.git/info/lfs/objects/verify", "header": map[string]string{"Authorization": "Basic example"}},
			}
		}
		out = append(out, answer)
	}
	reply(w, 200, map[string]any{"transfer": "basic", "objects": out})
}

func (f *fake) complete(w http.ResponseWriter, r *http.Request, body []byte) {
	oid := r.URL.Path[len("/complete/"):]
	var in struct {
		OID   string
		Parts []struct {
			PartNumber int
			ETag       string
		}
	}
	json.Unmarshal(body, &in)
	var missing []int
	for i, part := range f.parts[oid] {
		if part == nil || len(in.Parts) <= i || in.Parts[i].PartNumber != i+1 || in.Parts[i].ETag != `"`+gitSHA(part)+`"` {
			missing = append(missing, i+1)
		}
	}
	if missing != nil {
		reply(w, 400, map[string]any{"error": "parts are missing", "missingParts": missing})
		return
	}
	data := bytes.Join(f.parts[oid], nil)
	if sha(data) != oid {
		refuse(w, 400, "", "BadDigest")
		return
	}
	f.stored[oid] = data
	reply(w, 200, map[string]bool{"success": true})
}

// content is the content host.
func (f *fake) content(w http.ResponseWriter, r *http.Request, name string) {
	if r.Header.Get("Authorization") != "" {
		f.t.Errorf("%s came with a token", r.URL.Path)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	parts := strings.Split(r.URL.Path, "/")
	if name == "put" {
		if sha(body) != parts[2] {
			w.WriteHeader(400)
			return
		}
		f.stored[parts[2]] = body
		return
	}
	n, _ := strconv.Atoi(parts[3])
	f.parts[parts[2]][n-1] = body
	w.Header().Set("ETag", `"`+gitSHA(body)+`"`)
}

func (f *fake) commit(w http.ResponseWriter, r *http.Request, body []byte, rev string) {
	files := maps.Clone(f.head().files)
	title := ""
	for line := range bytes.Lines(body) {
		var in struct {
			Key   string
			Value struct{ Summary, ParentCommit, Path, Content, Encoding, OID string }
		}
		if err := json.Unmarshal(line, &in); err != nil {
			refuse(w, 400, "", err.Error())
			return
		}
		v := in.Value
		switch in.Key {
		case "header":
			title = v.Summary
			if v.ParentCommit != f.head().id {
				refuse(w, 412, "", "The branch was updated since you opened this page. Please refresh and try again.")
				return
			}
		case "file":
			data, err := base64.StdEncoding.DecodeString(v.Content)
			if err != nil {
				refuse(w, 400, "", err.Error())
				return
			}
			files[v.Path] = file{data: data}
		case "lfsFile":
			data, ok := f.stored[v.OID]
			if !ok {
				refuse(w, 404, "", "not stored")
				return
			}
			files[v.Path] = file{data, true}
		case "deletedFile", "deletedFolder":
			n := len(files)
			maps.DeleteFunc(files, func(p string, _ file) bool {
				return p == v.Path || in.Key == "deletedFolder" && strings.HasPrefix(p, v.Path+"/")
			})
			if len(files) == n {
				refuse(w, 404, "EntryNotFound", "A file with this name doesn't exist")
				return
			}
		default:
			refuse(w, 400, "", "Add a line with the key `lfsFile`, `file` or `deletedFile`")
			return
		}
	}
	out := map[string]any{"success": true, "hookOutput": ""}
	if r.URL.Query().Get("create_pr") == "1" {
		f.pulls = append(f.pulls, f.made(title, len(f.history), files))
		out["commitOid"] = f.pulls[len(f.pulls)-1].id
		out["pullRequestUrl"] = fmt.Sprintf("%s/bob/m1/discussions/%d", f.hub.URL, len(f.pulls))
	} else {
		f.push(title, files)
		out["commitOid"] = f.head().id
	}
	reply(w, 200, out)
}

// lines are the keys of the lines of a commit's body.
func lines(body string) []string {
	var keys []string
	for s := bufio.NewScanner(strings.NewReader(body)); s.Scan(); {
		var in struct {
			Key   string
			Value struct{ Path string }
		}
		json.Unmarshal(s.Bytes(), &in)
		keys = append(keys, strings.TrimSpace(in.Key+" "+in.Value.Path))
	}
	return keys
}
