package exec

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/platform/proc/bridge"
)

// A command's directory: work, where it starts unless Spec.Dir is set; home;
// tmp; bin with the stubs; mount/0, mount/1 … .
const (
	work = "work"
	home = "home"
	tmp  = "tmp"
	bin  = "bin"
)

func (p *Process) mount(i int) string {
	if dir := p.spec.Mounts[i].Dir; dir != "" {
		return dir
	}
	return filepath.Join(p.dir, "mount", strconv.Itoa(i))
}

// prepare fills the directory and returns what is to be started in it.
func (p *Process) prepare(ctx context.Context) (proc.Command, error) {
	for _, d := range []string{work, home, tmp, bin} {
		if err := os.MkdirAll(filepath.Join(p.dir, d), 0o700); err != nil {
			return proc.Command{}, fmt.Errorf("make the command's directory: %w", err)
		}
	}
	if p.spec.Dir != nil {
		if err := executable(ctx, filepath.Join(p.dir, work), p.spec.Dir); err != nil {
			return proc.Command{}, fmt.Errorf("fill the working directory: %w", err)
		}
	}
	for i, m := range p.spec.Mounts {
		if m.Dir != "" {
			continue
		}
		if err := os.MkdirAll(p.mount(i), 0o700); err != nil {
			return proc.Command{}, fmt.Errorf("make the directory for %s: %w", m.Path, err)
		}
		if m.Fill == nil {
			continue
		}
		if err := executable(ctx, p.mount(i), m.Fill); err != nil {
			return proc.Command{}, fmt.Errorf("fill the volume at %s: %w", m.Path, err)
		}
	}
	env := p.environment()
	if err := p.stubs(env["HF_ENDPOINT"]); err != nil {
		return proc.Command{}, err
	}
	return p.command(env)
}

// executable lets fill put files into dir and makes all of them executable:
// git's own bit is lost on the way over the Hub.
func executable(ctx context.Context, dir string, fill func(ctx context.Context, dir string) error) error {
	if err := fill(ctx, dir); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return os.Chmod(name, 0o755)
	})
}

// command puts the fence and a shell, which has the right words for a missing
// program, around the command.
func (p *Process) command(env map[string]string) (proc.Command, error) {
	c := proc.Command{
		Path: "/bin/sh", Args: []string{"-c", `exec "$@"`, "sh"}, Dir: filepath.Join(p.dir, work),
		Output: &lines{emit: p.line},
	}
	if err := p.enclose(&c); err != nil {
		return c, err
	}
	paths := p.paths()
	for _, arg := range p.spec.Command {
		c.Args = append(c.Args, paths.rewrite(arg))
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		c.Env = append(c.Env, name+"="+env[name])
	}
	return c, nil
}

// enclose puts c behind the fence.
func (p *Process) enclose(c *proc.Command) error {
	r := p.runner
	r.warn()
	if r.fence == nil {
		return nil
	}
	write, read := []string{p.dir}, []string(nil)
	for _, m := range p.spec.Mounts {
		switch {
		case m.Dir != "" && m.ReadOnly:
			read = append(read, m.Dir)
		case m.Dir != "":
			write = append(write, m.Dir)
		}
	}
	if r.alone {
		own, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program for the bridge to a command: %w", err)
		}
		if p.bridge, err = bridge.Open(r.o.Reach(), slices.Sorted(maps.Values(p.ports))); err != nil {
			return err
		}
		write, read = append(write, p.bridge.Dir()), append(read, own)
		c.Args = p.bridge.Args(append([]string{c.Path}, c.Args...))
		c.Path = own
	}
	fence, err := r.fence.Allow(write, read)
	c.Sandbox = fence
	return err
}

