package download_test

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/download"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

const (
	token  = "hf_testtesttesttesttesttesttesttest"
	commit = "403adf5c8b48aecc6b4e5d3bfc402587153a707a"
)

func noise(size int) []byte {
	data := make([]byte, size)
	r := rand.NewChaCha8([32]byte{7})
	r.Read(data)
	return data
}

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func blob(data []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// hub serves the files of bob/m1: those in large from the CDN, by addresses
// that carry the number of the time they were asked for.
type hub struct {
	n            *hubtest.Net
	small, large map[string][]byte
	mu           sync.Mutex
	resolved     int
	// cdn, if set, may answer instead; try counts from 1.
	cdn  func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool
	gets int
}

func serve(t *testing.T) *hub {
	h := &hub{n: hubtest.New(t), small: map[string][]byte{}, large: map[string][]byte{}}
	h.n.ServeHub(h.home)
	h.n.ServeCDN(h.content)
	return h
}

func (h *hub) home(w http.ResponseWriter, r *http.Request) {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 5)
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/models/bob/m1/revision/"):
		fmt.Fprintf(w, `{"_id":"1","id":"bob/m1","sha":%q}`, commit)
	case strings.HasPrefix(r.URL.Path, "/api/models/bob/m1/tree/"):
		var all []any
		for path, data := range h.small {
			all = append(all, map[string]any{"type": "file", "path": path, "oid": blob(data), "size": len(data)})
		}
		for path, data := range h.large {
			all = append(all, map[string]any{"type": "file", "path": path, "oid": blob(nil), "size": len(data), "lfs": map[string]any{"oid": sha(data), "size": len(data)}})
		}
		json.NewEncoder(w).Encode(append(all, map[string]any{"type": "directory", "path": "a", "oid": blob(nil), "size": 0}))
	case strings.HasPrefix(r.URL.Path, "/api/resolve-cache/models/bob/m1/"+commit+"/"):
		data := h.small[strings.TrimPrefix(r.URL.Path, "/api/resolve-cache/models/bob/m1/"+commit+"/")]
		w.Header().Set("ETag", `"`+blob(data)+`"`)
		w.Header().Set("X-Repo-Commit", commit)
		ranges(w, r, data)
	case len(parts) == 5 && parts[2] == "resolve":
		h.resolve(w, parts[4])
	default:
		w.WriteHeader(404)
	}
}

func (h *hub) resolve(w http.ResponseWriter, path string) {
	w.Header().Set("X-Repo-Commit", commit)
	if data, ok := h.large[path]; ok {
		h.mu.Lock()
		h.resolved++
		sig := h.resolved
		h.mu.Unlock()
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(data)))
		w.Header().Set("X-Linked-ETag", `"`+sha(data)+`"`)
		w.Header().Set("Location", fmt.Sprintf("%s/%s?Signature=%d", hubtest.CDN, path, sig))
		w.WriteHeader(302)
		return
	}
	if data, ok := h.small[path]; ok {
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(data)))
		w.Header().Set("X-Linked-ETag", `"`+blob(data)+`"`)
		w.Header().Set("Location", "/api/resolve-cache/models/bob/m1/"+commit+"/"+path)
		w.WriteHeader(307)
		return
	}
	w.Header().Set("X-Error-Code", "EntryNotFound")
	w.WriteHeader(404)
}

func (h *hub) content(w http.ResponseWriter, r *http.Request) {
	data := h.large[strings.TrimPrefix(r.URL.Path, "/")]
	h.mu.Lock()
	h.gets++
	try, cdn := h.gets, h.cdn
	h.mu.Unlock()
	if r.Header.Get("Authorization") != "" {
		w.WriteHeader(400)
		return
	}
	w.Header().Set("ETag", `"not the hash"`)
	if cdn == nil || !cdn(w, r, data, try) {
		ranges(w, r, data)
	}
}

// fetched is how often the CDN was asked.
func (h *hub) fetched() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gets
}

// heal ends all faults.
func (h *hub) heal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cdn = nil
}

// ranges answers as a server that knows ranges does.
func ranges(w http.ResponseWriter, r *http.Request, data []byte) {
	from, to, partly := span(r, len(data))
	w.Header().Set("Content-Length", strconv.Itoa(to-from))
	if partly {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(data)))
		w.WriteHeader(206)
	}
	if r.Method != http.MethodHead {
		w.Write(data[from:to])
	}
}

