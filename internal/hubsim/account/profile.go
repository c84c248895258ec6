package account

import "strings"

// Avatar is where the picture of a user or an organisation is.
func (e *Entity) Avatar() string { return "/avatars/" + strings.ToLower(e.Name) + ".svg" }

// Profile is what everybody may know of e, as answers carry it for authors,
// owners and members.
func (e *Entity) Profile() map[string]any {
	fullname := e.Fullname
	if fullname == "" {
		fullname = e.Name
	}
	p := map[string]any{
		"_id": e.ID, "avatarUrl": e.Avatar(), "fullname": fullname, "name": e.Name, "type": e.Type,
		"isHf": false, "isHfAdmin": false, "isMod": false, "followerCount": 0, "isUserFollowing": false,
	}
	switch {
	case e.Type != "org":
		p["isPro"] = e.Plan == "pro"
	case e.Plan != "":
		p["plan"] = e.Plan
	}
	return p
}
