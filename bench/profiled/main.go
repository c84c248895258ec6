// Command profiled is the program with a CPU profiler in it, for the bench.
// ML_INTERN_BENCH_PROFILE names the file that the profile is written to.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/ml-intern/ml-intern/internal/app/command"
)

func main() {
	if handled, code := command.Child(os.Args); handled {
		os.Exit(code)
	}
	os.Exit(run(os.Getenv("ML_INTERN_BENCH_PROFILE")))
}

func run(profile string) int {
	f, err := os.Create(profile)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
		return 1
	}
	code := command.Main(context.Background(), command.System())
	pprof.StopCPUProfile()
	if err := f.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
		return 1
	}
	return code
}