func span(r *http.Request, size int) (from, to int, partly bool) {
	n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
	if n < 1 {
		return 0, size, false
	}
	if n == 1 || to >= size {
		to = size - 1
	}
	return from, to + 1, true
}

// some answers the request but breaks off after n bytes.
func some(w http.ResponseWriter, r *http.Request, data []byte, n int) {
	from, to, partly := span(r, len(data))
	w.Header().Set("Content-Length", strconv.Itoa(to-from))
	if partly {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(data)))
		w.WriteHeader(206)
	}
	if to-from <= n {
		w.Write(data[from:to])
		return
	}
	w.Write(data[from : from+n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func (h *hub) api(t *testing.T, change ...func(*download.Options, *wire.Options)) (*download.API, string) {
	t.Helper()
	root := t.TempDir()
	o := download.Options{Own: root, Shared: filepath.Join(root, "shared")}
	wo := wire.Options{HTTP: h.n.Client(), Endpoint: hubtest.Hub, Token: token}
	for _, f := range change {
		f(&o, &wo)
	}
	c, err := wire.New(wo)
	if err != nil {
		t.Fatal(err)
	}
	a, err := download.New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return a, filepath.Join(o.Own, "hub", "127.0.0.1_7870")
}

var source = download.Source{Type: wire.Model, ID: "bob/m1", Revision: "main"}

func same(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil || sha(got) != sha(want) {
		t.Errorf("%s has %d bytes that are not the %d expected: %v", name, len(got), len(want), err)
	}
}

// tree lists the files below a folder, links with where they lead.
func tree(t *testing.T, root string) (all []string) {
	t.Helper()
	filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if to, err := os.Readlink(name); err == nil {
			rel += " -> " + to
		}
		all = append(all, filepath.ToSlash(rel))
		return nil
	})
	return all
}

// The cache has the layout of the Python client's.
func TestCacheLayout(t *testing.T) {
	h := serve(t)
	h.large["a/big.bin"], h.small["q.txt"] = noise(1000), []byte("q")
	a, root := h.api(t)
	for path, data := range map[string][]byte{"a/big.bin": h.large["a/big.bin"], "q.txt": h.small["q.txt"]} {
		name, err := a.File(t.Context(), source, path)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, data)
	}
	if _, err := a.File(t.Context(), source, "nope"); !errors.Is(err, wire.EntryNotFound) {
		t.Errorf("a missing file: %v", err)
	}
	big, small := sha(h.large["a/big.bin"]), blob(h.small["q.txt"])
	want := []string{
		".locks/models--bob--m1/" + small + ".lock", ".locks/models--bob--m1/" + big + ".lock",
		"models--bob--m1/.no_exist/" + commit + "/nope",
		"models--bob--m1/blobs/" + small, "models--bob--m1/blobs/" + big,
		"models--bob--m1/refs/main",
		"models--bob--m1/snapshots/" + commit + "/a/big.bin -> ../../../blobs/" + big,
		"models--bob--m1/snapshots/" + commit + "/q.txt -> ../../blobs/" + small,
	}
	if big < small {
		want[0], want[1], want[3], want[4] = want[1], want[0], want[4], want[3]
	}
	if diff := cmp.Diff(want, tree(t, root)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ref, _ := os.ReadFile(filepath.Join(root, "models--bob--m1/refs/main"))
	if string(ref) != commit {
		t.Errorf("main is %q", ref)
	}
	// What is known of a commit is not asked for again.
	before := len(h.n.Seen())
	fixed := download.Source{Type: wire.Model, ID: "bob/m1", Revision: commit}
	if _, err := a.File(t.Context(), fixed, "a/big.bin"); err != nil {
		t.Error(err)
	}
	if _, err := a.File(t.Context(), fixed, "nope"); !errors.Is(err, wire.EntryNotFound) {
		t.Errorf("a file known to be missing: %v", err)
	}
	if len(h.n.Seen()) != before {
		t.Error("the Hub was asked for what is known")
	}
}

// Only the public Hub's files go where other programs look for them.
func TestOtherHubsHaveTheirOwnCache(t *testing.T) {
	h := serve(t)
	h.small["q.txt"] = []byte("q")
	h.n.Serve("huggingface.co:443", http.HandlerFunc(h.home))
	a, root := h.api(t)
	name, err := a.File(t.Context(), source, "q.txt")
	if err != nil || !strings.HasPrefix(name, root) {
		t.Errorf("%s, %v", name, err)
	}
	a, _ = h.api(t, func(o *download.Options, _ *wire.Options) { o.Own = "" })
	if _, err := a.File(t.Context(), source, "q.txt"); !download.NoCache(err) {
		t.Errorf("without a cache: %v", err)
	}
}

