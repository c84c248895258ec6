package fault_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
)

// body is what the routes of the tests serve.
var body = bytes.Repeat([]byte("0123456789"), 100_000)

// bench is a hub and a content host with faults.
type bench struct {
	*fault.Set
	testing.TB
	clock   *clock.Clock
	url     [2]string // hub, cdn
	asked   []string  // what reached the routes
	ended   []string
	client  *http.Client
	created int
}

func newBench(t testing.TB) *bench {
	b := &bench{TB: t, clock: clock.New(clock.Options{})}
	b.Set = fault.New(fault.Options{
		Now:   b.clock.Now,
		Owner: func(r *http.Request) string { return r.Header.Get("X-User") },
		EndToken: func(r *http.Request, revoke bool) {
			b.ended = append(b.ended, fmt.Sprint(r.Header.Get("X-User"), " ", revoke))
		},
		MoveHead: func(r *http.Request, path string) { b.asked = append(b.asked, "moved "+path) },
		Foreign:  func() string { return "http://foreign.test" },
	})
	for i, host := range []string{fault.Hub, fault.CDN} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(b.Middleware(host, http.HandlerFunc(b.serve)))
		s.Listener = b.Listener(host, l)
		s.Start()
		t.Cleanup(s.Close)
		b.url[i] = s.URL
	}
	b.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return b
}

func (b *bench) serve(w http.ResponseWriter, r *http.Request) {
	b.asked = append(b.asked, r.Method+" "+r.URL.Path)
	switch {
	case r.URL.Path == "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 6 {
			fmt.Fprintf(w, "event: log\nda")
			fmt.Fprintf(w, "ta: {\"n\":%d}\n\n: keep-alive\n\n", i)
			_ = http.NewResponseController(w).Flush()
			if r.Context().Err() != nil {
				return
			}
		}
	case r.URL.Path == "/list":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Link", "<http://"+r.Host+`/list?cursor=b>; rel="next"`)
		io.WriteString(w, `[{"id":1},{"id":2}]`)
	case r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/create"):
		b.created++
		fmt.Fprintf(w, `{"url":"http://%s/datasets/bob/new","name":"bob/new","id":"66aa"}`, r.Host)
	case r.Method == "PUT":
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", fmt.Sprintf(`"real-%d"`, n))
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}
}

// rule adds a rule written as in a file.
func (b *bench) rule(text string) {
	b.Helper()
	rules, err := fault.Parse([]byte(text))
	if err != nil {
		b.Fatal(err)
	}
	if err := b.Add(rules...); err != nil {
		b.Fatal(err)
	}
}

type result struct {
	status int
	header http.Header
	body   []byte
	err    error // of the request or of reading the body
}

func (b *bench) do(method, url, in string, header ...string) result {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(in))
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	res, err := b.client.Do(r)
	if err != nil {
		return result{err: err}
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return result{res.StatusCode, res.Header, raw, err}
}

func (b *bench) get(path string, header ...string) result {
	b.Helper()
	return b.do("GET", b.url[0]+path, "", header...)
}

func TestFirstMatchWinsWithSkipAndCount(t *testing.T) {
	b := newBench(t)
	b.rule(`[{"match":{"method":"get","path":"^/a","query":"x=1","token":"bob","skip":1,"count":2},"do":{"status":503}},
	         {"match":{"path":"^/a"},"do":{"status":500}}]`)
	var got []int
	for range 5 {
		got = append(got, b.get("/a?x=1", "X-User: Bob").status)
	}
	for _, r := range []result{
		b.get("/a?x=2", "X-User: bob"), b.get("/a?x=1", "X-User: alice"), b.do("POST", b.url[0]+"/a?x=1", "", "X-User: bob"), b.get("/b/a"),
	} {
		got = append(got, r.status)
	}
	if d := cmp.Diff([]int{500, 503, 503, 500, 500, 500, 500, 500, 200}, got); d != "" {
		t.Error(d)
	}
	rules := b.Rules()
	if rules[0].Hits != 2 || rules[1].Hits != 6 {
		t.Errorf("%+v", rules)
	}
	b.Clear()
	if b.get("/a").status != 200 || len(b.Rules()) != 0 {
		t.Error("cleared rules are played")
	}
}

