// Package answer writes the Hub's answers: JSON, its errors with their headers,
// paging links and addresses under the name the client called. It knows no
// route.
package answer

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Codes of the header X-Error-Code.
const (
	RepoNotFound     = "RepoNotFound"
	RevisionNotFound = "RevisionNotFound"
	EntryNotFound    = "EntryNotFound"
	GatedRepo        = "GatedRepo"
)

// Error is a refusal in the Hub's words. Handlers return it; Fail writes it.
type Error struct {
	Status  int
	Code    string // X-Error-Code; empty for most
	Message string
	// Extra are further members of the body, such as the url of what exists.
	Extra map[string]any
	// Header are further headers.
	Header http.Header
}

func (e *Error) Error() string { return e.Message }

// NotFound is a 404 with a code.
func NotFound(code, message string) *Error {
	return &Error{Status: http.StatusNotFound, Code: code, Message: message}
}

// Refuse is a refusal without a code.
func Refuse(status int, message string) *Error { return &Error{Status: status, Message: message} }

// Invalid is a refusal of a body that breaks a rule.
func Invalid(message string) *Error { return Refuse(http.StatusUnprocessableEntity, message) }

// Login asks for a token; the code is empty where no repository is concerned.
func Login(code string) *Error {
	return &Error{
		Status: http.StatusUnauthorized, Code: code, Message: "Invalid username or password.",
		Header: http.Header{"Www-Authenticate": {`Bearer realm="Authentication required", charset="UTF-8"`}},
	}
}

// NoPage is the refusal of an address where nothing is.
func NoPage() *Error {
	return Refuse(http.StatusNotFound, "Sorry, we can't find the page you are looking for.")
}

// List is a list that JSON does not write as null.
func List[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// JSON writes v. HTML characters stay as they are, as on the Hub.
func JSON(w http.ResponseWriter, status int, v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		Fail(w, Refuse(http.StatusInternalServerError, "encode the answer: "+err.Error()))
		return
	}
	body := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone
}

// Fail writes err: an *Error as it is, anything else as a 500.
func Fail(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = Refuse(http.StatusInternalServerError, err.Error())
	}
	for k, vs := range e.Header {
		w.Header()[k] = vs
	}
	if e.Code != "" {
		w.Header().Set("X-Error-Code", e.Code)
	}
	w.Header().Set("X-Error-Message", oneLine(e.Message))
	body := map[string]any{"error": e.Message}
	for k, v := range e.Extra {
		body[k] = v
	}
	JSON(w, e.Status, body)
}

// Findings writes what was found wrong with a text, and what deserves a
// warning: a refusal only where there are errors.
func Findings(w http.ResponseWriter, errs, warnings []string) {
	type finding struct {
		Message string `json:"message"`
	}
	status, body := http.StatusOK, map[string][]finding{"errors": {}, "warnings": {}}
	for _, text := range errs {
		body["errors"] = append(body["errors"], finding{text})
	}
	for _, text := range warnings {
		body["warnings"] = append(body["warnings"], finding{text})
	}
	if len(errs) > 0 {
		status = http.StatusBadRequest
		w.Header().Set("X-Error-Message", oneLine(strings.Join(errs, "; ")))
	}
	JSON(w, status, body)
}

// oneLine makes a text fit for a header.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
}

// Handler is a route that may refuse.
type Handler func(w http.ResponseWriter, r *http.Request) error

func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		Fail(w, err)
	}
}

// Base is the endpoint the client called, such as http://127.0.0.1:7870: URLs
// in answers stand below it.
func Base(r *http.Request) string { return "http://" + r.Host }

// NextPage adds the Link header to the next page: this request with the query
// values of next put over its own.
func NextPage(w http.ResponseWriter, r *http.Request, next url.Values) {
	q := r.URL.Query()
	for k, vs := range next {
		q[k] = vs
	}
	w.Header().Add("Link", "<"+Base(r)+r.URL.EscapedPath()+"?"+q.Encode()+`>; rel="next"`)
}
