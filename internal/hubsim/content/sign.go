package content

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// Paths of the content host and, for the completion, of the hub.
const (
	getPath      = "/lfs-get/"
	putPath      = "/lfs-put/"
	partPath     = "/lfs-part/"
	CompletePath = "/api/complete_multipart"
)

// signature covers the method, the object in the path, and in the query the
// range of a part and the expiry.
func (s *Store) signature(method, path string, q url.Values) string {
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s\n%s\n%s", method, path, q.Encode())
	return hex.EncodeToString(mac.Sum(nil))
}

// sign returns path with its query signed.
func (s *Store) sign(method, path string, q url.Values) string {
	q.Set("Expires", strconv.FormatInt(s.o.Clock.Now().Add(s.o.TTL).Unix(), 10))
	sum := s.signature(method, path, q)
	return path + "?" + q.Encode() + "&Signature=" + sum
}

// denied is why a signed request is refused: a code and a text as S3 has them.
type denied struct{ code, text string }

func (d *denied) Error() string { return d.text }

// check refuses requests whose address is not signed or too old.
func (s *Store) check(r *http.Request) error {
	q := r.URL.Query()
	sum := q.Get("Signature")
	q.Del("Signature")
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if !hmac.Equal([]byte(sum), []byte(s.signature(method, r.URL.Path, q))) {
		return &denied{"SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."}
	}
	at, err := strconv.ParseInt(q.Get("Expires"), 10, 64)
	if err != nil || s.o.Clock.Now().Unix() >= at {
		return &denied{"AccessDenied", "Request has expired"}
	}
	return nil
}

// DownloadURL is a signed address to read a content. disposition is what the
// answer says in Content-Disposition.
func (s *Store) DownloadURL(sha, disposition string) string {
	q := url.Values{}
	if disposition != "" {
		q.Set("response-content-disposition", disposition)
	}
	return s.o.Base() + s.sign(http.MethodGet, getPath+sha, q)
}

// Action says where a client sends a content: one address, or with parts in
// the header a completion address and one for each part.
type Action struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header,omitempty"`
}

// Upload opens the way for a content of size bytes. In parts it goes when it
// is larger than the threshold and the client can; hub is the origin of the
// completion address.
func (s *Store) Upload(sha string, size int64, canMultipart bool, hub string) (a Action, multipart bool, err error) {
	if !canMultipart || size <= s.o.Threshold {
		q := url.Values{"size": {strconv.FormatInt(size, 10)}}
		return Action{Href: s.o.Base() + s.sign(http.MethodPut, putPath+sha, q)}, false, nil
	}
	u, err := s.begin(sha, size)
	if err != nil {
		return Action{}, false, err
	}
	header := map[string]string{"chunk_size": strconv.FormatInt(u.chunk, 10)}
	for n := 1; n <= u.count; n++ {
		from, length := u.place(n)
		path := fmt.Sprintf("%s%s/%d", partPath, sha, n)
		q := url.Values{"uploadId": {u.id}, "range": {fmt.Sprintf("%d-%d", from, from+length-1)}}
		header[fmt.Sprintf("%05d", n)] = s.o.Base() + s.sign(http.MethodPut, path, q)
	}
	q := url.Values{"uploadId": {u.id}, "oid": {sha}}
	return Action{Href: hub + s.sign(http.MethodPost, CompletePath, q), Header: header}, true, nil
}
