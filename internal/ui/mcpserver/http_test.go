package mcpserver_test

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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

// request is a message as a client sends it; what is changed makes it another
// one.
func request(t *testing.T, method, address, body string, change func(*http.Request)) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if change != nil {
		change(r)
	}
	return r
}

// send sends a request and returns the status and the beginning of the answer.
func send(t *testing.T, r *http.Request) (status int, header http.Header, body string) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, resp.Header, string(raw)
}

// modern is a message of a revision without sessions.
func modern(method, params string) string {
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	if params != "" {
		meta = params + "," + meta
	}
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + meta + `}}`
}

func revision(r *http.Request) {
	r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
	r.Header.Set("Mcp-Method", "tools/list")
}

// Who does not belong here does not get in, whatever it asks for.
func TestGuard(t *testing.T) {
	called := 0
	s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{offer("good", func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
		called++
		return mcpserver.Result{Text: "it is good"}, nil
	})}})
	server := web(t, s, "Gpu.Example")
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Del(name)
			for _, v := range values {
				r.Header.Add(name, v)
			}
		}
	}
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	for name, tt := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"as it should be":          {nil, 200},
		"no token":                 {set("Authorization"), 401},
		"an empty token":           {set("Authorization", "Bearer "), 401},
		"a wrong token":            {set("Authorization", "Bearer 0123456789abcdef-secreT"), 401},
		"half a token":             {set("Authorization", "Bearer "+token[:10]), 401},
		"more than the token":      {set("Authorization", "Bearer "+token+"x"), 401},
		"another scheme":           {set("Authorization", "Basic "+token), 401},
		"the token alone":          {set("Authorization", token), 401},
		"two tokens":               {set("Authorization", "Bearer x", "Bearer "+token), 401},
		"two tokens, turned":       {set("Authorization", "Bearer "+token, "Bearer x"), 401},
		"a scheme in small":        {set("Authorization", "bearer "+token), 200},
		"localhost":                {host("localhost" + port), 200},
		"LOCALHOST":                {host("LOCALHOST" + port), 200},
		"an address":               {host("192.168.1.7" + port), 200},
		"an address of six":        {host("[::1]" + port), 200},
		"an address without port":  {host("127.0.0.1"), 200},
		"a name it goes by":        {host("gpu.example" + port), 200},
		"a rebound name":           {host("evil.example" + port), 403},
		"a name below its name":    {host("x.gpu.example"), 403},
		"a name like localhost":    {host("localhost.evil.example" + port), 403},
		"a name like an address":   {host("127.0.0.1.evil.example"), 403},
		"a name with a user":       {host("localhost@evil.example"), 403},
		"a page of this machine":   {set("Origin", "http://localhost:6274"), 200},
		"a page by address":        {set("Origin", "http://127.0.0.1:5173"), 200},
		"a page of the name":       {set("Origin", "https://gpu.example"), 200},
		"a foreign page":           {set("Origin", "https://evil.example"), 403},
		"a page of no origin":      {set("Origin", "null"), 403},
		"a page in the network":    {set("Origin", "http://192.168.1.7"), 403},
		"an extension":             {set("Origin", "chrome-extension://abcdef"), 403},
		"a page with a user":       {set("Origin", "http://localhost@evil.example"), 403},
		"an origin with a path":    {set("Origin", "http://localhost/x"), 403},
		"two origins":              {set("Origin", "http://localhost", "https://evil.example"), 403},
		"an empty origin":          {set("Origin", ""), 403},
		"a foreign page, no token": {func(r *http.Request) { set("Origin", "https://evil.example")(r); set("Authorization")(r) }, 403},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"POST", "GET", "DELETE", "PUT", "OPTIONS"} {
				r := request(t, method, server.URL+"/mcp", modern("tools/list", ""), func(r *http.Request) {
					revision(r)
					if tt.change != nil {
						tt.change(r)
					}
				})
				status, header, body := send(t, r)
				want := tt.want
				if want == 200 && method != "POST" {
					want = 405
				}
				if status != want {
					t.Errorf("%s: status %d, want %d: %s", method, status, want, body)
				}
				if want == 401 && !strings.HasPrefix(header.Get("Www-Authenticate"), "Bearer") {
					t.Errorf("it does not say what is missing: %v", header)
				}
				if strings.Contains(body, token) || header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%v %s", header, body)
				}
			}
		})
	}
	if called > 0 {
		t.Errorf("a tool was called %d times", called)
	}
}

