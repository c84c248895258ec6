package terminal_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/screentest"
)

// peak is the most memory a process has used, in bytes.
func peak(t testing.TB, pid int) int64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("memory is measured on Linux alone: %v", err)
	}
	_, rest, _ := strings.Cut(string(raw), "VmHWM:")
	fields := strings.Fields(rest)
	kb, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// A session of ten hours, 20,000 events: the terminal stays below 100 MB, the
// session itself included, which keeps its journal in memory here.
func TestLongSession(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is measured on Linux alone")
	}
	x := start(t, 80, 24)
	x.See("test/model")
	x.Type("live 20000")
	x.Press("enter")
	x.See("that was long")
	x.Type("still here")
	x.See("still here")
	got := peak(t, x.PID())
	t.Logf("peak memory %d MB", got>>20)
	if limit := int64(100 << 20); got > limit && !raceEnabled {
		t.Errorf("peak memory is %d MB, more than %d", got>>20, limit>>20)
	}
}

// A session of 20,000 events is there again at once, its last turns on the
// screen.
func TestResumeLong(t *testing.T) {
	begun := time.Now()
	x := start(t, 80, 24, "STAGE_EVENTS=20000")
	x.See("test/model")
	x.SeeAll("earlier turns")
	x.Type("hello")
	x.See("hello")
	took := time.Since(begun)
	t.Logf("ready after %s, writing the session among it", took)
	if !strings.Contains(x.All(), "29") {
		t.Errorf("the last turn is not shown:\n%s", x.All())
	}
	if limit := 5 * time.Second; took > limit && !raceEnabled {
		t.Errorf("ready after %s, more than %s", took, limit)
	}
}

// echoes types keys while text streams and returns how long each took to be
// seen.
func echoes(x *screentest.Terminal, n int) []time.Duration {
	x.Type("stream 100000")
	x.Press("enter")
	x.See("word20")
	var took []time.Duration
	text := ""
	for i := range n {
		key := string(rune('a' + i%26))
		if text += key; i%40 == 39 {
			x.Press("ctrl+u")
			x.Gone(text[:20])
			text = key
		}
		begun := time.Now()
		x.Type(key)
		x.Until("the echo", func(screen string) bool { return strings.Contains(screen, " "+text) })
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took
}

// While 200 words a second arrive, keys are seen without a noticeable pause. The
// bound is wide because machines that test are busy; BenchmarkKeystroke measures.
func TestKeystrokes(t *testing.T) {
	x := start(t, 80, 24)
	x.See("test/model")
	took := echoes(x, 100)
	t.Logf("half of the keys within %s, 99 %% within %s", took[len(took)/2], took[len(took)*99/100])
	if limit := 500 * time.Millisecond; took[len(took)*9/10] > limit {
		t.Errorf("a tenth of the keys took longer than %s", limit)
	}
}

// BenchmarkKeystroke reports the time from a key to its echo while 200 words a
// second stream.
func BenchmarkKeystroke(b *testing.B) {
	x := start(b, 80, 24)
	x.See("test/model")
	b.ResetTimer()
	took := echoes(x, max(200, b.N))
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
}
