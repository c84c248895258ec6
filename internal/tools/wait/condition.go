package wait

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Params are the arguments of wait_for.
type Params struct {
	Conditions []Condition `json:"conditions"`
	Timeout    string      `json:"timeout,omitempty"`
	Note       string      `json:"note,omitempty"`
}

// Condition is one of those that end the waiting.
type Condition struct {
	Job     string `json:"job,omitempty"`
	Process string `json:"process,omitempty"`
	Path    string `json:"path,omitempty"`
	Is      string `json:"is,omitempty"`
	Metric  string `json:"metric,omitempty"`
	Log     string `json:"log,omitempty"`
	Time    string `json:"time,omitempty"`
}

// Limits of one call.
const (
	maxConditions  = 16
	maxPattern     = 500 // bytes
	maxText        = 300 // characters of a note, an id, a path as they are told
	defaultTimeout = 24 * time.Hour
	maxTimeout     = 30 * 24 * time.Hour
)

// form is what a condition asks for.
type form int

const (
	over form = iota
	running
	exists
	gone
	changed
	grown
	metric
	logged
	at
)

// condition is a condition that was understood.
type condition struct {
	form   form
	source *source // nil for a time
	text   string  // in words
	size   int64
	name   string // of the metric
	op     string
	value  float64
	regexp *regexp.Regexp
	when   time.Time

	held   bool
	since  time.Time
	detail string // what made it hold
}

// hold notes that the condition holds; the first time counts.
func (c *condition) hold(now time.Time, detail string) {
	if !c.held {
		c.held, c.since, c.detail = true, now, detail
	}
}

// kindOf says what sort of source a condition has, and its name.
func (c Condition) kindOf() (kind, name string, err error) {
	n := 0
	for _, s := range [...][2]string{{"job", c.Job}, {"process", c.Process}, {"path", c.Path}, {"time", c.Time}} {
		if s[1] != "" {
			kind, name = s[0], strings.TrimSpace(s[1])
			n++
		}
	}
	switch {
	case n != 1:
		return "", "", errors.New("needs exactly one of job, process, path and time")
	case name == "" || len(name) > 4096:
		return "", "", fmt.Errorf("%s is empty or too long", kind)
	case kind == "time" && (c.Is != "" || c.Metric != "" || c.Log != ""):
		return "", "", errors.New("time stands alone")
	case c.Metric != "" && c.Log != "", c.Is != "" && (c.Metric != "" || c.Log != ""):
		return "", "", errors.New("takes one of is, metric and log")
	}
	return kind, name, nil
}

// understand reads what a condition asks of its source.
func (c Condition) understand(kind, name string, now time.Time) (*condition, error) {
	out := &condition{}
	var err error
	switch {
	case kind == "time":
		out.form = at
		out.when, err = moment(name, now)
		out.text = "the time " + name
	case c.Metric != "":
		out.form = metric
		out.name, out.op, out.value, err = comparison(c.Metric)
		out.text = fmt.Sprintf("%s %s %s", out.name, out.op, strconv.FormatFloat(out.value, 'g', -1, 64))
	case c.Log != "":
		out.form = logged
		if len(c.Log) > maxPattern {
			return nil, fmt.Errorf("the log pattern has more than %d characters", maxPattern)
		}
		out.regexp, err = regexp.Compile(c.Log)
		out.text = strconv.Quote(c.Log)
	default:
		out.form, out.size, err = state(kind, c.Is)
	}
	return out, err
}

// state reads is.
func state(kind, is string) (form, int64, error) {
	word := strings.ToLower(strings.TrimSpace(is))
	if kind != "path" {
		switch word {
		case "", "over", "done", "ended", "exited", "finished":
			return over, 0, nil
		}
	}
	switch {
	case kind == "job" && word == "running":
		return running, 0, nil
	case kind == "job":
		return 0, 0, fmt.Errorf("is %.80q: a job is over or running", is)
	case kind == "process":
		return 0, 0, fmt.Errorf("is %.80q: a process can only be over", is)
	}
	switch word {
	case "", "exists":
		return exists, 0, nil
	case "gone":
		return gone, 0, nil
	case "changed":
		return changed, 0, nil
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(strings.TrimPrefix(word, "size")), ">=")
	n, err := bytesOf(rest)
	if !ok || err != nil {
		return 0, 0, fmt.Errorf("is %.80q: a path exists, is gone or changed, or has a size such as >=10MB", is)
	}
	return grown, n, nil
}

// bytesOf reads a size such as 10MB or 1.5 GiB.
func bytesOf(text string) (int64, error) {
	text = strings.TrimSpace(text)
	i := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	unit := ""
	if i >= 0 {
		text, unit = text[:i], strings.TrimSpace(text[i:])
	}
	n, err := strconv.ParseFloat(text, 64)
	factor, ok := map[string]float64{
		"": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "tb": 1e12,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	}[unit]
	if err != nil || !ok || n*factor > 1e18 {
		return 0, errors.New("that is no size")
	}
	return int64(n * factor), nil
}

// comparison reads name, operator and number: "eval_loss < 0.5".
func comparison(text string) (name, op string, value float64, err error) {
	bad := fmt.Errorf("metric %.80q: a name, one of < <= > >= ==, and a number, such as eval_loss<0.5", text)
	i := strings.IndexAny(text, "<>=")
	if i < 1 {
		return "", "", 0, bad
	}
	name, rest := strings.TrimSpace(text[:i]), text[i:]
	for _, op = range []string{"<=", ">=", "==", "<", ">", "="} {
		if number, ok := strings.CutPrefix(rest, op); ok {
			value, err = strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err != nil || name == "" || len(name) > 64 || math.IsNaN(value) {
				return "", "", 0, bad
			}
			return name, strings.Replace(op, "==", "=", 1), value, nil
		}
	}
	return "", "", 0, bad
}

// compares reports whether a number fulfils a comparison.
func (c *condition) compares(v float64) bool {
	switch c.op {
	case "<":
		return v < c.value
	case "<=":
		return v <= c.value
	case ">":
		return v > c.value
	case ">=":
		return v >= c.value
	}
	return v == c.value
}

// moment is a point in time: a duration from now, or a date with time and zone.
func moment(text string, now time.Time) (time.Time, error) {
	if when, err := time.Parse(time.RFC3339, text); err == nil {
		return when, nil
	}
	d, err := span("time", text)
	return now.Add(d), err
}

// span reads a duration: 90, 30m, 1.5h, 2h30m, 1d.
func span(field, text string) (time.Duration, error) {
	text = strings.ReplaceAll(strings.TrimSpace(text), " ", "")
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok || err != nil {
		var n float64
		if n, err = strconv.ParseFloat(days, 64); err == nil {
			unit := time.Second
			if ok {
				unit = 24 * time.Hour
			}
			d = time.Duration(min(n, 1e6) * float64(unit))
		}
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s %.80q is not understood: a duration such as 30m or 2h, or a date and time as in RFC 3339", field, text)
	case d < 0 || d > maxTimeout:
		return 0, fmt.Errorf("%s %.80q: it must be between 0 and 30 days", field, text)
	}
	return d, nil
}
