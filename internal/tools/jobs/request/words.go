package request

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
)

var timeForm = regexp.MustCompile(`^\s*(\d+(?:\.\d+)?)\s*([smhdSMHD]?)\s*$`)

// Duration reads a time such as "2h"; a bare number is in seconds.
func Duration(field, s string, missing time.Duration) (time.Duration, error) {
	if s == "" {
		return missing, nil
	}
	m := timeForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("%s %.80q is not understood: a number with s, m, h or d, such as 90m", field, s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	unit := map[string]time.Duration{"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[strings.ToLower(m[2])]
	d := n * float64(unit)
	switch {
	case err != nil || d > float64(365*24*time.Hour):
		return 0, fmt.Errorf("%s %.80q is more than a year", field, s)
	case d < float64(time.Second):
		return 0, fmt.Errorf("%s %.80q is less than a second", field, s)
	}
	return time.Duration(d), nil
}

var spaceImage = regexp.MustCompile(`^(?:https://)?(?:hf\.co|huggingface\.co)/spaces/([^/\s]+/[^/\s]+)/?$`)

// Image is the Docker image, or the Space whose image is meant.
func Image(p Params) (docker, space string) {
	if m := spaceImage.FindStringSubmatch(p.Image); m != nil {
		return "", m[1]
	}
	switch {
	case p.Image != "":
		return p.Image, ""
	case p.Script != "":
		return delivery.Image, ""
	}
	return DockerImage, ""
}

// Labels of our jobs. LabelCall alone tells one job from all others.
const (
	LabelOurs    = "ml-intern"
	LabelSession = "ml-intern-session"
	LabelCall    = "ml-intern-call"
	LabelName    = "name"
)

// Key is the value of LabelCall: it tells a call from all others.
func Key(session, call string) string {
	sum := sha256.Sum256([]byte(session + "\n" + call))
	return hex.EncodeToString(sum[:])[:32]
}

// Environment is what jobs get unless the call says otherwise.
func Environment() map[string]string {
	return map[string]string{
		"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "warning",
		"HF_HUB_ENABLE_HF_TRANSFER": "1", "UV_NO_PROGRESS": "1", "AI_AGENT": "ml-intern",
	}
}

var notInLabels = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// Labels are those of the call and ours, which win.
func Labels(p Params, session, key string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, p.Labels)
	name := p.Name
	if name == "" {
		name = "script"
		if p.Script == "" {
			name = strings.NewReplacer("/", "-", ":", "-").Replace(p.Image)
		}
	}
	name = strings.Trim(notInLabels.ReplaceAllString(name, "-"), "-")
	out[LabelName] = strings.TrimLeft(name[:min(len(name), 80)]+"-"+key[:8], "-")
	out[LabelOurs], out[LabelSession], out[LabelCall] = "1", session, key
	return out
}

func SortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func IsTokenName(name string) bool {
	return name == "HF_TOKEN" || name == "HUGGING_FACE_HUB_TOKEN" || name == "HUGGINGFACE_HUB_TOKEN"
}