// Acceptance check 13: an address that expires after 1 MB is asked for anew,
// and the download goes on where it was.
func TestCheck13_ExpiredAddress(t *testing.T) {
	h := serve(t)
	data := noise(3 << 20)
	h.large["big.bin"] = data
	h.cdn = func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool {
		switch {
		case try == 1:
			some(w, r, data, 1<<20)
		case r.URL.Query().Get("Signature") == "1":
			w.WriteHeader(403)
		default:
			return false
		}
		return true
	}
	a, _ := h.api(t)
	name, err := a.File(t.Context(), source, "big.bin")
	if err != nil {
		t.Fatal(err)
	}
	same(t, name, data)
	var got []string
	for _, s := range h.n.Seen() {
		got = append(got, strings.TrimSpace(s.Method+" "+s.Path+" "+s.Query+" "+s.Range))
	}
	last := got[len(got)-1]
	var from int
	if fmt.Sscanf(last, "GET /big.bin Signature=2 bytes=%d-", &from); from < 900_000 || from > 1<<20 {
		t.Errorf("went on at %d: %s", from, strings.Join(got, "\n"))
	}
	if len(got) != 5 || h.resolved != 2 {
		t.Errorf("%d requests, %d resolved:\n%s", len(got), h.resolved, strings.Join(got, "\n"))
	}
}

// Acceptance check 14: forty cut connections are no harm while each brings
// something.
func TestCheck14_ProgressResetsTheBudget(t *testing.T) {
	h := serve(t)
	data := noise(3 << 20)
	h.large["big.bin"] = data
	h.cdn = func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool {
		if try > 40 {
			return false
		}
		some(w, r, data, 300_000)
		return true
	}
	a, _ := h.api(t)
	name, err := a.File(t.Context(), source, "big.bin")
	if err != nil || h.fetched() < 10 {
		t.Fatalf("%v after %d requests", err, h.fetched())
	}
	same(t, name, data)
}

// Five tries without a new byte are the end; what has arrived is kept for the
// next run.
func TestGivesUpWithoutProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t)
		data := noise(1 << 20)
		h.large["big.bin"] = data
		good := false
		h.cdn = func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool {
			switch {
			case good:
				return false
			case try == 1:
				some(w, r, data, 500_000)
			default:
				some(w, r, data, 0)
			}
			return true
		}
		a, _ := h.api(t)
		start := time.Now()
		if _, err := a.File(t.Context(), source, "big.bin"); !errors.Is(err, wire.Unreachable) || h.fetched() != 6 {
			t.Errorf("%v after %d requests", err, h.fetched())
		}
		if time.Since(start) != 15*time.Second {
			t.Errorf("waited %s", time.Since(start))
		}
		good = true
		name, err := a.File(t.Context(), source, "big.bin")
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, data)
		seen := h.n.Seen()
		if last := seen[len(seen)-1]; !strings.HasPrefix(last.Range, "bytes=4") && !strings.HasPrefix(last.Range, "bytes=5") {
			t.Errorf("started over: %q", last.Range)
		}
	})
}

// Acceptance check 15: what is not the file is not kept.
func TestCheck15_HashMismatch(t *testing.T) {
	h := serve(t)
	data := noise(1 << 20)
	h.large["big.bin"] = data
	bad := true
	h.cdn = func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool {
		if !bad {
			return false
		}
		flipped := append([]byte(nil), data...)
		flipped[1234] ^= 1
		ranges(w, r, flipped)
		return true
	}
	a, root := h.api(t)
	_, err := a.File(t.Context(), source, "big.bin")
	if !errors.Is(err, download.ErrMismatch) || !strings.Contains(err.Error(), "hash mismatch") {
		t.Fatalf("%v", err)
	}
	for _, name := range tree(t, root) {
		if strings.Contains(name, "snapshots") || strings.Contains(name, "blobs") {
			t.Errorf("%s was left", name)
		}
	}
	bad = false
	name, err := a.File(t.Context(), source, "big.bin")
	if err != nil || h.fetched() != 2 {
		t.Fatalf("%v after %d requests", err, h.fetched())
	}
	same(t, name, data)
}

