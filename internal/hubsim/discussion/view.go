package discussion

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// hiddenText stands where a hidden comment was.
const hiddenText = "This comment has been hidden"

// put adds the user called name as member key, unless he is gone.
func (a *Area) put(v map[string]any, key, name string) map[string]any {
	if e, ok := a.o.Accounts.Find(name); ok {
		v[key] = e.Profile()
	}
	return v
}

// item is a discussion in a list.
func (a *Area) item(r *http.Request, at *repo.Repo, d *Discussion) map[string]any {
	caller := account.From(r.Context()).Name()
	talks := false
	for _, e := range d.Events {
		talks = talks || e.Type == comment && e.Author == caller && caller != ""
	}
	owner := map[string]any{
		"name": at.Namespace(), "type": "user", "isParticipating": talks && caller == at.Namespace(),
		"isDiscussionAuthor": d.Author == at.Namespace(),
	}
	if e, ok := a.o.Accounts.Find(at.Namespace()); ok {
		owner["type"] = e.Type
	}
	return a.put(map[string]any{
		"num": d.Num, "repo": map[string]any{"name": at.ID(), "type": at.Type()}, "title": d.Title, "status": d.Status,
		"createdAt": clock.Format(d.Created), "isPullRequest": d.Pull, "numComments": d.comments(), "topReactions": []any{},
		"numReactionUsers": 0, "pinned": d.Pinned, "repoOwner": owner,
	}, "author", d.Author)
}

// event is an event in answers.
func (a *Area) event(at *repo.Repo, e Event) map[string]any {
	v := a.put(map[string]any{
		"id": e.ID, "createdAt": clock.Format(e.Created), "type": e.Type, "data": a.data(e),
	}, "author", e.Author)
	if author, ok := v["author"].(map[string]any); ok {
		org, isOrg := a.o.Accounts.Find(at.Namespace())
		author["isOwner"] = strings.EqualFold(e.Author, at.Namespace())
		author["isOrgMember"] = isOrg && org.Members[e.Author] != ""
	}
	return v
}

func (a *Area) data(e Event) map[string]any {
	switch e.Type {
	case comment:
		return a.comment(*e.Comment)
	case commit:
		return map[string]any{"subject": e.Subject, "oid": e.OID, "parents": append([]string{}, e.Parents...)}
	case statusChange:
		return map[string]any{"status": e.Status}
	case titleChange:
		return map[string]any{"from": e.From, "to": e.To}
	case pinningChange:
		return map[string]any{"pinned": e.Pinned}
	case refDeleted:
		return map[string]any{"ref": e.Ref}
	}
	return map[string]any{}
}

func (a *Area) comment(c Comment) map[string]any {
	editors, avatars := []string{c.By}, []string{}
	if e, ok := a.o.Accounts.Find(c.By); ok {
		avatars = append(avatars, e.Avatar())
	}
	text := c.Raw
	if c.Hidden {
		text = hiddenText
	}
	v := map[string]any{
		"edited": c.Edits > 0, "hidden": c.Hidden, "numEdits": c.Edits, "editors": editors, "editorAvatarUrls": avatars,
		"reactions": []any{}, "isReport": false,
		"latest": a.put(map[string]any{
			"raw": text, "html": rendered(text), "updatedAt": clock.Format(c.Updated),
		}, "author", c.By),
	}
	if c.Hidden {
		v["hiddenBy"] = c.HiddenBy
	}
	return v
}

// rendered is the HTML of a text: its paragraphs, no Markdown.
func rendered(text string) string {
	var b strings.Builder
	for _, p := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			b.WriteString("<p>" + html.EscapeString(p) + "</p>\n")
		}
	}
	return b.String()
}

// details is a discussion on its own page; withDiff adds the changes of a pull
// request as text.
func (a *Area) details(r *http.Request, at *repo.Repo, d *Discussion, withDiff bool) (map[string]any, error) {
	events := make([]map[string]any, len(d.Events))
	for i, e := range d.Events {
		events[i] = a.event(at, e)
	}
	v := a.put(map[string]any{
		"num": d.Num, "repo": map[string]any{"name": at.ID(), "type": at.Type()}, "title": d.Title, "status": d.Status,
		"createdAt": clock.Format(d.Created), "pinned": d.Pinned, "locked": d.Locked, "collection": "discussions",
		"isPullRequest": d.Pull, "events": events,
	}, "author", d.Author)
	if e, ok := a.o.Accounts.Find(at.Namespace()); ok && e.Type == "org" {
		p := e.Profile()
		v["org"] = map[string]any{
			"avatarUrl": p["avatarUrl"], "fullname": p["fullname"], "name": e.Name, "type": "org", "isHf": false,
		}
	}
	if !d.Pull {
		return v, nil
	}
	pull, err := a.pullDetails(at, d, withDiff)
	if err != nil {
		return nil, err
	}
	maps.Copy(v, pull)
	v["diffUrl"] = fmt.Sprintf("%s/api/%s/%s/discussions/%d/files.diff", answer.Base(r), at.Type().Plural(), at.ID(), d.Num)
	return v, nil
}

// tell notifies of an event of a discussion, and of the comment e if it is one.
func (a *Area) tell(at *repo.Repo, d *Discussion, action string, e *Event) {
	web := fmt.Sprintf("%s/discussions/%d", at.URL(a.o.Endpoint()), d.Num)
	api := fmt.Sprintf("%s/api/%s/%s/discussions/%d", a.o.Endpoint(), at.Type().Plural(), at.ID(), d.Num)
	about := map[string]any{
		"id": d.ID, "title": d.Title, "url": map[string]any{"web": web, "api": api}, "status": d.Status,
		"author": a.id(d.Author), "num": d.Num, "isPullRequest": d.Pull,
	}
	if d.Pull {
		changes := map[string]any{"base": d.Base}
		if d.Merge != "" {
			changes["mergeCommitId"] = d.Merge
		}
		about["changes"] = changes
	}
	more, scope := map[string]any{"discussion": about}, "discussion"
	if e != nil && e.Type == comment {
		said := map[string]any{
			"id": e.ID, "author": a.id(e.Author), "hidden": e.Comment.Hidden, "url": map[string]any{"web": web + "#" + e.ID},
		}
		if !e.Comment.Hidden {
			said["content"] = e.Comment.Raw
		}
		more["comment"] = said
		if d.Events[0].ID != e.ID || action != "create" {
			scope = "discussion.comment"
		}
	}
	a.o.Notify(at, action, scope, more)
}

func (a *Area) id(user string) map[string]any {
	if e, ok := a.o.Accounts.Find(user); ok {
		return map[string]any{"id": e.ID}
	}
	return map[string]any{"id": ""}
}
