package repo

import (
	"context"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// BranchSpec describes a new branch.
type BranchSpec struct {
	Name string
	// From is the state it begins at; "" is the newest of main.
	From string
	// Empty begins without any file; Overwrite moves a branch that exists.
	Empty, Overwrite bool
}

// CreateBranch makes a branch.
func (a *API) CreateBranch(ctx context.Context, r Ref, s BranchSpec) error {
	if err := r.check(); err != nil {
		return err
	}
	if err := wire.CheckBranch("branch", s.Name); err != nil {
		return err
	}
	body := map[string]any{}
	if s.From != "" {
		if err := wire.CheckRevision("from", s.From); err != nil {
			return err
		}
		body["startingPoint"] = s.From
	}
	if s.Empty {
		body["emptyBranch"] = true
	}
	if s.Overwrite {
		body["overwrite"] = true
	}
	req := r.request("create branch "+s.Name+" of", http.MethodPost, "branch", s.Name)
	req.JSON = body
	return a.settle(ctx, req.Op, wire.Conflict, func() error { return a.do(ctx, req) })
}

// DeleteBranch removes a branch.
func (a *API) DeleteBranch(ctx context.Context, r Ref, name string) error {
	if err := r.check(); err != nil {
		return err
	}
	if err := wire.CheckBranch("branch", name); err != nil {
		return err
	}
	req := r.request("delete branch "+name+" of", http.MethodDelete, "branch", name)
	return a.settle(ctx, req.Op, wire.RevisionNotFound, func() error { return a.do(ctx, req) })
}

// CreateTag names a state; "" is the newest of main.
func (a *API) CreateTag(ctx context.Context, r Ref, tag, revision, message string) error {
	if revision == "" {
		revision = "main"
	}
	if err := r.at(revision); err != nil {
		return err
	}
	if err := wire.CheckTag("tag", tag); err != nil {
		return err
	}
	body := map[string]any{"tag": tag}
	if message != "" {
		body["message"] = message
	}
	req := r.request("create tag "+tag+" of", http.MethodPost, "tag", revision)
	req.JSON = body
	return a.settle(ctx, req.Op, wire.Conflict, func() error { return a.do(ctx, req) })
}

// DeleteTag removes a tag.
func (a *API) DeleteTag(ctx context.Context, r Ref, tag string) error {
	if err := r.check(); err != nil {
		return err
	}
	if err := wire.CheckTag("tag", tag); err != nil {
		return err
	}
	req := r.request("delete tag "+tag+" of", http.MethodDelete, "tag", tag)
	return a.settle(ctx, req.Op, wire.RevisionNotFound, func() error { return a.do(ctx, req) })
}

// Squash makes one commit of a branch's history, for good, and returns it. It
// is sent once: after an unclear end the history tells.
func (a *API) Squash(ctx context.Context, r Ref, branch, message string) (commit string, err error) {
	if err := r.check(); err != nil {
		return "", err
	}
	if err := wire.CheckBranch("branch", branch); err != nil {
		return "", err
	}
	req := r.request("squash the history of", http.MethodPost, "super-squash", branch)
	body := map[string]any{}
	if message != "" {
		body["message"] = message
	}
	req.JSON = body
	var out struct {
		Commit string `json:"commitId"`
	}
	_, err = a.c.JSON(ctx, req, &out)
	return out.Commit, err
}

// AccessRequest is somebody's wish to read a gated repository.
type AccessRequest struct {
	User struct {
		Name     string `json:"user"`
		Fullname string `json:"fullname"`
		Email    string `json:"email"`
	} `json:"user"`
	Status    string `json:"status"`
	Timestamp string `json:"timestamp"`
	Reason    string `json:"rejectionReason"`
}

// AccessRequests lists the wishes that are pending, accepted or rejected.
func (a *API) AccessRequests(ctx context.Context, r Ref, status string) ([]AccessRequest, error) {
	if err := checkAccess(r, status); err != nil {
		return nil, err
	}
	var all []AccessRequest
	for req, err := range wire.Pages[AccessRequest](ctx, a.c, r.request("list who asks for access to", http.MethodGet, "user-access-request", status)) {
		if err != nil {
			return all, err
		}
		all = append(all, req)
	}
	return all, nil
}

// HandleAccess accepts or rejects somebody's wish, or makes it pending again.
func (a *API) HandleAccess(ctx context.Context, r Ref, user, status, reason string) error {
	if err := checkAccess(r, status); err != nil {
		return err
	}
	if err := wire.CheckNamespace("user", user); err != nil {
		return err
	}
	body := map[string]any{"user": user, "status": status}
	if reason != "" {
		body["rejectionReason"] = reason
	}
	req := r.request("decide who may read", http.MethodPost, "user-access-request", "handle")
	req.JSON, req.Retry = body, wire.Idempotent
	return a.do(ctx, req)
}

// GrantAccess lets somebody in who has not asked.
func (a *API) GrantAccess(ctx context.Context, r Ref, user string) error {
	if err := r.check(); err != nil {
		return err
	}
	if err := wire.CheckNamespace("user", user); err != nil {
		return err
	}
	req := r.request("let somebody read", http.MethodPost, "user-access-request", "grant")
	req.JSON = map[string]any{"user": user}
	return a.do(ctx, req)
}

func checkAccess(r Ref, status string) error {
	if err := r.check(); err != nil {
		return err
	}
	switch status {
	case "pending", "accepted", "rejected":
		return nil
	}
	return wire.BadField("status", "it must be pending, accepted or rejected")
}