func TestWeakTokens(t *testing.T) {
	s := newServer(t, mcpserver.Options{})
	for _, token := range []string{"", "0123456789abcde"} {
		if _, err := s.Handler(mcpserver.HTTP{Token: token}); err == nil {
			t.Errorf("%q is taken", token)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ServeHTTP(t.Context(), l, mcpserver.HTTP{Token: token}); err == nil {
			t.Error("it was served")
		}
		_ = l.Close()
	}
}

// Messages that are too long, too many or none at all are refused, and the
// server goes on.
func TestHostileMessages(t *testing.T) {
	s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{offer("good", says("it is good"))}})
	server := web(t, s)
	batch := "[" + strings.TrimSuffix(strings.Repeat(`{"jsonrpc":"2.0","id":1,"method":"ping"},`, 10_000), ",") + "]"
	old := func(r *http.Request) { r.Header.Set("Mcp-Protocol-Version", "2025-03-26") }
	for name, tt := range map[string]struct {
		path, body string
		change     func(*http.Request)
		want       int
	}{
		"another path":          {"/", modern("tools/list", ""), revision, 404},
		"a path below":          {"/mcp/x", modern("tools/list", ""), revision, 404},
		"no body":               {"/mcp", "", revision, 400},
		"no JSON":               {"/mcp", "hello", revision, 400},
		"half of it":            {"/mcp", `{"jsonrpc":"2.0","id":1,`, revision, 400},
		"no message":            {"/mcp", `{}`, revision, 400},
		"null":                  {"/mcp", `null`, revision, 400},
		"a number":              {"/mcp", `42`, revision, 400},
		"an unknown method":     {"/mcp", modern("nothing", ""), revision, 404},
		"a batch":               {"/mcp", " \n" + batch, revision, 400},
		"a batch of old":        {"/mcp", batch, old, 400},
		"an empty batch":        {"/mcp", "[]", old, 400},
		"too long":              {"/mcp", modern("tools/call", `"name":"`+strings.Repeat("x", 5<<20)+`"`), revision, 413},
		"deep":                  {"/mcp", strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000), revision, 400},
		"another revision":      {"/mcp", modern("tools/list", ""), func(r *http.Request) { r.Header.Set("Mcp-Protocol-Version", "1999-01-01") }, 400},
		"a revision to come":    {"/mcp", strings.ReplaceAll(modern("tools/list", ""), "2026-07-28", "2099-01-01"), func(r *http.Request) { r.Header.Set("Mcp-Protocol-Version", "2099-01-01") }, 400},
		"a header that lies":    {"/mcp", modern("tools/list", ""), func(r *http.Request) { revision(r); r.Header.Set("Mcp-Method", "tools/call") }, 400},
		"no header":             {"/mcp", modern("tools/list", ""), nil, 400},
		"a form":                {"/mcp", modern("tools/list", ""), func(r *http.Request) { revision(r); r.Header.Set("Content-Type", "text/plain") }, 415},
		"an unknown session":    {"/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, func(r *http.Request) { r.Header.Set("Mcp-Session-Id", "../../x") }, 404},
		"a list before a hello": {"/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, body := send(t, request(t, "POST", server.URL+tt.path, tt.body, tt.change))
			if status != tt.want {
				t.Errorf("status %d, want %d: %s", status, tt.want, body)
			}
			if tt.want == 200 && !strings.Contains(body, `"error"`) {
				t.Errorf("it was answered: %s", body)
			}
		})
	}
	if r := overHTTP(t, server.URL).call(t, "good", nil, nil); text(t, r) != "it is good" {
		t.Errorf("%+v", r)
	}
}

// speakers are a client of each kind of revision.
func speakers(t *testing.T, address string) map[string]func() client {
	return map[string]func() client{
		"without sessions": func() client { return overHTTP(t, address) },
		"with sessions": func() client {
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			return dial(t, &mcp.StreamableClientTransport{
				Endpoint: address + "/mcp", HTTPClient: &http.Client{Transport: older{bearer{transport}}}, MaxRetries: -1,
			})
		},
	}
}