// The same for small files, whose hash is git's.
func TestSmallFileMismatch(t *testing.T) {
	h := serve(t)
	h.small["q.txt"] = []byte("query")
	a, _ := h.api(t)
	name, err := a.File(t.Context(), source, "q.txt")
	if err != nil {
		t.Fatal(err)
	}
	same(t, name, []byte("query"))
	dest := filepath.Join(t.TempDir(), "q")
	m, err := a.To(t.Context(), source, "q.txt", dest)
	if err != nil || m.Commit != commit || m.Size != 5 {
		t.Fatalf("%+v, %v", m, err)
	}
	same(t, dest, []byte("query"))
	if left := tree(t, filepath.Dir(dest)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// Acceptance check 16: a server that answers a range with everything.
func TestCheck16_IgnoredRange(t *testing.T) {
	h := serve(t)
	data := noise(2 << 20)
	h.large["big.bin"] = data
	h.cdn = func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool {
		if try == 1 {
			some(w, r, data, 1<<20)
			return true
		}
		r.Header.Del("Range")
		return false
	}
	a, _ := h.api(t)
	name, err := a.File(t.Context(), source, "big.bin")
	if err != nil || h.fetched() != 2 {
		t.Fatalf("%v after %d requests", err, h.fetched())
	}
	same(t, name, data)
}

func TestWrongAnswers(t *testing.T) {
	for name, cdn := range map[string]func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool{
		"a range one byte off": func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool {
			if try == 1 {
				some(w, r, data, 100_000)
			} else if try == 2 {
				from, _, _ := span(r, len(data))
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from+1, len(data)-1, len(data)))
				w.WriteHeader(206)
				w.Write(data[from+1:])
			} else {
				return false
			}
			return true
		},
		"a wrong length": func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool {
			if try > 1 {
				return false
			}
			w.Header().Set("Content-Length", "10")
			w.Write(data[:10])
			return true
		},
		"trouble": func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool {
			if try > 3 {
				return false
			}
			w.WriteHeader(503)
			return true
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := serve(t)
			h.large["big.bin"], h.cdn = noise(1<<20), cdn
			a, _ := h.api(t)
			file, err := a.File(t.Context(), source, "big.bin")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			same(t, file, h.large["big.bin"])
		})
	}
}

// A file of ranges is gone on with by another process.
func TestRangesAreResumed(t *testing.T) {
	h := serve(t)
	data := noise(3<<20 + 17)
	h.large["big.bin"] = data
	ctx, cancel := context.WithCancel(t.Context())
	h.cdn = func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool {
		if try == 6 {
			cancel()
		}
		return false
	}
	ranged := func(o *download.Options, _ *wire.Options) {
		o.ParallelAbove, o.RangeSize, o.Connections = 1<<20, 256<<10, 4
	}
	a, root := h.api(t, ranged)
	if _, err := a.File(ctx, source, "big.bin"); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	h.heal()
	first := h.fetched()
	var mu sync.Mutex
	var most int64
	b, _ := h.api(t, ranged, func(o *download.Options, _ *wire.Options) {
		o.Own = filepath.Dir(filepath.Dir(root))
		o.Progress = func(_ string, done, total int64) {
			mu.Lock()
			defer mu.Unlock()
			most = max(most, done)
			if done > total {
				t.Errorf("%d of %d", done, total)
			}
		}
	})
	name, err := b.File(t.Context(), source, "big.bin")
	if err != nil {
		t.Fatal(err)
	}
	same(t, name, data)
	if again := h.fetched() - first; again >= 13 || again == 0 {
		t.Errorf("%d ranges were fetched again", again)
	}
	if most != int64(len(data)) {
		t.Errorf("progress ended at %d", most)
	}
	for _, left := range tree(t, root) {
		if strings.Contains(left, "ranges") || strings.Contains(left, "incomplete") {
			t.Errorf("%s was left", left)
		}
	}
}

func TestRangesOfAServerWithoutRanges(t *testing.T) {
	h := serve(t)
	data := noise(2 << 20)
	h.large["big.bin"] = data
	h.cdn = func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool {
		r.Header.Del("Range")
		return false
	}
	a, _ := h.api(t, func(o *download.Options, _ *wire.Options) { o.ParallelAbove, o.RangeSize = 1<<20, 256<<10 })
	name, err := a.File(t.Context(), source, "big.bin")
	if err != nil {
		t.Fatal(err)
	}
	same(t, name, data)
}

