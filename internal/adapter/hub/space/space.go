// Package space is the part of the Hub's client that knows Spaces as machines:
// their runtime, variables, secrets, volumes and logs, and how to wait until
// one runs. It knows nothing of what runs in them.
package space

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// API makes the calls. It is safe for concurrent use.
type API struct{ conn *wire.Conn }

// New returns the API over a connection.
func New(c *wire.Conn) *API { return &API{conn: c} }

// Stage is where a Space stands. The Hub may name others.
type Stage string

// The stages that matter here.
const (
	Running Stage = "RUNNING"
	Paused  Stage = "PAUSED"
	Stopped Stage = "STOPPED"
	Asleep  Stage = "SLEEPING"
)

// Dead reports whether a Space in this stage does not start by itself.
func (s Stage) Dead() bool {
	switch s {
	case "NO_APP_FILE", "CONFIG_ERROR", "BUILD_ERROR", "RUNTIME_ERROR", "DELETING", Stopped, Paused:
		return true
	}
	return false
}

// Runtime is the state of a Space's machine. Hardware is null for static
// Spaces.
type Runtime struct {
	Stage    Stage `json:"stage"`
	Hardware struct {
		Current   string `json:"current"`
		Requested string `json:"requested"`
	} `json:"hardware"`
	// SleepSeconds is the silence after which it sleeps.
	SleepSeconds int64        `json:"gcTimeout"`
	ErrorMessage string       `json:"errorMessage"`
	Volumes      []job.Volume `json:"volumes"`
}

// Info is what is known of a Space.
type Info struct {
	ID        string   `json:"id"`
	Author    string   `json:"author"`
	SHA       string   `json:"sha"`
	Private   bool     `json:"private"`
	SDK       string   `json:"sdk"`
	Subdomain string   `json:"subdomain"`
	Tags      []string `json:"tags"`
	Runtime   *Runtime `json:"runtime"`
	// LastModified and CreatedAt are times as the Hub writes them.
	LastModified string `json:"lastModified"`
	CreatedAt    string `json:"createdAt"`
}

// Variable is a public setting of a Space.
type Variable struct {
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
	UpdatedAt   string `json:"updatedAt,omitempty"`
}

// Secret is what the Hub tells of a secret: never its value.
type Secret struct {
	Key         string `json:"key"`
	Description string `json:"description,omitempty"`
	UpdatedAt   string `json:"updatedAt,omitempty"`
}

func path(id string, rest ...string) (string, error) {
	if err := wire.CheckRepoID("space_id", id); err != nil {
		return "", err
	}
	ns, name, ok := strings.Cut(id, "/")
	if !ok {
		return "", wire.BadField("space_id", "%q lacks its namespace", id)
	}
	return wire.Path(append([]string{"api", "spaces", ns, name}, rest...)...), nil
}

// call makes one call about a Space. Setting something to a value may be
// repeated; starting something may not.
func (a *API) call(ctx context.Context, id, op, method string, retry wire.Policy, body, into any, rest ...string) error {
	p, err := path(id, rest...)
	if err != nil {
		return err
	}
	_, err = a.conn.JSON(ctx, wire.Request{Op: op + " " + id, Method: method, Path: p, JSON: body, Retry: retry}, into)
	return err
}

// Info reads what is known of a Space.
func (a *API) Info(ctx context.Context, id string) (Info, error) {
	var i Info
	return i, a.call(ctx, id, "read Space", http.MethodGet, wire.Idempotent, nil, &i)
}

// Runtime reads the state of its machine.
func (a *API) Runtime(ctx context.Context, id string) (Runtime, error) {
	var r Runtime
	return r, a.call(ctx, id, "read the state of Space", http.MethodGet, wire.Idempotent, nil, &r, "runtime")
}

// SetHardware moves a Space to other hardware, which restarts it. sleepSeconds
// is the silence after which it sleeps: 0 leaves it, -1 is never.
func (a *API) SetHardware(ctx context.Context, id, flavor string, sleepSeconds int64) (Runtime, error) {
	body := map[string]any{"flavor": flavor}
	if sleepSeconds != 0 {
		body["sleepTimeSeconds"] = sleepSeconds
	}
	var r Runtime
	if !wire.IsWord(flavor) {
		return r, wire.BadField("hardware", "%q is no name of hardware", flavor)
	}
	return r, a.call(ctx, id, "set the hardware of Space", http.MethodPost, wire.Idempotent, body, &r, "hardware")
}

// SetSleepTime sets the silence, in seconds, after which a Space sleeps; -1 is
// never.
func (a *API) SetSleepTime(ctx context.Context, id string, seconds int64) (Runtime, error) {
	var r Runtime
	return r, a.call(ctx, id, "set the sleep time of Space", http.MethodPost, wire.Idempotent,
		map[string]any{"seconds": seconds}, &r, "sleeptime")
}

