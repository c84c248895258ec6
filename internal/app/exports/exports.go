// Package exports makes files of sessions for whoever looks at many of them: key figures
// by the hour and the day, training data, and rows of telemetry. It reads one session at
// a time from a [source.Source], removes secrets, and hands what it has made to a
// [target.Target]. What counts, and in which form, is said in the lab.
package exports

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/app/exports/source"
	"github.com/ml-intern/ml-intern/internal/app/exports/target"
	"github.com/ml-intern/ml-intern/internal/lab/anonymous"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

// Options are what every export is made with.
type Options struct {
	Source source.Source
	Target target.Target
	// Scrubber removes secrets from all that is written.
	Scrubber *redact.Scrubber
	// Strict also removes what tells who somebody is; Names are known beside those
	// that a session holds.
	Strict bool
	Names  anonymous.Names
	// Compat follows the Python original to the letter.
	Compat bool
	// Warn is told a line about what was left out. It may be nil, as Progress.
	Warn func(line string)
	// Progress is told how many sessions were read, and of which day the last is.
	Progress func(read int, day string)
}

// Summary is what an export came to.
type Summary struct {
	Read      int // sessions
	Bad       int // sessions that could not be read
	LeftOut   int // sessions that were not asked for, or have no id
	Written   int // files
	Unchanged int // files that were there already
	Failed    int // files that could not be stored
}

// String is the summary in one line, for people.
func (s Summary) String() string {
	parts := []string{counted(s.Written, "file written", "files written")}
	for _, part := range []struct {
		n         int
		one, many string
	}{
		{s.Unchanged, "unchanged", "unchanged"},
		{s.Failed, "could not be stored", "could not be stored"},
		{s.LeftOut, "session left out", "sessions left out"},
		{s.Bad, "session could not be read", "sessions could not be read"},
	} {
		if part.n > 0 {
			parts = append(parts, counted(part.n, part.one, part.many))
		}
	}
	return fmt.Sprintf("%s, from %s", strings.Join(parts, ", "), counted(s.Read, "session", "sessions"))
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// export is one at work.
type export struct {
	Options
	sum Summary
}

func begin(o Options) *export {
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Progress == nil {
		o.Progress = func(int, string) {}
	}
	return &export{Options: o}
}

// sessions calls take with each session that is wanted.
func (e *export) sessions(ctx context.Context, want source.Wanted, take func(source.Found) error) error {
	for found, err := range e.Source.Sessions(ctx, want) {
		var bad *source.BadError
		switch {
		case errors.As(err, &bad):
			e.sum.Bad++
			e.Warn(bad.Error())
			continue
		case err != nil:
			return err
		}
		e.sum.Read++
		e.Progress(e.sum.Read, found.Day)
		if err := take(found); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// put stores a file. One that cannot be stored is told and passed over.
func (e *export) put(ctx context.Context, f target.File) error {
	changed, err := e.Target.Put(ctx, f)
	var failed *target.FailedError
	switch {
	case errors.As(err, &failed):
		e.sum.Failed++
		e.Warn(failed.Error())
		return nil
	case err != nil:
		return err
	case changed:
		e.sum.Written++
	default:
		e.sum.Unchanged++
	}
	return nil
}

// clean is a line of a session without secrets and, where that is wanted, without names.
func (e *export) clean(s *trajectory.Session, line []byte) ([]byte, error) {
	out, _, err := e.Scrubber.JSON(line)
	if err != nil {
		return nil, fmt.Errorf("remove the secrets of session %s: %w", s.ID, err)
	}
	if !e.Strict {
		return out, nil
	}
	names := e.Names
	if s.User != "" {
		names.Users = append([]string{s.User}, names.Users...)
	}
	return anonymous.New(names, out).JSON(out), nil
}

// ids are those of sessions that are names of files as they are.
var ids = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,150}$`) })

// fileName is a session's id as the name of a file: an id from outside may hold anything.
func fileName(id string) string {
	if ids().MatchString(id) {
		return id
	}
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, id)
	sum := sha256.Sum256([]byte(id))
	return fmt.Sprintf("%s-%x", cmp.Or(strings.Trim(plain[:min(len(plain), 60)], "_-"), "session"), sum[:6])
}
