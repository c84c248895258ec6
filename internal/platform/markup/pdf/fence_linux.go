package pdf

import (
	"os"
	"strconv"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

// fence takes from this process what reading a document does not need: to open
// or write files, to connect, to run on for ever, to fill the memory. It does
// what the kernel has; the limits are always there.
func fence() {
	used := uint64(0)
	if data, err := os.ReadFile("/proc/self/statm"); err == nil {
		pages, _, _ := strings.Cut(string(data), " ")
		n, _ := strconv.ParseUint(pages, 10, 64)
		used = n * uint64(os.Getpagesize())
	}
	_ = landlock.V11.BestEffort().Restrict()
	limit := func(resource int, n uint64) {
		_ = unix.Setrlimit(resource, &unix.Rlimit{Cur: n, Max: n})
	}
	limit(unix.RLIMIT_AS, used+memory)
	limit(unix.RLIMIT_CPU, seconds)
	limit(unix.RLIMIT_FSIZE, 0)
	limit(unix.RLIMIT_CORE, 0)
	limit(unix.RLIMIT_NOFILE, 0) // nothing can be opened any more
}
