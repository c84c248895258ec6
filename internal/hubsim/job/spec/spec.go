// Package spec is what a job is asked to be: its JSON, the rules it has to keep
// and what answers show of it. It knows nothing of jobs that run.
package spec

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/flavor"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/volume"
)

// DefaultTimeout is for jobs that name none; maxTimeout is what a number of
// nanoseconds holds.
const (
	DefaultTimeout = 30 * time.Minute
	maxTimeout     = 100 * 365 * 24 * time.Hour
)

// Spec is what a client asks for. Secrets are in no answer.
type Spec struct {
	DockerImage     string            `json:"dockerImage,omitempty"`
	SpaceID         string            `json:"spaceId,omitempty"`
	Command         []string          `json:"command,omitempty"`
	Arguments       []string          `json:"arguments,omitempty"`
	Environment     map[string]string `json:"environment,omitempty"`
	Secrets         map[string]string `json:"secrets,omitempty"`
	Flavor          string            `json:"flavor"`
	Arch            string            `json:"arch,omitempty"`
	TimeoutSeconds  *int64            `json:"timeoutSeconds,omitempty"`
	Attempts        *int              `json:"attempts,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Volumes         []volume.Volume   `json:"volumes,omitempty"`
	Expose          *Expose           `json:"expose,omitempty"`
	SSH             *SSH              `json:"ssh,omitempty"`
	ResourceGroupID string            `json:"resourceGroupId,omitempty"`
}

// Expose is which ports are reached from outside.
type Expose struct {
	Ports       []int `json:"ports"`
	PortsPublic []int `json:"portsPublic,omitempty"`
}

// SSH asks for a shell.
type SSH struct {
	Enabled bool `json:"enabled"`
}

// Parse reads a spec and checks it.
func Parse(raw json.RawMessage) (Spec, error) {
	var s Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("invalid job: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return s, s.Check()
}

// Check reports the first rule that is broken, in the client's words, and makes
// volumes of repositories read-only.
func (s *Spec) Check() error {
	switch {
	case s.Flavor == "":
		return fmt.Errorf(`"flavor" is required`)
	case s.DockerImage == "" && s.SpaceID == "":
		return fmt.Errorf(`one of "dockerImage" and "spaceId" is required`)
	case s.DockerImage != "" && s.SpaceID != "":
		return fmt.Errorf(`only one of "dockerImage" and "spaceId" is allowed`)
	case s.Command != nil && (len(s.Command) == 0 || slices.Contains(s.Command, "")):
		return fmt.Errorf(`"command" must have items, none of them empty`)
	case s.TimeoutSeconds != nil && (*s.TimeoutSeconds < 1 || *s.TimeoutSeconds > int64(maxTimeout/time.Second)):
		return fmt.Errorf(`"timeoutSeconds" must be at least 1, and at most %d`, int64(maxTimeout/time.Second))
	case s.Attempts != nil && *s.Attempts < 1:
		return fmt.Errorf(`"attempts" must be at least 1`)
	case s.Arch != "" && s.Arch != "amd64" && s.Arch != "arm64":
		return fmt.Errorf(`"arch" must be amd64 or arm64`)
	case s.ResourceGroupID != "" && !hex24.MatchString(s.ResourceGroupID):
		return fmt.Errorf(`"resourceGroupId" must be 24 hexadecimal digits`)
	}
	if _, ok := flavor.Find(s.Flavor); !ok {
		return fmt.Errorf(`"flavor": %q is unknown`, s.Flavor)
	}
	for _, names := range []map[string]string{s.Environment, s.Secrets} {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if !variable.MatchString(name) {
				return fmt.Errorf("%q is not a name of a variable", name)
			}
		}
	}
	if err := Labels(s.Labels); err != nil {
		return err
	}
	if err := s.Expose.Check(); err != nil {
		return err
	}
	return volume.Check(s.Volumes)
}

var (
	hex24    = regexp.MustCompile(`^[0-9a-f]{24}$`)
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	label    = regexp.MustCompile(`^[A-Za-z0-9._-]*$`)
)

// maxLabel is the length of a label's key and of its value.
const maxLabel = 100

// Labels checks labels.
func Labels(labels map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		value := labels[key]
		if key == "" || !label.MatchString(key+value) || len(key) > maxLabel || len(value) > maxLabel {
			return fmt.Errorf(`"labels": %q: %q: keys and values are at most %d letters, digits, ".", "_" and "-"`, key, value, maxLabel)
		}
	}
	return nil
}

// Check checks ports; nil is none.
func (e *Expose) Check() error {
	if e == nil {
		return nil
	}
	if len(e.Ports) > 20 {
		return fmt.Errorf(`"expose.ports": %d ports, at most 20 are allowed`, len(e.Ports))
	}
	for i, p := range e.Ports {
		if p < 1 || p > 65535 || slices.Contains(e.Ports[:i], p) {
			return fmt.Errorf(`"expose.ports": %d: ports are from 1 to 65535, each once`, p)
		}
	}
	for _, p := range e.PortsPublic {
		if !slices.Contains(e.Ports, p) {
			return fmt.Errorf(`"expose.portsPublic": %d is not in "expose.ports"`, p)
		}
	}
	return nil
}

// Timeout is how long the job may run.
func (s Spec) Timeout() time.Duration {
	if s.TimeoutSeconds == nil {
		return DefaultTimeout
	}
	return time.Duration(*s.TimeoutSeconds) * time.Second
}

// Tries is how often the job is tried.
func (s Spec) Tries() int {
	if s.Attempts == nil {
		return 1
	}
	return *s.Attempts
}

// Ports are the exposed ones.
func (s Spec) Ports() []int {
	if s.Expose == nil {
		return nil
	}
	return s.Expose.Ports
}

// View is what answers show of the spec: of secrets the names only.
type View struct {
	DockerImage string            `json:"dockerImage,omitempty"`
	SpaceID     string            `json:"spaceId,omitempty"`
	Command     []string          `json:"command"`
	Arguments   []string          `json:"arguments"`
	Environment map[string]string `json:"environment"`
	Secrets     []string          `json:"secrets"`
	Flavor      string            `json:"flavor"`
	Arch        string            `json:"arch"`
	Timeout     int64             `json:"timeout"`
	Labels      map[string]string `json:"labels"`
	Volumes     []volume.Volume   `json:"volumes"`
	Expose      *Expose           `json:"expose,omitempty"`
	Retry       *Retry            `json:"retry,omitempty"`
	Group       *Group            `json:"resourceGroup,omitempty"`
}

// Retry is how often a job is tried.
type Retry struct {
	Attempts int `json:"attempts"`
}

// Group is an organisation's resource group.
type Group struct {
	ID string `json:"id"`
}

// View returns what may be shown.
func (s Spec) View() View {
	v := View{
		DockerImage: s.DockerImage, SpaceID: s.SpaceID, Command: answer.List(s.Command), Arguments: answer.List(s.Arguments),
		Environment: maps.Clone(s.Environment), Secrets: answer.List(slices.Sorted(maps.Keys(s.Secrets))), Flavor: s.Flavor, Arch: s.Arch,
		Timeout: int64(s.Timeout() / time.Second), Labels: maps.Clone(s.Labels), Volumes: answer.List(slices.Clone(s.Volumes)), Expose: s.Expose,
	}
	if v.Environment == nil {
		v.Environment = map[string]string{}
	}
	if v.Labels == nil {
		v.Labels = map[string]string{}
	}
	if v.Arch == "" {
		v.Arch = "amd64"
	}
	if s.Attempts != nil {
		v.Retry = &Retry{*s.Attempts}
	}
	if s.ResourceGroupID != "" {
		v.Group = &Group{s.ResourceGroupID}
	}
	return v
}
