package discussion

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// enabled says that a repository has its discussions switched off.
func enabled(r *repo.Repo) error {
	if r.Settings().DiscussionsDisabled {
		return answer.Refuse(http.StatusForbidden, "Discussions are disabled for this repo")
	}
	return nil
}

// mayTalk says why the caller in ctx may not write in the discussions of a
// repository he can see. Everybody who is logged in may, unless his token is
// for other things.
func mayTalk(ctx context.Context, r *repo.Repo) (user string, err error) {
	caller := account.From(ctx)
	if caller == nil {
		return "", answer.Login("")
	}
	if err := enabled(r); err != nil {
		return "", err
	}
	t := caller.Token
	allowed := t.Role == "write" || t.Role == "god" || slices.Contains(t.Global, account.DiscussionWrite) ||
		slices.ContainsFunc(t.Scoped, func(s account.Scope) bool {
			return strings.EqualFold(s.Entity, r.Namespace()) && slices.Contains(s.Permissions, account.DiscussionWrite)
		})
	if !allowed {
		return "", answer.Refuse(http.StatusForbidden, "This token may not write discussions: it lacks "+account.DiscussionWrite)
	}
	return caller.Name(), nil
}

// manager is the caller in ctx, who may talk and change what author began.
func manager(ctx context.Context, r *repo.Repo, author string) (user string, err error) {
	if user, err = mayTalk(ctx, r); err != nil {
		return "", err
	}
	return user, mayManage(ctx, r, author)
}

// mayManage says why the caller in ctx, who may talk, may not change what
// author began: he is neither its author nor one who may write the repository.
func mayManage(ctx context.Context, r *repo.Repo, author string) error {
	caller := account.From(ctx)
	if caller.Name() == author {
		return nil
	}
	return r.MayWrite(caller)
}
