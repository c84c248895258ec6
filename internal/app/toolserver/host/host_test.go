//go:build linux

package host_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/toolserver/host"
)

// asServer makes the test program the tool server of this folder.
const asServer = "HOST_TEST_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(asServer)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := host.Run(context.Background(), host.Options{Environ: os.Environ(), Dir: dir, Version: "test", Log: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, "failed:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

const token = "find-me-if-you-can-0123456789-0123456789-0123456789"

// process is a running tool server.
type process struct {
	t    *testing.T
	dir  string
	cmd  *exec.Cmd
	url  string
	said *bytes.Buffer // after the line that names the address
}

// start starts this program as a tool server.
func start(t *testing.T, dir string, env ...string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, said: new(bytes.Buffer)}
	p.cmd = exec.Command(program(t))
	p.cmd.Dir = "/"
	temp := open(t) // what a killed server leaves is removed
	if err := os.Chmod(temp, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	p.cmd.Env = append([]string{
		"TMPDIR=" + temp, asServer + "=" + dir, "PATH=" + os.Getenv("PATH"), "HOME=/root", "PORT=0", host.HostVariable + "=127.0.0.1",
	}, env...)
	errs, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		_ = p.cmd.Wait()
	})
	in := bufio.NewScanner(errs)
	for p.url == "" && in.Scan() {
		if rest, ok := strings.CutPrefix(in.Text(), "listening on "); ok {
			p.url = "http://" + strings.Split(rest, ",")[0]
		}
		p.said.WriteString(in.Text() + "\n")
	}
	if p.url == "" {
		t.Fatalf("it says %s", p.said)
	}
	return p
}

// program is this program where every user may start it.
func program(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(open(t), "toolserver")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// open is a folder that every user may enter.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// bash runs a command in the sandbox.
func (p *process) bash(command string) string {
	p.t.Helper()
	body, err := json.Marshal(map[string]string{"command": command})
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/api/bash", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("X-Sandbox-Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	var out struct{ Output, Error string }
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.StatusCode != 200 {
		p.t.Fatalf("%s: %d %v", command, res.StatusCode, err)
	}
	return out.Output + out.Error
}

// Acceptance check 16 of the acting tools, what children see: neither their own
// environment nor that of the server shows the token, nor does any process.
func TestCheck16_ChildrenDoNotSeeTheToken(t *testing.T) {
	p := start(t, open(t), host.TokenVariable+"="+token, "HF_TOKEN=hf_forwarded_0123")
	env := p.bash("env")
	if strings.Contains(env, token) || !strings.Contains(env, "PATH=") || !strings.Contains(env, "hf_forwarded_0123") {
		t.Errorf("the environment of a command: %s", env)
	}
	for _, secret := range []string{token, "hf_forwarded_0123"} {
		// The command's own name for the text must not be what it finds.
		half := len(secret) / 2
		looking := fmt.Sprintf(`s='%s''%s'; for f in environ cmdline; do cat /proc/$PPID/$f 2>&1 | tr '\0' '\n' | grep -c -e "$s"; done; true`, secret[:half], secret[half:])
		if got := p.bash(looking); got != "0\n0\n" {
			t.Errorf("looking for %.10s… in the server's environment and arguments: %s", secret, got)
		}
	}
	// Even who may read everything finds no token in what it was started with.
	started, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.cmd.Process.Pid))
	if err == nil && bytes.Contains(started, []byte(token)) {
		t.Error("the token is in the environment the server was started with")
	}
	if got := p.bash("cat /proc/$PPID/mem 2>&1 | head -c 100; ls -l /proc/$PPID/fd 2>&1"); !strings.Contains(got, "denied") && !strings.Contains(got, "rror") {
		t.Errorf("the server's memory and descriptors: %s", got)
	}
	if strings.Contains(p.said.String(), token) {
		t.Errorf("it says %s", p.said)
	}
}

func TestRootIsGivenUp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has something to give up")
	}
	dir := open(t)
	p := start(t, filepath.Join(dir, "app"), host.TokenVariable+"="+token)
	got := p.bash("id -u; id -g; id -G; touch made && stat -c %u:%g made; echo $HOME; echo $PATH; touch /etc/forbidden 2>&1; pwd")
	lines := strings.Split(got, "\n")
	if len(lines) < 8 || lines[0] != "1000" || lines[1] == "0" || lines[2] == "0" || !strings.HasPrefix(lines[3], "1000:") || strings.HasPrefix(lines[4], "/root") ||
		!strings.HasPrefix(lines[5], lines[4]+"/.local/bin:") || !strings.Contains(lines[6], "denied") || lines[7] != dir+"/app" {
		t.Errorf("%s", got)
	}
	// A folder that nobody else can enter is worked in as root, which is said.
	hidden := filepath.Join(open(t), "hidden")
	if err := os.Mkdir(hidden, 0o700); err != nil {
		t.Fatal(err)
	}
	p = start(t, filepath.Join(hidden, "app"), host.TokenVariable+"="+token)
	if got := p.bash("id -u; touch made && echo ok"); got != "0\nok\n" || !strings.Contains(p.said.String(), "running as root") {
		t.Errorf("%s; it says %s", got, p.said)
	}
}

func TestForwarding(t *testing.T) {
	p := start(t, open(t), host.TokenVariable+"="+token, "HF_TOKEN=hf_forwarded_0123", host.ForwardVariable+"=false")
	if env := p.bash("env"); strings.Contains(env, "hf_forwarded_0123") || strings.Contains(env, host.ForwardVariable) {
		t.Errorf("the environment of a command: %s", env)
	}
}

func TestWithoutToken(t *testing.T) {
	p := start(t, open(t))
	res, err := http.Post(p.url+"/api/bash", "application/json", strings.NewReader(`{"command":"true"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(p.said.String(), host.TokenVariable) {
		t.Errorf("status %d; it says %s", res.StatusCode, p.said)
	}
}

func TestStop(t *testing.T) {
	dir := open(t)
	ctx, stop := context.WithCancel(t.Context())
	log := &lines{seen: make(chan string, 8)}
	done := make(chan error, 1)
	if os.Geteuid() == 0 { // it must stay root for the tests that follow
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		done <- host.Run(ctx, host.Options{
			Environ: []string{"PORT=0", host.HostVariable + "=127.0.0.1"}, Dir: filepath.Join(dir, "app"), Version: "test", Log: log,
		})
	}()
	for line := range log.seen {
		if strings.HasPrefix(line, "listening on 127.0.0.1:") {
			break
		}
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end")
	}
}

// lines are what a server says.
type lines struct{ seen chan string }

func (l *lines) Write(p []byte) (int, error) {
	l.seen <- string(p)
	return len(p), nil
}

func TestBadSettings(t *testing.T) {
	dir := t.TempDir()
	for want, o := range map[string]host.Options{
		"PORT":               {Dir: dir, Environ: []string{"PORT=http"}},
		host.ForwardVariable: {Dir: dir, Environ: []string{host.ForwardVariable + "=maybe"}},
		"absolute":           {Dir: "x"},
	} {
		o.Log = os.Stderr
		if err := host.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	// A token that is too short: the process itself, because it would run again.
	cmd := exec.Command(program(t))
	cmd.Env = []string{asServer + "=" + dir, host.TokenVariable + "=short-one", "PORT=0"}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !bytes.Contains(out, []byte("token has 9 characters")) || bytes.Contains(out, []byte("short-one")) {
		t.Errorf("%v: %s", err, out)
	}
}
