package fault

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxWait bounds a hint against overflow and nonsense.
const maxWait = 30 * 24 * time.Hour

var reTryAgain = lazy(`(?i)(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)?\s?(?:ms|h|m|s))+)`)

// waitHint returns how long the provider asks to wait, or 0.
func waitHint(h http.Header, env envelope) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms >= 0 {
		return span(ms, time.Millisecond)
	}
	if wait, ok := retryAfter(h.Get("Retry-After")); ok {
		return wait
	}
	if wait := bucketReset(h); wait > 0 {
		return wait
	}
	if m := reTryAgain().FindStringSubmatch(env.message); m != nil {
		if wait, err := time.ParseDuration(strings.ReplaceAll(strings.ToLower(m[1]), " ", "")); err == nil {
			return min(wait, maxWait)
		}
	}
	return min(env.retryDelay, maxWait)
}

// retryAfter reads seconds, which may be fractional, or an HTTP date.
func retryAfter(value string) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if s, err := strconv.ParseFloat(value, 64); err == nil && s >= 0 {
		return span(s, time.Second), true
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, time.Until(at)), maxWait), true
	}
	return 0, false
}

func span(n float64, unit time.Duration) time.Duration {
	if n >= float64(maxWait/unit) { // also catches infinities
		return maxWait
	}
	return time.Duration(n * float64(unit))
}

// bucketReset returns how long it takes until every empty rate limit bucket
// of Anthropic is filled again.
func bucketReset(h http.Header) time.Duration {
	var wait time.Duration
	for _, bucket := range []string{"Requests", "Tokens", "Input-Tokens", "Output-Tokens"} {
		name := "Anthropic-Ratelimit-" + bucket
		if strings.TrimSpace(h.Get(name+"-Remaining")) != "0" {
			continue
		}
		if at, err := time.Parse(time.RFC3339, h.Get(name+"-Reset")); err == nil {
			wait = max(wait, time.Until(at))
		}
	}
	return min(wait, maxWait)
}