// older makes a client speak a revision with sessions: the question which
// revisions there are is answered as an older server does.
type older struct{ next http.RoundTripper }

func (o older) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if bytes.Contains(raw, []byte(`"server/discover"`)) {
			return &http.Response{StatusCode: 400, Body: io.NopCloser(strings.NewReader("Bad Request")), Header: http.Header{}, Request: r}, nil
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
	}
	return o.next.RoundTrip(r)
}

// Both kinds of revisions list, call, hear progress, and cancel.
func TestRevisions(t *testing.T) {
	waits, begun, causes := waiting()
	s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{
		waits, offer("tells", func(_ context.Context, _ json.RawMessage, report func(string)) (mcpserver.Result, error) {
			report("half of it")
			return mcpserver.Result{Text: "done"}, nil
		}),
	}})
	server := web(t, s)
	for name, speak := range speakers(t, server.URL) {
		t.Run(name, func(t *testing.T) {
			c := speak()
			if with := c.InitializeResult().ProtocolVersion < "2026-07-28"; with != (name == "with sessions") {
				t.Fatalf("it speaks %s", c.InitializeResult().ProtocolVersion)
			}
			if list, err := c.ListTools(t.Context(), nil); err != nil || len(list.Tools) != 2 {
				t.Fatalf("%+v, %v", list, err)
			}
			if r := c.call(t, "tells", nil, "p1"); text(t, r) != "done" {
				t.Errorf("%+v", r)
			}
			if p := <-c.told; p.n != 1 || p.line != "half of it" {
				t.Errorf("%+v", p)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = c.CallTool(ctx, &mcp.CallToolParams{Name: "waits"})
			}()
			<-begun
			at := time.Now()
			cancel()
			if err := <-causes; !errors.Is(err, context.Canceled) {
				t.Errorf("the cause is %v", err)
			}
			<-ended
			if took := time.Since(at); took > time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// Requests that stay open are bounded, and so are sessions.
func TestFlood(t *testing.T) {
	gate, begun := make(chan struct{}), make(chan struct{}, 1000)
	s := newServer(t, mcpserver.Options{Parallel: 1000, Tools: []mcpserver.Tool{
		offer("waits", func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
			begun <- struct{}{}
			<-gate
			return mcpserver.Result{Text: "done"}, nil
		}),
	}})
	h, err := s.Handler(mcpserver.HTTP{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	post := func(body string, change func(*http.Request)) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(t, "POST", "http://localhost/mcp", body, change))
		return w
	}
	callWaits := func(r *http.Request) {
		revision(r)
		r.Header.Set("Mcp-Method", "tools/call")
		r.Header.Set("Mcp-Name", "waits")
	}
	var all sync.WaitGroup
	for range 256 {
		all.Go(func() {
			if w := post(modern("tools/call", `"name":"waits"`), callWaits); w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	for range 256 {
		<-begun
	}
	if w := post(modern("tools/list", ""), revision); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("one too many: %d %s", w.Code, w.Body)
	}
	close(gate)
	all.Wait()
	if w := post(modern("tools/list", ""), revision); w.Code != 200 {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
	opened := 0
	for ; opened < 300; opened++ {
		w := post(hello, nil)
		if w.Code == 503 {
			break
		}
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if opened != 256 {
		t.Errorf("%d sessions were opened", opened)
	}
	if w := post(modern("tools/list", ""), revision); w.Code != 200 {
		t.Errorf("who needs no session: %d %s", w.Code, w.Body)
	}
}

// A client that sends its request drop by drop, or does not take its answer in,
// is one connection and no more; the end of the server ends its streams.
func TestServeHTTP(t *testing.T) {
	waits, begun, causes := waiting()
	s := newServer(t, mcpserver.Options{Tools: []mcpserver.Tool{waits}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- s.ServeHTTP(ctx, l, mcpserver.HTTP{Token: token}) }()
	address := "http://" + l.Addr().String()

	drop, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer drop.Close()
	fmt.Fprintf(drop, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", token)

	status, header, body := send(t, request(t, "POST", address+"/mcp", hello, nil))
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	id := header.Get("Mcp-Session-Id")
	session := func(r *http.Request) {
		r.Header.Set("Mcp-Session-Id", id)
		r.Header.Set("Mcp-Protocol-Version", "2025-11-25")
	}
	if status, _, body := send(t, request(t, "POST", address+"/mcp", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, session)); status != 202 {
		t.Fatalf("%d %s", status, body)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	web := &http.Client{Transport: transport}
	open := func(method, body string) *http.Response {
		resp, err := web.Do(request(t, method, address+"/mcp", body, session))
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 200 {
			t.Fatalf("%s: %s", method, resp.Status)
		}
		return resp
	}
	stream := open("GET", "")
	defer stream.Body.Close()
	waiting := open("POST", callWaits)
	defer waiting.Body.Close()
	<-begun
	at := time.Now()
	cancel()
	if err := <-causes; !errors.Is(err, mcpserver.ErrStopped) {
		t.Errorf("the cause is %v", err)
	}
	for _, r := range []*http.Response{stream, waiting} {
		_, _ = io.Copy(io.Discard, bufio.NewReader(r.Body)) // to its end
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if took := time.Since(at); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("somebody listens still")
	}
}

func TestAddr(t *testing.T) {
	for in, want := range map[string]string{
		":7871": "127.0.0.1:7871", "127.0.0.1:0": "127.0.0.1:0", "0.0.0.0:80": "0.0.0.0:80", "[::1]:1": "[::1]:1", "localhost:1": "localhost:1",
		"": "", "7871": "", "127.0.0.1": "", "::1": "",
	} {
		if got, err := mcpserver.Addr(in); got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// Whatever a request says of itself, without the token nothing is answered, and a
// foreign name never is.
func FuzzGuard(f *testing.F) {
	s, err := mcpserver.New(mcpserver.Options{Name: "x", Version: "1", Tools: []mcpserver.Tool{offer("good", says("it is good"))}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	h, err := s.Handler(mcpserver.HTTP{Token: token})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("localhost:7871", "http://localhost", "Bearer "+token)
	f.Add("evil.example", "", "Bearer "+token)
	f.Add("127.0.0.1", "null", "Basic x")
	f.Add("[::1", "http://[::1", "bearer")
	f.Add("[fe80::1%25evil.example]:1", "http://user@localhost:1/", "Bearer  "+token)
	f.Fuzz(func(t *testing.T, host, origin, authorization string) {
		r := httptest.NewRequest("POST", "http://localhost/mcp", strings.NewReader(modern("tools/list", "")))
		r.Host = host
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		revision(r)
		r.Header["Origin"] = []string{origin}
		r.Header["Authorization"] = []string{authorization}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 {
			if w.Code != 401 && w.Code != 403 {
				t.Errorf("status %d", w.Code)
			}
			return
		}
		if !strings.HasSuffix(strings.TrimSpace(authorization), token) {
			t.Errorf("%q gets in", authorization)
		}
		for _, text := range []string{host, origin} {
			if strings.Contains(text, "evil") && !strings.Contains(text, "%") {
				t.Errorf("%q gets in", text)
			}
		}
	})
}

// No message breaks the server.
func FuzzMessage(f *testing.F) {
	s, err := mcpserver.New(mcpserver.Options{Name: "x", Version: "1", Tools: []mcpserver.Tool{offer("good", says("it is good"))}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	h, err := s.Handler(mcpserver.HTTP{Token: token})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(modern("tools/list", "")), "2026-07-28")
	f.Add([]byte(modern("tools/call", `"name":"good","arguments":null`)), "2026-07-28")
	f.Add([]byte(hello), "")
	f.Add([]byte(`{"jsonrpc":"2.0","id":null,"method":"tools/call","params":[]}`), "2025-11-25")
	f.Add([]byte(`{"jsonrpc":"2.0","id":{},"result":{}}`), "2025-03-26")
	f.Fuzz(func(t *testing.T, body []byte, version string) {
		if bytes.Contains(body, []byte("listen")) {
			return // it stays open for as long as it is wanted
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, "POST", "http://localhost/mcp", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		if version != "" {
			r.Header["Mcp-Protocol-Version"] = []string{version}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != 503 {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}