func TestAnswerInstead(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{"path":"/text"},"do":{"status":503,"headers":{"Retry-After":"2"},"body":"busy"}}`)
	b.rule(`{"match":{"path":"/html"},"do":{"status":429,"body":"<html>429</html>"}}`)
	b.rule(`{"match":{"path":"/json"},"do":{"status":409,"body":{"error":"no"}}}`)
	if r := b.get("/text"); r.status != 503 || string(r.body) != "busy" || r.header.Get("Retry-After") != "2" {
		t.Errorf("%+v", r)
	}
	if r := b.get("/html"); r.status != 429 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		t.Errorf("%+v", r)
	}
	if r := b.get("/json"); string(r.body) != `{"error":"no"}` || !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") {
		t.Errorf("%s %v", r.body, r.header)
	}
	if len(b.asked) != 0 {
		t.Errorf("the routes were asked: %q", b.asked)
	}
}

func TestApplyThenFail(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{"path":"/create","count":1},"do":{"applyThenFail":true}}`)
	b.rule(`{"match":{"path":"/create","count":1},"do":{"applyThenFail":502}}`)
	if r := b.do("POST", b.url[0]+"/create", "{}"); r.err == nil {
		t.Errorf("answered %d", r.status)
	}
	if r := b.do("POST", b.url[0]+"/create", "{}"); r.status != 502 {
		t.Errorf("%+v", r)
	}
	if b.created != 2 {
		t.Errorf("created %d times", b.created)
	}
}

func TestBodiesAreSpoiled(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{"path":"/drop0"},"do":{"dropAfterBytes":0}}`)
	b.rule(`{"match":{"path":"/drop"},"do":{"dropAfterBytes":300000}}`)
	b.rule(`{"match":{"path":"/late"},"do":{"dropAfterBytes":1000000}}`)
	b.rule(`{"match":{"path":"/short"},"do":{"truncate":10}}`)
	b.rule(`{"match":{"path":"/bad"},"do":{"corruptByteAt":700005}}`)
	b.rule(`{"match":{"path":"/stall"},"do":{"stallAfterBytes":100,"stallMs":60}}`)
	b.rule(`{"match":{"path":"/slow"},"do":{"latencyMs":60}}`)

	if r := b.get("/drop0"); r.err == nil || len(r.body) != 0 {
		t.Errorf("drop0: %d bytes, %v", len(r.body), r.err)
	}
	if r := b.get("/drop"); r.err == nil || !bytes.Equal(r.body, body[:300000]) {
		t.Errorf("drop: %d bytes, %v", len(r.body), r.err)
	}
	if r := b.get("/late"); r.err != nil || !bytes.Equal(r.body, body) {
		t.Errorf("a cut behind the end: %d bytes, %v", len(r.body), r.err)
	}
	if r := b.get("/short"); r.err != nil || !bytes.Equal(r.body, body[:10]) {
		t.Errorf("truncate: %d bytes, %v", len(r.body), r.err)
	}
	wrong := bytes.Clone(body)
	wrong[700005] ^= 0xff
	if r := b.get("/bad"); !bytes.Equal(r.body, wrong) {
		t.Error("the byte is not flipped")
	}
	if r := b.get("/bad", "Range: bytes=700000-700009"); r.status != 206 || !bytes.Equal(r.body, wrong[700000:700010]) {
		t.Errorf("in a range: %q", r.body)
	}
	if r := b.get("/bad", "Range: bytes=10-19"); !bytes.Equal(r.body, body[10:20]) {
		t.Errorf("in another range: %q", r.body)
	}
	for _, path := range []string{"/stall", "/slow"} {
		start := time.Now()
		if r := b.get(path); !bytes.Equal(r.body, body) || time.Since(start) < 60*time.Millisecond {
			t.Errorf("%s: %d bytes after %v", path, len(r.body), time.Since(start))
		}
	}
}

func TestResetIsAReset(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{},"do":{"dropAfterBytes":50,"reset":true}}`)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url[0], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
	_, err = io.ReadAll(conn)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v", err)
	}
}

