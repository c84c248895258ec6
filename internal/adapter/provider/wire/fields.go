package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
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

// RequestID returns the id by which a service knows the call, or "".
func RequestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "Inference-Id", "Request-Id"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}
