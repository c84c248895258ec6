// Package job is the part of the Hub's client that runs commands on the Hub's
// machines: it submits jobs so that each exists once, follows them until they
// are really over, and keeps their schedules. It knows neither prices beyond
// the Hub's own list nor who asked for a job.
package job

import (
	"context"
	"encoding/json"
	"iter"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// API makes the calls. It is safe for concurrent use.
type API struct{ conn *wire.Conn }

// New returns the API over a connection.
func New(c *wire.Conn) *API { return &API{conn: c} }

// Stage is where a job stands. The Hub may name others than these; those are
// not the end.
type Stage string

// The stages.
const (
	Scheduling Stage = "SCHEDULING"
	Running    Stage = "RUNNING"
	Updating   Stage = "UPDATING"
	Completed  Stage = "COMPLETED"
	Failed     Stage = "ERROR"
	Canceled   Stage = "CANCELED"
	Deleted    Stage = "DELETED"
)

// Over reports whether nothing follows after this stage.
func (s Stage) Over() bool {
	return s == Completed || s == Failed || s == Canceled || s == Deleted
}

// Volume is a repository or bucket that a job sees as a folder.
type Volume struct {
	Type      string `json:"type"` // bucket, model, dataset or space
	Source    string `json:"source"`
	MountPath string `json:"mountPath"`
	Revision  string `json:"revision,omitempty"`
	Path      string `json:"path,omitempty"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
}

// Expose opens ports of a job to those who may read its namespace.
type Expose struct {
	Ports       []int `json:"ports"`
	PortsPublic []int `json:"portsPublic,omitempty"`
}

// SSH lets a job be entered.
type SSH struct {
	Enabled bool `json:"enabled"`
}

// Spec is a job to run: Flavor and one of DockerImage and SpaceID are needed.
type Spec struct {
	DockerImage string            `json:"dockerImage,omitempty"`
	SpaceID     string            `json:"spaceId,omitempty"`
	Command     []string          `json:"command"`
	Arguments   []string          `json:"arguments"`
	Environment map[string]string `json:"environment"`
	// Secrets are environment variables whose values the Hub never shows.
	Secrets map[string]string `json:"secrets,omitempty"`
	Flavor  string            `json:"flavor"`
	// TimeoutSeconds ends the job; 0 leaves the Hub's 30 minutes.
	TimeoutSeconds  int64             `json:"timeoutSeconds,omitempty"`
	Attempts        int               `json:"attempts,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Volumes         []Volume          `json:"volumes,omitempty"`
	Expose          *Expose           `json:"expose,omitempty"`
	SSH             *SSH              `json:"ssh,omitempty"`
	ResourceGroupID string            `json:"resourceGroupId,omitempty"`
}

// Shape is what the Hub tells about the command of a job; of its secrets it
// tells the names.
type Shape struct {
	DockerImage string            `json:"dockerImage,omitempty"`
	SpaceID     string            `json:"spaceId,omitempty"`
	Command     []string          `json:"command"`
	Arguments   []string          `json:"arguments"`
	Environment map[string]string `json:"environment"`
	Secrets     []string          `json:"secrets"`
	Flavor      string            `json:"flavor"`
	Timeout     int64             `json:"timeout,omitempty"` // seconds
	Labels      map[string]string `json:"labels,omitempty"`
	Volumes     []Volume          `json:"volumes,omitempty"`
	Expose      *Expose           `json:"expose,omitempty"`
}

// Party is a user or an organisation.
type Party struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// Job is a job as the Hub tells it.
type Job struct {
	Shape
	ID         string    `json:"id"`
	CreatedAt  time.Time `json:"createdAt"`
	StartedAt  time.Time `json:"startedAt,omitzero"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	Status     struct {
		Stage        Stage    `json:"stage"`
		Message      string   `json:"message"`
		CancelReason string   `json:"cancelReason,omitempty"`
		FailureCount int      `json:"failureCount,omitempty"`
		ExposeURLs   []string `json:"exposeUrls,omitempty"`
		SSHURL       string   `json:"sshUrl,omitempty"`
	} `json:"status"`
	// Durations are in seconds; RunningSecs is what is paid for, by started
	// minute.
	Durations struct {
		SchedulingSecs float64 `json:"schedulingSecs"`
		RunningSecs    float64 `json:"runningSecs"`
		TotalSecs      float64 `json:"totalSecs"`
	} `json:"durations"`
	Owner     Party `json:"owner"`
	Initiator Party `json:"initiator"`
}

// URL is the page of a job below an endpoint.
func (j Job) URL(endpoint string) string {
	return endpoint + "/jobs/" + j.Owner.Name + "/" + j.ID
}

// Minutes is how many minutes the job is charged for so far: those that have
// started while it ran. A job that still runs is measured at now.
func (j Job) Minutes(now time.Time) int64 {
	secs := j.Durations.RunningSecs
	switch {
	case j.StartedAt.IsZero():
	case !j.Status.Stage.Over():
		secs = max(secs, now.Sub(j.StartedAt).Seconds())
	case secs == 0: // less than a second
		secs = j.FinishedAt.Sub(j.StartedAt).Seconds()
	}
	if secs <= 0 {
		return 0
	}
	return int64(math.Ceil(secs / 60))
}

func jobsPath(ns string, rest ...string) string {
	return wire.Path(append([]string{"api", "jobs", ns}, rest...)...)
}

func check(ns, id string) error {
	if err := wire.CheckNamespace("namespace", ns); err != nil {
		return err
	}
	return wire.CheckJobID("job_id", id)
}

// Filter narrows a list.
type Filter struct {
	Stages []Stage
	Labels map[string]string
}

// List yields the jobs of a namespace, newest first.
func (a *API) List(ctx context.Context, ns string, f Filter) iter.Seq2[Job, error] {
	if err := wire.CheckNamespace("namespace", ns); err != nil {
		return func(yield func(Job, error) bool) { yield(Job{}, err) }
	}
	q := url.Values{}
	for _, s := range f.Stages {
		q.Add("stage", string(s))
	}
	for k, v := range f.Labels {
		q.Add("label", k+"="+v)
	}
	return wire.Pages[Job](ctx, a.conn, wire.Request{
		Op: "list the jobs of " + ns, Method: http.MethodGet, Path: jobsPath(ns), Query: q,
	})
}

// Find reads one job.
func (a *API) Find(ctx context.Context, ns, id string) (Job, error) {
	return a.one(ctx, ns, id, http.MethodGet, "read job "+id, nil)
}

// Cancel ends a job; one that is over stays as it is.
func (a *API) Cancel(ctx context.Context, ns, id string) (Job, error) {
	return a.one(ctx, ns, id, http.MethodPost, "cancel job "+id, nil, "cancel")
}

// SetLabels replaces all labels of a job.
func (a *API) SetLabels(ctx context.Context, ns, id string, labels map[string]string) (Job, error) {
	if err := checkLabels(labels); err != nil {
		return Job{}, err
	}
	return a.one(ctx, ns, id, http.MethodPut, "label job "+id, map[string]any{"labels": labels}, "labels")
}

// one makes a call about one job that answers with it. All of them may be
// repeated: their effect is the same the second time.
func (a *API) one(ctx context.Context, ns, id, method, op string, body any, rest ...string) (Job, error) {
	if err := check(ns, id); err != nil {
		return Job{}, err
	}
	var j Job
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: op, Method: method, Path: jobsPath(ns, append([]string{id}, rest...)...), JSON: body, Retry: wire.Idempotent,
	}, &j)
	return j, err
}

// checkLabels refuses what the Hub would, before anything is sent.
func checkLabels(labels map[string]string) error {
	for k, v := range labels {
		if err := wire.CheckLabel("labels", k); err != nil {
			return err
		}
		if err := wire.CheckLabel("labels."+k, v); err != nil {
			return err
		}
	}
	return nil
}

// Flavor is a kind of machine and its price.
type Flavor struct {
	Name             string       `json:"name"`
	PrettyName       string       `json:"prettyName"`
	CPU              string       `json:"cpu"`
	RAM              string       `json:"ram"`
	EphemeralStorage string       `json:"ephemeralStorage,omitempty"`
	Accelerator      *Accelerator `json:"accelerator"`
	UnitCostUSD      float64      `json:"unitCostUSD"`
	UnitLabel        string       `json:"unitLabel"`
}

// Accelerator is what a flavor computes with beside its processors.
type Accelerator struct {
	Type         string      `json:"type"`
	Model        string      `json:"model"`
	Quantity     json.Number `json:"quantity"`
	VRAM         string      `json:"vram"`
	Manufacturer string      `json:"manufacturer"`
}

// USDPerHour is the flavor's price; known is false for a unit of time that is
// not understood.
func (f Flavor) USDPerHour() (usd float64, known bool) {
	switch f.UnitLabel {
	case "minute":
		return f.UnitCostUSD * 60, true
	case "hour":
		return f.UnitCostUSD, true
	case "second":
		return f.UnitCostUSD * 3600, true
	}
	return 0, false
}

// Hardware reads the list of flavors that jobs can have.
func (a *API) Hardware(ctx context.Context) ([]Flavor, error) {
	var list []Flavor
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: "read the prices of job hardware", Method: http.MethodGet, Path: "/api/jobs/hardware",
	}, &list)
	return list, err
}

// Endpoint is the address the jobs' pages lie below.
func (a *API) Endpoint() string { return a.conn.Endpoint().String() }
