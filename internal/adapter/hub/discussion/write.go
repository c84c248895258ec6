package discussion

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Draw is a thread to be opened.
type Draw struct {
	Title       string // 3 to 200 characters
	Description string // Markdown
	// PullRequest opens a pull request without changes. It is a draft until
	// its status is set to [Open].
	PullRequest bool
}

// Opened is a thread that was opened.
type Opened struct {
	Num int
	URL string
	// Found says that the answer got lost and the list showed the thread.
	Found bool
}

// Create opens a thread.
func (a *API) Create(ctx context.Context, r Repo, d Draw) (Opened, error) {
	op := "open a discussion in " + r.ID
	if err := checkTitle(op, d.Title); err != nil {
		return Opened{}, err
	}
	if err := checkText(op, "description", d.Description, true); err != nil {
		return Opened{}, err
	}
	before, err := a.page(ctx, r, url.Values{}, 0)
	if err != nil {
		return Opened{}, err
	}
	last := 0
	for _, known := range before.Discussions {
		last = max(last, known.Num)
	}
	var o Opened
	err = a.once(ctx, func() error {
		body := map[string]any{"title": d.Title, "description": d.Description, "pullRequest": d.PullRequest}
		return a.post(ctx, op, r, body, &o)
	}, func() (found bool, err error) {
		o, found, err = a.opened(ctx, r, d, last)
		return found, err
	})
	if err == nil && o.Num == 0 {
		err = &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer names no number"}
	}
	o.URL = a.address(r, o.Num)
	return o, err
}

// address is the address of a thread at the Hub in use.
func (a *API) address(r Repo, num int) string {
	t := r.Type
	if t == "" {
		t = wire.Model
	}
	return strings.TrimRight(a.conn.Endpoint().String(), "/") + t.Page(r.ID, "discussions", strconv.Itoa(num))
}

// opened looks for a thread among those newer than last.
func (a *API) opened(ctx context.Context, r Repo, d Draw, last int) (Opened, bool, error) {
	for known, err := range a.List(ctx, r, Filter{}) {
		if err != nil {
			return Opened{}, false, err
		}
		if known.Num <= last {
			break
		}
		if known.Title != d.Title || known.IsPullRequest != d.PullRequest {
			continue
		}
		details, err := a.Details(ctx, r, known.Num, false)
		if err != nil {
			return Opened{}, false, err
		}
		for _, e := range details.Events {
			c, ok := e.Comment()
			if ok && same(c.Text, d.Description) {
				return Opened{Num: known.Num, Found: true}, true, nil
			}
			if ok {
				break // the first comment is the description
			}
		}
		if d.Description == "" {
			return Opened{Num: known.Num, Found: true}, true, nil
		}
	}
	return Opened{}, false, nil
}

// same compares texts that the Hub may have trimmed.
func same(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }

// Comment adds a comment.
func (a *API) Comment(ctx context.Context, r Repo, num int, text string) (Event, error) {
	op := thread("comment on", r, num)
	if err := checkText(op, "comment", text, false); err != nil {
		return Event{}, err
	}
	before, err := a.Details(ctx, r, num, false)
	if err != nil {
		return Event{}, err
	}
	known := map[string]bool{}
	for _, e := range before.Events {
		known[e.ID] = true
	}
	var out struct {
		Event Event `json:"newMessage"`
	}
	err = a.once(ctx, func() error {
		return a.post(ctx, op, r, map[string]string{"comment": text}, &out, strconv.Itoa(num), "comment")
	}, a.shows(ctx, r, num, &out.Event, func(e Event, _ *Details) bool {
		c, ok := e.Comment()
		return ok && !known[e.ID] && same(c.Text, text)
	}))
	return out.Event, err
}

// shows looks at a thread for an event that has what is wanted, newest first.
func (a *API) shows(ctx context.Context, r Repo, num int, into *Event, has func(Event, *Details) bool) func() (bool, error) {
	return func() (bool, error) {
		d, err := a.Details(ctx, r, num, false)
		if err != nil {
			return false, err
		}
		for i := len(d.Events) - 1; i >= 0; i-- {
			if has(d.Events[i], d) {
				*into = d.Events[i]
				return true, nil
			}
		}
		return false, nil
	}
}

