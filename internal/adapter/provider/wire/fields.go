package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// maxCacheKey is the longest prompt_cache_key that OpenAI takes.
const maxCacheKey = 64

// CacheKey returns the prompt cache key for a session: its id, hashed when it
// is too long.
func CacheKey(session string) string {
	if len(session) <= maxCacheKey {
		return session
	}
	sum := sha256.Sum256([]byte(session))
	return hex.EncodeToString(sum[:])
}

// AppendSchema appends a tool's parameters unchanged, or the schema of no
// parameters where there are none.
func AppendSchema(dst []byte, schema json.RawMessage) []byte {
	if len(bytes.TrimSpace(schema)) == 0 {
		return append(dst, `{"type":"object","properties":{}}`...)
	}
	return append(dst, schema...)
}

// HeadSize is about how long the part of a body is that comes before the
// messages and holds these tools: enough to allocate it once.
func HeadSize(tools []llm.ToolSpec) int {
	n := 1024
	for _, t := range tools {
		n += len(t.Name) + len(t.Description) + len(t.Parameters) + 128
	}
	return n + n/16
}

// RequestID returns the id by which a service knows the call, or "".
func RequestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "Inference-Id", "Request-Id"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}
