package traceset

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

//go:embed card.md
var card string

// What a card says of its form; see card.md.
const (
	claudeTag  = "- claude-code\n"
	claudeText = "Each file holds the messages of one conversation in the form of Claude Code's\nsession files, one JSON object a line"
	simpleText = "Each file holds the messages of one conversation in the Session Trace Simple\nFormat, one JSON object a line"
)

// Card is the README.md of a data set of traces in the form of Claude Code's
// session files, SimpleCard that of one in the Session Trace Simple Format.
func Card() string { return sealed(card) }

// SimpleCard is described at Card.
func SimpleCard() string {
	return sealed(strings.NewReplacer(claudeTag, "", claudeText, simpleText).Replace(card))
}

const (
	cardPath = "README.md"
	// cardMost bounds a card that is read, in bytes: ours is far shorter.
	cardMost = 64 << 10
)

// The marker in a card holds the hash of the rest: a card that somebody has
// changed, even by a letter, is not ours any more.
const markBegin, markEnd = "<!-- ml-intern-traces ", " -->"

// sealed fills in the hash.
func sealed(text string) string {
	begin, end, _ := strings.Cut(text, markBegin+markEnd)
	return begin + markBegin + hash(begin, end) + markEnd + end
}

func hash(begin, end string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(begin+end))) }

// ours reports whether a card is one of ours, of any version, as it was.
func ours(text string) bool {
	begin, rest, found := strings.Cut(text, markBegin)
	sum, end, closed := strings.Cut(rest, markEnd)
	return found && closed && sum == hash(begin, end)
}

// cardDue reports whether the card is to be written.
func (s *Set) cardDue(ctx context.Context, want string) (bool, error) {
	entries, err := s.Hub.Repos.Paths(ctx, s.ref(), "main", []string{cardPath}, false)
	switch {
	case errors.Is(err, wire.RevisionNotFound) || errors.Is(err, wire.EntryNotFound):
		return true, nil // nothing is in it yet
	case err != nil:
		return false, err
	case len(entries) == 0:
		return true, nil
	case entries[0].OID == fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(want), want))):
		return false, nil
	case entries[0].Size == 0 || entries[0].Size > cardMost:
		return false, nil
	}
	part, err := s.Hub.Repos.ReadRange(ctx, s.ref(), "main", cardPath, 0, entries[0].Size)
	if err != nil {
		return false, err
	}
	return ours(string(part.Data)), nil
}