// Edit replaces the text of a comment.
func (a *API) Edit(ctx context.Context, r Repo, num int, event, text string) (Event, error) {
	op := thread("edit a comment on", r, num)
	if err := checkText(op, "comment", text, false); err != nil {
		return Event{}, err
	}
	return a.amend(ctx, op, r, num, event, "edit", map[string]string{"content": text}, func(c Comment) bool { return same(c.Text, text) })
}

// Hide takes the text of a comment away, for good.
func (a *API) Hide(ctx context.Context, r Repo, num int, event string) (Event, error) {
	return a.amend(ctx, thread("hide a comment on", r, num), r, num, event, "hide", nil, func(c Comment) bool { return c.Hidden })
}

func (a *API) amend(ctx context.Context, op string, r Repo, num int, event, verb string, body any, done func(Comment) bool) (Event, error) {
	if err := wire.Check("event", event); err != nil {
		return Event{}, err
	}
	var out struct {
		Event Event `json:"updatedComment"`
	}
	err := a.once(ctx, func() error {
		return a.post(ctx, op, r, body, &out, strconv.Itoa(num), "comment", event, verb)
	}, a.shows(ctx, r, num, &out.Event, func(e Event, _ *Details) bool {
		c, ok := e.Comment()
		return ok && e.ID == event && done(c)
	}))
	return out.Event, err
}

// Rename changes a thread's title.
func (a *API) Rename(ctx context.Context, r Repo, num int, title string) (Event, error) {
	op := thread("rename", r, num)
	if err := checkTitle(op, title); err != nil {
		return Event{}, err
	}
	var out struct {
		Event Event `json:"newTitle"`
	}
	err := a.once(ctx, func() error {
		return a.post(ctx, op, r, map[string]string{"title": title}, &out, strconv.Itoa(num), "title")
	}, a.shows(ctx, r, num, &out.Event, func(e Event, d *Details) bool {
		return e.Type == "title-change" && d.Title == title
	}))
	return out.Event, err
}

// SetStatus closes a thread or opens it (again), with an optional comment.
// Opening a draft publishes it.
func (a *API) SetStatus(ctx context.Context, r Repo, num int, to Status, comment string) (Event, error) {
	op := thread("change the status of", r, num)
	if to != Open && to != Closed {
		return Event{}, invalid(op, "status must be open or closed, not "+strconv.Quote(string(to)))
	}
	if err := checkText(op, "comment", comment, true); err != nil {
		return Event{}, err
	}
	body := map[string]string{"status": string(to)}
	if comment != "" {
		body["comment"] = comment
	}
	var out struct {
		Event Event `json:"newStatus"`
	}
	err := a.once(ctx, func() error {
		return a.post(ctx, op, r, body, &out, strconv.Itoa(num), "status")
	}, a.shows(ctx, r, num, &out.Event, func(e Event, d *Details) bool {
		return e.Type == "status-change" && d.Status == to
	}))
	return out.Event, err
}

// Merge merges a pull request, with an optional comment. A draft has to be
// opened first.
func (a *API) Merge(ctx context.Context, r Repo, num int, comment string) error {
	op := thread("merge", r, num)
	if err := checkText(op, "comment", comment, true); err != nil {
		return err
	}
	var body any
	if comment != "" {
		body = map[string]string{"comment": comment}
	}
	return a.once(ctx, func() error {
		return a.post(ctx, op, r, body, nil, strconv.Itoa(num), "merge")
	}, func() (bool, error) {
		d, err := a.Details(ctx, r, num, false)
		return err == nil && d.Status == Merged, err
	})
}

// Pin keeps a thread on top of its list, or lets go of it.
func (a *API) Pin(ctx context.Context, r Repo, num int, pinned bool) error {
	return a.post(ctx, thread("pin", r, num), r, map[string]bool{"pinned": pinned}, nil, strconv.Itoa(num), "pin")
}

// Delete removes a thread.
func (a *API) Delete(ctx context.Context, r Repo, num int) error {
	return a.remove(ctx, thread("delete", r, num), r, strconv.Itoa(num))
}

// DeleteRef removes the branch of a pull request that is closed.
func (a *API) DeleteRef(ctx context.Context, r Repo, num int) error {
	return a.remove(ctx, thread("delete the branch of", r, num), r, strconv.Itoa(num), "ref")
}

func (a *API) remove(ctx context.Context, op string, r Repo, more ...string) error {
	path, err := r.path(more...)
	if err != nil {
		return err
	}
	_, err = a.conn.JSON(ctx, wire.Request{Op: op, Method: http.MethodDelete, Path: path}, nil)
	return err
}
