package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/checkout"
	"github.com/ml-intern/ml-intern/internal/sink/sessionlog"
)

// follower shows, stores or reports a chapter of a session until its journal
// ends.
type follower func(ctx context.Context, s *Session, c *live.Chapter) error

// followers is the list of followers of every session; adding one is a line
// here.
func (a *App) followers() []follower {
	return []follower{
		a.keepLog,
	}
}

// keepLog writes the session's JSON file. A session that is kept in memory
// leaves no file.
func (a *App) keepLog(ctx context.Context, s *Session, c *live.Chapter) error {
	if a.memory != nil {
		return nil
	}
	log, err := sessionlog.New(sessionlog.Options{
		Dir: a.logDir(), SessionID: c.ID, Interval: time.Duration(max(0, a.Config().HeartbeatIntervalS)) * time.Second,
		About: func() document.About { return a.about(s) },
		Log:   slog.New(slog.NewTextHandler(debugWriter{a}, nil)),
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.log = log
	s.mu.Unlock()
	return log.Run(ctx, c.Journal.Follow)
}

// debugWriter sends the log lines of followers to the debug log.
type debugWriter struct{ app *App }

func (w debugWriter) Write(p []byte) (int, error) {
	w.app.Debug(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// about is what a session file says beside the session's events.
func (a *App) about(s *Session) document.About {
	return document.About{
		UserID: a.user(context.Background(), false), Cwd: a.Loaded.Dir, GitBranch: checkout.Branch(a.Loaded.RepoRoot),
		AppVersion: Version(), Tools: s.specs, Model: s.Settings().Model,
	}
}

// toolSpecs are the tools as a session file lists them.
func toolSpecs(tools []tool.Tool) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, 0, len(tools))
	for _, t := range tools {
		spec := t.Spec()
		raw, err := document.ToolSpec(llm.ToolSpec{Name: spec.Name, Description: spec.Description, Parameters: spec.Parameters})
		if err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, nil
}
