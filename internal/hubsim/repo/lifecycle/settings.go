package lifecycle

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// change is what a client wants different; absent members stay as they are.
type change struct {
	Visibility              string          `json:"visibility"`
	Private                 *bool           `json:"private"`
	Gated                   json.RawMessage `json:"gated"`
	OrgMembersGated         *bool           `json:"orgMembersGated"`
	DiscussionsDisabled     *bool           `json:"discussionsDisabled"`
	DiscussionsSorting      *string         `json:"discussionsSorting"`
	GatedNotificationsEmail *string         `json:"gatedNotificationsEmail"`
	GatedNotificationsMode  *string         `json:"gatedNotificationsMode"`
}

// gated reads false, "auto" or "manual"; absent changes nothing.
func (c change) gated(now string) (string, error) {
	var how string
	switch {
	case c.Gated == nil:
		return now, nil
	case string(c.Gated) == "false":
		return "", nil
	case json.Unmarshal(c.Gated, &how) == nil && (how == "auto" || how == "manual"):
		return how, nil
	}
	return "", answer.Refuse(http.StatusBadRequest, `"gated" must be one of [auto, manual, false]`)
}

func oneOf(name string, value *string, allowed ...string) error {
	if value == nil || slices.Contains(allowed, *value) {
		return nil
	}
	return answer.Refuse(http.StatusBadRequest, fmt.Sprintf("%q must be one of %v", name, allowed))
}

func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

func (s *Routes) settings(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	if err := at.MayWrite(account.From(r.Context())); err != nil {
		return err
	}
	var c change
	if err := answer.Body(w, r, &c); err != nil {
		return err
	}
	seen, err := visibility(c.Visibility, c.Private, at.Type())
	if err != nil {
		return err
	}
	if owner, ok := s.o.Accounts.Find(at.Namespace()); seen == repo.Protected && (!ok || !owner.Paying()) {
		return answer.Refuse(http.StatusPaymentRequired, "Protected Spaces require a PRO subscription or a Team or Enterprise organization")
	}
	gated, err := c.gated(at.Settings().Gated)
	if err != nil {
		return err
	}
	if err := oneOf("discussionsSorting", c.DiscussionsSorting, "recently-created", "trending", "reactions"); err != nil {
		return err
	}
	if err := oneOf("gatedNotificationsMode", c.GatedNotificationsMode, "bulk", "real-time"); err != nil {
		return err
	}
	now := at.Update(func(s *repo.Settings) {
		if seen != "" {
			s.Visibility = seen
		}
		s.Gated = gated
		set(&s.OrgMembersGated, c.OrgMembersGated)
		set(&s.DiscussionsDisabled, c.DiscussionsDisabled)
		set(&s.DiscussionsSorting, c.DiscussionsSorting)
		set(&s.GatedNotificationsEmail, c.GatedNotificationsEmail)
		set(&s.GatedNotificationsMode, c.GatedNotificationsMode)
	})
	body := map[string]any{
		"visibility": now.Visibility, "private": now.Visibility != repo.Public, "gated": at.Gated(),
		"orgMembersGated": now.OrgMembersGated, "discussionsDisabled": now.DiscussionsDisabled,
	}
	for name, value := range map[string]string{
		"discussionsSorting": now.DiscussionsSorting, "gatedNotificationsEmail": now.GatedNotificationsEmail,
		"gatedNotificationsMode": now.GatedNotificationsMode,
	} {
		if value != "" {
			body[name] = value
		}
	}
	answer.JSON(w, http.StatusOK, body)
	return nil
}
