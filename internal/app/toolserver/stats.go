package toolserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
)

// gpuLimit ends a query of the accelerators that does not answer.
const gpuLimit = 5 * time.Second

// stats says how busy the machine is.
func (s *Server) stats(w http.ResponseWriter, r *http.Request) {
	a := wire.StatsAnswer{CPUs: runtime.NumCPU(), GPUs: gpus(r.Context())}
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(data), &a.Load[0], &a.Load[1], &a.Load[2])
	}
	a.MemoryBytes, a.MemoryUsed = memory()
	a.DiskBytes, a.DiskFree = space(s.opts.Dir)
	answer(w, a)
}

// memory is what the machine has and uses, or the container where that has a
// limit of its own.
func memory() (total, used int64) {
	if total, err := number("/sys/fs/cgroup/memory.max"); err == nil {
		if used, err := number("/sys/fs/cgroup/memory.current"); err == nil {
			return total, used
		}
	}
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	kib := map[string]int64{}
	for in := bufio.NewScanner(bytes.NewReader(data)); in.Scan(); {
		name, rest, _ := strings.Cut(in.Text(), ":")
		if fields := strings.Fields(rest); len(fields) > 0 {
			kib[name], _ = strconv.ParseInt(fields[0], 10, 64) // others are not asked for
		}
	}
	return kib["MemTotal"] << 10, (kib["MemTotal"] - kib["MemAvailable"]) << 10
}

// number reads a file with one number; "max" is none.
func number(path string) (int64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}

// gpus asks nvidia-smi; a machine without it has none.
func gpus(ctx context.Context) []wire.GPU {
	path, err := exec.LookPath("nvidia-smi")
	if err != nil {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, gpuLimit)
	defer stop()
	cmd := exec.CommandContext(ctx, path, "--query-gpu=index,name,memory.total,memory.used,utilization.gpu", "--format=csv,noheader,nounits")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil
	}
	return parseGPUs(out)
}

// parseGPUs reads lines of index, name, MiB in all, MiB used and percent busy.
func parseGPUs(out []byte) []wire.GPU {
	in := csv.NewReader(bytes.NewReader(out))
	in.TrimLeadingSpace = true
	in.FieldsPerRecord = 5
	rows, err := in.ReadAll()
	if err != nil {
		return nil
	}
	var found []wire.GPU
	for _, row := range rows {
		n := func(i int) int64 {
			v, _ := strconv.ParseInt(strings.TrimSpace(row[i]), 10, 64) // "[N/A]" is 0
			return v
		}
		found = append(found, wire.GPU{
			Index: int(n(0)), Name: row[1], MemoryBytes: n(2) << 20, MemoryUsed: n(3) << 20, Utilization: int(n(4)),
		})
	}
	return found
}
