// Package request is what a call of the jobs tool asks for: its arguments, what
// each operation needs of them, and the words in them that have a form, such as
// times and images. It asks nobody.
package request

import (
	"errors"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
)

// DefaultTimeout is the Hub's own.
const DefaultTimeout = 30 * time.Minute

// DockerImage is the default of commands.
const DockerImage = "python:3.12"

// Params are the arguments of hf_jobs.
type Params struct {
	Operation       string            `json:"operation"`
	Script          string            `json:"script,omitempty"`
	Dependencies    []string          `json:"dependencies,omitempty"`
	Python          string            `json:"python,omitempty"`
	ScriptArgs      []string          `json:"script_args,omitempty"`
	Command         []string          `json:"command,omitempty"`
	Image           string            `json:"image,omitempty"`
	HardwareFlavor  string            `json:"hardware_flavor,omitempty"`
	Timeout         string            `json:"timeout,omitempty"`
	Env             map[string]string `json:"env,omitempty"`
	Secrets         map[string]string `json:"secrets,omitempty"`
	TrackioSpaceID  string            `json:"trackio_space_id,omitempty"`
	TrackioProject  string            `json:"trackio_project,omitempty"`
	Namespace       string            `json:"namespace,omitempty"`
	Detach          bool              `json:"detach,omitempty"`
	Wait            string            `json:"wait,omitempty"`
	Name            string            `json:"name,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Volumes         []job.Volume      `json:"volumes,omitempty"`
	Expose          []int             `json:"expose,omitempty"`
	SSH             bool              `json:"ssh,omitempty"`
	ResourceGroupID string            `json:"resource_group_id,omitempty"`
	JobID           []string          `json:"job_id,omitempty"`
	Tail            int               `json:"tail,omitempty"`
	Follow          bool              `json:"follow,omitempty"`
	All             bool              `json:"all,omitempty"`
	Status          string            `json:"status,omitempty"`
	ScheduledJobID  string            `json:"scheduled_job_id,omitempty"`
	Schedule        string            `json:"schedule,omitempty"`
}

// Submits reports whether the operation sends a job.
func (p Params) Submits() bool { return p.Operation == "run" || p.Operation == "scheduled run" }

func (p Params) FlavorName() string {
	if p.HardwareFlavor == "" {
		return "cpu-basic"
	}
	return p.HardwareFlavor
}

// Check names what an operation lacks, and what no job can have.
func (p Params) Check() error {
	var what string
	switch op := p.Operation; {
	case p.Submits() && (p.Script == "") == (len(p.Command) == 0):
		what = "either script or command is needed, and only one of them"
	case op == "scheduled run" && p.Schedule == "":
		what = "schedule is required: @hourly, @daily, @weekly, @monthly, @yearly or a cron expression"
	case (op == "logs" || op == "inspect" || op == "cancel" || op == "wait" || op == "metrics") && len(p.JobID) == 0:
		what = "job_id is required"
	case strings.HasPrefix(op, "scheduled ") && op != "scheduled run" && op != "scheduled ps" && p.ScheduledJobID == "":
		what = "scheduled_job_id is required"
	default:
		if p.Submits() {
			_, err := Duration("timeout", p.Timeout, DefaultTimeout)
			if err != nil {
				return err
			}
		}
		if _, err := Duration("wait", p.Wait, time.Second); err != nil {
			return err
		}
		return p.fields()
	}
	return errors.New(what)
}

// Shows reports whether ps lists a job in this stage: without a wish, those
// that are not over.
func (p Params) Shows(s job.Stage) bool {
	if p.Status != "" {
		return strings.Contains(strings.ToUpper(string(s)), strings.ToUpper(p.Status))
	}
	return p.All || !s.Over()
}

// Kind is the word for the job in texts.
func (p Params) Kind() string {
	if p.Script != "" {
		return "Python"
	}
	return "Docker"
}

// PerHour adds the fee for open ports.
func (p Params) PerHour(flavor float64) float64 {
	if len(p.Expose) > 0 {
		return flavor + price.PortPerHour
	}
	return flavor
}
