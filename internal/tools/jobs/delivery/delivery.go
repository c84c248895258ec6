// Package delivery turns a Python script and its dependencies into the command
// of a Hub job, so that no shell ever reads a word that a model has written. It
// neither reads files nor submits anything.
package delivery

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// InlineLimit is the most encoded bytes of script and hook that travel in a
// job's environment; more goes through a repository.
const InlineLimit = 64 << 10

// Image is where Python scripts run unless another image is named.
const Image = "ghcr.io/astral-sh/uv:python3.12-bookworm"

// Variables that carry a script and the hook.
const (
	scriptVariable = "ML_INTERN_SCRIPT"
	hookVariable   = "ML_INTERN_HOOK"
)

// Mount is where a repository with the script is mounted in the job.
const Mount = "/ml-intern"

// unpack is the whole shell text of a job: it writes what the environment
// carries beside the path that is its $0, and becomes the command. It is
// constant; everything else is an argument.
const unpack = `set -e
d=${0%/*}
mkdir -p "$d"
if [ -n "$ML_INTERN_SCRIPT" ]; then printf %s "$ML_INTERN_SCRIPT" | base64 -d | gzip -dc > "$0"; fi
if [ -n "$ML_INTERN_HOOK" ]; then
  printf %s "$ML_INTERN_HOOK" | base64 -d | gzip -dc > "$d/sitecustomize.py"
  PYTHONPATH=$d${PYTHONPATH:+:$PYTHONPATH}
  export PYTHONPATH
fi
unset ML_INTERN_SCRIPT ML_INTERN_HOOK
exec "$@"`

// Script is what is to run.
type Script struct {
	// URL is a script that the job fetches itself; Source is the text of one.
	URL, Source string
	// Name is the base name of the file, without ending; empty is "script".
	Name string
	// Key tells this job from all others, in hexadecimal digits.
	Key string
	// Dependencies are requirements such as "torch<2.6"; Python a version.
	Dependencies []string
	Python       string
	Args         []string
	// Hook is the text of a sitecustomize.py; empty is none.
	Hook string
}

// Plan is how a script gets into its job.
type Plan struct {
	Command     []string
	Environment map[string]string
	// Files must be committed to a repository that is mounted at Mount; nil
	// when the environment carries everything.
	Files map[string][]byte
}

// New plans the delivery of s.
func New(s Script) (Plan, error) {
	file := fileName(s.Name)
	if s.URL != "" {
		return Plan{Command: s.uv(s.URL)}, nil
	}
	script, err := encode(s.Source)
	if err != nil {
		return Plan{}, err
	}
	hook := ""
	if s.Hook != "" {
		if hook, err = encode(s.Hook); err != nil {
			return Plan{}, err
		}
	}
	if len(script)+len(hook) > InlineLimit {
		plan := Plan{Command: s.uv(path.Join(Mount, file)), Files: map[string][]byte{file: []byte(s.Source)}}
		if s.Hook != "" {
			plan.Files["hook/sitecustomize.py"] = []byte(s.Hook)
			plan.Environment = map[string]string{"PYTHONPATH": path.Join(Mount, "hook")}
		}
		return plan, nil
	}
	target := fmt.Sprintf("/tmp/ml-intern-%.8s/%s", s.Key, file)
	plan := Plan{
		Command:     append([]string{"/bin/sh", "-c", unpack, target}, s.uv(target)...),
		Environment: map[string]string{scriptVariable: script},
	}
	if hook != "" {
		plan.Environment[hookVariable] = hook
	}
	return plan, nil
}

// uv is the command that runs the script at target.
func (s Script) uv(target string) []string {
	command := []string{"uv", "run"}
	for _, d := range Dependencies(s.Dependencies) {
		command = append(command, "--with", d)
	}
	if s.Python != "" {
		command = append(command, "--python", s.Python)
	}
	return append(append(command, target), s.Args...)
}

// Dependencies is the list that a job gets: fast transfers are always among
// it, once.
func Dependencies(list []string) []string {
	out := slices.Clone(list)
	if !slices.ContainsFunc(out, func(d string) bool { return requirement(d) == "hf-transfer" }) {
		out = append(out, "hf-transfer")
	}
	return out
}

var nameOf = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*`)

// requirement is the normalised name in a requirement.
func requirement(d string) string {
	return strings.ReplaceAll(strings.ToLower(nameOf.FindString(strings.TrimSpace(d))), "_", "-")
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// fileName is the name of the script in the job.
func fileName(name string) string {
	name = strings.Trim(notInNames.ReplaceAllString(name, "_"), "_-")
	if name == "" {
		name = "script"
	}
	return name[:min(len(name), 60)] + ".py"
}

func encode(text string) (string, error) {
	var buf bytes.Buffer
	zip, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := zip.Write([]byte(text)); err != nil {
		return "", err
	}
	if err := zip.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes()), nil
}

// Form is what a script argument looks like before anything is looked up.
type Form int

// The forms.
const (
	// Source has a newline: it cannot be a name.
	Source Form = iota
	// URL is fetched by the job.
	URL
	// Path looks like the path of a file and like nothing else.
	Path
	// Line is one line: a file of that name, or Python.
	Line
)

var (
	pathForm = regexp.MustCompile(`^(~?/|\.{1,2}/)\S*$|^\S+\.py$`)
	urlForm  = regexp.MustCompile(`(?i)^https?://\S+$`)
)

// Classify tells the form of a script argument.
func Classify(script string) Form {
	switch {
	case strings.Contains(script, "\n"):
		return Source
	case urlForm.MatchString(script):
		return URL
	case pathForm.MatchString(script):
		return Path
	}
	return Line
}

// Shown is a job's command for a list: of one made here the script and its
// arguments, any other as it is.
func Shown(command []string) string {
	if len(command) > 4 && command[0] == "/bin/sh" && command[2] == unpack {
		target := command[3]
		if i := slices.Index(command[4:], target); i >= 0 {
			return strings.Join(append([]string{"uv run", path.Base(target)}, command[4+i+1:]...), " ")
		}
	}
	return strings.Join(command, " ")
}
