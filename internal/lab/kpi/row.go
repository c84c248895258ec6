package kpi

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Row is one line of key figures.
type Row struct{ cells []cell }

// cell is a column with its value as the file has it.
type cell struct{ column, value string }

// Row is what has been gathered; ok is false where no session counts, and then there
// is no file.
func (r *Rollup) Row() (row Row, ok bool) {
	if r.sessions == 0 {
		return Row{}, false
	}
	s := &r.sum
	cost := total(r.costs)
	row.count("sessions", r.sessions)
	row.count("users", int64(len(r.users)))
	row.count("turns", s[turns])
	row.count("llm_calls", s[llmCalls])
	row.count("tokens_prompt", s[prompt])
	row.count("tokens_completion", s[completion])
	row.count("tokens_cache_read", s[cacheRead])
	row.count("tokens_cache_creation", s[cacheCreation])
	row.number("cost_usd", cost, 4)
	row.number("cost_per_session_mean", cost/float64(r.sessions), 6)
	row.percentiles("cost_per_session", r.costs, 6)
	row.number("cache_hit_ratio", share(s[cacheRead], s[cacheRead]+s[prompt]), 4)
	row.count("tool_calls_total", s[outputs])
	row.count("tool_calls_succeeded", s[succeeded])
	row.count("tool_calls_failed", s[outputs]-s[succeeded])
	row.count("errored_sessions", s[errored])
	row.count("successful_sessions", r.sessions-s[errored])
	row.count("regenerated_sessions", s[regenerated])
	row.number("tool_success_rate", share(s[succeeded], s[outputs]), 4)
	row.number("failure_rate", share(s[errored], r.sessions), 4)
	row.number("regenerate_rate", share(s[regenerated], r.sessions), 4)
	row.percentiles("time_to_first_action_s", r.firsts, 2)
	row.count("thumbs_up", s[up])
	row.count("thumbs_down", s[down])
	row.count("hf_jobs_submitted", s[submitted])
	row.count("hf_jobs_succeeded", s[jobsSucceeded])
	row.count("sandboxes_created", s[sandboxes])
	row.count("sandboxes_cpu", s[cpuSandboxes])
	row.count("sandboxes_gpu", s[gpuSandboxes])
	row.count("hf_jobs_blocked", s[blocked])
	row.count("pro_cta_clicks", s[clicks])
	row.count("pro_conversions", s[conversions])
	row.count("credits_topped_up", s[topUps])
	row.json("gpu_hours_by_flavor_json", hours(r.gpuHours))
	row.count("research_calls", s[research])
	row.count("sessions_with_research", s[researching])
	row.percentiles("research_calls_per_session", r.researched, 2)
	row.percentiles("distinct_tools_per_session", r.distinct, 2)
	row.percentiles("tool_calls_per_session", r.calls, 2)
	row.percentiles("tool_calls_per_turn", r.perTurn, 2)
	row.json("tool_calls_by_name_json", written(r.callsOf))
	row.json("sessions_using_tool_json", written(r.sessionsOf))
	row.json("sessions_by_model_json", written(r.models))
	return row, true
}

// bucketColumn is the first column: what the row is about.
const bucketColumn = "bucket"

// Header is the line of the columns, without a newline.
func (r Row) Header() string {
	names := []string{bucketColumn}
	for _, c := range r.cells {
		names = append(names, c.column)
	}
	return strings.Join(names, ",")
}

// Line is the line of values for a bucket, such as 2026-01-31T14, without a newline.
func (r Row) Line(bucket string) string {
	values := []string{quoted(bucket)}
	for _, c := range r.cells {
		values = append(values, quoted(c.value))
	}
	return strings.Join(values, ",")
}

// CSV is a whole file: columns and values.
func (r Row) CSV(bucket string) []byte { return []byte(r.Header() + "\n" + r.Line(bucket) + "\n") }

// quoted is a value as a cell: in quotes only where it must be.
func quoted(value string) string {
	if !strings.ContainsAny(value, ",\"\n") {
		return value
	}
	return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
}

func (r *Row) put(column, value string) { r.cells = append(r.cells, cell{column, value}) }

func (r *Row) count(column string, n int64) { r.put(column, strconv.FormatInt(n, 10)) }

func (r *Row) number(column string, x float64, decimals int) {
	r.put(column, number(rounded(x, decimals)))
}

func (r *Row) percentiles(column string, values []float64, decimals int) {
	r.number(column+"_p50", percentile(values, 0.5), decimals)
	r.number(column+"_p95", percentile(values, 0.95), decimals)
}

// json puts an object; its keys are sorted.
func (r *Row) json(column string, values map[string]string) {
	var members []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		members = append(members, text(key)+": "+values[key])
	}
	r.put(column, "{"+strings.Join(members, ", ")+"}")
}

// hours adds up the GPU hours of each machine.
func hours(of map[string][]float64) map[string]string {
	out := map[string]string{}
	for flavor, hours := range of {
		out[flavor] = number(total(hours))
	}
	return out
}

func written(of map[string]int64) map[string]string {
	out := map[string]string{}
	for key, n := range of {
		out[key] = strconv.FormatInt(n, 10)
	}
	return out
}

// total is the sum of values, the same for every order of them.
func total(values []float64) (sum float64) {
	for _, x := range slices.Sorted(slices.Values(values)) {
		sum += x
	}
	return sum
}

// share is a part of a whole, 0 of nothing.
func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// percentile lies between the two nearest values, in proportion; 0 of none.
func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	place := float64(len(values)-1) * p
	below := int(place)
	above := min(below+1, len(values)-1)
	return values[below] + (values[above]-values[below])*(place-float64(below))
}

// rounded keeps some decimals; what lies exactly between two goes to the even one. What
// is no finite number is 0.
func rounded(x float64, decimals int) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	out, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', decimals, 64), 64)
	if err != nil { // it was formatted a moment ago
		return 0
	}
	return out + 0 // never -0
}

// number writes a number as Python does, with a point in it: files of the original
// that are made anew stay what they were.
func number(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		x = 0
	}
	if size := math.Abs(x); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	out := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(out, ".") {
		out += ".0"
	}
	return out
}

// text writes a JSON string in ASCII, as Python does.
func text(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			unit(&b, high)
			unit(&b, low)
		default:
			unit(&b, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func unit(b *strings.Builder, r rune) {
	b.WriteString(`\u`)
	hex := strconv.FormatInt(int64(r), 16)
	b.WriteString("0000"[len(hex):] + hex)
}
