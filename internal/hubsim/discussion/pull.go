package discussion

import (
	"fmt"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

func notAPull() error {
	return answer.Refuse(http.StatusBadRequest, "This discussion is not a pull request")
}

// ends are the commits between which the changes of a pull request lie: where
// it left its base, and its newest. Both are empty when its branch is gone.
func (a *Area) ends(at *repo.Repo, d *Discussion) (from, head string, err error) {
	if d.Merge != "" {
		return d.From, d.Head, nil
	}
	head, err = at.Head(d.ref())
	if err != nil {
		return "", "", nil // deleted
	}
	base, err := at.Head(d.Base)
	if err != nil {
		return "", "", nil // the branch it was for is deleted
	}
	if from, err = at.MergeBase(base, head); err != nil || from == "" {
		return base, head, err
	}
	return from, head, nil
}

// pullDetails are the members that only pull requests have.
func (a *Area) pullDetails(at *repo.Repo, d *Discussion, withDiff bool) (map[string]any, error) {
	from, head, err := a.ends(at, d)
	if err != nil {
		return nil, err
	}
	changes := map[string]any{"base": d.Base}
	if d.Merge != "" {
		changes["mergeCommitId"] = d.Merge
	}
	v := map[string]any{"changes": changes, "filesWithConflicts": []string{}}
	if head == "" {
		if withDiff {
			v["diff"] = ""
		}
		return v, nil
	}
	size, err := added(at, from, head)
	if err != nil {
		return nil, err
	}
	changes["cachedStorageEstimate"] = map[string]any{"size": size, "baseSha": from}
	if d.Status == Opened || d.Status == Draft {
		base, err := at.Head(d.Base)
		if err != nil {
			return nil, err
		}
		conflicts, err := at.Conflicts(base, head)
		if err != nil {
			return nil, err
		}
		v["filesWithConflicts"] = append([]string{}, conflicts...)
	}
	if withDiff {
		if v["diff"], err = at.Compare(from, head); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// added is how many bytes the files have that one commit brings over another.
func added(at *repo.Repo, from, head string) (int64, error) {
	paths, err := at.ChangedPaths(from, head)
	if err != nil {
		return 0, err
	}
	var size int64
	for _, p := range paths {
		if e, err := at.Stat(head, p); err == nil && !e.Dir { // else it was deleted
			size += e.Size
		}
	}
	return size, nil
}

func (a *Area) diffFile(w http.ResponseWriter, r *http.Request, at *repo.Repo, d *Discussion) error {
	if !d.Pull {
		return notAPull()
	}
	if err := at.MayRead(account.From(r.Context()), answer.Base(r)); err != nil {
		return err
	}
	v, err := a.pullDetails(at, d, true)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprint(w, v["diff"]) // the client has gone
	return nil
}

func (a *Area) storage(w http.ResponseWriter, _ *http.Request, at *repo.Repo, d *Discussion) error {
	if !d.Pull {
		return notAPull()
	}
	v := map[string]any{"size": 0, "baseSha": nil}
	from, head, err := a.ends(at, d)
	if err != nil {
		return err
	}
	if head != "" {
		size, err := added(at, from, head)
		if err != nil {
			return err
		}
		v["size"], v["baseSha"] = size, from
	}
	answer.JSON(w, http.StatusOK, v)
	return nil
}

// mergeable says why a pull request in its state cannot be merged.
func mergeable(d *Discussion) error {
	switch {
	case !d.Pull:
		return notAPull()
	case d.Status == Draft:
		return answer.Refuse(http.StatusBadRequest, "Cannot merge a draft pull request")
	case d.Status != Opened:
		return answer.Refuse(http.StatusBadRequest, "Cannot merge a pull request that is "+d.Status)
	}
	return nil
}

func (a *Area) merge(w http.ResponseWriter, r *http.Request, at *repo.Repo, d *Discussion) error {
	user, err := mayTalk(r.Context(), at)
	if err != nil {
		return err
	}
	if err := at.MayWrite(account.From(r.Context())); err != nil {
		return err
	}
	var body struct {
		Comment string `json:"comment"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if err := checkText("comment", body.Comment); err != nil {
		return err
	}
	if err := mergeable(d); err != nil {
		return err
	}
	from, head, err := a.ends(at, d)
	if err != nil {
		return err
	}
	if head == "" {
		return answer.Refuse(http.StatusBadRequest, "Cannot merge: a branch of the pull request was deleted")
	}
	if err := a.claim(at, d.Num); err != nil {
		return err
	}
	c, err := at.Merge(r.Context(), d.Base, head, fmt.Sprintf("%s (#%d)", d.Title, d.Num), user)
	if err != nil {
		a.release(at, d.Num)
		return err
	}
	if _, err := a.turn(at, d.Num, user, body.Comment, Merged, func(d *Discussion) error {
		d.From, d.Head, d.Merge = from, head, c.OID
		return nil
	}); err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{})
	return nil
}

// claim marks an open pull request as merged, so that of two that merge it at
// once one is refused; release takes that back.
func (a *Area) claim(at *repo.Repo, num int) error {
	_, err := a.edit(at, num, func(d *Discussion) error {
		if err := mergeable(d); err != nil {
			return err
		}
		d.Status = Merged
		return nil
	})
	return err
}

func (a *Area) release(at *repo.Repo, num int) {
	_, _ = a.edit(at, num, func(d *Discussion) error { // it may be deleted meanwhile
		d.Status = Opened
		return nil
	})
}

// deleteRef removes the branch of a pull request that is done.
func (a *Area) deleteRef(w http.ResponseWriter, r *http.Request, at *repo.Repo, d *Discussion) error {
	user, err := manager(r.Context(), at, d.Author)
	if err != nil {
		return err
	}
	switch {
	case !d.Pull:
		return notAPull()
	case d.Status == Opened || d.Status == Draft:
		return answer.Refuse(http.StatusBadRequest, "The branch of a pull request that is "+d.Status+" cannot be deleted")
	}
	if err := at.DeleteRef(d.ref(), user); err != nil {
		return err
	}
	e := a.newEvent(refDeleted, user)
	e.Ref = d.ref()
	if _, err := a.add(at, d.Num, e, func(*Discussion) error { return nil }); err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{"success": true})
	return nil
}
