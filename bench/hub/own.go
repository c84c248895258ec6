package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	fetch "github.com/ml-intern/ml-intern/internal/adapter/hub/download"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// play makes one transfer with the project's client and prints its figures.
func play(role string) error {
	ctx := context.Background()
	web, err := httpx.New(httpx.Options{Version: "bench"})
	if err != nil {
		return err
	}
	c, err := hub.New(hub.Options{HTTP: web, Endpoint: os.Getenv("HF_ENDPOINT"), Token: os.Getenv("HF_TOKEN")})
	if err != nil {
		return err
	}
	defer c.Close()
	name, id := os.Getenv("BENCH_NAME"), os.Getenv("BENCH_MODEL")
	var f figures
	f.BeforeMB, _ = memory()
	begun := time.Now()
	switch role {
	case upload:
		_, err = c.Commits.Commit(ctx, commit.Request{
			Target: commit.Target{Type: wire.Model, Repo: id}, Summary: "file",
			Operations: []commit.Operation{commit.Add{Path: name, File: os.Getenv("BENCH_FILE")}},
		})
	case download:
		var d *fetch.API
		if d, err = fetch.New(c.Conn, fetch.Options{Own: os.Getenv("BENCH_CACHE")}); err == nil {
			f.Path, err = d.File(ctx, fetch.Source{Type: wire.Model, ID: id, Revision: "main"}, name)
		}
	default:
		err = fmt.Errorf("there is no role %q", role)
	}
	if err != nil {
		return err
	}
	f.Seconds = time.Since(begun).Seconds()
	_, f.PeakMB = memory()
	return json.NewEncoder(os.Stdout).Encode(f)
}

// memory is the resident size of this process, now and at most, in MB. Where the
// system does not show it both are 0: what the system counts for children has
// their parents in it.
func memory() (now, most float64) {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(line, ":")
		var kib float64
		_, _ = fmt.Sscan(value, &kib)
		switch key {
		case "VmRSS":
			now = kib * 1024 / 1e6
		case "VmHWM":
			most = kib * 1024 / 1e6
		}
	}
	return now, most
}

// cut makes so many answers of the content host end at random places.
func (w *world) cut(times int) error {
	spread := uint64(1 + w.size/partSize/int64(2*times)) // answers that may pass between two cuts
	for range times {
		at := int64(w.rand.Uint64() % uint64(min(w.size/int64(times+1), partSize)))
		err := w.hub.Faults.Add(fault.Rule{
			Match: fault.Match{Host: fault.CDN, Method: http.MethodGet, Skip: int(w.rand.Uint64() % spread), Count: 1}, Do: fault.Do{DropAfterBytes: &at},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// clients is how many ask at once when requests are counted.
const clients = 8

// count prints how many requests a simulator answers in a second.
func count(ctx context.Context, d time.Duration) error {
	sim, err := hubsim.New(hubsim.Options{Seed: "acme"})
	if err != nil {
		return err
	}
	defer sim.Close()
	if err := sim.Start(ctx); err != nil {
		return err
	}
	for _, path := range []string{"/api/whoami-v2", "/api/models/acme/tiny-gpt", "/api/models/acme/tiny-gpt/tree/main"} {
		n, err := ask(ctx, sim.URL()+path, d)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		fmt.Printf("%-40s %6.0f requests/s\n", "GET "+path, n)
	}
	return nil
}

func ask(ctx context.Context, url string, d time.Duration) (perSecond float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	var n, bad atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
				if err != nil {
					bad.Add(1)
					return
				}
				r.Header.Set("Authorization", "Bearer "+token)
				resp, err := transport.RoundTrip(r)
				if err != nil {
					continue // the time is over
				}
				if resp.StatusCode != http.StatusOK {
					bad.Add(1)
				}
				drain(resp)
				n.Add(1)
			}
		})
	}
	all.Wait()
	if bad.Load() > 0 {
		return 0, fmt.Errorf("%d of %d were refused", bad.Load(), n.Load())
	}
	return float64(n.Load()) / time.Since(begun).Seconds(), nil
}

func drain(resp *http.Response) {
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}
