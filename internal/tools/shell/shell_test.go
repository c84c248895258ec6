//go:build unix

package shell_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/tools/shell"
)

func TestMain(m *testing.M) {
	if handled, code := proc.SandboxMain(os.Args); handled {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// bench is a shell with its two tools and the session they are called in.
type bench struct {
	shell      *shell.Shell
	bash, jobs tool.Tool
	env        *tooltest.Env
	spill      string
}

func setUp(t testing.TB, change func(*local.Options)) *bench {
	t.Helper()
	b := &bench{env: new(tooltest.Env), spill: filepath.Join(t.TempDir(), "sessions")}
	o := local.Options{
		Dir: t.TempDir(), SpillDir: func(session string) string { return filepath.Join(b.spill, session, "spill") },
		Environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")},
	}
	if change != nil {
		change(&o)
	}
	here, err := local.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if b.shell, err = shell.New(shell.Options{Workspace: here.Open, Dir: o.Dir, Close: here.Close}); err != nil {
		t.Fatal(err)
	}
	b.bash, b.jobs = b.shell.Tools()
	t.Cleanup(func() {
		if err := b.shell.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// run calls bash with arguments of any form.
func (b *bench) run(t testing.TB, args any) tool.Result {
	t.Helper()
	return call(t, b.bash, b.env, args)
}

func call(t testing.TB, tl tool.Tool, env tool.Env, args any) tool.Result {
	t.Helper()
	raw, ok := args.(string)
	if !ok {
		data, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(data)
	}
	r, err := tl.Run(t.Context(), env, json.RawMessage(raw))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return r
}

// group is the process group of the n-th call.
func (b *bench) group(t testing.TB, n int) proc.Group {
	t.Helper()
	refs := b.env.Refs()
	if len(refs) <= n {
		t.Fatalf("effects %v, want one for call %d", refs, n)
	}
	g, err := proc.ParseGroup(refs[n])
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func gone(t testing.TB, g proc.Group) {
	t.Helper()
	for range 1000 {
		if !g.Alive() {
			return
		}
		time.Sleep(3 * time.Millisecond)
	}
	t.Errorf("%v still lives", g)
}

func TestToolContract(t *testing.T) {
	t.Run("bash", func(t *testing.T) {
		tooltest.Run(t, tooltest.Case{
			New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
				b := setUp(t, nil)
				return b.bash, b.env
			},
			Params: shell.BashParams{},
			Good:   `{"command":"echo hello"}`,
			Bad: map[string]string{
				`{"command":" "}`: "command",
				`{"command":"echo x","work_dir":"missing"}`: "work_dir",
				`{"command":"echo x","timeout":"soon"}`:     "timeout", // check 5
			},
			Slow:  `{"command":"trap '' TERM; sleep 30; sleep 30"}`,
			Large: `{"command":"yes 0123456789 | head -n 20000"}`,
		})
	})
	t.Run("bash_jobs", func(t *testing.T) {
		tooltest.Run(t, tooltest.Case{
			New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
				b := setUp(t, nil)
				return b.jobs, b.env
			},
			Params: shell.JobsParams{},
			Good:   `{"operation":"list"}`,
			Bad: map[string]string{
				`{"operation":"tail"}`:            "id",
				`{"operation":"kill","id":"bg9"}`: "bg9",
				`{"operation":"start"}`:           "operation",
			},
		})
	})
}

// Acceptance check 1 of the acting tools.
func TestCheck1_OutputInOrderAndExitCode(t *testing.T) {
	b := setUp(t, nil)
	r := b.run(t, `{"command":"echo a; echo b >&2; exit 3"}`)
	if r.OK || r.Output != "a\nb\n[exit code: 3]" {
		t.Errorf("%+v", r)
	}
	for command, want := range map[string]tool.Result{
		"true":              tool.Success("(no output)"),
		"echo; echo":        tool.Success("(no output)"),
		"false":             tool.Failed("(no output)\n[exit code: 1]"),
		"printf x; exit 2":  tool.Failed("x\n[exit code: 2]"),
		"echo x; kill $$":   tool.Failed("x\n[killed by signal SIGTERM]"),
		"printf 'no end'":   tool.Success("no end"),
		"cat":               tool.Success("(no output)"), // no input
		`printf '\xc3'`:     tool.Success("\ufffd"),
		"echo $AI_AGENT":    tool.Success("ml-intern\n"),
		"exec 2>&-; nosuch": tool.Failed("(no output)\n[exit code: 127]"),
	} {
		if got := b.run(t, shell.BashParams{Command: command}); got != want {
			t.Errorf("%s: %+v, want %+v", command, got, want)
		}
	}
}

func TestBashWhereThereIsOne(t *testing.T) {
	if _, err := os.Stat("/bin/bash"); err != nil {
		t.Skip("there is no /bin/bash here")
	}
	b := setUp(t, nil)
	r := b.run(t, shell.BashParams{Command: `a=(x y); [[ ${a[1]} == y ]] && set -o pipefail && false | true; echo $?`})
	if r.Output != "1\n" {
		t.Errorf("arrays, [[ and pipefail: %+v", r)
	}
}

// Acceptance check 2.
func TestCheck2_TimeoutEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	b := setUp(t, nil)
	began := time.Now()
	r := b.run(t, `{"command":"echo before; sleep 60 & sleep 60","timeout":1}`)
	if took := time.Since(began); took > 4*time.Second || took < time.Second {
		t.Errorf("returned after %v", took)
	}
	for _, want := range []string{"before\n", "timed out after 1 s", "background", "kill -0", "tail"} {
		if r.OK || !strings.Contains(r.Output, want) {
			t.Errorf("%q is not in %+v", want, r)
		}
	}
	gone(t, b.group(t, 0))
}

// Acceptance check 3.
func TestCheck3_BackgroundChildKeepsThePipe(t *testing.T) {
	t.Parallel()
	b := setUp(t, nil)
	began := time.Now()
	r := b.run(t, `{"command":"echo hi; sleep 300 &","timeout":20}`)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("returned after %v", took)
	}
	g := b.group(t, 0)
	if !r.OK || !strings.HasPrefix(r.Output, "hi\n") || !strings.Contains(r.Output, fmt.Sprintf("process group %d", g.ID)) {
		t.Errorf("%+v", r)
	}
	if !g.Alive() {
		t.Error("the child was killed")
	}
	if list := call(t, b.jobs, b.env, `{"operation":"list"}`); !strings.Contains(list.Output, "bg1: finished, child processes still run") {
		t.Errorf("list: %+v", list)
	}
	if err := b.shell.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g.Alive() {
		t.Error("the child has outlived the session")
	}
}

// Acceptance check 4.
func TestCheck4_LargeOutput(t *testing.T) {
	b := setUp(t, nil)
	b.run(t, shell.BashParams{Command: "yes 0123456789 | head -c 200000"}) // what is allocated once
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := b.run(t, shell.BashParams{Command: "printf start; yes 0123456789 | head -c 4999990; printf end-e"})
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc) - int64(before.TotalAlloc); grown >= 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	if n := utf8.RuneCountInString(r.Output); !r.OK || n > 26_500 || n < 25_000 {
		t.Errorf("ok %v, %d characters", r.OK, n)
	}
	if !strings.HasPrefix(r.Output, "start0123456789\n") || !strings.HasSuffix(r.Output, "end-e") {
		t.Errorf("begins %.20q, ends %q", r.Output, r.Output[len(r.Output)-20:])
	}
	if !strings.Contains(r.Output, "4,975,014 of 5,000,000 characters omitted, showing first 6,242 + last 18,744") {
		t.Errorf("the gap is not told of: %.300q", r.Output[6200:])
	}
	path := spilled(t, r)
	info, err := os.Stat(path)
	if err != nil || info.Size() != 5_000_000 || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", path, info, err)
	}
	if dir, err := os.Stat(filepath.Dir(path)); err != nil || dir.Mode().Perm() != 0o700 || !strings.HasPrefix(path, b.spill) {
		t.Errorf("folder of %s: %v, %v", path, dir, err)
	}
}

