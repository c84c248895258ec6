package viewer

import (
	"errors"
	"net/http"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/loose"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

const service = "the dataset viewer"

// Codes of the viewer's refusals that callers tell apart.
const (
	Unauthenticated = "ExternalUnauthenticatedError" // missing, private or gated; nobody was logged in
	NoAccess        = "ExternalAuthenticatedError"   // missing, private or gated for who asked
	NotFound        = "ResponseNotFound"             // no such configuration or split
	Renamed         = "RenamedDatasetError"
	MissingArgument = "MissingRequiredParameter"
	BadArgument     = "InvalidParameter"
	NotReady        = "ResponseNotReady" // being computed
	Blocked         = "DatasetInBlockListError"
	NoSearch        = "SearchFeatureNotAvailableError"
)

// maxCause is how many characters of a cause are kept.
const maxCause = 200

// Error is a refusal of the viewer. It unwraps to a [*fetch.Error] with the kind
// that the code stands for and the viewer's own words.
type Error struct {
	// Code is the value of X-Error-Code, such as "ResponseNotFound".
	Code string
	// Cause is what went wrong with the data set itself, in one line.
	Cause string
	Fetch *fetch.Error
}

func (e *Error) Error() string { return e.Fetch.Error() }

func (e *Error) Unwrap() error { return e.Fetch }

// Code is the viewer's code of an error, "" where it has none.
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// explain reads the viewer's own form of an error.
func explain(err error) error {
	var f *fetch.Error
	if !errors.As(err, &f) || f.Status == 0 {
		return err
	}
	var body struct {
		Error   string `json:"error"`
		Cause   string `json:"cause_exception"`
		Message string `json:"cause_message"`
	}
	if loose.Decode(f.Body, &body) != nil {
		body.Error = ""
	}
	known := *f
	known.Err = err
	e := &Error{Code: f.Header.Get("X-Error-Code"), Fetch: &known}
	if known.Kind != fetch.RateLimited {
		known.Kind = kind(e.Code, f.Status, f.Kind)
	}
	if text := line(body.Error); text != "" {
		known.Message = text
	}
	if cause := line(body.Message); cause != "" && cause != known.Message {
		e.Cause = cause
		if name := line(body.Cause); name != "" {
			e.Cause = name + ": " + cause
		}
		known.Message += " Cause: " + e.Cause
	}
	return e
}

// line is the beginning of a text from outside, in one line.
func line(text string) string {
	text = strings.Join(strings.Fields(plain.String(excerpt.Head(text, 4*maxCause))), " ")
	if short := excerpt.Head(text, maxCause); short != text {
		return strings.TrimRight(short, " ") + "…"
	}
	return text
}

// kind sorts the viewer's codes; other is for codes that are none of them.
func kind(code string, status int, other fetch.Kind) fetch.Kind {
	switch {
	case code == Unauthenticated:
		return fetch.Unauthorized
	case code == NoAccess, code == NotFound, code == Renamed:
		return fetch.NotFound
	case code == MissingArgument, code == BadArgument, status == http.StatusUnprocessableEntity:
		return fetch.BadArgument
	case code == NotReady:
		return fetch.NotReady
	case code == Blocked:
		return fetch.Blocked
	default:
		return other
	}
}