func TestRanges(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{"path":"/ignore"},"do":{"ignoreRange":true}}`)
	b.rule(`{"match":{"path":"/wrong"},"do":{"wrongRange":true}}`)
	if r := b.get("/ignore", "Range: bytes=10-19"); r.status != 200 || len(r.body) != len(body) {
		t.Errorf("%d, %d bytes", r.status, len(r.body))
	}
	if r := b.get("/wrong", "Range: bytes=10-19"); r.status != 206 || r.header.Get("Content-Range") != "bytes 11-20/1000000" {
		t.Errorf("%v", r.header)
	}
}

func TestTokensAndHeads(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{"path":"/a","count":1},"do":{"expireToken":true}}`)
	b.rule(`{"match":{"path":"/a"},"do":{"revokeToken":true}}`)
	b.rule(`{"match":{"path":"/commit","count":1},"do":{"headMoves":true}}`)
	b.rule(`{"match":{"path":"/commit"},"do":{"headMoves":"x/y.txt"}}`)
	b.get("/a", "X-User: bob")
	b.get("/a", "X-User: bob")
	b.get("/commit")
	b.get("/commit")
	if d := cmp.Diff([]string{"bob false", "bob true"}, b.ended); d != "" {
		t.Error(d)
	}
	want := []string{"GET /a", "GET /a", "moved moved-meanwhile.txt", "GET /commit", "moved x/y.txt", "GET /commit"}
	if d := cmp.Diff(want, b.asked); d != "" {
		t.Error(d)
	}
}

func TestSignedAddressesExpireUntilANewOneIsAskedFor(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{"host":"cdn","path":"^/one","count":1},"do":{"expireSignedUrls":true}}`)
	b.rule(`{"match":{"host":"cdn","path":"^/two","count":1},"do":{"expireSignedUrls":true,"dropAfterBytes":1000}}`)
	for range 2 {
		if r := b.do("GET", b.url[1]+"/one?sig=1", ""); r.status != 403 || !strings.HasPrefix(string(r.body), "<?xml") {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if r := b.do("GET", b.url[1]+"/one?sig=2", ""); r.status != 200 {
		t.Errorf("another address: %d", r.status)
	}
	if r := b.do("GET", b.url[1]+"/two?sig=1", ""); r.err == nil || len(r.body) != 1000 {
		t.Errorf("%d bytes, %v", len(r.body), r.err)
	}
	if r := b.do("GET", b.url[1]+"/two?sig=1", "", "Range: bytes=1000-"); r.status != 403 {
		t.Errorf("%d", r.status)
	}
	b.get("/acme/tiny/resolve/main/w.bin")
	if r := b.do("GET", b.url[1]+"/two?sig=1", "", "Range: bytes=1000-"); r.status != 206 {
		t.Errorf("after asking anew: %d", r.status)
	}
}

func TestMultipart(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{"path":"^/lfs-part/","count":1},"do":{"losePart":2}}`)
	b.rule(`{"match":{"path":"^/noetag/"},"do":{"etagMissing":true}}`)
	b.rule(`{"match":{"path":"/complete"},"do":{"completeFails":true}}`)
	for i, want := range []string{`"real-4"`, `"098f6bcd4621d373cade4e832627b4f6"`, `"real-4"`} {
		r := b.do("PUT", fmt.Sprint(b.url[1], "/lfs-part/abc/", i+1), "test")
		if r.status != 200 || r.header.Get("ETag") != want {
			t.Errorf("part %d: %d, ETag %s", i+1, r.status, r.header.Get("ETag"))
		}
	}
	if slices.Contains(b.asked, "PUT /lfs-part/abc/2") {
		t.Error("the lost part was kept")
	}
	if r := b.do("PUT", b.url[1]+"/lfs-part/abc/2", "test"); r.header.Get("ETag") != `"real-4"` {
		t.Error("the second try is lost too")
	}
	if r := b.do("PUT", b.url[1]+"/noetag/1", "test"); r.status != 200 || r.header.Get("ETag") != "" {
		t.Errorf("%v", r.header)
	}
	if r := b.do("POST", b.url[0]+"/complete", "{}"); r.status != 500 {
		t.Errorf("%d", r.status)
	}
}