// spilled returns the path that a cut result names.
func spilled(t *testing.T, r tool.Result) string {
	t.Helper()
	m := regexp.MustCompile(`output is in (\S+): use read`).FindStringSubmatch(r.Output)
	if m == nil {
		t.Fatalf("no file is named in %.300q", r.Output)
	}
	return m[1]
}

func TestLargeOutputInWideCharacters(t *testing.T) {
	b := setUp(t, nil)
	r := b.run(t, shell.BashParams{Command: "yes 日本語 | head -n 25000"})
	head, rest, _ := strings.Cut(r.Output, "\n\n… (")
	_, tail, _ := strings.Cut(rest, ") …\n\n")
	if utf8.RuneCountInString(head) != 6248 || utf8.RuneCountInString(tail) != 18748 || !utf8.ValidString(r.Output) {
		t.Errorf("%d and %d characters, want 6,248 and 18,748: whole lines of up to 6,250 and 18,750", utf8.RuneCountInString(head), utf8.RuneCountInString(tail))
	}
	if whole := b.run(t, shell.BashParams{Command: "yes 日本語 | head -n 6250"}); whole.Output != strings.Repeat("日本語\n", 6250) {
		t.Errorf("25,000 characters are not shown whole, but %d", utf8.RuneCountInString(whole.Output))
	}
}

