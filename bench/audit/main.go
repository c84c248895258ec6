// Command audit measures how long the search for copies in a data set takes and
// how much memory, beside a straightforward program in Python (datasets and
// datasketch) on the same rows of the same run.
//
//	go run ./bench/audit                              a million rows, Python on 50,000 of them
//	go run ./bench/audit -rows 100000 -python-rows 0  ours alone
//	go run ./bench/audit -venv DIR                    keep the Python packages in DIR
//
// The rows are conversations of a seed with copies planted among them. Each
// program runs in a process of its own, from opening the file to the last pair;
// starting it and loading its libraries do not count. The memory is the most
// that the process held; of Python, whose signatures are made by two more
// processes, it is the largest one's. Both find pairs in 32 bands of 4 of 128
// permutations and confirm them by the real similarity, so that their pairs can
// be compared one by one.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/ml-intern/ml-intern/internal/lab/audit/audittest"
)

func main() {
	rows := flag.Int("rows", 1_000_000, "rows of the data set")
	fraction := flag.Int("python-rows", 50_000, "rows for the comparison with Python, the first ones; 0 for none")
	seed := flag.Uint64("seed", 1, "seed of the rows")
	venv := flag.String("venv", "", "folder of the Python environment (default: a new one, removed at the end)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if role := os.Getenv(roleVariable); role != "" {
		err = play(ctx, role, flag.Args())
	} else {
		err = measure(ctx, *rows, *fraction, *seed, *venv)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/audit:", err)
		stop()
		os.Exit(1)
	}
}

// roleVariable tells a process of this program what it is to do.
const roleVariable = "ML_INTERN_BENCH_ROLE"

// figures is what one run gave.
type figures struct {
	Seconds, Load, Sign, Search float64
	Rows, Exact, Near           int
	PeakMB                      float64 `json:"-"`
}

func measure(ctx context.Context, rows, fraction int, seed uint64, venv string) error {
	work, err := os.MkdirTemp("", "ml-intern-bench-audit-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	fraction = min(fraction, rows)
	all, first := filepath.Join(work, "rows.jsonl"), filepath.Join(work, "first.jsonl")
	if err := write(all, seed, rows); err != nil {
		return err
	}
	fmt.Printf("%d processors, load %s, Go %s\n", runtime.NumCPU(), load(), runtime.Version())
	fmt.Println("| | rows | seconds | peak MB | exact copies | near pairs |\n| --- | ---: | ---: | ---: | ---: | ---: |")
	for _, role := range []string{"copies", "everything"} {
		whole, err := ours(ctx, role, all)
		if err != nil {
			return err
		}
		print("ours, "+role, whole)
	}
	if fraction == 0 {
		return nil
	}
	if err := write(first, seed, fraction); err != nil {
		return err
	}
	return compare(ctx, work, first, venv)
}

// compare runs both programs on the same rows.
func compare(ctx context.Context, work, first, venv string) error {
	mine, err := ours(ctx, "copies", first)
	if err != nil {
		return err
	}
	print("ours, copies", mine)
	python, err := environment(ctx, work, venv)
	if err != nil {
		return err
	}
	theirPairs, ourPairs := filepath.Join(work, "python.txt"), filepath.Join(work, "ours.txt")
	theirs, err := process(ctx, []string{"HF_HOME=" + work, "HF_HUB_OFFLINE=1"}, python, "bench/audit/copies.py", first, theirPairs, fmt.Sprint(runtime.NumCPU()))
	if err != nil {
		return err
	}
	print("Python, copies", theirs)
	fmt.Printf("Python: %.1f s reading, %.1f s signatures in %d processes, %.1f s search\n", theirs.Load, theirs.Sign, runtime.NumCPU(), theirs.Search)
	fmt.Printf("ratio: %.1f times faster, %.2f of the memory\n", theirs.Seconds/mine.Seconds, mine.PeakMB/theirs.PeakMB)
	if _, err := ours(ctx, "pairs", first, ourPairs); err != nil {
		return err
	}
	return agree(ourPairs, theirPairs)
}

func print(name string, f figures) {
	fmt.Printf("| %s | %d | %.1f | %.0f | %d | %d |\n", name, f.Rows, f.Seconds, f.PeakMB, f.Exact, f.Near)
}

func write(path string, seed uint64, rows int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := audittest.NewChat(seed).Write(f, rows); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// load is how busy the machine is, where that can be read.
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(data))[0]
}

// ours runs this program in a process of its own.
func ours(ctx context.Context, role string, args ...string) (figures, error) {
	self, err := os.Executable()
	if err != nil {
		return figures{}, err
	}
	return process(ctx, []string{roleVariable + "=" + role}, self, args...)
}

// process runs a program that prints its figures, and adds its memory.
func process(ctx context.Context, env []string, name string, args ...string) (figures, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return figures{}, fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	var f figures
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &f); err != nil {
		return figures{}, fmt.Errorf("%s printed %q: %w", filepath.Base(name), out, err)
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		f.PeakMB = float64(usage.Maxrss) * 1024 / 1e6
	}
	return f, nil
}

// environment is the Python with the packages.
func environment(ctx context.Context, work, venv string) (string, error) {
	if venv == "" {
		venv = filepath.Join(work, "venv")
	}
	python := filepath.Join(venv, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		if err := quietly(ctx, "python3", "-m", "venv", venv); err != nil {
			return "", err
		}
	}
	return python, quietly(ctx, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "bench/audit/requirements.txt")
}

func quietly(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// since is the seconds since a time.
func since(begun time.Time) float64 { return time.Since(begun).Seconds() }