// events are the data lines of a stream.
func events(raw []byte) (lines []string) {
	for s := bufio.NewScanner(bytes.NewReader(raw)); s.Scan(); {
		if data, ok := strings.CutPrefix(s.Text(), "data: "); ok {
			lines = append(lines, data)
		}
	}
	return lines
}

func TestEventStreams(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{"query":"cut"},"do":{"sseCloseAfter":2}}`)
	b.rule(`{"match":{"query":"none"},"do":{"sseCloseAfter":0}}`)
	b.rule(`{"match":{"query":"garbage"},"do":{"sseGarbage":3}}`)
	b.rule(`{"match":{"query":"stall"},"do":{"sseStall":1}}`)
	if r := b.get("/events?cut"); r.err == nil || len(events(r.body)) != 2 {
		t.Errorf("cut: %q, %v", r.body, r.err)
	}
	if r := b.get("/events?none"); r.err == nil || r.status != 200 || len(events(r.body)) != 0 {
		t.Errorf("cut at once: %q, %v", r.body, r.err)
	}
	r := b.get("/events?garbage")
	if got := events(r.body); r.err != nil || len(got) != 7 || json.Valid([]byte(got[3])) || got[4] != `{"n":3}` {
		t.Errorf("garbage: %q, %v", got, r.err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", b.url[0]+"/events?stall", nil)
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if !errors.Is(err, context.DeadlineExceeded) || len(events(raw)) != 1 {
		t.Errorf("stall: %q, %v", raw, err)
	}
}

func TestPages(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{"query":"reorder"},"do":{"reorderPages":true}}`)
	b.rule(`{"match":{"query":"empty"},"do":{"emptyPage":true}}`)
	b.rule(`{"match":{"query":"foreign"},"do":{"foreignLink":true}}`)
	b.rule(`{"match":{"query":"named"},"do":{"foreignLink":"http://other.test:1"}}`)
	host := strings.TrimPrefix(b.url[0], "http://")
	for query, want := range map[string][2]string{
		"reorder": {`[{"id":2},{"id":1}]`, "<http://" + host + `/list?cursor=b>; rel="next"`},
		"empty":   {`[]`, "<http://" + host + `/list?empty>; rel="next"`},
		"foreign": {`[{"id":1},{"id":2}]`, `<http://foreign.test/list?cursor=b>; rel="next"`},
		"named":   {`[{"id":1},{"id":2}]`, `<http://other.test:1/list?cursor=b>; rel="next"`},
	} {
		r := b.get("/list?" + query)
		if d := cmp.Diff(want, [2]string{string(r.body), r.header.Get("Link")}); d != "" {
			t.Errorf("%s: %s", query, d)
		}
	}
}

