//go:build unix

package host

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// handedVariable names the descriptor that the token is handed on by.
const handedVariable = "_ML_INTERN_SANDBOX_TOKEN_FD"

// takeToken returns the token. Where it came in the environment, the process
// first becomes itself again without it: what a process was started with can
// be read by others as long as it lives, whatever it removes later.
func takeToken(env *variables) (string, error) {
	if number := env.take(handedVariable); number != "" {
		_ = os.Unsetenv(handedVariable) // it names nothing any more
		return handed(number)
	}
	token := env.take(TokenVariable)
	_ = os.Unsetenv(TokenVariable)
	if token == "" {
		return "", nil
	}
	self, err := os.Executable()
	if err != nil {
		return token, nil // what Conceal does must be enough
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("hand the token on: %w", err)
	}
	defer r.Close()
	if _, err := io.WriteString(w, token); err != nil { // it is shorter than what a pipe holds
		return "", fmt.Errorf("hand the token on: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("hand the token on: %w", err)
	}
	// A copy of the descriptor is not closed when the program is replaced.
	fd, err := syscall.Dup(int(r.Fd()))
	if err != nil {
		return "", fmt.Errorf("hand the token on: %w", err)
	}
	err = syscall.Exec(self, os.Args, append(*env, handedVariable+"="+strconv.Itoa(fd)))
	_ = syscall.Close(fd)
	_ = err // the program could not be replaced: what Conceal does must be enough
	return token, nil
}

// handed reads the token from the descriptor.
func handed(number string) (string, error) {
	fd, err := strconv.Atoi(number)
	if err != nil || fd <= 2 {
		return "", fmt.Errorf("%s %q: it names no descriptor", handedVariable, number)
	}
	f := os.NewFile(uintptr(fd), "token")
	defer f.Close()
	token, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return "", fmt.Errorf("take the token that was handed on: %w", err)
	}
	return string(token), nil
}

// account is whom a server of root becomes: the first ordinary user, as images
// for Spaces have it.
const account = 1000

// giveUpRoot makes the server, and so all it starts, an ordinary user. It says
// why when it does not.
func giveUpRoot(dir string, env *variables) (string, error) {
	if os.Geteuid() != 0 {
		return "", nil
	}
	uid, gid, home := user(account)
	if blocked := barred(dir, uint32(uid)); blocked != "" {
		return fmt.Sprintf("running as root: an ordinary user could not enter %s", blocked), nil
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return fmt.Sprintf("running as root: %v", err), nil
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Sprintf("running as root: give up the groups: %v", err), nil
	}
	if err := syscall.Setgid(gid); err != nil {
		return "", fmt.Errorf("give up the group of root: %w", err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return "", fmt.Errorf("give up root: %w", err)
	}
	if info, err := os.Stat(home); err != nil || !info.IsDir() || !owns(info, uint32(uid)) {
		home = dir
	}
	env.set("HOME", home)
	env.set("PATH", filepath.Join(home, ".local", "bin")+":"+env.take("PATH"))
	return "", nil
}

// user is an account as the system knows it, or made up.
func user(id int) (uid, gid int, home string) {
	data, _ := os.ReadFile("/etc/passwd") // an image may have none
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 7 || f[2] != strconv.Itoa(id) {
			continue
		}
		if n, err := strconv.Atoi(f[3]); err == nil && n > 0 {
			return id, n, f[5]
		}
	}
	return id, id, ""
}

// barred is the folder on the way to dir that a user cannot pass; empty when
// there is none. Dir itself will be his.
func barred(dir string, uid uint32) string {
	for at := filepath.Dir(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil || info.Mode()&0o001 == 0 && (!owns(info, uid) || info.Mode()&0o100 == 0) {
			return at
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
}

func owns(info fs.FileInfo, uid uint32) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == uid
}