// Pause stops a Space until it is restarted.
func (a *API) Pause(ctx context.Context, id string) (Runtime, error) {
	var r Runtime
	return r, a.call(ctx, id, "pause Space", http.MethodPost, wire.Idempotent, nil, &r, "pause")
}

// Restart starts a Space anew; factory also builds it anew.
func (a *API) Restart(ctx context.Context, id string, factory bool) (Runtime, error) {
	var r Runtime
	p, err := path(id, "restart")
	if err != nil {
		return r, err
	}
	req := wire.Request{Op: "restart Space " + id, Method: http.MethodPost, Path: p, Retry: wire.CertainlyNotApplied}
	if factory {
		req.Query = map[string][]string{"factory": {"true"}}
	}
	_, err = a.conn.JSON(ctx, req, &r)
	return r, err
}

var keyForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

func checkKey(key string) error {
	if !keyForm.MatchString(key) {
		return wire.BadField("key", "%q is no name of a variable: letters, digits and _, a letter first", key)
	}
	return nil
}

// SetSecret gives a Space a secret, which restarts it.
func (a *API) SetSecret(ctx context.Context, id, key, value string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return a.call(ctx, id, "set a secret of Space", http.MethodPost, wire.Idempotent,
		map[string]string{"key": key, "value": value}, nil, "secrets")
}

// DeleteSecret takes a secret away; an absent one is no error.
func (a *API) DeleteSecret(ctx context.Context, id, key string) error {
	return a.call(ctx, id, "delete a secret of Space", http.MethodDelete, wire.Idempotent,
		map[string]string{"key": key}, nil, "secrets")
}

// Secrets lists the names of a Space's secrets.
func (a *API) Secrets(ctx context.Context, id string) (map[string]Secret, error) {
	var all map[string]Secret
	return all, a.call(ctx, id, "list the secrets of Space", http.MethodGet, wire.Idempotent, nil, &all, "secrets")
}

// SetVariable sets a variable, which restarts the Space; it returns all.
func (a *API) SetVariable(ctx context.Context, id, key, value, description string) (map[string]Variable, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	body := map[string]string{"key": key, "value": value}
	if description != "" {
		body["description"] = description
	}
	var all map[string]Variable
	return all, a.call(ctx, id, "set a variable of Space", http.MethodPost, wire.Idempotent, body, &all, "variables")
}

// DeleteVariable takes a variable away; it returns what is left.
func (a *API) DeleteVariable(ctx context.Context, id, key string) (map[string]Variable, error) {
	var all map[string]Variable
	return all, a.call(ctx, id, "delete a variable of Space", http.MethodDelete, wire.Idempotent,
		map[string]string{"key": key}, &all, "variables")
}

// Variables lists the variables of a Space.
func (a *API) Variables(ctx context.Context, id string) (map[string]Variable, error) {
	var all map[string]Variable
	return all, a.call(ctx, id, "list the variables of Space", http.MethodGet, wire.Idempotent, nil, &all, "variables")
}

// SetVolumes replaces the volumes of a Space, which restarts it.
func (a *API) SetVolumes(ctx context.Context, id string, volumes []job.Volume) error {
	return a.call(ctx, id, "set the volumes of Space", http.MethodPut, wire.Idempotent,
		map[string]any{"volumes": volumes}, nil, "volumes")
}

// Hardware reads the list of flavors that Spaces can have.
func (a *API) Hardware(ctx context.Context) ([]job.Flavor, error) {
	var list []job.Flavor
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: "read the prices of Space hardware", Method: http.MethodGet, Path: "/api/spaces/hardware",
	}, &list)
	return list, err
}

// Log returns the last lines of a Space's log; kind is "build" or "run". The
// stream of a running Space does not end: it is left when it falls silent.
func (a *API) Log(ctx context.Context, id, kind string, last int) ([]string, error) {
	p, err := path(id, "logs", kind)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, logWait)
	defer cancel()
	var lines []string
	for ev, err := range a.conn.Events(ctx, wire.Request{
		Op: "read the log of Space " + id, Method: http.MethodGet, Path: p,
		Query: map[string][]string{"tail": {strconv.Itoa(last)}},
	}) {
		if err != nil {
			if len(lines) > 0 || ctx.Err() != nil {
				break
			}
			return nil, err
		}
		var in struct {
			Data string `json:"data"`
		}
		if json.Unmarshal(ev.Data, &in) == nil && in.Data != "" {
			lines = append(lines, strings.TrimRight(in.Data, "\r\n"))
			if len(lines) > last {
				lines = lines[1:]
			}
		}
	}
	return lines, nil
}
