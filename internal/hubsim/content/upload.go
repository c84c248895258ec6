package content

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// upload is a content on its way in parts. Its file has the length of the whole
// from the first part on; parts may come in any order and again.
type upload struct {
	id, sha     string
	size, chunk int64
	count       int

	mu     sync.Mutex
	file   *os.File
	etags  []string // by part, empty while it is missing
	hash   hash.Hash
	hashed int  // parts from the beginning that hash has seen
	stale  bool // one of these came again with other bytes
}

// begin opens an upload, or finds the one that is open for the same content: a
// client that asks again goes on where it was.
func (s *Store) begin(sha string, size int64) (*upload, error) {
	key := sha + " " + strconv.FormatInt(size, 10)
	s.mu.Lock()
	u, ok := s.uploads[s.open[key]]
	s.mu.Unlock()
	if ok {
		return u, nil
	}
	chunk := s.o.PartSize
	if (size+chunk-1)/chunk > maxParts {
		chunk = (size + maxParts - 1) / maxParts
	}
	if chunk > maxPart {
		return nil, answer.Refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("The simulator takes files of %d bytes at most", int64(maxPart)*maxParts))
	}
	f, err := s.incoming()
	if err != nil {
		return nil, fmt.Errorf("open upload of %s: %w", sha, err)
	}
	u = &upload{
		id: s.o.Clock.ID(), sha: sha, size: size, chunk: chunk, count: int((size + chunk - 1) / chunk), file: f, hash: sha256.New(),
	}
	u.etags = make([]string, u.count)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads[u.id] = u
	s.open[key] = u.id
	return u, nil
}

// upload finds an open upload.
func (s *Store) upload(id string) (*upload, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.uploads[id]
	return u, ok
}

// place tells where part n, counted from 1, begins and how long it is.
func (u *upload) place(n int) (from, length int64) {
	from = int64(n-1) * u.chunk
	return from, min(u.chunk, u.size-from)
}

// partTag is the ETag of a part: as on S3 its md5, which protects nothing here.
func partTag(sum [md5.Size]byte) string { return `"` + hex.EncodeToString(sum[:]) + `"` }

// part stores part n and returns its ETag.
func (u *upload) part(n int, body []byte) (string, error) {
	etag := partTag(md5.Sum(body))
	from, _ := u.place(n)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file == nil {
		return etag, nil // it was completed meanwhile
	}
	if _, err := u.file.WriteAt(body, from); err != nil {
		return "", fmt.Errorf("store part %d of %s: %w", n, u.sha, err)
	}
	switch {
	case n == u.hashed+1:
		u.hash.Write(body)
		u.hashed++
	case n <= u.hashed && u.etags[n-1] != etag:
		u.stale = true
	}
	u.etags[n-1] = etag
	return etag, u.follow()
}

// follow hashes the parts that came before their turn and have it now. Without
// it the whole content would be read again when the upload is completed.
func (u *upload) follow() error {
	for u.hashed < u.count && u.etags[u.hashed] != "" {
		from, length := u.place(u.hashed + 1)
		if n, err := io.Copy(u.hash, io.NewSectionReader(u.file, from, length)); err != nil || n != length {
			u.stale = true // the hash has seen a piece of it
			return fmt.Errorf("read part %d of %s back: %d of %d bytes, %w", u.hashed+1, u.sha, n, length, cmp.Or(err, io.ErrUnexpectedEOF))
		}
		u.hashed++
	}
	return nil
}

// sum hashes what the parts so far have not.
func (u *upload) sum() (string, error) {
	if u.stale {
		u.hash, u.hashed = sha256.New(), 0
	}
	from := min(int64(u.hashed)*u.chunk, u.size)
	_, err := io.Copy(u.hash, io.NewSectionReader(u.file, from, u.size-from))
	// What was hashed to the end must not be hashed again after a failure.
	u.hashed, u.stale = u.count, u.stale || err != nil
	return hex.EncodeToString(u.hash.Sum(nil)), err
}

// Part is what a client says of one part when it completes an upload.
type Part struct {
	Number int    `json:"partNumber"`
	ETag   string `json:"etag"`
}

// complete makes a content of the parts. A part that is missing or differs is
// named in the refusal.
func (s *Store) complete(u *upload, parts []Part) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file == nil {
		return nil // another request has completed it
	}
	var missing []int
	for n := 1; n <= u.count; n++ {
		i := slices.IndexFunc(parts, func(p Part) bool { return p.Number == n })
		if u.etags[n-1] == "" || i < 0 || strings.Trim(parts[i].ETag, `"`) != strings.Trim(u.etags[n-1], `"`) {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		return &incomplete{missing}
	}
	sha, err := u.sum()
	if err != nil {
		return fmt.Errorf("complete upload of %s: %w", u.sha, err)
	}
	if sha != u.sha {
		u.stale = true
		return &denied{"BadDigest", "The content's sha256 is " + sha + ", not " + u.sha}
	}
	name := u.file.Name()
	if err := u.file.Close(); err != nil {
		return fmt.Errorf("complete upload of %s: %w", u.sha, err)
	}
	u.file = nil
	if err := s.adopt(name, sha, u.size); err != nil {
		return fmt.Errorf("complete upload of %s: %w", u.sha, err)
	}
	s.mu.Lock()
	delete(s.uploads, u.id)
	delete(s.open, u.sha+" "+strconv.FormatInt(u.size, 10))
	s.mu.Unlock()
	return nil
}

// incomplete names the parts that have to come again.
type incomplete struct{ missing []int }

func (e *incomplete) Error() string {
	return fmt.Sprintf("One or more of the specified parts could not be found or do not match their ETag: %v", e.missing)
}

// abandon gives up an upload.
func (u *upload) abandon() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file != nil {
		_ = u.file.Close()
		_ = os.Remove(u.file.Name())
		u.file = nil
	}
}
