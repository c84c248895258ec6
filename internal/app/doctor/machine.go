package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// programWait bounds one program that is asked for its version.
const programWait = 4 * time.Second

// ask runs a program and returns what it prints, on one line each.
func ask(ctx context.Context, name string, args ...string) ([]string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, errors.New("not found")
	}
	ctx, cancel := context.WithTimeout(ctx, programWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s does not answer", path)
	case err != nil:
		return nil, fmt.Errorf("%s fails: %w", path, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n"), nil
}

func git(ctx context.Context) []Finding {
	lines, err := ask(ctx, "git", "--version")
	if err != nil {
		return []Finding{{"git", Warning, err.Error(), "install git: the agent works with repositories"}}
	}
	return one("git", OK, strings.TrimPrefix(lines[0], "git version "))
}

// gpu asks the driver of NVIDIA; a machine without one is no fault.
func gpu(ctx context.Context) []Finding {
	lines, err := ask(ctx, "nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
	if err != nil {
		return one("GPU", OK, "none seen: nvidia-smi "+err.Error())
	}
	var out []Finding
	for _, line := range lines {
		out = append(out, Finding{Name: "GPU", Status: OK, Detail: strings.TrimSpace(line)})
	}
	return out
}

// versions asks Python for its version and those of packages, without
// importing them: that takes seconds.
const versions = `import sys, importlib.metadata as m
def v(p):
    try: return p + " " + m.version(p)
    except Exception: return "no " + p
print("Python %d.%d.%d" % sys.version_info[:3] + ", " + ", ".join(v(p) for p in ("torch", "transformers")))`

func python(ctx context.Context) []Finding {
	var out []Finding
	lines, err := ask(ctx, "python3", "-c", versions)
	if err != nil {
		out = append(out, Finding{"Python", Warning, "python3: " + err.Error(), "install Python 3: training scripts and the demo need it"})
	} else {
		out = append(out, Finding{Name: "Python", Status: OK, Detail: lines[0]})
	}
	lines, err = ask(ctx, "uv", "--version")
	if err != nil {
		return append(out, Finding{Name: "uv", Status: OK, Detail: err.Error()})
	}
	return append(out, Finding{Name: "uv", Status: OK, Detail: strings.TrimPrefix(lines[0], "uv ")})
}

// Free space below which work soon fails, in bytes.
const (
	tightSpace = 5 << 30
	noSpace    = 200 << 20
)

// disk tells the free space where the project and the sessions lie.
func (o Options) disk(context.Context) []Finding {
	var out []Finding
	for _, dir := range []string{o.Loaded.Dir, o.Loaded.Places.Home} {
		free, err := freeSpace(dir)
		if err != nil {
			continue // no folder, or a system that does not tell
		}
		f := Finding{Name: "disk", Status: OK, Detail: fmt.Sprintf("%s: %.1f GiB free", dir, float64(free)/(1<<30))}
		switch {
		case free < noSpace:
			f.Status, f.Hint = Failure, "make room"
		case free < tightSpace:
			f.Status, f.Hint = Warning, "models and data sets need more"
		}
		out = append(out, f)
	}
	return out
}

// terminal tells what the terminal can show.
func (o Options) terminal(context.Context) []Finding {
	if !o.OutTTY {
		return one("terminal", OK, "standard output is no terminal: plain text")
	}
	detail := fmt.Sprintf("%s, %d columns", orUnknown(o.Loaded.Env("TERM")), o.Width)
	if o.Loaded.Env("NO_COLOR") != "" {
		detail += ", NO_COLOR"
	}
	if runtime.GOOS != "windows" && !utf8Locale(o.Loaded.Env) {
		return []Finding{{"terminal", Warning, detail + ", and the locale is not UTF-8", "set LC_ALL=C.UTF-8"}}
	}
	if o.Width > 0 && o.Width < 40 {
		return []Finding{{"terminal", Warning, detail, "use at least 40 columns"}}
	}
	return one("terminal", OK, detail)
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown kind"
	}
	return text
}

func utf8Locale(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(env(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// cause is the reason without the address that net/http puts before it.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
