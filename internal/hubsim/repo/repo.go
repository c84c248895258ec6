package repo

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/history"
)

// Visibilities of repositories.
const (
	Public    = "public"
	Private   = "private"
	Protected = "protected" // a Space whose app is public and whose code is not
)

// Settings is what owners and seeds may change of a repository.
type Settings struct {
	Visibility string `json:"visibility"`
	Gated      string `json:"gated,omitempty"` // empty, auto or manual
	Disabled   bool   `json:"disabled,omitempty"`
	Region     string `json:"region,omitempty"`
	// SDK, Hardware and ShortDescription are those a Space was made with.
	SDK              string `json:"sdk,omitempty"`
	Hardware         string `json:"hardware,omitempty"`
	ShortDescription string `json:"shortDescription,omitempty"`

	OrgMembersGated         bool   `json:"orgMembersGated,omitempty"`
	DiscussionsDisabled     bool   `json:"discussionsDisabled,omitempty"`
	DiscussionsSorting      string `json:"discussionsSorting,omitempty"`
	GatedNotificationsEmail string `json:"gatedNotificationsEmail,omitempty"`
	GatedNotificationsMode  string `json:"gatedNotificationsMode,omitempty"`

	Likes            int64   `json:"likes,omitempty"`
	Downloads        int64   `json:"downloads,omitempty"`
	DownloadsAllTime int64   `json:"downloadsAllTime,omitempty"`
	TrendingScore    float64 `json:"trendingScore,omitempty"`
	// Info are further members of the repository's info, as a seed gives them.
	Info map[string]json.RawMessage `json:"info,omitempty"`
}

// Access states of users who asked for a gated repository.
const (
	Pending  = "pending"
	Accepted = "accepted"
	Rejected = "rejected"
)

// Grant is what became of a user's wish to read a gated repository.
type Grant struct {
	ID     string    `json:"id"`
	Status string    `json:"status"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Repo is one repository. It is safe for concurrent use.
type Repo struct {
	*history.History // what it holds

	store *Store
	typ   Type
	hex   string

	mu        sync.Mutex
	id        string // ns/name
	creator   string
	createdAt time.Time
	visibleAt time.Time // zero: at once
	ready     bool      // its first commit is made
	settings  Settings
	grants    map[string]Grant // by user name
	card      cachedCard
}

// Type is the kind of the repository.
func (r *Repo) Type() Type { return r.typ }

// Hex is the id that no move changes.
func (r *Repo) Hex() string { return r.hex }

// ID is the name with its namespace.
func (r *Repo) ID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.id
}

// Namespace is the user or organisation that owns the repository.
func (r *Repo) Namespace() string {
	ns, _, _ := strings.Cut(r.ID(), "/")
	return ns
}

// URL is the repository's page below base.
func (r *Repo) URL(base string) string { return base + "/" + r.typ.Prefix() + r.ID() }

// Creator is the user who made the repository.
func (r *Repo) Creator() string { return r.creator }

// CreatedAt is when the repository was made.
func (r *Repo) CreatedAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.createdAt
}

// Settings returns a copy of the settings.
func (r *Repo) Settings() Settings {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.settings
	s.Info = maps.Clone(s.Info)
	return s
}

// Update changes the settings.
func (r *Repo) Update(change func(*Settings)) Settings {
	r.mu.Lock()
	change(&r.settings)
	r.mu.Unlock()
	return r.Settings()
}

// Private reports whether only members see the repository.
func (r *Repo) Private() bool { return r.Settings().Visibility != Public }

// Gated is false, or how requests for access are handled: "auto" or "manual".
func (r *Repo) Gated() any {
	if g := r.Settings().Gated; g != "" {
		return g
	}
	return false
}

// Likes is how many users like the repository.
func (r *Repo) Likes() int64 { return r.Settings().Likes }

// Downloads is how often the repository was downloaded in a month.
func (r *Repo) Downloads() int64 { return r.Settings().Downloads }

// Visible reports whether the caller may know that the repository exists.
func (r *Repo) Visible(caller *account.Caller) bool {
	r.mu.Lock()
	hidden := !r.ready || r.store.o.Clock.Now().Before(r.visibleAt)
	private := r.settings.Visibility != Public
	ns, _, _ := strings.Cut(r.id, "/")
	r.mu.Unlock()
	return !hidden && (!private || caller.May(account.RepoRead, ns))
}

// MayWrite says why the caller may not change the repository. Contributors may
// change what they have made.
func (r *Repo) MayWrite(caller *account.Caller) error {
	if caller == nil {
		return answer.Login("")
	}
	ns := r.Namespace()
	if !caller.May(account.RepoWrite, ns) || caller.Role(ns) == "contributor" && r.creator != caller.Name() {
		return answer.Refuse(http.StatusForbidden, fmt.Sprintf("You don't have the rights to write to the %s %q", r.typ, r.ID()))
	}
	return nil
}

// MayRead says why the caller may not read the files of the repository, which
// he may see: it is gated. base is the endpoint, for the text.
func (r *Repo) MayRead(caller *account.Caller, base string) error {
	s := r.Settings()
	if s.Gated == "" {
		return nil
	}
	if caller == nil {
		return &answer.Error{
			Status: http.StatusUnauthorized, Code: answer.GatedRepo,
			Message: fmt.Sprintf("Access to %s %s is restricted. You must have access to it and be authenticated to access it. Please log in.", r.typ, r.ID()),
		}
	}
	role := caller.Role(r.Namespace())
	member := role != "" && role != "no_access" && (!s.OrgMembersGated || role != "read")
	if member && caller.May(account.RepoRead, r.Namespace()) || r.Grants()[caller.Name()].Status == Accepted {
		return nil
	}
	return &answer.Error{
		Status: http.StatusForbidden, Code: answer.GatedRepo,
		Message: fmt.Sprintf("Access to %s %s is restricted and you are not in the authorized list. Visit %s to ask for access.", r.typ, r.ID(), r.URL(base)),
	}
}

// Grants tells who asked for a gated repository and what became of it.
func (r *Repo) Grants() map[string]Grant {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.grants)
}

// SetGrant records what becomes of a user's wish to read a gated repository.
func (r *Repo) SetGrant(user, status, reason string) {
	at, id := r.store.o.Clock.Stamp(), r.store.o.Clock.ID()
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, asked := r.grants[user]; asked {
		id = old.ID
	}
	r.grants[user] = Grant{ID: id, Status: status, Reason: reason, At: at}
}