// Each cut range goes on where it was; corrupt ranges are found in the end.
func TestRangesWithFaults(t *testing.T) {
	h := serve(t)
	data := noise(2 << 20)
	h.large["big.bin"] = data
	h.cdn = func(w http.ResponseWriter, r *http.Request, data []byte, try int) bool {
		if try%3 == 0 {
			some(w, r, data, 100_000)
			return true
		}
		if try%7 == 0 {
			w.WriteHeader(403)
			return true
		}
		return false
	}
	a, _ := h.api(t, func(o *download.Options, _ *wire.Options) { o.ParallelAbove, o.RangeSize = 1<<20, 256<<10 })
	name, err := a.File(t.Context(), source, "big.bin")
	if err != nil {
		t.Fatal(err)
	}
	same(t, name, data)
}

// What the Python client has begun is gone on with; what is wrong in it is
// fetched anew.
func TestUnfinishedFilesOfOthers(t *testing.T) {
	h := serve(t)
	data := noise(1 << 20)
	h.large["big.bin"] = data
	for name, begun := range map[string][]byte{"right": data[:700_000], "wrong": noise(1 << 10)[5:700], "too long": append(noise(2<<20), 1)} {
		a, root := h.api(t)
		blobs := filepath.Join(root, "models--bob--m1", "blobs")
		os.MkdirAll(blobs, 0o777)
		if err := os.WriteFile(filepath.Join(blobs, sha(data)+".incomplete"), begun, 0o666); err != nil {
			t.Fatal(err)
		}
		file, err := a.File(t.Context(), source, "big.bin")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		same(t, file, data)
	}
}

// Headers become names of files: nothing but hashes is taken from them.
func TestHostileHeaders(t *testing.T) {
	for _, k := range []struct{ commit, etag, size string }{
		{"../../../x", `"` + sha(nil) + `"`, "0"},
		{commit, `"../../x"`, "0"},
		{commit, `"abc"`, "0"},
		{"", `"` + sha(nil) + `"`, "0"},
		{commit, `"` + sha(nil) + `"`, "-5"},
		{commit, `"` + sha(nil) + `"`, ""},
	} {
		n := hubtest.New(t)
		n.ServeHub(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Repo-Commit", k.commit)
			w.Header().Set("X-Linked-ETag", k.etag)
			w.Header().Set("X-Linked-Size", k.size)
			w.Header().Set("Location", hubtest.CDN+"/x")
			w.WriteHeader(302)
		})
		h := &hub{n: n}
		a, root := h.api(t)
		if _, err := a.File(t.Context(), source, "x"); !errors.Is(err, wire.Unexpected) {
			t.Errorf("%+v: %v", k, err)
		}
		if left := tree(t, root); len(left) != 0 {
			t.Errorf("%+v: %v", k, left)
		}
	}
}

