package identity

import (
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// MCPSettings is which tools a user chose for his assistants.
type MCPSettings struct {
	BuiltInTools []string   `json:"builtInTools"`
	SpaceTools   []MCPSpace `json:"spaceTools"`
}

// MCPSpace is a Space whose tools a user chose.
type MCPSpace struct {
	ID        string `json:"_id"`
	Name      string `json:"name"`
	Emoji     string `json:"emoji"`
	Subdomain string `json:"subdomain"`
}

// standardTools are chosen for everybody.
var standardTools = [...]string{"space_search", "hub_repo_search", "paper_search", "hub_repo_details", "hf_doc_search"}

// SetMCP changes a user's choice.
func (a *Area) SetMCP(user string, s MCPSettings) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settings[user] = s
}

func (a *Area) mcp(w http.ResponseWriter, r *http.Request) error {
	c := account.From(r.Context())
	if c == nil {
		return answer.Login("")
	}
	a.mu.Lock()
	s, ok := a.settings[c.User.Name]
	a.mu.Unlock()
	if !ok {
		s = MCPSettings{BuiltInTools: standardTools[:]}
	}
	if s.SpaceTools == nil {
		s.SpaceTools = []MCPSpace{}
	}
	answer.JSON(w, http.StatusOK, s)
	return nil
}

// harnesses is an empty register: no program is known by its variables.
func harnesses(w http.ResponseWriter, _ *http.Request) error {
	answer.JSON(w, http.StatusOK, map[string]any{"standardEnvVars": []string{"AI_AGENT", "AGENT"}, "harnesses": map[string]any{}})
	return nil
}

func (a *Area) notifications(w http.ResponseWriter, r *http.Request) error {
	if account.From(r.Context()) == nil {
		return answer.Login("")
	}
	answer.JSON(w, http.StatusOK, map[string]any{"notifications": []any{}, "count": map[string]int{"view": 0, "unread": 0, "all": 0}, "start": 0})
	return nil
}

// find looks up a user or an organisation of the path.
func (a *Area) find(r *http.Request, kind, missing string) (*account.Entity, error) {
	e, ok := a.o.Accounts.Find(r.PathValue("name"))
	if !ok || e.Type != kind {
		return nil, answer.Refuse(http.StatusNotFound, missing)
	}
	return e, nil
}

// overview is a profile with what its owner has.
func (a *Area) overview(e *account.Entity) map[string]any {
	models, datasets, spaces := a.o.Counts(e.Name)
	p := e.Profile()
	p["numModels"], p["numDatasets"], p["numSpaces"] = models, datasets, spaces
	p["numFollowers"], p["numFollowing"] = 0, 0
	p["isFollowing"] = false
	return p
}

func (a *Area) userOverview(w http.ResponseWriter, r *http.Request) error {
	u, err := a.find(r, "user", "This user does not exist")
	if err != nil {
		return err
	}
	p := a.overview(u)
	p["user"] = u.Name
	p["numDiscussions"], p["numPapers"], p["numUpvotes"], p["numLikes"] = 0, 0, 0, 0
	orgs := []any{}
	for _, org := range a.o.Accounts.Orgs(u.Name) {
		orgs = append(orgs, map[string]any{"id": org.ID, "name": org.Name, "fullname": fullname(org), "avatarUrl": org.Avatar()})
	}
	p["orgs"] = orgs
	answer.JSON(w, http.StatusOK, p)
	return nil
}

func (a *Area) orgOverview(w http.ResponseWriter, r *http.Request) error {
	org, err := a.find(r, "org", "This organization does not exist")
	if err != nil {
		return err
	}
	p := a.overview(org)
	p["numUsers"], p["isVerified"] = len(org.Members), false
	if c := account.From(r.Context()); c != nil {
		p["isMember"] = c.Role(org.Name) != ""
	}
	answer.JSON(w, http.StatusOK, p)
	return nil
}

func (a *Area) members(w http.ResponseWriter, r *http.Request) error {
	org, err := a.find(r, "org", "This organization does not exist")
	if err != nil {
		return err
	}
	users := []*account.Entity{}
	for _, e := range a.o.Accounts.Entities() {
		if org.Members[e.Name] != "" {
			users = append(users, e)
		}
	}
	return page(w, r, users)
}

// followers are nobody: who follows whom is not kept.
func (a *Area) followers(w http.ResponseWriter, r *http.Request) error {
	if _, ok := a.o.Accounts.Find(r.PathValue("name")); !ok {
		return answer.Refuse(http.StatusNotFound, "This user does not exist")
	}
	return page(w, r, nil)
}

func page(w http.ResponseWriter, r *http.Request, users []*account.Entity) error {
	limit, err := answer.Limit(r.URL.Query(), 100, 1000)
	if err != nil {
		return err
	}
	users, err = answer.Page(w, r, users, limit, func(e *account.Entity) string { return e.Name })
	if err != nil {
		return err
	}
	all := []map[string]any{}
	for _, e := range users {
		p := e.Profile()
		p["user"] = e.Name
		all = append(all, p)
	}
	answer.JSON(w, http.StatusOK, all)
	return nil
}
