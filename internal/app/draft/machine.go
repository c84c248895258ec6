package draft

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

// programWait bounds one program that is asked.
const programWait = 4 * time.Second

// ask runs a program of the machine and returns its lines; nothing where it is
// not there or fails.
func ask(ctx context.Context, name string, args ...string) []string {
	program, err := exec.LookPath(name)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, programWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.WaitDelay = os.TempDir(), time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil
	}
	var lines []string
	for l := range strings.SplitSeq(string(out), "\n") {
		if l = line(l); l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// machine is what there is to compute with.
func machine(ctx context.Context) []string {
	var out []string
	count := map[string]int{}
	for _, gpu := range ask(ctx, "nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader") {
		count[gpu]++
	}
	for _, gpu := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("%d × %s", count[gpu], gpu))
	}
	if len(out) == 0 {
		out = append(out, "no NVIDIA GPU was seen (nvidia-smi): train larger models in jobs on the Hub")
	}
	cores := amount.Count(runtime.NumCPU(), "CPU core")
	if bytes := memory(); bytes > 0 {
		cores += ", " + amount.Bytes(bytes) + " of memory"
	}
	return append(out, cores+", "+runtime.GOOS+"/"+runtime.GOARCH)
}

// memory is the machine's, in bytes; 0 is unknown.
func memory() int64 {
	text, err := head("/proc/meminfo")
	if err != nil {
		return 0
	}
	for l := range strings.Lines(text) {
		fields := strings.Fields(l)
		if len(fields) == 3 && fields[0] == "MemTotal:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}

// python is the environment that scripts run in.
func (t *tree) python(ctx context.Context, deps map[string]string) []string {
	var out []string
	for _, name := range []string{".venv", "venv", "env"} {
		text, err := head(filepath.Join(t.dir, name, "pyvenv.cfg"))
		if err != nil {
			continue
		}
		about := "`" + name + "` is a virtual environment"
		if v := setting(text, "version", "version_info"); v != "" {
			about += ", Python " + line(v)
		}
		if v := t.installed(name, "torch"); v != "" {
			about += ", torch " + line(v)
		}
		out = append(out, about)
	}
	for _, lock := range [][2]string{{"uv.lock", "uv runs scripts: `uv run`"}, {"poetry.lock", "Poetry runs scripts: `poetry run`"}, {"pixi.lock", "Pixi runs scripts: `pixi run`"}} {
		if t.has(lock[0]) {
			out = append(out, lock[1])
		}
	}
	var lists []string
	for _, name := range slices.Sorted(maps.Keys(deps)) {
		if name != "Makefile" {
			lists = append(lists, "`"+line(name)+"`")
		}
	}
	if len(lists) > 0 {
		out = append(out, "dependencies: "+strings.Join(lists, ", "))
	}
	if v := ask(ctx, "python3", "-I", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"); len(v) > 0 {
		out = append(out, "python3 on the PATH is "+v[0])
	}
	return out
}

// setting is the value of the first of the keys in a file of "key = value".
func setting(text string, keys ...string) string {
	for _, key := range keys {
		for l := range strings.Lines(text) {
			name, value, ok := strings.Cut(l, "=")
			if ok && strings.TrimSpace(name) == key {
				return strings.TrimSpace(value)
			}
		}
	}
	return ""
}

// installed is the version of a package in a virtual environment, by the name of
// the folder that describes it.
func (t *tree) installed(venv, name string) string {
	for _, pattern := range []string{filepath.Join("lib", "python*", "site-packages"), filepath.Join("Lib", "site-packages")} {
		found, err := filepath.Glob(filepath.Join(t.dir, venv, pattern, name+"-*.dist-info"))
		if err == nil && len(found) > 0 {
			return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), name+"-"), ".dist-info")
		}
	}
	return ""
}

// tracking are the tools for experiments among the dependencies.
func tracking(deps map[string]string) []string {
	var out []string
	for _, tool := range []string{"trackio", "wandb", "mlflow", "tensorboard", "comet-ml", "comet_ml", "neptune", "aim", "clearml", "dvclive", "swanlab"} {
		var in []string
		for _, name := range slices.Sorted(maps.Keys(deps)) {
			if name != "Makefile" && word(deps[name], tool) {
				in = append(in, "`"+line(name)+"`")
			}
		}
		if len(in) > 0 {
			out = append(out, tool+" (in "+strings.Join(in, ", ")+")")
		}
	}
	return out
}

// word reports whether a name stands in a text on its own, as the name of a
// package does, and not in a comment.
func word(text, name string) bool {
	part := func(c byte) bool {
		return c == '_' || c == '-' || c == '.' || c == '/' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	for l := range strings.Lines(text) {
		l, _, _ = strings.Cut(l, "#")
		for from := 0; ; {
			i := strings.Index(l[from:], name)
			if i < 0 {
				break
			}
			i += from
			end := i + len(name)
			if (i == 0 || !part(l[i-1])) && (end == len(l) || !part(l[end])) {
				return true
			}
			from = end
		}
	}
	return false
}