// environment is all the command sees; nothing comes from our own.
func (p *Process) environment() map[string]string {
	s := p.spec
	env := map[string]string{
		"PATH":   filepath.Join(p.dir, bin) + ":" + p.runner.o.Path,
		"HOME":   filepath.Join(p.dir, home),
		"TMPDIR": filepath.Join(p.dir, tmp),
		"LANG":   "C.UTF-8",
	}
	maps.Copy(env, s.System)
	for _, v := range p.runner.o.Env() {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	paths := p.paths()
	for name, value := range s.Environment {
		env[name] = paths.rewriteList(value)
	}
	maps.Copy(env, s.Secrets)
	if len(s.Ports) > 0 {
		declared, err := strconv.Atoi(env["PORT"])
		if _, ok := p.ports[declared]; err != nil || !ok {
			declared = s.Ports[0]
		}
		env["PORT"] = strconv.Itoa(p.ports[declared])
	}
	return env
}

// place is a path that a command uses and where it is.
type place struct{ path, dir string }

// paths lists the places, the longest first: /data/sub is not /data.
func (p *Process) paths() places {
	var all places
	for i, m := range p.spec.Mounts {
		if path := strings.TrimRight(m.Path, "/"); path != "" {
			all = append(all, place{path, p.mount(i)})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.spec.Aliases)) {
		dir := filepath.Join(p.dir, work, filepath.FromSlash(p.spec.Aliases[path]))
		all = append(all, place{path, dir})
	}
	slices.SortStableFunc(all, func(a, b place) int { return len(b.path) - len(a.path) })
	// What a container has for temporary files is the command's own here.
	return append(all, place{"/tmp", filepath.Join(p.dir, tmp)})
}

type places []place

// match returns how long the known path is that text begins with, and where it
// lies; 0 when there is none.
func (ps places) match(text string) (int, string) {
	for _, p := range ps {
		rest, ok := strings.CutPrefix(text, p.path)
		if !ok || rest != "" && (named(rest[0]) || rest[0] == '.') {
			continue
		}
		return len(p.path), p.dir
	}
	return 0, ""
}

// named reports whether c can stand within a file's name.
func named(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// rewrite replaces every known path in text, where no longer path holds it.
func (ps places) rewrite(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		if text[i] == '/' && (i == 0 || !named(text[i-1]) && !strings.ContainsRune("./~})*", rune(text[i-1]))) {
			if n, dir := ps.match(text[i:]); n > 0 {
				b.WriteString(dir)
				i += n
				continue
			}
		}
		b.WriteByte(text[i])
		i++
	}
	return b.String()
}

// rewriteList replaces paths that begin an element of value, which may be a
// list with colons: other values, such as encoded scripts, stay as they are.
func (ps places) rewriteList(value string) string {
	parts := strings.Split(value, ":")
	for i, part := range parts {
		if n, dir := ps.match(part); n > 0 {
			parts[i] = dir + part[n:]
		}
	}
	return strings.Join(parts, ":")
}

// Ports of commands are below those that systems give to who asks for any: one
// of these could go to another program before the command listens on it.
const (
	firstPort = 20_000
	lastPort  = 32_000
	portTries = 1000
)

// reserve finds a free local port for each declared one.
func reserve(declared []int) (map[int]int, error) {
	ports := map[int]int{}
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for _, d := range declared {
		l, err := free()
		if err != nil {
			return nil, fmt.Errorf("find a free port for %d: %w", d, err)
		}
		held = append(held, l) // together, so that all differ
		ports[d] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// free listens on a port of commands, not the same as another simulator tries.
func free() (l net.Listener, err error) {
	for range portTries {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if l, err = net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			return l, nil
		}
	}
	return nil, err
}

// line passes a line on, with its time.
func (p *Process) line(text string) {
	if p.spec.Line != nil {
		p.spec.Line(strings.ToValidUTF8(text, "\uFFFD"), p.runner.o.Clock.Stamp())
	}
}

// lineLimit is the longest line kept in one piece, in bytes.
const lineLimit = 8 << 20

// lines cuts output into lines; the last one needs no line end.
type lines struct {
	emit func(string)
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		l.emit(string(append(l.rest, p[:i]...)))
		l.rest, p = l.rest[:0], p[i+1:]
	}
	l.rest = append(l.rest, p...)
	if len(l.rest) > lineLimit {
		l.emit(string(l.rest))
		l.rest = l.rest[:0]
	}
	return n, nil
}

func (l *lines) Close() error {
	if len(l.rest) > 0 {
		l.emit(string(l.rest))
		l.rest = nil
	}
	return nil
}
