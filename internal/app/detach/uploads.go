package detach

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// UploadWord and UploadFlag are the hidden command that finishes uploads.
const (
	UploadWord = "upload"
	UploadFlag = "queue"
)

// Uploads starts a process of its own for what is left to upload, and does not
// wait for it: the end of a session waits a few seconds only. Nothing is started
// where nothing is left, or where time does not help. What cannot be started is
// left to the next start of the program.
func Uploads(ctx context.Context, a *app.App, c Command) {
	desk, err := a.Traces()
	if err != nil || !desk.Left(ctx) {
		return
	}
	if err := startUploads(c); err != nil {
		a.Debug("uploads are left to the next start: " + err.Error())
	}
}

func startUploads(c Command) (err error) {
	if c.Executable == "" {
		if c.Executable, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
	}
	// A program made to test packages has other commands: it would test itself.
	if name := strings.TrimSuffix(c.Executable, ".exe"); strings.HasSuffix(name, ".test") {
		return nil
	}
	cmd := exec.Command(c.Executable, UploadWord, "--"+UploadFlag)
	cmd.Env, cmd.Dir = c.Environ, c.Dir
	proc.Detach(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the process that uploads: %w", err)
	}
	return cmd.Process.Release()
}
