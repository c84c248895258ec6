package contents

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// find looks up the file an escaped "revision/path" names.
func find(r *http.Request, at *repo.Repo, tail string) (oid string, f repo.File, err error) {
	_, oid, name, err := at.SplitRevision(tail)
	if err != nil {
		return "", f, err
	}
	if err := mayRead(r, at); err != nil {
		return "", f, err
	}
	e, err := at.Stat(oid, name)
	if err != nil {
		return "", f, err
	}
	if e.Dir {
		return "", f, repo.NoEntry(oid)
	}
	return oid, e.File, nil
}

// Resolve leads to the content of a file: on this host for what git keeps, on
// the content host for LFS files. tail is the escaped "revision/path".
func (s *Routes) Resolve(w http.ResponseWriter, r *http.Request, at *repo.Repo, tail string) error {
	oid, f, err := find(r, at, tail)
	if err != nil {
		return err
	}
	if f.LFS != nil && !at.HasLFS(f.LFS.SHA256) {
		return repo.NoEntry(oid)
	}
	h := w.Header()
	h.Set("X-Repo-Commit", oid)
	h.Set("Accept-Ranges", "bytes")
	h.Set("X-Linked-Size", strconv.FormatInt(f.Size, 10))
	h.Set("X-Linked-ETag", `"`+f.ETag()+`"`)
	h.Add("Vary", "Origin, Accept")
	download, _ := answer.Flag(r.URL.Query(), "download")
	if f.LFS != nil {
		redirect(w, http.StatusFound, s.o.Content.DownloadURL(f.LFS.SHA256, disposition(f.Path, download)))
		return nil
	}
	to := "/api/resolve-cache/" + at.Type().Plural() + "/" + at.ID() + "/" + oid + "/" + escape(f.Path) +
		"?" + url.QueryEscape(r.URL.EscapedPath()) + "=&etag=" + url.QueryEscape(`"`+f.OID+`"`)
	if download {
		to += "&download=true"
	}
	redirect(w, http.StatusTemporaryRedirect, to)
	return nil
}

// redirect answers HEAD and GET alike.
func redirect(w http.ResponseWriter, status int, to string) {
	body := http.StatusText(status) + ". Redirecting to " + to
	w.Header().Set("Location", to)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the client has gone, or asked for the head only
}

// escape keeps the slashes of a path.
func escape(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func disposition(name string, download bool) string {
	how := "inline"
	if download {
		how = "attachment"
	}
	base := path.Base(name)
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, base)
	return fmt.Sprintf(`%s; filename*=UTF-8''%s; filename="%s";`, how, url.PathEscape(base), plain)
}

// cached serves a file git keeps, at a commit.
func (s *Routes) cached(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	tail := repo.Tail(r, 5)
	sha, _, _ := strings.Cut(tail, "/")
	if !git.FullName(sha) {
		return answer.Refuse(http.StatusBadRequest, "The revision must be the full name of a commit")
	}
	oid, f, err := find(r, at, tail)
	if err != nil {
		return err
	}
	body, _, err := at.Open(r.Context(), oid, f.Path)
	if err != nil {
		return err
	}
	defer body.Close()
	download, _ := answer.Flag(r.URL.Query(), "download")
	w.Header().Set("Content-Disposition", disposition(f.Path, download))
	return serve(w, r, oid, f.OID, f.Path, body)
}

// Raw serves what git keeps of a file: of LFS files the pointer. tail is the
// escaped "revision/path".
func (s *Routes) Raw(w http.ResponseWriter, r *http.Request, at *repo.Repo, tail string) error {
	oid, f, err := find(r, at, tail)
	if err != nil {
		return err
	}
	body, err := at.Objects().Blob(f.OID)
	if err != nil {
		return err
	}
	return serve(w, r, oid, f.OID, f.Path, bytes.NewReader(body))
}

func serve(w http.ResponseWriter, r *http.Request, oid, etag, name string, body io.ReadSeeker) error {
	kind, err := contentType(name, body)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("ETag", `"`+etag+`"`)
	h.Set("X-Repo-Commit", oid)
	content.Serve(w, r, body)
	return nil
}

// contentType is plain text for every text, so that no browser runs a file of a
// user, and what the name says for pictures and the like.
func contentType(name string, body io.ReadSeeker) (string, error) {
	start := make([]byte, 1024)
	n, err := io.ReadFull(body, start)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", err
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	start = start[:n]
	if bytes.IndexByte(start, 0) < 0 && utf8.Valid(start[:len(start)-cutRune(start)]) {
		return "text/plain; charset=utf-8", nil
	}
	switch ext := strings.TrimPrefix(strings.ToLower(path.Ext(name)), "."); ext {
	case "png", "gif", "webp", "jpeg", "bmp":
		return "image/" + ext, nil
	case "jpg":
		return "image/jpeg", nil
	case "wav", "flac", "ogg":
		return "audio/" + ext, nil
	case "mp4", "webm":
		return "video/" + ext, nil
	}
	return "application/octet-stream", nil
}

// cutRune is how many bytes at the end may belong to a character that goes on.
func cutRune(p []byte) int {
	for n := 1; n <= min(3, len(p)); n++ {
		if utf8.RuneStart(p[len(p)-n]) {
			if utf8.FullRune(p[len(p)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}