// The recorded answers are understood.
func TestRecordedExchanges(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), "resolve-exchanges.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Case, Request string
		Status        int
		Headers       map[string]string
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	n := hubtest.New(t)
	n.ServeHub(func(w http.ResponseWriter, r *http.Request) {
		for _, x := range all {
			words := strings.Fields(x.Request)
			if words[1] != r.URL.Path || len(words) != 2 {
				continue
			}
			for name, value := range x.Headers {
				w.Header().Set(name, value)
			}
			w.WriteHeader(x.Status)
			return
		}
		w.WriteHeader(404)
	})
	h := &hub{n: n}
	a, _ := h.api(t)
	for path, want := range map[string]string{
		"q.txt":   commit + " 22ea1c649c82946aa6e479e1ffd321e4a318b1b0 1",
		"big.bin": commit + " 50e721e49c013f00c62cf59f2163542a9d8df02464efeb615d31051b0fddc326 3145745",
		"nope":    "",
	} {
		m, err := a.Head(t.Context(), source, path)
		if want == "" {
			if !errors.Is(err, wire.EntryNotFound) {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		if got := fmt.Sprint(m.Commit, " ", m.ETag, " ", m.Size); got != want || err != nil {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
}

func TestSnapshot(t *testing.T) {
	h := serve(t)
	h.small["README.md"], h.small["a/b.txt"], h.large["w/model.bin"], h.small["skip.md"] = []byte("# hi"), []byte("b"), noise(100_000), []byte("no")
	a, root := h.api(t)
	dir, files, err := a.Snapshot(t.Context(), source, download.SnapshotOptions{Allow: []string{"*.md", "w/", "a/?.txt"}, Ignore: []string{"skip*"}})
	if err != nil || files != 3 {
		t.Fatalf("%d files, %v", files, err)
	}
	for path, data := range map[string][]byte{"README.md": h.small["README.md"], "a/b.txt": h.small["a/b.txt"], "w/model.bin": h.large["w/model.bin"]} {
		same(t, filepath.Join(dir, path), data)
	}
	if _, err := os.Stat(filepath.Join(dir, "skip.md")); err == nil {
		t.Error("an unwanted file came along")
	}
	trees := 0
	for _, s := range h.n.Seen() {
		if strings.Contains(s.Path, "/tree/") {
			trees++
		}
		if s.Method == http.MethodHead {
			t.Errorf("%s was looked up although the tree tells", s.Path)
		}
	}
	if trees != 1 {
		t.Errorf("the tree was asked for %d times", trees)
	}
	off, _ := h.api(t, func(o *download.Options, w *wire.Options) {
		o.Own, w.Offline = filepath.Dir(filepath.Dir(root)), true
	})
	if got, n, err := off.Snapshot(t.Context(), source, download.SnapshotOptions{}); got != dir || n != -1 || err != nil {
		t.Errorf("offline: %s, %d, %v", got, n, err)
	}
	if _, err := off.File(t.Context(), source, "a/b.txt"); err != nil {
		t.Errorf("offline: %v", err)
	}
	if _, err := off.File(t.Context(), source, "skip.md"); !errors.Is(err, wire.Offline) {
		t.Errorf("offline: %v", err)
	}
}

// Names that a tree gives are checked like those of a user.
func TestHostileTree(t *testing.T) {
	for _, path := range []string{"../x", "/etc/x", "a/../../x", ".git/config"} {
		h := serve(t)
		h.small[path] = []byte("x")
		a, root := h.api(t)
		if _, _, err := a.Snapshot(t.Context(), source, download.SnapshotOptions{}); !errors.Is(err, wire.Invalid) {
			t.Errorf("%s: %v", path, err)
		}
		if left := tree(t, filepath.Dir(root)); len(left) != 1 { // the branch
			t.Errorf("%s: %v", path, left)
		}
	}
}

func TestChecksBeforeRequests(t *testing.T) {
	h := serve(t)
	a, _ := h.api(t)
	for _, k := range []struct {
		id, rev, path string
	}{{"a/b/c", "main", "x"}, {"bob/m1", "a..b", "x"}, {"bob/m1", "main", "../x"}} {
		if _, err := a.File(t.Context(), download.Source{Type: wire.Model, ID: k.id, Revision: k.rev}, k.path); !errors.Is(err, wire.Invalid) {
			t.Errorf("%+v: %v", k, err)
		}
	}
	if len(h.n.Seen()) != 0 {
		t.Error("a request went out")
	}
}

// A large file takes neither time to resolve again nor memory.
func TestMemoryStaysSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("80 MiB take a second or two")
	}
	h := serve(t)
	h.large["zeros"] = make([]byte, 80<<20)
	a, _ := h.api(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	dest := filepath.Join(t.TempDir(), "zeros")
	if _, err := a.To(t.Context(), source, "zeros", dest); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("%d MiB were allocated", grown>>20)
	}
	if info, err := os.Stat(dest); err != nil || info.Size() != 80<<20 {
		t.Errorf("%v, %v", info, err)
	}
	if h.fetched() != 5 || h.resolved != 1 {
		t.Errorf("%d ranges, resolved %d times", h.fetched(), h.resolved)
	}
}

func FuzzPatterns(f *testing.F) {
	f.Add("*.md", "README.md")
	f.Add("a/?*", "a/b")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		o := download.SnapshotOptions{Allow: []string{pattern}}
		if !strings.ContainsAny(pattern, "*?") && !strings.HasSuffix(pattern, "/") && o.Wants(path) != (string([]rune(pattern)) == string([]rune(path))) {
			t.Errorf("%q %q", pattern, path)
		}
		if all := (download.SnapshotOptions{Allow: []string{"*"}}); !all.Wants(path) {
			t.Errorf("* does not take %q", path)
		}
	})
}
