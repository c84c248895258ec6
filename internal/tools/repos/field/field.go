// Package field checks the fields of a call about repositories before anything
// is asked of the Hub: what is no name there, what is too long, what hides
// characters and what shows a secret is refused, and the field is named. It
// knows no operation.
package field

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Limits of texts, in bytes.
const (
	Line  = 4 << 10
	Prose = 64 << 10
)

// Form collects the checks of one call; the first field that fails counts. A
// field that was not given is fine.
type Form struct {
	// HasSecret reports what kind of secret a text shows, "" for none; nil looks
	// at nothing.
	HasSecret func(text string) string
	err       error
}

// Err is what is wrong with the first bad field; nil when all are fine.
func (f *Form) Err() error { return f.err }

// check notes the outcome of a rule for a field that was given, and looks for
// secrets in it: names are as public as texts.
func (f *Form) check(field, value string, rule func(field, value string) error) {
	switch {
	case f.err != nil || value == "":
		return
	case f.HasSecret != nil:
		if kind := f.HasSecret(value); kind != "" {
			f.err = fmt.Errorf("%s shows a secret (%s): nothing was sent", field, kind)
			return
		}
	}
	f.err = rule(field, value)
}

// Repo checks the id of a repository, and Type its type.
func (f *Form) Repo(field, id string) {
	f.check(field, strings.TrimSpace(id), wire.CheckRepoID)
}

// Type checks the type of a repository.
func (f *Form) Type(field, kind string) { f.OneOf(field, kind, "model", "dataset", "space") }

// Path checks the path of a file in a repository; "/" and "./" before it and
// "/" behind it do not count.
func (f *Form) Path(field, path string) {
	f.check(field, strings.Trim(strings.TrimPrefix(path, "./"), "/"), wire.CheckPath)
}

// Revision checks the name of a state of a repository.
func (f *Form) Revision(field, rev string) { f.check(field, rev, wire.CheckRevision) }

// Branch checks the name of a branch.
func (f *Form) Branch(field, name string) { f.check(field, name, wire.CheckBranch) }

// Tag checks the name of a tag.
func (f *Form) Tag(field, name string) { f.check(field, name, wire.CheckTag) }

// User checks the name of a user.
func (f *Form) User(field, name string) { f.check(field, name, wire.CheckNamespace) }

// Commit checks a commit or the beginning of one.
func (f *Form) Commit(field, oid string) {
	f.check(field, oid, func(field, oid string) error {
		if len(oid) < 7 || len(oid) > 40 || strings.Trim(oid, "0123456789abcdef") != "" {
			return fmt.Errorf("%s is no commit: 7 to 40 hexadecimal digits", field)
		}
		return nil
	})
}

// Text checks one line, and Texts a text of several.
func (f *Form) Text(field, text string, limit int) { f.text(field, text, limit, "") }

// Texts checks a text of several lines.
func (f *Form) Texts(field, text string, limit int) { f.text(field, text, limit, "\n\r\t") }

func (f *Form) text(field, text string, limit int, fine string) {
	f.check(field, text, func(field, text string) error {
		switch {
		case len(text) > limit:
			return fmt.Errorf("%s has %d bytes, more than %d", field, len(text), limit)
		case !utf8.ValidString(text):
			return fmt.Errorf("%s is not UTF-8", field)
		case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(fine, r) }):
			return fmt.Errorf("%s holds a control character", field)
		}
		return nil
	})
}

// OneOf checks a word.
func (f *Form) OneOf(field, word string, words ...string) {
	if f.err == nil && word != "" && !slices.Contains(words, word) {
		f.err = fmt.Errorf("%s must be one of %s", field, strings.Join(words, ", "))
	}
}

// Count checks a number that must not be below 0; 0 was not given.
func (f *Form) Count(field string, n int) {
	if f.err == nil && n < 0 {
		f.err = fmt.Errorf("%s is %d, it must be above 0", field, n)
	}
}
