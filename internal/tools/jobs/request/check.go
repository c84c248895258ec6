package request

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
)

// Limits of what a call may hold. Texts are in bytes.
const (
	maxScript = 10 << 20
	maxWords  = 1000
	maxLine   = 4 << 10
	maxPorts  = 20
)

var (
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,255}$`)
	// label is narrower than the Hub's rule: no service that reads labels takes
	// less.
	label = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	// dockerImage is a reference such as registry:5000/team/name:tag@sha256:….
	dockerImage = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$`)
	// pythonVersion is what uv takes: 3.12, cpython@3.12, >=3.11,<3.13, a path.
	pythonVersion = regexp.MustCompile(`^[A-Za-z0-9./<>=!~][A-Za-z0-9._+@<>=!~,*:/ -]{0,199}$`)
)

// fields refuses what no job can have, before anything is asked of the Hub. The
// error names the field.
func (p Params) fields() error {
	for _, check := range []func() error{p.names, p.texts, p.variables, p.machine, p.volumes} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// names checks what becomes part of addresses.
func (p Params) names() error {
	if p.Namespace != "" {
		if err := wire.CheckNamespace("namespace", p.Namespace); err != nil {
			return err
		}
	}
	for _, id := range p.JobID {
		if err := wire.CheckJobID("job_id", id); err != nil {
			return err
		}
	}
	if p.ScheduledJobID != "" {
		if err := wire.CheckJobID("scheduled_job_id", p.ScheduledJobID); err != nil {
			return err
		}
	}
	if p.TrackioSpaceID != "" {
		if err := wire.CheckFullRepoID("trackio_space_id", p.TrackioSpaceID); err != nil {
			return err
		}
	}
	if p.ResourceGroupID != "" {
		return wire.CheckJobID("resource_group_id", p.ResourceGroupID)
	}
	return nil
}

// texts checks what is words.
func (p Params) texts() error {
	if err := sound("script", p.Script, maxScript); err != nil {
		return err
	}
	if delivery.Classify(p.Script) == delivery.URL {
		if err := address(p.Script); err != nil {
			return err
		}
	}
	if p.Python != "" && !pythonVersion.MatchString(p.Python) {
		return fmt.Errorf("python %.80q is no version, such as 3.12", p.Python)
	}
	for field, text := range map[string]string{
		"name": p.Name, "python": p.Python, "trackio_project": p.TrackioProject, "status": p.Status, "schedule": p.Schedule,
	} {
		if err := line(field, text); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		field string
		words []string
	}{{"dependencies", p.Dependencies}, {"command", p.Command}, {"script_args", p.ScriptArgs}, {"job_id", p.JobID}} {
		if len(list.words) > maxWords {
			return fmt.Errorf("%s has %d parts, more than %d", list.field, len(list.words), maxWords)
		}
		for i, word := range list.words {
			if err := sound(fmt.Sprintf("%s[%d]", list.field, i), word, maxScript); err != nil {
				return err
			}
		}
	}
	for i, d := range append([]string{p.Python}, p.Dependencies...) {
		field := fmt.Sprintf("dependencies[%d]", i-1)
		if i == 0 {
			field = "python"
		}
		if err := line(field, d); err != nil {
			return err
		}
		if strings.HasPrefix(strings.TrimSpace(d), "-") || i > 0 && strings.TrimSpace(d) == "" {
			return fmt.Errorf("%s %q is no requirement but an option, or nothing", field, d)
		}
	}
	if p.Schedule != "" {
		return job.CheckSchedule(p.Schedule)
	}
	return nil
}

// sound refuses what the arguments and files of a program cannot hold.
func sound(field, text string, limit int) error {
	switch {
	case len(text) > limit:
		return fmt.Errorf("%s has %d bytes, more than %d", field, len(text), limit)
	case !utf8.ValidString(text) || strings.Contains(text, "\x00"):
		return fmt.Errorf("%s holds a NUL or is not UTF-8", field)
	}
	return nil
}

// address checks the URL of a script: a person reads it before saying yes, and
// everybody who sees the job sees it too.
func address(script string) error {
	u, err := url.Parse(script)
	switch {
	case strings.ContainsFunc(script, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("script %.200q is no address: all but ASCII has to be percent-encoded", script)
	case err != nil || u.Hostname() == "":
		return fmt.Errorf("script %.200q is no address", script)
	case u.User != nil:
		return errors.New("script is an address with a user or password, which everybody who sees the job could read")
	}
	return nil
}

func line(field, text string) error {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("%s holds a control character", field)
	}
	return sound(field, text, maxLine)
}

// variables checks env, secrets and labels.
func (p Params) variables() error {
	for field, set := range map[string]map[string]string{"env": p.Env, "secrets": p.Secrets} {
		for _, name := range SortedKeys(set) {
			if !variable.MatchString(name) {
				return fmt.Errorf("%s: %.80q is no name of a variable: letters, digits and _", field, name)
			}
			if err := sound(field+"."+name, set[name], maxScript); err != nil {
				return err
			}
		}
	}
	for _, name := range SortedKeys(p.Labels) {
		// By these names jobs are found again, and sandboxes told from jobs.
		if name == LabelOurs || strings.HasPrefix(name, LabelOurs+"-") {
			return fmt.Errorf("labels: %.80q is a name of this program's own", name)
		}
		if !label.MatchString(name) {
			return fmt.Errorf("labels: %.80q may hold only letters, digits, _ and -", name)
		}
		if !label.MatchString(p.Labels[name]) {
			return fmt.Errorf("labels.%s: %.80q may hold only letters, digits, _ and -", name, p.Labels[name])
		}
	}
	return nil
}

// machine checks where a job runs.
func (p Params) machine() error {
	if image, _ := Image(p); p.Image != "" && image != "" && (!dockerImage.MatchString(image) || strings.Contains(image, "//") || strings.Contains(image, "..")) {
		return fmt.Errorf("image %.200q is neither a Docker image nor hf.co/spaces/NS/NAME", p.Image)
	}
	if _, space := Image(p); space != "" {
		if err := wire.CheckFullRepoID("image", space); err != nil {
			return err
		}
	}
	if !wire.IsWord(p.FlavorName()) {
		return fmt.Errorf("hardware_flavor %.80q is no name of a flavor", p.HardwareFlavor)
	}
	if len(p.Expose) > maxPorts {
		return fmt.Errorf("expose has %d ports, more than %d", len(p.Expose), maxPorts)
	}
	for _, port := range p.Expose {
		if port < 1 || port > 65535 {
			return fmt.Errorf("expose: %d is no port", port)
		}
	}
	if p.Tail < 0 {
		return fmt.Errorf("tail is %d, it must be above 0", p.Tail)
	}
	return nil
}

func (p Params) volumes() error {
	taken := map[string]bool{}
	for i, v := range p.Volumes {
		field := fmt.Sprintf("volumes[%d].", i)
		switch v.Type {
		case "bucket", "model", "dataset", "space":
		default:
			return fmt.Errorf("%stype must be bucket, model, dataset or space", field)
		}
		if err := wire.CheckRepoID(field+"source", v.Source); err != nil {
			return err
		}
		at := path.Clean(v.MountPath)
		switch {
		case line(field+"mountPath", v.MountPath) != nil:
			return line(field+"mountPath", v.MountPath)
		case !path.IsAbs(v.MountPath) || at == "/" || at != strings.TrimSuffix(v.MountPath, "/"):
			return fmt.Errorf("%smountPath %q must be the absolute path of a folder, with neither . nor .. in it", field, v.MountPath)
		case taken[at] || at == delivery.Mount:
			return fmt.Errorf("%smountPath %q is taken", field, v.MountPath)
		}
		taken[at] = true
		if v.Revision != "" {
			if err := wire.CheckRevision(field+"revision", v.Revision); err != nil {
				return err
			}
		}
		if inside := strings.Trim(v.Path, "/"); v.Path != "" {
			if err := wire.CheckPath(field+"path", inside); err != nil {
				return err
			}
		}
	}
	return nil
}