func TestWhatIsNewHides(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{"path":"/create"},"do":{"hideForMs":8000}}`)
	if r := b.do("POST", b.url[0]+"/api/repos/create", "{}"); r.status != 200 || !bytes.Contains(r.body, []byte("bob/new")) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	paths := []string{"/api/datasets/Bob/new", "/datasets/bob/new/resolve/main/x", "/datasets/bob/new.git/info", "/api/jobs/bob/66aa"}
	for _, path := range paths {
		r := b.get(path)
		code := r.header.Get("X-Error-Code")
		if r.status != 404 || (code == "RepoNotFound") == strings.Contains(path, "jobs") {
			t.Errorf("%s: %d, %s", path, r.status, code)
		}
	}
	if b.get("/api/datasets/bob/newer").status != 200 {
		t.Error("another repository is hidden")
	}
	b.clock.Advance(8 * time.Second)
	for _, path := range paths {
		if r := b.get(path); r.status != 200 {
			t.Errorf("%s after the time: %d", path, r.status)
		}
	}
}

func TestConnections(t *testing.T) {
	b := newBench(t)
	b.rule(`{"match":{"host":"hub","count":2},"do":{"refuse":true}}`)
	b.rule(`{"match":{"path":"/commit","count":1},"do":{"refuse":true}}`)
	for i := range 2 {
		if r := b.get("/a"); r.err == nil {
			t.Errorf("connection %d is accepted", i)
		}
	}
	if b.get("/a").status != 200 || b.do("GET", b.url[1]+"/a", "").status != 200 {
		t.Error("refused too much")
	}
	if r := b.do("POST", b.url[0]+"/commit", strings.Repeat("x", 1<<20)); r.err == nil {
		t.Error("a request is not refused")
	}
	if r := b.do("POST", b.url[0]+"/commit", "x"); r.err != nil {
		t.Error(r.err)
	}
	if slices.Index(b.asked, "POST /commit") != len(b.asked)-1 {
		t.Errorf("%q", b.asked)
	}
}

func TestDialerSeesWhatItIsCalled(t *testing.T) {
	b := newBench(t)
	dial := b.Dial(func(addr string) string {
		if "http://"+addr == b.url[0] {
			return fault.Hub
		}
		return ""
	}, (&net.Dialer{}).DialContext)
	b.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
	b.rule(`[{"match":{"count":1},"do":{"refuse":true}},{"match":{"skip":1,"count":1},"do":{"dnsFail":true}}]`)
	if r := b.get("/a"); !errors.Is(r.err, syscall.ECONNREFUSED) {
		t.Errorf("%v", r.err)
	}
	if b.get("/a").status != 200 {
		t.Error("the first is skipped")
	}
	var dns *net.DNSError
	if r := b.get("/a"); !errors.As(r.err, &dns) {
		t.Errorf("%v", r.err)
	}
	if b.get("/a").status != 200 {
		t.Error("failed too often")
	}
	if b.do("GET", b.url[1]+"/a", "").status != 200 {
		t.Error("another host fails")
	}
}

func TestAreasAskForTheirs(t *testing.T) {
	s := fault.New(fault.Options{})
	if err := s.Add(fault.Rule{Do: fault.Do{StickStage: "BUILDING", FailStage: "BUILD_ERROR"}}); err != nil {
		t.Fatal(err)
	}
	var got fault.Do
	h := s.Middleware(fault.Hub, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = fault.From(r.Context()) }))
	ctx, trace := fault.Watch(t.Context())
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "POST", "/", nil))
	if got.StickStage != "BUILDING" || got.FailStage != "BUILD_ERROR" || fault.From(t.Context()).StickStage != "" {
		t.Errorf("%+v", got)
	}
	if d := cmp.Diff([]string{"failStage", "stickStage"}, trace.Names); d != "" {
		t.Error(d)
	}
}

func TestBadRules(t *testing.T) {
	for text, want := range map[string]string{
		`{"do":{"sseClosAfter":1}}`:          "sseClosAfter",
		`{"match":{"host":"mars"},"do":{}}`:  "match.host",
		`{"match":{"path":"("},"do":{}}`:     "match.path",
		`{"match":{"query":"("},"do":{}}`:    "match.query",
		`{"match":{"skip":-1},"do":{}}`:      "match.skip",
		`{"do":{"status":99}}`:               "do.status",
		`{"do":{"applyThenFail":[]}}`:        "neither",
		`[{"do":{}},{"match":{"host":"x"}}]`: "rule 1",
		``:                                   "read fault rules",
	} {
		if _, err := fault.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Rules are read and written in one form.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`[{"match":{"host":"cdn","method":"PUT","path":"^/lfs-part/","query":"","token":"bob","skip":1,"count":2},"do":{"status":503,"headers":{"Retry-After":"1"},"body":"busy"}}]`))
	f.Add([]byte(`{"do":{"applyThenFail":502,"headMoves":"a","foreignLink":true,"sseStall":0}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rules, err := fault.Parse(raw)
		if err != nil {
			return
		}
		text, err := json.Marshal(rules)
		if err != nil {
			t.Fatal(err)
		}
		again, err := fault.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		second, _ := json.Marshal(again)
		if !bytes.Equal(text, second) {
			t.Errorf("%s became %s", text, second)
		}
	})
}
