package content

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// Serve writes a body with its length, or the range that was asked for. The
// caller has set the other headers.
func Serve(w http.ResponseWriter, r *http.Request, body io.ReadSeeker) {
	w.Header().Set("Accept-Ranges", "bytes")
	http.ServeContent(&exact{ResponseWriter: w}, r, "", time.Time{}, body)
}

// exact gives a refused range the Hub's headers and no body of the library's.
type exact struct {
	http.ResponseWriter
	refused bool
}

func (e *exact) WriteHeader(status int) {
	if status == http.StatusRequestedRangeNotSatisfiable {
		e.refused = true
		const body = `{"error":"Range Not Satisfiable"}`
		h := e.Header()
		h.Del("Content-Disposition")
		h.Del("ETag")
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		e.ResponseWriter.WriteHeader(status)
		_, _ = io.WriteString(e.ResponseWriter, body) // the client has gone
		return
	}
	e.ResponseWriter.WriteHeader(status)
}

func (e *exact) Write(p []byte) (int, error) {
	if e.refused {
		return len(p), nil
	}
	return e.ResponseWriter.Write(p)
}

// ReadFrom keeps the short way from a file to a socket.
func (e *exact) ReadFrom(r io.Reader) (int64, error) {
	if e.refused {
		return io.Copy(io.Discard, r)
	}
	return io.Copy(e.ResponseWriter, r)
}
