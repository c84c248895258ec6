package jobs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/jobs"
)

// crowd is a Hub with many jobs, whose logs are made while they are read: it
// keeps nothing itself. The first connections to each log break.
type crowd struct {
	lines int
	cuts  int

	mu        sync.Mutex
	made      int
	connected map[string]int
}

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/jobs/acme"), "/logs")
	id = strings.Trim(id, "/")
	c.mu.Lock()
	if r.Method == http.MethodPost {
		c.made++
		id = fmt.Sprintf("66aa%020d", c.made)
	}
	n := c.connected[id]
	if strings.HasSuffix(r.URL.Path, "/logs") {
		c.connected[id]++
	}
	c.mu.Unlock()
	if !strings.HasSuffix(r.URL.Path, "/logs") {
		stage := "RUNNING"
		if n > c.cuts {
			stage = "COMPLETED"
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":%q,"createdAt":"2026-01-01T00:00:00.000Z","flavor":"cpu-basic","owner":{"name":"acme"},"status":{"stage":%q},"durations":{"runningSecs":60}}`, id, stage)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	last := c.lines
	if n < c.cuts {
		last = c.lines * (n + 1) / (c.cuts + 1)
	}
	for i := 1; i <= last; i++ {
		fmt.Fprintf(w, "data: {\"data\":\"step %d of %s %s\",\"timestamp\":\"2026-01-01T00:00:00.000Z\"}\n\n", i, id, strings.Repeat("x", 80))
	}
	if n < c.cuts {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// quiet is the surroundings of a call that keep no line.
type quiet struct {
	tooltest.Env
	told *atomic.Int64
}

func (q *quiet) Log(line string) { q.told.Add(int64(len(line))) }

// followMany runs many jobs at once to their end and returns the most memory
// that was in use meanwhile, in bytes, less what was in use before.
func followMany(t testing.TB, many int, c *crowd, dir string) (grown int64) {
	t.Helper()
	net := hubtest.New(t)
	c.connected = map[string]int{}
	net.ServeHub(c.ServeHTTP)
	conn, err := wire.New(wire.Options{HTTP: net.Client(), Endpoint: hubtest.Hub, Token: "hf_x"})
	if err != nil {
		t.Fatal(err)
	}
	hfJobs, err := jobs.New(jobs.Options{
		Jobs: job.New(conn), Namespace: func(context.Context, string) (string, error) { return "acme", nil },
		Prices: price.New(price.Options{Table: price.Jobs(), Fetch: func(context.Context) ([]price.Flavor, error) { return nil, nil }}),
		LogDir: func(string) string { return dir },
	})
	if err != nil {
		t.Fatal(err)
	}
	var m runtime.MemStats
	inUse := func() int64 { runtime.ReadMemStats(&m); return int64(m.HeapInuse + m.StackInuse) }
	runtime.GC()
	before := inUse()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var told atomic.Int64
	var peak int64
	var calls, watch sync.WaitGroup
	watch.Go(func() {
		for ctx.Err() == nil {
			peak = max(peak, inUse())
			time.Sleep(20 * time.Millisecond)
		}
	})
	for i := range many {
		calls.Go(func() {
			env := &quiet{Env: tooltest.Env{Call: fmt.Sprintf("call_%d", i)}, told: &told}
			r, err := hfJobs.Run(ctx, env, json.RawMessage(`{"operation":"run","command":["train"],"namespace":"acme"}`))
			if err != nil || !r.OK {
				t.Errorf("call %d: %+v, %v", i, r, err)
			}
		})
	}
	calls.Wait()
	cancel()
	watch.Wait()
	peak = max(peak, inUse())
	if err := hfJobs.Close(context.Background()); err != nil {
		t.Error(err)
	}
	return peak - before
}

// Fifty jobs at once take little memory, and every line of each comes once
// through three cuts.
func TestFiftyJobsAtOnce(t *testing.T) {
	const many, limit = 50, 30 << 20
	lines := 2000
	if raceDetector {
		lines = 200
	}
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := &crowd{lines: lines, cuts: 3}
		grown := followMany(t, many, c, dir)
		t.Logf("%d jobs with %d lines each grew by %.1f MB", many, lines, float64(grown)/(1<<20))
		if grown > limit && !raceDetector {
			t.Errorf("memory grew by %d bytes, more than %d", grown, limit)
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*.log"))
		if len(files) != many {
			t.Fatalf("%d logs", len(files))
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			id := strings.TrimSuffix(filepath.Base(file), ".log")
			n := 0
			for line := range strings.Lines(string(text)) {
				n++
				if !strings.HasPrefix(line, fmt.Sprintf("step %d of %s ", n, id)) {
					t.Fatalf("line %d of %s is %q", n, id, line)
				}
			}
			if n != lines {
				t.Errorf("%s has %d lines", id, n)
			}
			c.mu.Lock()
			if c.connected[id] != 5 { // three that break, one to the end, one after it
				t.Errorf("%s was connected to %d times", id, c.connected[id])
			}
			c.mu.Unlock()
		}
	})
}

// BenchmarkFiftyJobs follows fifty jobs through three cuts each; it tells the
// time and the memory of all together.
func BenchmarkFiftyJobs(b *testing.B) {
	const many, lines = 50, 2000
	for b.Loop() {
		c := &crowd{lines: lines, cuts: 0}
		b.ReportMetric(float64(followMany(b, many, c, b.TempDir()))/(1<<20), "MB-grown")
		b.SetBytes(many * lines * 150)
	}
}
