package proc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landlock-lsm/go-landlock/landlock"
	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"github.com/ml-intern/ml-intern/internal/platform/proc/bridge"
)

const (
	// sandboxCommand is the hidden first argument that makes this program put
	// itself behind the fence and become another one.
	sandboxCommand = "__sandbox_exec"
	// oldestABI is the first Landlock that also guards against truncation.
	oldestABI = 3
	// probe is how long bwrap may take to show that it works.
	probe = 5 * time.Second
	// cannotRun is what shells return for a program that does not start.
	cannotRun = 126
)

// devices are those that commands may write to and control, as patterns.
var devices = [...]string{
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts",
	"/dev/shm", "/dev/nvidia*", "/dev/kfd", "/dev/dri", "/dev/infiniband", "/dev/accel*", "/dev/vfio",
}

func landlocked() Layer {
	abi, err := kernel.LandlockGetABIVersion()
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		return Layer{Landlock, false, "switched off at the start of the system"}
	case err != nil:
		return Layer{Landlock, false, "the kernel has none"}
	case abi < oldestABI:
		return Layer{Landlock, false, fmt.Sprintf("ABI %d, at least %d is needed (Linux 6.2)", abi, oldestABI)}
	}
	return Layer{Landlock, true, "ABI " + strconv.Itoa(abi)}
}

func bubblewrap(ctx context.Context) Layer {
	path, err := exec.LookPath("bwrap")
	if err != nil {
		return Layer{Bubblewrap, false, "not installed"}
	}
	ctx, cancel := context.WithTimeout(ctx, probe)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--ro-bind", "/", "/", "--dev", "/dev", "--cap-drop", "ALL", "true").CombinedOutput()
	if err != nil {
		why, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return Layer{Bubblewrap, false, cmp.Or(why, err.Error())}
	}
	return Layer{Bubblewrap, true, path}
}

// wrap returns the command line that runs argv behind the fence.
func (s *Sandbox) wrap(argv []string) []string {
	if s.layer.Mode == Bubblewrap {
		return append(s.bwrap(), argv...)
	}
	spec, _ := json.Marshal(s.area) // strings always encode
	return append([]string{"/proc/self/exe", sandboxCommand, string(spec)}, argv...)
}

// bwrap returns the command line up to the program. The process table stays
// that of the system, so that groups of earlier commands can be seen.
func (s *Sandbox) bwrap() []string {
	args := []string{s.layer.Detail, "--ro-bind", "/", "/", "--cap-drop", "ALL", "--dev", "/dev"}
	for _, d := range present(devices[:]) {
		if filepath.Dir(d) != "/dev" || d == "/dev/pts" || d == "/dev/ptmx" || d == "/dev/tty" {
			continue // those of --dev are the fence's own
		}
		args = append(args, "--dev-bind-try", d, d)
	}
	if s.area.Alone {
		args = append(args, "--unshare-net")
	}
	args = append(args, "--tmpfs", s.area.Home)
	type bind struct{ flag, path string }
	var binds []bind
	for _, p := range s.area.Read {
		if !slices.ContainsFunc(s.area.Write, func(w string) bool { return within(p, w) }) {
			binds = append(binds, bind{"--ro-bind-try", p})
		}
	}
	for _, p := range s.area.Write {
		binds = append(binds, bind{"--bind", p})
	}
	slices.SortStableFunc(binds, func(a, b bind) int { return cmp.Compare(len(a.path), len(b.path)) })
	for _, b := range binds {
		args = append(args, b.flag, b.path, b.path)
	}
	// What is written to the fence's own folders would be lost: refuse it.
	return append(args, "--remount-ro", s.area.Home, "--remount-ro", "/dev", "--")
}

// present lists the existing paths that match the patterns.
func present(patterns []string) []string {
	var out []string
	for _, p := range patterns {
		found, _ := filepath.Glob(p) // the patterns are well formed
		out = append(out, found...)
	}
	return out
}

// SandboxMain must be called with os.Args before anything else in main: when
// they ask for it, it puts this process behind the Landlock fence and becomes
// the command, or runs it at the end of a bridge. When it returns handled, that
// has failed or the command has ended; the process must then exit with code.
func SandboxMain(args []string) (handled bool, code int) {
	switch {
	case len(args) > 1 && args[1] == bridge.Command:
		return true, bridge.Inside(args[2:])
	case len(args) < 2 || args[1] != sandboxCommand:
		return false, 0
	}
	if err := enter(args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
	}
	return true, cannotRun
}

func enter(args []string) error {
	if len(args) < 2 {
		return errors.New("a description and a command are needed")
	}
	var a area
	if err := json.Unmarshal([]byte(args[0]), &a); err != nil {
		return fmt.Errorf("read the description: %w", err)
	}
	if l := landlocked(); !l.OK {
		return errors.New(l.String())
	}
	// The newest rules that this kernel has; landlocked made sure that they are
	// enough, so that "best effort" never means none.
	if err := landlock.V11.BestEffort().RestrictPaths(a.rules()...); err != nil {
		return fmt.Errorf("restrict the process: %w", err)
	}
	if err := unix.Exec(args[1], args[1:], os.Environ()); err != nil {
		return fmt.Errorf("run %s: %w", args[1], err)
	}
	return nil
}

// rules turns the area into what Landlock wants: a list of what is allowed.
func (a area) rules() []landlock.Rule {
	var rules []landlock.Rule
	add := func(dirs, files func(...string) landlock.FSRule, paths []string, change func(landlock.FSRule) landlock.FSRule) {
		for _, p := range paths {
			info, err := os.Stat(p)
			if err != nil {
				continue
			}
			rule := files(p)
			if info.IsDir() {
				rule = change(dirs(p))
			}
			rules = append(rules, rule.IgnoreIfMissing())
		}
	}
	same := func(r landlock.FSRule) landlock.FSRule { return r }
	add(landlock.RODirs, landlock.ROFiles, visible(a.Home), same)
	add(landlock.RODirs, landlock.ROFiles, a.Read, same)
	add(landlock.RWDirs, landlock.RWFiles, a.Write, func(r landlock.FSRule) landlock.FSRule {
		return r.WithRefer().WithResolveUnix()
	})
	device := func(make func(...string) landlock.FSRule) func(...string) landlock.FSRule {
		return func(p ...string) landlock.FSRule { return make(p...).WithIoctlDev() }
	}
	add(device(landlock.RWDirs), device(landlock.RWFiles), present(devices[:]), same)
	return rules
}

// visible lists everything beside the way from the root to home: Landlock can
// only allow whole trees, so the home folder is hidden by allowing all others.
func visible(home string) []string {
	var out []string
	for dir := filepath.Dir(home); ; dir = filepath.Dir(dir) {
		entries, _ := os.ReadDir(dir) // an unreadable folder shows nothing
		for _, e := range entries {
			p := filepath.Join(dir, e.Name())
			target, err := filepath.EvalSymlinks(p)
			if err == nil && !within(home, target) && !within(target, home) {
				out = append(out, p)
			}
		}
		if dir == filepath.Dir(dir) {
			return out
		}
	}
}
