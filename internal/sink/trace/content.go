package trace

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/claude"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/row"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/simple"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

// Forms of a session in the user's own data set.
const (
	FormClaude = "claude_code"
	FormSimple = "sts"
)

// errNoAnswer says that there is nothing to send yet: a file without an answer
// is no trace for those who read them.
var errNoAnswer = errors.New("no model has answered in this session yet")

// tooLarge says that a session cannot be made small enough.
type tooLarge struct{ bytes, most int }

func (e *tooLarge) Error() string {
	return fmt.Sprintf("the session has %d MB without its long outputs, more than the %d MB of an upload; ml-intern sessions export writes it to a file",
		e.bytes>>20, e.most>>20)
}

// Content is a session as it is sent.
type Content struct {
	Day   string // 2026-01-31, on which the session began
	Bytes []byte
	// Cut counts the texts that were shortened to make it fit.
	Cut int
}

// Render makes what is sent of a session; for a long one that takes a moment.
type Render func(ctx context.Context, d document.Document, s *redact.Scrubber) (Content, error)

// MostBytes is how large an upload may be.
const MostBytes = 50 << 20

// Rows renders the conversation in a form, FormClaude or FormSimple, of at most
// so many bytes: a longer one has its long outputs shortened, which they say.
func Rows(form string, most int) Render {
	write := claude.WriteTranscript
	if form == FormSimple {
		write = simple.WriteTranscript
	}
	return func(ctx context.Context, d document.Document, s *redact.Scrubber) (Content, error) {
		t := transcript.Of(d)
		if !t.Answered() {
			return Content{}, errNoAnswer
		}
		out := Content{Day: day(d)}
		for _, length := range []int{0, 100_000, 20_000, 4_000, 1_000} {
			fits := t
			if length > 0 {
				fits, out.Cut = t.Shortened(length)
			}
			raw, err := scrubbed(ctx, fits, write, s)
			if err != nil {
				return Content{}, err
			}
			if out.Bytes = raw; len(raw) <= most {
				return out, nil
			}
		}
		return Content{}, &tooLarge{len(out.Bytes), most}
	}
}

// scrubbed writes the rows without what is known to be a secret now. A row that
// cannot be looked into is sent to nobody.
func scrubbed(ctx context.Context, t transcript.Transcript, write func(w io.Writer, t transcript.Transcript) error, s *redact.Scrubber) ([]byte, error) {
	var rows bytes.Buffer
	if err := write(&rows, t); err != nil {
		return nil, err
	}
	var out []byte // only where something is to be removed
	done := 0
	for rest := rows.Bytes(); len(rest) > 0; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		end := bytes.IndexByte(rest, '\n') + 1
		clean, n, err := s.JSON(rest[:end])
		if err != nil {
			return nil, fmt.Errorf("look for secrets in session %s: %w", t.SessionID, err)
		}
		if n > 0 && out == nil {
			out = append(make([]byte, 0, rows.Len()), rows.Bytes()[:done]...)
		}
		if out != nil {
			out = append(out, clean...)
		}
		rest, done = rest[end:], done+end
	}
	if out != nil {
		return out, nil
	}
	return rows.Bytes(), nil
}

// day is the day on which a session began.
func day(d document.Document) string {
	if at, err := time.Parse(time.DateOnly, d.StartTime[:min(len(d.StartTime), len(time.DateOnly))]); err == nil {
		return at.Format(time.DateOnly)
	}
	return d.Updated().Format(time.DateOnly)
}

// Counters renders what a session has used, and nothing that was said or done.
// The user is told from others by a hash with a salt that only this machine has.
func Counters(saltFile, user string) Render {
	return func(_ context.Context, d document.Document, s *redact.Scrubber) (Content, error) {
		if !transcript.Of(d).Answered() {
			return Content{}, errNoAnswer
		}
		salt, err := salt(saltFile)
		if err != nil {
			return Content{}, err
		}
		r, err := row.New(d)
		if err != nil {
			return Content{}, err
		}
		sum := hmac.New(sha256.New, salt)
		sum.Write([]byte(user))
		line, err := r.Counters(hex.EncodeToString(sum.Sum(nil))[:32]).Line()
		if err != nil {
			return Content{}, err
		}
		if line, _, err = s.JSON(line); err != nil {
			return Content{}, fmt.Errorf("look for secrets in the counters of session %s: %w", d.SessionID, err)
		}
		return Content{Day: day(d), Bytes: line}, nil
	}
}

// salt reads the salt of this machine, and makes it first if need be.
func salt(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(raw)) != "" {
		return raw, nil
	}
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("read the salt of user names: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the salt of user names: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if os.IsExist(err) { // another process was faster
		return os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("make the salt of user names: %w", err)
	}
	fresh := []byte(rand.Text())
	_, err = f.Write(fresh)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("make the salt of user names: %w", err)
	}
	return fresh, nil
}

// open makes the document of a journal's events.
func open(events []event.Event) (document.Document, error) {
	s, err := history.Load(events)
	if err != nil {
		return document.Document{}, err
	}
	return document.Build(s, events, document.About{}), nil
}
