// Command bench runs the program against a scripted model server on loopback
// and prints what it costs: time to the first request, own time per turn, CPU,
// memory, body sizes, how stable the prompt's prefix is, and how fast it exits.
//
//	go run ./bench                 all wires, 200 turns
//	go run ./bench -turns 1000 -wire chat
//	go run ./bench -turns 1000 -wire chat -profile cpu.out
//
// Own time of a turn is from the end of one answer to the arrival of the next
// request's headers, with the run of the tool (reading 2 kB) in it. How long
// the body then takes to arrive is shown apart: it grows with the
// conversation, whoever sends it. On a busy machine the quartiles are steadier
// than the medians.
//
// The end of a body that the next one does not begin with is shown too. With
// Anthropic it holds the cache marker, which moves to the newest turn, and the
// members behind the messages; neither is part of what the prompt cache keys.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ml-intern/ml-intern/bench/modelserver"
)

func main() {
	turns := flag.Int("turns", 200, "turns with one tool call each")
	wire := flag.String("wire", "all", "anthropic, chat, responses or all")
	binary := flag.String("binary", "", "program to measure (default: build ./cmd/ml-intern)")
	profile := flag.String("profile", "", "write a CPU profile of the long run to this file (one wire)")
	flag.Parse()
	if err := run(*turns, *wire, *binary, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(turns int, wire, binary, profile string) error {
	work, err := os.MkdirTemp("", "ml-intern-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if profile != "" {
		return profiled(work, modelserver.Wire(wire), turns, profile)
	}
	if binary == "" {
		if binary, err = build(work, "./cmd/ml-intern"); err != nil {
			return err
		}
	}
	if info, err := os.Stat(binary); err == nil {
		fmt.Printf("binary                      %.1f MB\n", float64(info.Size())/1e6)
	}
	if err := starts(binary); err != nil {
		return err
	}
	wires := []modelserver.Wire{modelserver.Anthropic, modelserver.Chat, modelserver.Responses}
	if wire != "all" {
		wires = []modelserver.Wire{modelserver.Wire(wire)}
	}
	for _, w := range wires {
		if err := long(binary, work, w, turns); err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
	}
	return parallel(binary, work)
}

// build compiles a program as it is released and returns its path.
func build(work, pkg string) (string, error) {
	binary := filepath.Join(work, filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build %s: %w", pkg, err)
	}
	return binary, nil
}

// profiled measures a long run of the program with a profiler in it.
func profiled(work string, wire modelserver.Wire, turns int, profile string) error {
	binary, err := build(work, "./bench/profiled")
	if err != nil {
		return err
	}
	profile, err = filepath.Abs(profile)
	if err != nil {
		return err
	}
	return long(binary, work, wire, turns, "ML_INTERN_BENCH_PROFILE="+profile)
}

// starts times commands that do no work.
func starts(binary string) error {
	for _, arg := range []string{"--version", "--help"} {
		var times []time.Duration
		for range 21 {
			begun := time.Now()
			if err := exec.Command(binary, arg).Run(); err != nil {
				return fmt.Errorf("%s: %w", arg, err)
			}
			times = append(times, time.Since(begun))
		}
		fmt.Printf("%-27s %s (median of 21)\n", arg, ms(median(times)))
	}
	return nil
}

// subject is one run of the program against a server.
type subject struct {
	started, ended time.Time
	state          *os.ProcessState
	server         *modelserver.Server
}

func launch(binary, work string, server *modelserver.Server, wire modelserver.Wire, env ...string) (subject, error) {
	dir, err := os.MkdirTemp(work, "run-")
	if err != nil {
		return subject{}, err
	}
	note := strings.Repeat("a line of forty characters, as in logs.\n", 51) // about 2 kB
	if err := os.WriteFile(filepath.Join(dir, "note.txt"), []byte(note), 0o644); err != nil {
		return subject{}, err
	}
	models := map[modelserver.Wire]string{
		modelserver.Anthropic: "anthropic/claude-opus-4-8", modelserver.Chat: "vllm/m", modelserver.Responses: "openai/gpt-5.5",
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "--model", models[wire], "--max-iterations", "-1", "--max-cost", "0",
		"--output-format", "stream-json", "go through the note again and again")
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "ML_INTERN_HOME=" + filepath.Join(dir, "home"),
		"VLLM_BASE_URL=" + server.URL, "ANTHROPIC_BASE_URL=" + server.URL, "OPENAI_BASE_URL=" + server.URL + "/v1",
		"ANTHROPIC_API_KEY=sk-ant-bench", "OPENAI_API_KEY=sk-bench", "OPENAI_API_MODE=responses",
	}
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	s := subject{server: server, started: time.Now()}
	err = cmd.Run()
	s.ended, s.state = time.Now(), cmd.ProcessState
	if err != nil {
		return s, fmt.Errorf("the program failed: %w\n%s%s", err, errs.String(), lastLine(out.String()))
	}
	return s, nil
}

// long measures a run of many turns, each reading a file of 2 kB.
func long(binary, work string, wire modelserver.Wire, turns int, env ...string) error {
	server := modelserver.Start(wire, turns, func(turn int) []modelserver.Call {
		// Varied arguments, so that this is no repetition.
		return []modelserver.Call{{Name: "read", Args: map[string]any{"path": "note.txt", "limit": 52 + turn}}}
	})
	defer server.Close()
	s, err := launch(binary, work, server, wire, env...)
	if err != nil {
		return err
	}
	ex := server.Exchanges()
	if len(ex) != turns+1 {
		return fmt.Errorf("%d requests, want %d", len(ex), turns+1)
	}
	var own, transfer []time.Duration
	var lost []byte
	for i := 1; i < len(ex); i++ {
		own = append(own, ex[i].Came.Sub(ex[i-1].Ended))
		transfer = append(transfer, ex[i].Read.Sub(ex[i].Came))
		if len(ex[i].Lost) > len(lost) {
			lost = ex[i].Lost
		}
	}
	early, late := around(own, 10, 50), around(own, len(own), 50)
	earlyLow, lateLow := around(own, 10, 25), around(own, len(own), 25)
	fmt.Printf("\n%s, %d turns, one read of 2 kB each\n", wire, turns)
	fmt.Printf("  first request             %s after the start of the process\n", ms(ex[0].Came.Sub(s.started)))
	fmt.Printf("  own time per turn         median %s, 95%% %s (the tool's run included)\n", ms(median(own)), ms(percentile(own, 95)))
	fmt.Printf("  … around turn 10 / last   %s / %s, ratio %.2f (medians of 20)\n", ms(early), ms(late), float64(late)/float64(early))
	fmt.Printf("                            %s / %s, ratio %.2f (quartiles of 20)\n", ms(earlyLow), ms(lateLow), float64(lateLow)/float64(earlyLow))
	fmt.Printf("  transfer of the body      %s / %s (after the headers, same turns)\n", ms(around(transfer, 10, 50)), ms(around(transfer, len(transfer), 50)))
	fmt.Printf("  CPU                       %s\n", ms(s.state.UserTime()+s.state.SystemTime()))
	fmt.Printf("  peak memory               %.1f MB\n", peakMB(s.state))
	fmt.Printf("  first / last body         %.1f kB / %.1f kB\n", float64(ex[0].Size)/1e3, float64(ex[len(ex)-1].Size)/1e3)
	fmt.Printf("  bytes of a body not in the next one's prefix, at most %d: %.300q\n", len(lost), lost)
	fmt.Printf("  exit after the last byte  %s\n", ms(s.ended.Sub(ex[len(ex)-1].Ended)))
	return nil
}

// parallel measures four calls of half a second in one answer.
func parallel(binary, work string) error {
	server := modelserver.Start(modelserver.Chat, 1, func(int) []modelserver.Call {
		var calls []modelserver.Call
		for i := range 4 {
			calls = append(calls, modelserver.Call{Name: "bash", Args: map[string]any{"command": fmt.Sprintf("sleep 0.5; echo %d", i)}})
		}
		return calls
	})
	defer server.Close()
	if _, err := launch(binary, work, server, modelserver.Chat); err != nil {
		return err
	}
	ex := server.Exchanges()
	fmt.Printf("\nfour calls of 0.5 s in one answer: next request after %s\n", ms(ex[1].Came.Sub(ex[0].Ended)))
	return nil
}

// around is a percentile of 20 values with position at in their middle, or of
// the last 20.
func around(values []time.Duration, at, percent int) time.Duration {
	at = min(at+10, len(values))
	return percentile(values[max(0, at-20):at], percent)
}

func median(values []time.Duration) time.Duration { return percentile(values, 50) }

func percentile(values []time.Duration, p int) time.Duration {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

// peakMB is the largest resident size; Linux counts in kilobytes.
func peakMB(state *os.ProcessState) float64 {
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		return float64(usage.Maxrss) / 1e3
	}
	return 0
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
