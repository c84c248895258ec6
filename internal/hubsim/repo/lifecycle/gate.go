package lifecycle

import (
	"maps"
	"net/http"
	"slices"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// gatekeeper refuses who may not decide on requests, and all for a repository
// that is not gated.
func gatekeeper(r *http.Request, at *repo.Repo) error {
	if err := at.MayWrite(account.From(r.Context())); err != nil {
		return err
	}
	if at.Settings().Gated == "" {
		return answer.Refuse(http.StatusBadRequest, "The repository is not gated")
	}
	return nil
}

func (s *Routes) listRequests(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	if err := gatekeeper(r, at); err != nil {
		return err
	}
	status := r.PathValue("status")
	if status != repo.Pending && status != repo.Accepted && status != repo.Rejected {
		return answer.NoPage()
	}
	list := []map[string]any{}
	grants := at.Grants()
	for _, name := range slices.Sorted(maps.Keys(grants)) {
		g := grants[name]
		if g.Status != status {
			continue
		}
		user := map[string]any{"user": name, "fullname": name}
		if e, ok := s.o.Accounts.Find(name); ok {
			user = e.Profile()
			user["user"], user["email"] = e.Name, e.Email
		}
		one := map[string]any{"requestId": g.ID, "user": user, "status": g.Status, "timestamp": clock.Format(g.At), "fields": map[string]any{}}
		if g.Reason != "" {
			one["rejectionReason"] = g.Reason
		}
		list = append(list, one)
	}
	answer.JSON(w, http.StatusOK, list)
	return nil
}

// decision is what becomes of a user's request.
type decision struct {
	User            string `json:"user"`
	UserID          string `json:"userId"`
	RequestID       string `json:"requestId"`
	Status          string `json:"status"`
	RejectionReason string `json:"rejectionReason"`
}

// decide reads a decision and finds the user it is about.
func (s *Routes) decide(w http.ResponseWriter, r *http.Request, at *repo.Repo) (d decision, user string, err error) {
	if err := gatekeeper(r, at); err != nil {
		return d, "", err
	}
	if err := answer.Body(w, r, &d); err != nil {
		return d, "", err
	}
	if d.User == "" {
		for name, g := range at.Grants() {
			if e, ok := s.o.Accounts.Find(name); ok && e.ID == d.UserID || g.ID == d.RequestID {
				d.User = name
			}
		}
	}
	e, ok := s.o.Accounts.Find(d.User)
	if !ok || e.Type != "user" {
		return d, "", answer.Refuse(http.StatusNotFound, "User not found")
	}
	return d, e.Name, nil
}

func (s *Routes) handleRequest(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	d, user, err := s.decide(w, r, at)
	if err != nil {
		return err
	}
	old, asked := at.Grants()[user]
	switch {
	case !asked:
		return answer.Refuse(http.StatusNotFound, "The user has not asked for access")
	case d.Status != repo.Pending && d.Status != repo.Accepted && d.Status != repo.Rejected:
		return answer.Refuse(http.StatusBadRequest, `"status" must be one of [pending, accepted, rejected]`)
	case old.Status == d.Status:
		return answer.Refuse(http.StatusNotFound, "The request is in this state already")
	}
	at.SetGrant(user, d.Status, d.RejectionReason)
	return done(w)
}

func (s *Routes) grant(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	_, user, err := s.decide(w, r, at)
	if err != nil {
		return err
	}
	if _, asked := at.Grants()[user]; asked {
		return answer.Refuse(http.StatusBadRequest, "The user has asked for access or has it already")
	}
	at.SetGrant(user, repo.Accepted, "")
	return done(w)
}

// Ask notes that the caller wants to read a gated repository.
func (s *Routes) Ask(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	caller := account.From(r.Context())
	gated := at.Settings().Gated
	switch {
	case caller == nil:
		return answer.Login("")
	case gated == "":
		return answer.Refuse(http.StatusBadRequest, "The repository is not gated")
	}
	if _, asked := at.Grants()[caller.Name()]; !asked {
		status := repo.Pending
		if gated == "auto" {
			status = repo.Accepted
		}
		at.SetGrant(caller.Name(), status, "")
	}
	return done(w)
}