// Half of a token would not be recognised as one: neither edge of the gap shows
// one, nor does the tail of a background job.
func TestNoWordIsTorn(t *testing.T) {
	b := setUp(t, nil)
	token := "hf_" + strings.Repeat("aB3", 12)
	torn := func(what, text string) {
		t.Helper()
		for _, word := range strings.Fields(text) {
			if strings.Contains(word, "aB3") && word != token {
				t.Errorf("%s shows %q", what, word)
			}
		}
	}
	for shift := range 5 {
		command := fmt.Sprintf("echo %s; yes %s | head -n 3000 | tr '\\n' ' '", strings.Repeat("x", 1+shift*7), token)
		r := b.run(t, shell.BashParams{Command: command})
		if n := utf8.RuneCountInString(r.Output); n > 26_500 || n < 24_000 {
			t.Errorf("%d characters", n)
		}
		torn("the result", r.Output)
	}
	b.run(t, shell.BashParams{Command: "yes " + token + " | head -n 3000 | tr '\\n' ' '", Background: true, Keep: true})
	gone(t, b.group(t, 5))
	torn("the tail", call(t, b.jobs, b.env, `{"operation":"tail","id":"bg1"}`).Output)
}

// Acceptance check 6, and the Hub token.
func TestCheck6_SecretsStayOut(t *testing.T) {
	environ := []string{"PATH=" + os.Getenv("PATH"), "HOME=/home/u", "OPENAI_API_KEY=sk-secret", "HF_TOKEN=hf_secret", "SLACK_CHANNEL=c", "MY_PASSWORD=p"}
	for name, c := range map[string]struct {
		change func(*local.Options)
		want   []string
		not    []string
	}{
		"plain":   {func(*local.Options) {}, nil, []string{"OPENAI", "HF_TOKEN", "SLACK", "PASSWORD"}},
		"forward": {func(o *local.Options) { o.ForwardHFToken = true }, []string{"HF_TOKEN=hf_secret"}, []string{"OPENAI"}},
		"allow":   {func(o *local.Options) { o.AllowEnv = []string{"MY_PASSWORD"} }, []string{"MY_PASSWORD=p"}, []string{"OPENAI"}},
		"drop":    {func(o *local.Options) { o.DropEnv = []string{"HOME"} }, nil, []string{"HOME="}},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, func(o *local.Options) {
				o.Environ = environ
				c.change(o)
			})
			out := b.run(t, `{"command":"env"}`).Output
			for _, want := range append(c.want, "PATH=", "AI_AGENT=ml-intern") {
				if !strings.Contains(out, want) {
					t.Errorf("%s is missing in %s", want, out)
				}
			}
			if name != "drop" && !strings.Contains(out, "HOME=/home/u") {
				t.Errorf("HOME is missing in %s", out)
			}
			for _, not := range c.not {
				if strings.Contains(out, not) {
					t.Errorf("%s is shown in %s", not, out)
				}
			}
		})
	}
}

// Acceptance check 40, as far as commands go: no control sequence passes.
func TestCheck40_ControlSequences(t *testing.T) {
	b := setUp(t, nil)
	r := b.run(t, shell.BashParams{Command: `printf 'a\033]52;c;'; sleep 0.05; printf 'cm0=\007b\033[?25l\033]0;t\033'; sleep 0.05; printf '\\c\r\nd\302'; sleep 0.05; printf '\23331me\n'`})
	if r.Output != "abc\nde\n" {
		t.Errorf("output %q", r.Output)
	}
	logs := strings.Join(b.env.Logs(), "")
	if logs == "" || regexp.MustCompile(`[^\n -~]|52;c`).MatchString(logs) {
		t.Errorf("progress %q", logs)
	}
}

