// Package cite notes that a call has shown what others wrote on the Hub: a file
// of a repository, a discussion. It knows neither the Hub nor the text.
package cite

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Source is where a text came from.
type Source struct{ Tool, Operation, Object, Title, URL string }

// On notes the source of a shown text in the session's evidence and returns
// output with the mark as its last line.
func (s Source) On(env tool.Env, output, shown string) string {
	sum := sha256.Sum256([]byte(shown))
	now := time.Now().UTC()
	id := env.Evidence(event.Evidence{
		Tool: s.Tool, Operation: s.Operation, Object: s.Object, Title: s.Title, URL: s.URL,
		FetchedAt: now, SHA256: hex.EncodeToString(sum[:]),
	})
	return fmt.Sprintf("%s\n\n[%s] %s (fetched %s)", output, id, s.URL, now.Format(time.RFC3339))
}
