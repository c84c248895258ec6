// Package changes decides what is remembered of the changes that a session's
// calls make in the workspace, and where. The remembering is checkpoint's.
package changes

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"

	"github.com/ml-intern/ml-intern/internal/adapter/checkpoint"
	"github.com/ml-intern/ml-intern/internal/config"
)

// Remembered are the checkpoints of a session, or nil where nothing is: in a
// sandbox, in a run that nobody watches, and where the settings say so.
func Remembered(l *config.Loaded, session string, watched bool, warn, debug func(string)) *checkpoint.Checkpoints {
	mode := l.Config.Checkpoints
	if l.Config.ToolRuntime == "sandbox" || mode == "off" || mode == "auto" && !watched {
		return nil
	}
	name := sha256.Sum256([]byte(l.Workspace))
	return checkpoint.New(checkpoint.Options{
		Workspace: l.Workspace, Session: session, Warn: warn, Debug: debug,
		Store: filepath.Join(l.Places.State, "checkpoints", hex.EncodeToString(name[:8])),
		Log:   filepath.Join(l.Places.Sessions(), session, "checkpoints.jsonl"),
	})
}
