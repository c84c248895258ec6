package upload

import (
	"net/http"
	"slices"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Limits of a batch: objects, and the bytes of one.
const (
	maxObjects = 1000
	maxObject  = 500_000_000_000
)

const lfsJSON = "application/vnd.git-lfs+json; charset=utf-8"

// object is a content in a batch.
type object struct {
	OID           string            `json:"oid"`
	Size          int64             `json:"size"`
	Authenticated bool              `json:"authenticated,omitempty"`
	Actions       map[string]action `json:"actions,omitempty"`
	Error         *failure          `json:"error,omitempty"`
}

type action struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header,omitempty"`
}

type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Batch tells for each content where it goes or comes from.
func (s *Routes) Batch(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	var body struct {
		Operation string   `json:"operation"`
		Transfers []string `json:"transfers"`
		Objects   []object `json:"objects"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	caller := account.From(r.Context())
	switch {
	case body.Operation != "upload" && body.Operation != "download":
		return answer.Refuse(http.StatusUnprocessableEntity, `"operation" must be "upload" or "download"`)
	case len(body.Objects) > maxObjects:
		return answer.Refuse(http.StatusRequestEntityTooLarge, "too many objects")
	case body.Operation == "upload" && caller == nil:
		return answer.Login("")
	case body.Operation == "download":
		if err := at.MayRead(caller, answer.Base(r)); err != nil {
			return err
		}
	}
	transfer := "basic"
	for i := range body.Objects {
		o := &body.Objects[i]
		o.Authenticated, o.Actions, o.Error = caller != nil, nil, check(*o)
		if o.Error != nil {
			continue
		}
		if body.Operation == "download" {
			s.download(at, o)
			continue
		}
		multipart, err := s.upload(r, at, o, slices.Contains(body.Transfers, "multipart"))
		if err != nil {
			return err
		}
		if multipart {
			transfer = "multipart"
		}
	}
	if body.Objects == nil {
		body.Objects = []object{}
	}
	answer.JSON(asLFS{w}, http.StatusOK, map[string]any{"transfer": transfer, "objects": body.Objects})
	return nil
}

// asLFS gives answers the media type of git-lfs.
type asLFS struct{ http.ResponseWriter }

func (a asLFS) WriteHeader(status int) {
	a.Header().Set("Content-Type", lfsJSON)
	a.ResponseWriter.WriteHeader(status)
}

// check says what is wrong with an object.
func check(o object) *failure {
	switch {
	case !content.IsSum(o.OID):
		return &failure{http.StatusUnprocessableEntity, "Invalid oid"}
	case o.Size < 0:
		return &failure{http.StatusUnprocessableEntity, "Invalid size"}
	case o.Size > maxObject:
		return &failure{http.StatusUnprocessableEntity, "Object too large"}
	}
	return nil
}

// upload opens the way for a content, unless the repository has it.
func (s *Routes) upload(r *http.Request, at *repo.Repo, o *object, canMultipart bool) (multipart bool, err error) {
	if at.HasLFS(o.OID) {
		return false, nil
	}
	at.ExpectLFS(o.OID, o.Size)
	var a content.Action
	if a, multipart, err = s.o.Content.Upload(o.OID, o.Size, canMultipart, answer.Base(r)); err != nil {
		return false, err
	}
	verify := at.URL(answer.Base(r)) + ".git/info/lfs/objects/verify"
	o.Actions = map[string]action{"upload": {Href: a.Href, Header: a.Header}, "verify": {Href: verify}}
	return multipart, nil
}

func (s *Routes) download(at *repo.Repo, o *object) {
	if !at.HasLFS(o.OID) {
		o.Error = &failure{http.StatusNotFound, "Object does not exist"}
		return
	}
	o.Actions = map[string]action{"download": {Href: s.o.Content.DownloadURL(o.OID, "")}}
}

// Verify tells whether a content has arrived.
func (s *Routes) Verify(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	if account.From(r.Context()) == nil {
		return answer.Login("")
	}
	var body object
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	size, ok := s.o.Content.Size(body.OID)
	switch {
	case !ok || !at.HasLFS(body.OID):
		return answer.Refuse(http.StatusNotFound, "Object does not exist")
	case size != body.Size:
		return answer.Refuse(http.StatusUnprocessableEntity, "Object has another size")
	}
	answer.JSON(asLFS{w}, http.StatusOK, map[string]string{})
	return nil
}
