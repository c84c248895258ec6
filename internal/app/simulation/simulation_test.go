package simulation_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/simulation"
)

func start(t *testing.T, name string) *simulation.Simulation {
	t.Helper()
	scenario, err := simulation.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := simulation.Start(t.Context(), scenario, simulation.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return sim
}

// Only this machine is reached, and by model calls the host that was allowed.
func TestGuard(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	g := &simulation.Guard{}
	conn, err := g.Dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	for _, address := range []string{
		"huggingface.co:443", "192.0.2.1:80", "10.0.0.1:80", "[2001:db8::1]:443", "127.0.0.1.evil.example:80", "localhost.evil.example:80",
		"0.0.0.0:80", "[::]:80", "127.1:80", "169.254.169.254:80",
	} {
		_, err := g.Dial(t.Context(), "tcp", address)
		var refusal *simulation.Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if n := len(g.Refused()); n != 10 {
		t.Errorf("%d refusals are remembered", n)
	}
	host, remote, err := g.Allow("https://api.example.invalid/v1")
	if host != "api.example.invalid" || !remote || err != nil {
		t.Errorf("%q %v %v", host, remote, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var refusal *simulation.Refusal
	if _, err := g.DialModel(ctx, "tcp", "api.example.invalid:443"); errors.As(err, &refusal) {
		t.Error("the model's host is refused to model calls")
	}
	for _, address := range []string{"api.example.invalid:80", "other.invalid:443"} {
		if _, err := g.DialModel(t.Context(), "tcp", address); !errors.As(err, &refusal) {
			t.Errorf("model calls reach %s", address)
		}
	}
	if _, err := g.Dial(t.Context(), "tcp", "api.example.invalid:443"); !errors.As(err, &refusal) {
		t.Error("the model's host is reached by others")
	}
	if _, remote, err := g.Allow("http://localhost:11434"); remote || err != nil {
		t.Errorf("a local server: %v %v", remote, err)
	}
	for _, bad := range []string{"://", "no address"} {
		if _, _, err := g.Allow(bad); err == nil {
			t.Errorf("%q is allowed", bad)
		}
	}
}

// A refused host is not even looked up, and neither is this machine's own name.
func TestGuardAsksNoNameServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var asked atomic.Int64
	own := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = own })
	net.DefaultResolver = &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		asked.Add(1)
		return nil, errors.New("no name server is asked here")
	}}
	g := &simulation.Guard{}
	client := &http.Client{Transport: &http.Transport{DialContext: g.Dial}}
	defer client.CloseIdleConnections()
	for _, url := range []string{
		"https://huggingface.co/", "http://localhost.evil.example/", "http://127.0.0.1.evil.example/", "http://evil.localhost/", "http://localtest.me/",
		"http://localhost./", "http://huggingface.co:80/", "https://api.anthropic.com/v1",
	} {
		resp, err := client.Get(url)
		var refusal *simulation.Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v", url, err)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
	if asked.Load() != 0 {
		t.Errorf("a name server was asked %d times for refused hosts", asked.Load())
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, host := range []string{"localhost", "LOCALHOST"} {
		conn, err := g.Dial(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if asked.Load() != 0 {
		t.Errorf("a name server was asked for localhost")
	}
	// The same way of asking does reach a name server where it is wanted.
	if _, _, err := g.Allow("https://model.invalid"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.DialModel(t.Context(), "tcp", "model.invalid:443"); err == nil || asked.Load() == 0 {
		t.Errorf("the model's host was not looked up: %v", err)
	}
}

// The run knows nothing of the real Hub and its neighbours.
func TestEnviron(t *testing.T) {
	sim := start(t, "calm")
	env, err := sim.Environ([]string{
		"PATH=/bin", "HF_TOKEN=hf_real", "HUGGINGFACE_HUB_TOKEN=hf_real", "HF_HOME=/real", "HF_ENDPOINT=https://huggingface.co",
		"ML_INTERN_JOB_TOKEN=hf_real", "GITHUB_TOKEN=ghp_real", "ML_INTERN_S2_URL=https://s2.example", "CLAWD_WEB_SEARCH_BASE_URL=https://w.example",
		"https_proxy=http://proxy.example:3128", "HTTP_PROXY=http://proxy.example:3128", "NO_PROXY=.example",
		"ANTHROPIC_API_KEY=mine", "OLLAMA_BASE_URL=http://gpu:11434", "ML_INTERN_HOME=/h",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range env {
		for _, real := range []string{"hf_real", "ghp_real", "huggingface.co", "s2.example", "w.example", "=/real", "proxy.example", "=.example"} {
			if strings.Contains(entry, real) {
				t.Errorf("%s is left", entry)
			}
		}
	}
	for _, kept := range []string{"https_proxy=http://127.0.0.1:9", "NO_PROXY=localhost,127.0.0.1,::1", "PATH=/bin", "ANTHROPIC_API_KEY=mine", "OLLAMA_BASE_URL=http://gpu:11434", "ML_INTERN_HOME=/h", "HF_ENDPOINT=" + sim.URL()} {
		if !slices.Contains(env, kept) {
			t.Errorf("%s is missing", kept)
		}
	}
}

func call(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer hf_bob_write")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

const job = `{"dockerImage":"python:3.12","command":["python3","-c","print(1)"],"arguments":[],"environment":{},"flavor":"cpu-basic"}`

func TestScenarios(t *testing.T) {
	if _, err := simulation.Find("rainy"); err == nil || !strings.Contains(err.Error(), "flaky-storage") {
		t.Errorf("an unknown scenario: %v", err)
	}
	if status, text := call(t, "POST", start(t, "no-credits").URL()+"/api/jobs/bob", job); status != http.StatusPaymentRequired {
		t.Errorf("no-credits: %d %s", status, text)
	}
	limited := start(t, "rate-limited")
	seen := map[int]int{}
	for range 12 {
		status, _ := call(t, "GET", limited.URL()+"/api/models/acme/tiny-gpt", "")
		seen[status]++
	}
	if seen[429] == 0 || seen[200] < 6 {
		t.Errorf("rate-limited: %v", seen)
	}
	if got := start(t, "calm").Bill(); got.TotalUSD != 0 || len(got.Lines) != 0 {
		t.Errorf("the bill of nothing: %s", got)
	}
}

// A job's bill is told in the end.
func TestBill(t *testing.T) {
	sim := start(t, "calm")
	status, text := call(t, "POST", sim.URL()+"/api/jobs/acme", job)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	deadline := time.Now().Add(20 * time.Second)
	for len(sim.Bill().Lines) == 0 && time.Now().Before(deadline) {
		_, _ = call(t, "GET", sim.URL()+"/api/jobs/acme", "")
	}
	bill := sim.Bill().String()
	if !strings.Contains(bill, "jobs cpu-basic, 1 min (acme, ") || !strings.Contains(bill, "nothing was paid") {
		t.Errorf("%s", bill)
	}
}
