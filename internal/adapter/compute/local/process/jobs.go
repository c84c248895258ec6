package process

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Jobs returns the background jobs of a session, oldest first.
func (s *Shell) Jobs(_ context.Context, session string) ([]workspace.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []workspace.Status
	for _, j := range s.live {
		if j.id != "" && j.command.Session == session {
			out = append(out, j.status())
		}
	}
	return out, nil
}

// find returns a job by its name, or a command by the id it was started with.
func (s *Shell) find(session, id string) (*job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.live, func(j *job) bool {
		return j.command.Session == session && id != "" && (j.id == id || j.command.ID == id)
	})
	if i < 0 {
		return nil, &workspace.Fault{Kind: workspace.Unknown, Reason: fmt.Sprintf("id %q: there is no such job", id)}
	}
	return s.live[i], nil
}

// Tail returns the last lines of a job's output.
func (s *Shell) Tail(_ context.Context, session, id string, lines int) (string, workspace.Status, error) {
	j, err := s.find(session, id)
	if err != nil {
		return "", workspace.Status{}, err
	}
	status := j.Status() // before the text: what ended has said everything
	text, err := j.tail(lines)
	return text, status, err
}

// Kill ends a job or a command and waits for it, unless ctx is done before.
func (s *Shell) Kill(ctx context.Context, session, id string) (workspace.Status, error) {
	j, err := s.find(session, id)
	if err != nil {
		return workspace.Status{}, err
	}
	if j.finished() {
		return j.Status(), nil
	}
	select {
	case <-j.proc.Stop():
		return j.Status(), nil
	case <-ctx.Done():
		return j.Status(), ctx.Err()
	}
}

// tailBytes is how much of a file is read to show its last lines.
const tailBytes = 4 * workspace.ShownChars

// tail returns the last lines of the output so far.
func (j *job) tail(lines int) (string, error) {
	if j.output != nil {
		return LastLines(excerpt.Tail(j.output.Last(workspace.ShownChars+1), workspace.ShownChars), lines), nil
	}
	file, err := os.Open(j.log)
	if err != nil {
		return "", fmt.Errorf("read the output: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("read the output: %w", err)
	}
	at := max(0, info.Size()-tailBytes)
	data, err := io.ReadAll(io.NewSectionReader(file, at, tailBytes))
	if err != nil {
		return "", fmt.Errorf("read the output: %w", err)
	}
	text := plain.String(string(data))
	if at > 0 {
		text = excerpt.TrimStart(text)
	}
	return LastLines(excerpt.Tail(text, workspace.ShownChars), lines), nil
}

// LastLines returns the last n lines of text.
func LastLines(text string, n int) string {
	text = strings.TrimSuffix(text, "\n")
	for start := len(text); n > 0; n-- {
		if start = strings.LastIndexByte(text[:start], '\n'); start < 0 {
			break
		}
		if n == 1 {
			return text[start+1:]
		}
	}
	return text
}
