package repo

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/history"
)

// Route is a handler whose *Moved errors become redirects to the same address
// under the repository's name of today.
func Route(h answer.Handler) answer.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		var moved *Moved
		if !errors.As(err, &moved) {
			return err
		}
		return &answer.Error{
			Status: http.StatusTemporaryRedirect, Message: "Temporary Redirect. Redirecting to " + relocated(r.URL, moved),
			Header: http.Header{"Location": {relocated(r.URL, moved)}},
		}
	}
}

// Handler serves a repository the caller may see.
type Handler func(w http.ResponseWriter, r *http.Request, at *Repo) error

// Route serves the repository of type t that {ns} and {name} of the path name.
func (s *Store) Route(t Type, h Handler) answer.Handler {
	return Route(func(w http.ResponseWriter, r *http.Request) error {
		at, err := s.Find(r.Context(), t, r.PathValue("ns")+"/"+r.PathValue("name"))
		if err != nil {
			return err
		}
		return h(w, r, at)
	})
}

// relocated puts the new id into the path of u, relative to its host.
func relocated(u *url.URL, m *Moved) string {
	parts := strings.Split(u.EscapedPath(), "/")
	plain := make([]string, len(parts))
	for i, p := range parts {
		plain[i], _ = url.PathUnescape(p)
	}
	want := strings.Split(m.From, "/")
	for i := 1; i+len(want) <= len(parts); i++ {
		last := plain[i+len(want)-1]
		name, isGit := strings.CutSuffix(last, ".git")
		if len(want) == 2 && plain[i] != want[0] || last != want[len(want)-1] && (!isGit || name != want[len(want)-1]) {
			continue
		}
		to := strings.Split(m.To, "/")
		if isGit && last != want[len(want)-1] {
			to[len(to)-1] += ".git"
		}
		path := strings.Join(append(append(append([]string{}, parts[:i]...), to...), parts[i+len(want):]...), "/")
		if u.RawQuery != "" {
			path += "?" + u.RawQuery
		}
		return path
	}
	return "/" + m.Type.Prefix() + m.To
}

// Tail is what follows the first n elements of a request's path, still escaped.
func Tail(r *http.Request, n int) string {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	for range n {
		_, rest, ok := strings.Cut(path, "/")
		if !ok {
			return ""
		}
		path = rest
	}
	return path
}

// SplitRevision divides an escaped "revision/path" into the revision, its
// commit and the path. A slash in the revision may be escaped or not: without
// the escape the longest name that exists counts.
func (r *Repo) SplitRevision(tail string) (rev, oid, path string, err error) {
	raw := strings.Split(strings.TrimSuffix(tail, "/"), "/")
	parts := make([]string, len(raw))
	for i, p := range raw {
		if parts[i], err = url.PathUnescape(p); err != nil {
			return "", "", "", answer.Refuse(http.StatusBadRequest, "Invalid path")
		}
	}
	longest := len(parts)
	if strings.Contains(parts[0], "/") {
		longest = 1
	}
	for n := longest; n > 0; n-- {
		rev = strings.Join(parts[:n], "/")
		if n > 1 {
			oid, err = r.Head(rev)
		} else {
			oid, err = r.Resolve(rev)
		}
		if err == nil {
			return rev, oid, strings.Join(parts[n:], "/"), nil
		}
	}
	if len(parts) > 2 && parts[0] == "refs" {
		rev = strings.Join(parts[:3], "/")
	}
	return "", "", "", history.NoRevision(rev)
}

// WholeRevision reads an escaped tail that is a revision and nothing else.
func WholeRevision(tail string) (string, error) {
	rev, err := url.PathUnescape(strings.TrimSuffix(tail, "/"))
	if err != nil || rev == "" {
		return "", answer.Refuse(http.StatusBadRequest, "Invalid revision")
	}
	return rev, nil
}
