package fetch

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// firstPause is before the first retry; each later one is twice as long.
const firstPause = 500 * time.Millisecond

// asked reads how long a service wants to be left alone. closed: it has said
// that it answers nothing until then, whether or not the time can be read.
func asked(h http.Header, now time.Time) (wait time.Duration, closed bool) {
	if v := h.Get("Retry-After"); v != "" {
		if s, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
			return seconds(s), false
		}
		if at, err := http.ParseTime(v); err == nil {
			return max(at.Sub(now), 0), false
		}
	}
	// The Hub: "api";r=0;t=55, one for each quota.
	for policy := range strings.SplitSeq(strings.Join(h.Values("Ratelimit"), ","), ",") {
		left, reset := -1, 0
		for field := range strings.SplitSeq(policy, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			if n, err := strconv.Atoi(value); err == nil && name == "r" {
				left = n
			} else if err == nil && name == "t" {
				reset = n
			}
		}
		if left == 0 {
			wait = max(wait, seconds(reset))
		}
	}
	if wait > 0 {
		return wait, false
	}
	if h.Get("X-Ratelimit-Remaining") == "0" {
		if at, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
			wait = max(time.Unix(at, 0).Sub(now), 0)
		}
		return wait, true
	}
	return 0, false
}

// seconds is a number of seconds of at most a day.
func seconds(n int) time.Duration {
	return time.Duration(min(max(n, 0), 86_400)) * time.Second
}

// pause decides whether a failed try is repeated, and after how long.
func pause(e *Error, try int, waited time.Duration) (time.Duration, bool) {
	if !e.again || try >= MaxRetries || e.closed && e.Wait == 0 {
		return 0, false
	}
	wait := e.Wait
	if wait == 0 {
		wait = firstPause << try
		wait += rand.N(wait / 2)
	}
	return wait, wait <= MaxOneWait && waited+wait <= MaxWait
}
