package discussion

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// add puts a new event at the end of a discussion unless check refuses.
func (a *Area) add(at *repo.Repo, num int, e Event, check func(d *Discussion) error) (*Discussion, error) {
	return a.edit(at, num, func(d *Discussion) error {
		if err := check(d); err != nil {
			return err
		}
		d.Events = append(d.Events, e)
		return nil
	})
}

func (a *Area) newEvent(kind, author string) Event {
	return Event{ID: a.o.Clock.ID(), Author: author, Created: a.o.Clock.Stamp(), Type: kind}
}

// Comment adds a comment without asking who may.
func (a *Area) Comment(at *repo.Repo, num int, author, text string) (Event, error) {
	e := a.said(author, text, a.o.Clock.Stamp())
	d, err := a.add(at, num, e, func(*Discussion) error { return nil })
	if err != nil {
		return Event{}, err
	}
	a.tell(at, d, "create", &e)
	return e, nil
}

func (a *Area) say(w http.ResponseWriter, r *http.Request, at *repo.Repo, d *Discussion) error {
	user, err := mayTalk(r.Context(), at)
	if err != nil {
		return err
	}
	var body struct {
		Comment string `json:"comment"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if strings.TrimSpace(body.Comment) == "" {
		return answer.Refuse(http.StatusBadRequest, `"comment" must not be empty`)
	}
	if err := checkText("comment", body.Comment); err != nil {
		return err
	}
	if d.Locked {
		return answer.Refuse(http.StatusForbidden, "This discussion is locked")
	}
	e, err := a.Comment(at, d.Num, user, body.Comment)
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusCreated, map[string]any{"newMessage": a.event(at, e)})
	return nil
}

// change replaces a comment by what edit makes of it, unless that refuses.
func (a *Area) change(at *repo.Repo, num int, id string, edit func(e *Event, c *Comment) error) (*Discussion, Event, error) {
	var changed Event
	d, err := a.edit(at, num, func(d *Discussion) error {
		i := slices.IndexFunc(d.Events, func(e Event) bool { return e.ID == id && e.Type == comment })
		if i < 0 {
			return answer.Refuse(http.StatusNotFound, "Comment not found")
		}
		c := *d.Events[i].Comment
		if c.Hidden {
			return answer.Refuse(http.StatusBadRequest, "The comment is hidden")
		}
		if err := edit(&d.Events[i], &c); err != nil {
			return err
		}
		d.Events[i].Comment = &c
		changed = d.Events[i]
		return nil
	})
	return d, changed, err
}

func (a *Area) editComment(w http.ResponseWriter, r *http.Request, at *repo.Repo, d *Discussion) error {
	user, err := mayTalk(r.Context(), at)
	if err != nil {
		return err
	}
	var body struct {
		Content string `json:"content"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if strings.TrimSpace(body.Content) == "" {
		return answer.Refuse(http.StatusBadRequest, `"content" must not be empty`)
	}
	if err := checkText("content", body.Content); err != nil {
		return err
	}
	now := a.o.Clock.Stamp()
	return a.updated(w, at, d, r.PathValue("event"), func(e *Event, c *Comment) error {
		if e.Author != user {
			return answer.Refuse(http.StatusForbidden, "Only its author may edit a comment")
		}
		c.Raw, c.Updated, c.By, c.Edits = body.Content, now, user, c.Edits+1
		return nil
	})
}

func (a *Area) hide(w http.ResponseWriter, r *http.Request, at *repo.Repo, d *Discussion) error {
	user, err := mayTalk(r.Context(), at)
	if err != nil {
		return err
	}
	now := a.o.Clock.Stamp()
	return a.updated(w, at, d, r.PathValue("event"), func(e *Event, c *Comment) error {
		if err := mayManage(r.Context(), at, e.Author); err != nil {
			return err
		}
		c.Raw, c.Updated, c.Hidden, c.HiddenBy = "", now, true, user // the text is gone for good
		return nil
	})
}

// updated changes a comment and answers with it.
func (a *Area) updated(w http.ResponseWriter, at *repo.Repo, d *Discussion, id string, edit func(e *Event, c *Comment) error) error {
	d, e, err := a.change(at, d.Num, id, edit)
	if err != nil {
		return err
	}
	a.tell(at, d, "update", &e)
	answer.JSON(w, http.StatusOK, map[string]any{"updatedComment": a.event(at, e)})
	return nil
}

func (a *Area) rename(w http.ResponseWriter, r *http.Request, at *repo.Repo, d *Discussion) error {
	user, err := manager(r.Context(), at, d.Author)
	if err != nil {
		return err
	}
	var body struct {
		Title string `json:"title"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if err := checkTitle(body.Title); err != nil {
		return err
	}
	e := a.newEvent(titleChange, user)
	d, err = a.edit(at, d.Num, func(d *Discussion) error {
		e.From, e.To = d.Title, body.Title
		d.Title, d.Events = body.Title, append(d.Events, e)
		return nil
	})
	if err != nil {
		return err
	}
	a.tell(at, d, "update", nil)
	answer.JSON(w, http.StatusOK, map[string]any{"newTitle": a.event(at, e)})
	return nil
}

// status opens and closes; opening a draft publishes it.
func (a *Area) status(w http.ResponseWriter, r *http.Request, at *repo.Repo, d *Discussion) error {
	user, err := manager(r.Context(), at, d.Author)
	if err != nil {
		return err
	}
	var body struct {
		Status  string `json:"status"`
		Comment string `json:"comment"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if body.Status != Opened && body.Status != Closed {
		return answer.Refuse(http.StatusBadRequest, `"status" must be open or closed`)
	}
	if err := checkText("comment", body.Comment); err != nil {
		return err
	}
	_, hasRef := at.Ref(d.ref())
	e, err := a.turn(at, d.Num, user, body.Comment, body.Status, func(d *Discussion) error {
		switch {
		case d.Status == Merged:
			return answer.Refuse(http.StatusBadRequest, "The pull request is merged")
		case d.Status == body.Status:
			return answer.Refuse(http.StatusBadRequest, "The discussion is already "+d.Status)
		case d.Pull && body.Status == Opened && !hasRef:
			return answer.Refuse(http.StatusBadRequest, "The branch of the pull request was deleted")
		}
		return nil
	})
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{"newStatus": a.event(at, e)})
	return nil
}

// turn gives a discussion another status unless change refuses, and says why
// before that where there is a text.
func (a *Area) turn(at *repo.Repo, num int, user, text, status string, change func(d *Discussion) error) (Event, error) {
	var said []Event
	if text != "" {
		said = append(said, a.said(user, text, a.o.Clock.Stamp()))
	}
	e := a.newEvent(statusChange, user)
	e.Status = status
	d, err := a.edit(at, num, func(d *Discussion) error {
		if err := change(d); err != nil {
			return err
		}
		d.Status, d.Events = status, append(append(d.Events, said...), e)
		return nil
	})
	if err != nil {
		return Event{}, err
	}
	for i := range said {
		a.tell(at, d, "create", &said[i])
	}
	a.tell(at, d, "update", nil)
	return e, nil
}

// pin puts a discussion to the top of the page, or takes it away from there.
func (a *Area) pin(w http.ResponseWriter, r *http.Request, at *repo.Repo, d *Discussion) error {
	user, err := manager(r.Context(), at, "")
	if err != nil {
		return err
	}
	body := struct {
		Pinned bool `json:"pinned"`
	}{Pinned: true}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	e := a.newEvent(pinningChange, user)
	e.Pinned = body.Pinned
	if _, err := a.edit(at, d.Num, func(d *Discussion) error {
		if d.Pinned != body.Pinned {
			d.Pinned, d.Events = body.Pinned, append(d.Events, e)
		}
		return nil
	}); err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{"pinned": body.Pinned})
	return nil
}