func TestProgressWhileRunning(t *testing.T) {
	b := setUp(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan tool.Result)
	go func() {
		r, _ := b.bash.Run(ctx, b.env, json.RawMessage(`{"command":"echo first; sleep 60"}`))
		done <- r
	}()
	for began := time.Now(); len(b.env.Logs()) == 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatal("no progress arrives")
		}
	}
	if got := b.env.Logs()[0]; got != "first" {
		t.Errorf("progress %q", got)
	}
	cancel()
	began := time.Now()
	r := <-done
	if took := time.Since(began); took > time.Second {
		t.Errorf("returned %v after cancel", took)
	}
	if r.OK || !strings.HasPrefix(r.Output, "first\n[cancelled") {
		t.Errorf("%+v", r)
	}
	gone(t, b.group(t, 0))
}

func TestCancelOfDeafCommand(t *testing.T) {
	t.Parallel()
	b := setUp(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	if _, err := b.bash.Run(ctx, b.env, json.RawMessage(`{"command":"trap '' TERM; while :; do sleep 1; done"}`)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("returned after %v", took)
	}
	if err := b.shell.Close(t.Context()); err != nil { // waits for KILL
		t.Fatal(err)
	}
	if b.group(t, 0).Alive() {
		t.Error("it lives")
	}
}

func TestCancelledBeforeTheStart(t *testing.T) {
	b := setUp(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.bash.Run(ctx, b.env, json.RawMessage(`{"command":"echo x"}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v: the call has not happened", err)
	}
	if refs := b.env.Refs(); len(refs) != 0 {
		t.Errorf("effects %v", refs)
	}
}

func TestEffectNamesTheGroup(t *testing.T) {
	b := setUp(t, nil)
	r := b.run(t, `{"command":"echo $$"}`)
	g := b.group(t, 0)
	if strings.TrimSpace(r.Output) != strconv.Itoa(g.ID) || runtime.GOOS == "linux" && g.Start == "" {
		t.Errorf("group %v, shell %s", g, r.Output)
	}
	r = call(t, b.bash, failing{b.env}, `{"command":"sleep 60"}`)
	if r.OK || !strings.Contains(r.Output, "could not be recorded") {
		t.Errorf("%+v", r)
	}
}

// failing is a session that can record nothing.
type failing struct{ tool.Env }

func (failing) Effect(string) error { return errors.New("disk full") }

func TestWorkDir(t *testing.T) {
	var dir string
	b := setUp(t, func(o *local.Options) { dir = o.Dir })
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	for workDir, want := range map[string]string{"": dir, ".": dir, "sub": sub, sub: sub, "sub/..": dir} {
		r := b.run(t, shell.BashParams{Command: "pwd", WorkDir: workDir})
		if r.Output != want+"\n" {
			t.Errorf("%q: %+v, want %s", workDir, r, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := b.run(t, shell.BashParams{Command: "pwd", WorkDir: "file"}); r.OK || !strings.Contains(r.Output, "no directory") {
		t.Errorf("a file: %+v", r)
	}
}

func TestRisk(t *testing.T) {
	var dir string
	b := setUp(t, func(o *local.Options) { dir = o.Dir })
	got := b.bash.Risk(json.RawMessage(`{"command":"rm -r x","work_dir":"sub"}`))
	if got.Effect != event.Once || got.Command != "rm -r x" || got.Dir != filepath.Join(dir, "sub") || got.Poll || got.Gate != tool.Open {
		t.Errorf("bash: %+v", got)
	}
	for command, poll := range map[string]bool{
		"sleep 5": true, " sleep 0.5s; ": true, "sleep 1 2m": true, "sleep 5; sleep 6": true, "sleep 5 && sleep 6\nsleep 7": true,
		"sleep": false, "sleep 5; rm x": false, "sleep $(rm x)": false, "sleeper 5": false, "sleep 5 &": false, "sleep 5 > f": false,
	} {
		args, _ := json.Marshal(shell.BashParams{Command: command})
		if got := b.bash.Risk(args).Poll; got != poll {
			t.Errorf("%q: poll %v", command, got)
		}
	}
	for operation, want := range map[string]tool.Risk{
		"list": {Effect: event.Read, Poll: true}, "tail": {Effect: event.Read, Poll: true}, "kill": {Effect: event.Once},
	} {
		got := b.jobs.Risk(json.RawMessage(`{"operation":"` + operation + `","id":"bg1"}`))
		if got.Effect != want.Effect || got.Poll != want.Poll || got.Operation != operation {
			t.Errorf("%s: %+v", operation, got)
		}
	}
}

func TestBackgroundJobs(t *testing.T) {
	t.Parallel()
	b := setUp(t, nil)
	began := time.Now()
	r := b.run(t, shell.BashParams{Command: `echo one; printf '\033[1mtwo\033[0m\n'; sleep 300`, Background: true})
	if time.Since(began) > time.Second || !r.OK {
		t.Fatalf("%+v after %v", r, time.Since(began))
	}
	m := regexp.MustCompile(`^id: (bg1)\npid: (\d+)\nlog: (\S+)\n`).FindStringSubmatch(r.Output)
	if m == nil {
		t.Fatalf("result %q", r.Output)
	}
	g := b.group(t, 0)
	if m[2] != strconv.Itoa(g.ID) {
		t.Errorf("pid %s, group %v", m[2], g)
	}
	tail := func(args string) string {
		return call(t, b.jobs, b.env, `{"operation":"tail","id":"bg1"`+args+`}`).Output
	}
	for began := time.Now(); tail("") != "one\ntwo\n[bg1: running]"; time.Sleep(time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatalf("tail %q", tail(""))
		}
	}
	if got := tail(`,"lines":1`); got != "two\n[bg1: running]" {
		t.Errorf("one line: %q", got)
	}
	if log, err := os.ReadFile(m[3]); err != nil || string(log) != "one\ntwo\n" {
		t.Errorf("log %q, %v", log, err)
	}
	if list := call(t, b.jobs, b.env, `{"operation":"list"}`).Output; !strings.Contains(list, "bg1: running, pid "+m[2]) || !strings.Contains(list, m[3]) {
		t.Errorf("list %q", list)
	}
	if other := call(t, b.jobs, &tooltest.Env{Session: "other"}, `{"operation":"list"}`).Output; other != "No background jobs in this session." {
		t.Errorf("another session sees %q", other)
	}
	if r := call(t, b.jobs, b.env, `{"operation":"kill","id":"bg1"}`); !r.OK {
		t.Errorf("kill: %+v", r)
	}
	if g.Alive() {
		t.Error("it lives")
	}
	if r := call(t, b.jobs, b.env, `{"operation":"kill","id":"bg1"}`); !r.OK || !strings.Contains(r.Output, "already ended") {
		t.Errorf("second kill: %+v", r)
	}
	if got := tail(""); got != "one\ntwo\n[bg1: killed by SIGTERM]" {
		t.Errorf("tail at last: %q", got)
	}
}

func TestBackgroundTimeout(t *testing.T) {
	t.Parallel()
	b := setUp(t, nil)
	b.run(t, shell.BashParams{Command: "sleep 300", Background: true, Timeout: 1})
	gone(t, b.group(t, 0))
}

func TestSessionEndKillsAllButKept(t *testing.T) {
	t.Parallel()
	b := setUp(t, nil)
	kept := b.run(t, shell.BashParams{Command: `printf 'kept\033[0m\r\n'; while sleep 0.01; do [ -e stop ] && exit; echo on; done`, Background: true, Keep: true})
	b.run(t, shell.BashParams{Command: "sleep 300", Background: true})
	b.run(t, shell.BashParams{Command: "sleep 300 >/dev/null 2>&1 &"})
	started := make(chan struct{})
	foreground := make(chan tool.Result)
	go func() {
		r, _ := b.bash.Run(context.Background(), signalling{b.env, started}, json.RawMessage(`{"command":"sleep 300"}`))
		foreground <- r
	}()
	<-started
	if err := b.shell.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-foreground
	for i := range 4 {
		if g := b.group(t, i); g.Alive() != (i == 0) {
			t.Errorf("call %d, %v: alive %v", i, g, g.Alive())
		}
	}
	if got := call(t, b.jobs, b.env, `{"operation":"tail","id":"bg1","lines":1}`).Output; got != "on\n[bg1: running]" && got != "kept\n[bg1: running]" {
		t.Errorf("tail of the kept one: %q", got)
	}
	if _, err := b.bash.Run(t.Context(), b.env, json.RawMessage(`{"command":"echo x"}`)); err == nil {
		t.Error("a call after the end has run")
	}
	if !strings.Contains(kept.Output, "It stays when the session ends") {
		t.Errorf("kept: %+v", kept)
	}
	b.group(t, 0).Kill()
}

// signalling tells when an effect was recorded.
type signalling struct {
	tool.Env
	started chan struct{}
}

func (s signalling) Effect(ref string) error {
	defer close(s.started)
	return s.Env.Effect(ref)
}

func TestEscapedProcessDoesNotHang(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs setsid")
	}
	t.Parallel()
	b := setUp(t, nil)
	began := time.Now()
	if r := b.run(t, shell.BashParams{Command: "setsid sleep 8 & echo hi; sleep 0.1"}); !r.OK || !strings.HasPrefix(r.Output, "hi\n") {
		t.Errorf("%+v", r)
	}
	if err := b.shell.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestSandboxedCommands(t *testing.T) {
	for _, l := range proc.Available(t.Context()) {
		t.Run(string(l.Mode), func(t *testing.T) {
			if !l.OK {
				t.Skipf("no such fence here: %v", l)
			}
			base := t.TempDir()
			home, work := filepath.Join(base, "home"), filepath.Join(base, "home", "work")
			if err := os.MkdirAll(work, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, "key"), []byte("key"), 0o600); err != nil {
				t.Fatal(err)
			}
			box, err := proc.NewSandbox(t.Context(), proc.SandboxOptions{Mode: l.Mode, Home: home, Write: []string{work}})
			if err != nil {
				t.Fatal(err)
			}
			b := setUp(t, func(o *local.Options) { o.Dir, o.Sandbox = work, box })
			if r := b.run(t, shell.BashParams{Command: "echo x > f && cat f && echo y > $TMPDIR/t && cat $TMPDIR/t"}); r.Output != "x\ny\n" {
				t.Errorf("inside: %+v", r)
			}
			for _, command := range []string{"cat ../key", "echo x > ../new", "echo x > " + base + "/new"} {
				if r := b.run(t, shell.BashParams{Command: command}); r.OK {
					t.Errorf("%s: %+v", command, r)
				}
			}
			r := b.run(t, shell.BashParams{Command: "echo started; sleep 300", Background: true})
			log := regexp.MustCompile(`log: (\S+)`).FindStringSubmatch(r.Output)[1]
			if r := b.run(t, shell.BashParams{Command: "until grep started " + log + "; do sleep 0.01; done; kill -0 " + strconv.Itoa(b.group(t, 4).ID), Timeout: 10}); r.Output != "started\n" {
				t.Errorf("the log of a job: %+v", r)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	open := func(context.Context) (workspace.Workspace, error) { return nil, nil }
	for want, o := range map[string]shell.Options{
		"Workspace":  {Dir: "/"},
		"Dir":        {Dir: "x", Workspace: open},
		"MaxTimeout": {Workspace: open, MaxTimeout: time.Second},
	} {
		if _, err := shell.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// In a workspace elsewhere the numbers differ, nobody is told of a command on
// the user's machine, and what keeps the workspace away is what the model reads.
func TestElsewhere(t *testing.T) {
	away := errors.New("Sandbox is still starting. Please retry shortly.")
	s, err := shell.New(shell.Options{
		Workspace: func(context.Context) (workspace.Workspace, error) { return nil, away },
		DirName:   "/app", DefaultTimeout: 240 * time.Second, MaxTimeout: 1200 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	bash, jobs := s.Tools()
	for _, want := range []string{"Default 240, at most 1200.", "Default: /app."} {
		if !strings.Contains(string(bash.Spec().Parameters), want) {
			t.Errorf("%q is not in %s", want, bash.Spec().Parameters)
		}
	}
	if r := bash.Risk(json.RawMessage(`{"command":"sudo rm -r /","work_dir":"/"}`)); r.Command != "" || r.Dir != "" || r.Effect != event.Once {
		t.Errorf("risk %+v", r)
	}
	env := new(tooltest.Env)
	for tl, args := range map[tool.Tool]string{bash: `{"command":"echo x"}`, jobs: `{"operation":"list"}`} {
		if r := call(t, tl, env, args); r.OK || r.Output != away.Error() {
			t.Errorf("%s: %+v", tl.Spec().Name, r)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConcurrentCalls(t *testing.T) {
	b := setUp(t, nil)
	done := make(chan tool.Result)
	began := time.Now()
	for i := range 8 {
		go func() {
			r, _ := b.bash.Run(t.Context(), b.env, json.RawMessage(`{"command":"sleep 0.3; echo `+strconv.Itoa(i)+`"}`))
			done <- r
		}()
	}
	seen := map[string]bool{}
	for range 8 {
		seen[(<-done).Output] = true
	}
	if took := time.Since(began); len(seen) != 8 || took > 2*time.Second {
		t.Errorf("%d different results after %v", len(seen), took)
	}
}

func BenchmarkEcho(b *testing.B) {
	s := setUp(b, nil)
	env := new(tooltest.Env)
	for b.Loop() {
		if r, _ := s.bash.Run(context.Background(), env, json.RawMessage(`{"command":"echo x"}`)); r.Output != "x\n" {
			b.Fatal(r)
		}
	}
}
