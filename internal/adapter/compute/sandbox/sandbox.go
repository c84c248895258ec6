// Package sandbox is what all kinds of sandboxes on the Hub share: what is
// ordered and what was made, where its tool server is reached, and what is
// remembered of it so that a later run of the program finds it again. How each
// kind is made is for its own package; who needs a sandbox and who pays for it
// is not known here.
package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Kind is what a sandbox runs on.
type Kind string

// The kinds.
const (
	Space Kind = "space" // a private Space
	Job   Kind = "job"   // a job with an exposed port
)

// What marks a sandbox of this program's: variables of a Space, labels of a
// job.
const (
	MarkVariable    = "ML_INTERN_SANDBOX"
	SessionVariable = "ML_INTERN_SESSION"
	KeyVariable     = "ML_INTERN_CALL"

	MarkLabel    = "ml-intern-sandbox"
	OursLabel    = "ml-intern"
	SessionLabel = "ml-intern-session"
	KeyLabel     = "ml-intern-call"
	NameLabel    = "name"
	Marked       = "1"
)

// TokenSecret is where the tool server finds its token, and ForwardVariable
// whether its commands see the Hub token.
const (
	TokenSecret     = "SANDBOX_API_TOKEN"
	ForwardVariable = "ML_INTERN_FORWARD_HF_TOKEN"
)

// Dir is the folder of a sandbox that commands begin in.
const Dir = "/app"

// Basic is the smallest hardware.
const Basic = "cpu-basic"

// names are those of sandboxes.
var names = regexp.MustCompile(`^sandbox-[0-9a-f]{8}$`)

// IsName reports whether a Space's name, without its namespace, is one that
// sandboxes have.
func IsName(name string) bool { return names.MatchString(name) }

// Order is a sandbox to be made.
type Order struct {
	// Key tells this sandbox from all others: 32 hex digits.
	Key     string
	Session string // its id
	Owner   string // the namespace that pays
	// Hardware is the flavor.
	Hardware string
	// Token lets clients into the tool server.
	Token string
	// Secrets and Variables are for what runs in it.
	Secrets, Variables map[string]string
}

// Name is what the sandbox is called.
func (o Order) Name() string { return "sandbox-" + o.Key[:8] }

// NewKey makes a key of a session's id and what the sandbox is for. Equal
// parts give equal keys.
func NewKey(session, purpose string) string {
	sum := sha256.Sum256([]byte(session + "\n" + purpose))
	return hex.EncodeToString(sum[:])[:32]
}

// NewToken makes a token of 256 random bits.
func NewToken() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // it never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// Place is a sandbox that was made.
type Place struct {
	Kind  Kind   `json:"backend"`
	Owner string `json:"sandbox_owner"`
	// ID is NAMESPACE/NAME of a Space, or a job's id.
	ID       string `json:"sandbox_id"`
	Hardware string `json:"sandbox_hardware"`
	// URL is the tool server's address, when it is known.
	URL string `json:"url,omitempty"`
	// Page is where a person looks at it.
	Page string `json:"page,omitempty"`
	// Paid is when the machine began to cost; zero when it has not.
	Paid time.Time `json:"paid_since,omitzero"`
}

// Ref names a sandbox in the journal.
func (p Place) Ref() string {
	if p.Kind == Job {
		return string(Job) + ":" + p.Owner + "/" + p.ID
	}
	return string(Space) + ":" + p.ID
}

// ParseRef reads what Ref made.
func ParseRef(ref string) (Place, bool) {
	kind, id, _ := strings.Cut(ref, ":")
	owner, name, ok := strings.Cut(id, "/")
	if !ok || owner == "" || name == "" {
		return Place{}, false
	}
	switch Kind(kind) {
	case Space:
		return Place{Kind: Space, Owner: owner, ID: id}, true
	case Job:
		return Place{Kind: Job, Owner: owner, ID: name}, true
	}
	return Place{}, false
}

// State is whether a sandbox can be reached.
type State int

// The states.
const (
	Up      State = iota // its machine runs
	Waiting              // its machine is on its way, or wakes up when it is asked
	Down                 // it does not come back by itself
	Gone                 // it exists no more
)

// Condition is how a sandbox's machine is.
type Condition struct {
	State State
	Stage string // in the Hub's words
	// Hardware is what it runs on, when that is told.
	Hardware string
}

// Maker makes one kind of sandboxes. It is safe for concurrent use.
type Maker interface {
	// Create makes the sandbox of o; say is told the steps. When it fails there
	// is nothing to be removed, unless wire.Ambiguous says so of the error or
	// ctx is done: then Find tells.
	Create(ctx context.Context, o Order, say func(string)) (Place, error)
	// Ready puts into the sandbox what it still lacks and waits until its machine
	// runs. It may be called again.
	Ready(ctx context.Context, o Order, p Place, say func(string)) (Place, error)
	// Find looks for the sandbox of o.
	Find(ctx context.Context, o Order) (Place, bool, error)
	// Look tells how the machine is.
	Look(ctx context.Context, p Place) (Condition, error)
	// Delete removes the sandbox; one that is gone is no error. Minutes are what
	// is to be paid for, when the Hub says so; else -1.
	Delete(ctx context.Context, p Place) (minutes int64, err error)
}

// Hosts are the templates of addresses.
type Hosts struct {
	Space string // with {subdomain}
	Job   string // with {job_id} and {port}
}

var (
	subdomains = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
	jobIDs     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// SpaceURL is where the app of a Space answers. The subdomain is what the Hub
// calls it; everything else about the address is ours.
func (h Hosts) SpaceURL(subdomain string) (string, error) {
	if !subdomains.MatchString(subdomain) {
		return "", fmt.Errorf("the Hub names no usable subdomain of the Space: %q", subdomain)
	}
	return strings.ReplaceAll(h.Space, "{subdomain}", subdomain), nil
}

// JobURL is where a port of a job answers.
func (h Hosts) JobURL(id string, port int) (string, error) {
	if !jobIDs.MatchString(id) {
		return "", fmt.Errorf("the Hub names no usable id of the job: %q", id)
	}
	return strings.NewReplacer("{job_id}", id, "{port}", fmt.Sprint(port)).Replace(h.Job), nil
}
