package local

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// pythonGrace is how long the pipes of an interpreter may stay open after it
// was ended.
const pythonGrace = 200 * time.Millisecond

// Interpreter is the Python of a workspace: its virtual environment's, else
// the one in the path, else empty.
func Interpreter(root string) string {
	own := filepath.Join(root, ".venv", "bin", "python")
	if runtime.GOOS == "windows" {
		own = filepath.Join(root, ".venv", "Scripts", "python.exe")
	}
	if info, err := os.Stat(own); err == nil && !info.IsDir() {
		return own
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		return ""
	}
	return path
}

// Python runs a program with the interpreter; one that is missing, late or
// broken says nothing.
func (m *Machine) Python(ctx context.Context, program string, input []byte, limit time.Duration) ([]byte, error) {
	python := m.python()
	if python == "" {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	cmd := exec.CommandContext(ctx, python, "-I", "-c", program)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = cleanEnv()
	cmd.Dir = os.TempDir()
	cmd.WaitDelay = pythonGrace
	out, err := cmd.Output()
	if err != nil {
		return nil, nil //nolint:nilerr // what an interpreter could say is a courtesy
	}
	return out, nil
}

// cleanEnv is what an interpreter needs to start and nothing else: no tokens.
func cleanEnv() []string {
	env := []string{"LC_ALL=C.UTF-8"}
	for _, name := range []string{"PATH", "HOME", "SYSTEMROOT", "TMPDIR", "TEMP"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
