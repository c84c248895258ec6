package content

import (
	"crypto/md5"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// Handler is the content host: signed reads and uploads.
func (s *Store) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+getPath+"{sha}", s.signed(s.get))
	mux.Handle("PUT "+putPath+"{sha}", s.signed(s.put))
	mux.Handle("PUT "+partPath+"{sha}/{part}", s.signed(s.putPart))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		failXML(w, http.StatusForbidden, "AccessDenied", "Access Denied")
	})
	return mux
}

// Routes registers what the hub's own listener serves of an upload.
func (s *Store) Routes(mux *http.ServeMux) {
	mux.Handle("POST "+CompletePath, answer.Handler(s.completion))
}

// signed checks the address before next. Like S3 it takes no second way to
// prove who one is.
func (s *Store) signed(next func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			failXML(w, http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed")
			return
		}
		err := s.check(r)
		status := http.StatusForbidden
		if err == nil {
			err, status = next(w, r), http.StatusBadRequest
		}
		var no *denied
		switch {
		case err == nil:
		case errors.Is(err, ErrMissing):
			failXML(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		case errors.As(err, &no):
			failXML(w, status, no.code, no.text)
		default:
			failXML(w, http.StatusInternalServerError, "InternalError", err.Error())
		}
	})
}

func failXML(w http.ResponseWriter, status int, code, text string) {
	type fault struct {
		XMLName xml.Name `xml:"Error"`
		Code    string   `xml:"Code"`
		Message string   `xml:"Message"`
	}
	body, err := xml.Marshal(fault{Code: code, Message: text})
	if err != nil {
		body = nil
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(xml.Header)+len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, xml.Header+string(body)) // the client has gone
}

// get reads a content, with ranges.
func (s *Store) get(w http.ResponseWriter, r *http.Request) error {
	sha := r.PathValue("sha")
	body, _, err := s.Open(sha)
	if err != nil {
		return err
	}
	defer body.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", ETag(sha))
	if d := r.URL.Query().Get("response-content-disposition"); d != "" {
		h.Set("Content-Disposition", d)
	}
	Serve(w, r, body)
	return nil
}

// ETag is what the content host says of a content. As on the Hub it is no hash
// a client could check the content with.
func ETag(sha string) string { return `"` + sha[32:] + `"` }

// put takes a content in one request.
func (s *Store) put(w http.ResponseWriter, r *http.Request) error {
	sha := r.PathValue("sha")
	size, err := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64)
	if err != nil {
		return &denied{"InvalidArgument", "The size is missing"}
	}
	in := s.writer(size)
	defer in.abandon()
	if _, err := io.CopyBuffer(in, io.LimitReader(r.Body, size+1), make([]byte, 256<<10)); err != nil {
		return &denied{"IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header"}
	}
	if in.size != size {
		return &denied{"IncompleteBody", fmt.Sprintf("The content has %d bytes, not %d", in.size, size)}
	}
	if got := in.sum(); got != sha {
		return &denied{"BadDigest", "The content's sha256 is " + got + ", not " + sha}
	}
	if _, _, err := in.finish(); err != nil {
		return fmt.Errorf("store %s: %w", sha, err)
	}
	w.Header().Set("ETag", ETag(sha))
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// putPart takes one part.
func (s *Store) putPart(w http.ResponseWriter, r *http.Request) error {
	u, ok := s.upload(r.URL.Query().Get("uploadId"))
	if !ok && s.Has(r.PathValue("sha")) {
		return latePart(w, r)
	}
	n, err := strconv.Atoi(r.PathValue("part"))
	if !ok || err != nil || n < 1 || n > u.count {
		return &denied{"NoSuchUpload", "The specified upload does not exist."}
	}
	_, length := u.place(n)
	body := make([]byte, length)
	got, err := io.ReadFull(r.Body, body)
	var one [1]byte
	more, _ := r.Body.Read(one[:])
	if err != nil || more > 0 {
		return &denied{"IncompleteBody", fmt.Sprintf("Part %d has %d bytes, not %d", n, got+more, length)}
	}
	etag, err := u.part(n, body)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// latePart acknowledges a part of a content that another client has completed.
func latePart(w http.ResponseWriter, r *http.Request) error {
	h := md5.New()
	if _, err := io.Copy(h, io.LimitReader(r.Body, maxPart)); err != nil {
		return &denied{"IncompleteBody", "The part did not arrive"}
	}
	w.Header().Set("ETag", partTag([md5.Size]byte(h.Sum(nil))))
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// completion makes a content of its parts. The address is signed: no token is
// asked for.
func (s *Store) completion(w http.ResponseWriter, r *http.Request) error {
	if err := s.check(r); err != nil {
		return answer.Refuse(http.StatusForbidden, err.Error())
	}
	var body struct {
		OID   string `json:"oid"`
		Parts []Part `json:"parts"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	sha := r.URL.Query().Get("oid")
	if body.OID != sha {
		return answer.Refuse(http.StatusBadRequest, `"oid" is not the content this upload is for`)
	}
	u, ok := s.upload(r.URL.Query().Get("uploadId"))
	if !ok && !s.Has(sha) {
		return answer.Refuse(http.StatusNotFound, "The specified upload does not exist.")
	}
	if ok {
		if err := s.complete(u, body.Parts); err != nil {
			return refusal(err)
		}
	}
	answer.JSON(w, http.StatusOK, map[string]any{"success": true})
	return nil
}

func refusal(err error) error {
	var parts *incomplete
	var no *denied
	switch {
	case errors.As(err, &parts):
		return &answer.Error{Status: http.StatusBadRequest, Message: err.Error(), Extra: map[string]any{"missingParts": parts.missing}}
	case errors.As(err, &no):
		return answer.Refuse(http.StatusBadRequest, no.text)
	}
	return err
}
