// Command hub measures the client of the Hub and the simulated Hub on loopback:
// a large file up and down beside the official Python client on the same
// machine and in the same run, a download that is cut again and again, memory,
// and how many requests the simulator answers.
//
//	go run ./bench/hub                        256 MiB, three rounds
//	go run ./bench/hub -size 1024             1 GiB
//	go run ./bench/hub -python .venv/bin/python
//
// Each transfer is a process of its own and times itself: neither the start of
// an interpreter nor that of a Go program is in the figures. Without Python its
// columns stay empty. The clients take turns, and every upload is of content
// that the simulator has not seen.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.Int64Var(&o.mib, "size", 256, "size of the file in MiB")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each transfer is made; the median counts")
	flag.StringVar(&o.python, "python", "", "an interpreter with huggingface_hub (default: the newest one that the tests have installed)")
	flag.DurationVar(&o.requests, "requests", 3*time.Second, "how long requests are counted, each kind")
	flag.IntVar(&o.cuts, "cuts", 20, "how often the cut download is cut")
	flag.Parse()
	if o.python == "" {
		o.python = installed()
	}
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/hub:", err)
		os.Exit(1)
	}
}

type options struct {
	mib      int64
	rounds   int
	python   string // empty leaves it out
	requests time.Duration
	cuts     int
}

// installed is the newest interpreter that the tests with the official clients
// have made.
func installed() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	found, _ := filepath.Glob(filepath.Join(cache, "ml-intern", "real-clients", "python-*", "bin", "python"))
	return slices.MaxFunc(append(found, ""), func(a, b string) int { return slices.Compare(numbers(a), numbers(b)) })
}

// numbers are the numbers of the version in such a path.
func numbers(path string) (all []int) {
	_, version, _ := strings.Cut(path, "python-")
	version, _, _ = strings.Cut(version, string(filepath.Separator))
	for part := range strings.SplitSeq(version, ".") {
		n := 0
		_, _ = fmt.Sscan(part, &n)
		all = append(all, n)
	}
	return all
}

func run(ctx context.Context, o options) error {
	if o.mib < 1 || o.rounds < 1 {
		return fmt.Errorf("size is %d MiB and rounds %d: both must be at least 1", o.mib, o.rounds)
	}
	work, err := os.MkdirTemp("", "ml-intern-bench-hub-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if o.python == "" {
		fmt.Println("no Python with huggingface_hub: its column stays empty")
	}
	fmt.Printf("%-28s %10s %10s %8s %12s %12s\n", fmt.Sprintf("%d MiB, median of %d", o.mib, o.rounds), "own", "Python", "ratio", "own growth", "Python")
	for _, t := range []transfer{
		{name: "upload, one piece", role: upload, above: o.mib << 21},
		{name: "upload, parts of 16 MiB", role: upload, above: 1 << 20},
		{name: "download", role: download, above: 1 << 20},
	} {
		if err := t.measure(ctx, work, o); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	if err := cutDownload(ctx, work, o); err != nil {
		return fmt.Errorf("download, cut: %w", err)
	}
	return count(ctx, o.requests)
}

// transfer is one kind of transfer.
type transfer struct {
	name, role string
	above      int64 // bytes from which files go up in parts
}

// measure lets both clients make the transfer, in turn.
func (t transfer) measure(ctx context.Context, work string, o options) error {
	w, err := newWorld(ctx, work, o.mib<<20, t.above)
	if err != nil {
		return err
	}
	defer w.close()
	var own, python []figures
	for round := range o.rounds {
		f, err := w.transfer(ctx, t.role, fmt.Sprint("own", round), "")
		if err != nil {
			return err
		}
		own = append(own, f)
		if o.python == "" {
			continue
		}
		if f, err = w.transfer(ctx, t.role, fmt.Sprint("python", round), o.python); err != nil {
			return err
		}
		python = append(python, f)
	}
	mine := middle(own)
	fmt.Printf("%-28s %10s", t.name, speed(o.mib, mine.Seconds))
	if len(python) > 0 {
		other := middle(python)
		fmt.Printf(" %10s %7.2fx %9.0f MB %9.0f MB\n", speed(o.mib, other.Seconds), other.Seconds/mine.Seconds, most(own).growth(), most(python).growth())
		return nil
	}
	fmt.Printf(" %10s %8s %9.0f MB %12s\n", "-", "-", most(own).growth(), "-")
	return nil
}

func speed(mib int64, seconds float64) string {
	return fmt.Sprintf("%.0f MB/s", float64(mib<<20)/1e6/seconds)
}

// middle is the median by time, most the one with the greatest memory.
func middle(all []figures) figures {
	slices.SortFunc(all, func(a, b figures) int { return int((a.Seconds - b.Seconds) * 1e6) })
	return all[len(all)/2]
}

func most(all []figures) figures {
	return slices.MaxFunc(all, func(a, b figures) int { return int(a.growth() - b.growth()) })
}
