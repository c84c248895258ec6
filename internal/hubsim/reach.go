package hubsim

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// ports are those of the two hosts: all that jobs and apps need to reach.
func (h *Hub) ports() []int {
	var ports []int
	for _, address := range []string{h.URL(), h.CDNURL()} {
		u, err := url.Parse(address)
		if err != nil {
			continue
		}
		if port, err := strconv.Atoi(u.Port()); err == nil {
			ports = append(ports, port)
		}
	}
	return ports
}

// stored opens a content of a repository the caller may read, or any stored
// one, for a bucket that takes it over.
func (w *world) stored(ctx context.Context, kind, id, sha256 string) (io.ReadCloser, error) {
	if id != "" {
		t, ok := repo.ParseType(kind)
		if !ok {
			return nil, answer.Refuse(http.StatusUnprocessableEntity, "source type "+kind+" is unknown")
		}
		r, err := w.repos.Find(ctx, t, id)
		if err == nil {
			err = r.MayRead(account.From(ctx), "")
		}
		if err != nil {
			return nil, err
		}
		if !r.HasLFS(sha256) {
			return nil, answer.NotFound(answer.EntryNotFound, "Entry not found")
		}
	}
	body, _, err := w.content.Open(sha256)
	if err != nil {
		return nil, answer.NotFound(answer.EntryNotFound, "Entry not found")
	}
	return body, nil
}
