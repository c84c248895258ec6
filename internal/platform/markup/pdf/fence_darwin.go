package pdf

import "golang.org/x/sys/unix"

// fence bounds the time of this process and takes from it to open or write
// files. Its memory is bounded by the runtime alone.
func fence() {
	for _, l := range [...]struct {
		resource int
		n        uint64
	}{{unix.RLIMIT_CPU, seconds}, {unix.RLIMIT_FSIZE, 0}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, 0}} {
		_ = unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.n, Max: l.n})
	}
}
