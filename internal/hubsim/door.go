package hubsim

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour"
	"github.com/ml-intern/ml-intern/internal/hubsim/quota"
	"github.com/ml-intern/ml-intern/internal/hubsim/requestlog"
)

// exposed are the headers a browser may read.
const exposed = "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash"

// app reports whether path is that of a Space's app or of a job's port.
func app(path string) bool {
	return strings.HasPrefix(path, "/__spaces/") || strings.HasPrefix(path, "/__jobs/")
}

// aside reports whether path belongs to an app, or to a service beside the Hub.
func aside(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return app(path) || neighbour.Beside(first)
}

// ownTokens reports whether an Authorization header that is no Hub token is for
// the service behind path to judge.
func ownTokens(path string) bool {
	return strings.HasPrefix(path, "/oauth/") ||
		aside(path) && !strings.HasPrefix(path, "/router/") && !strings.HasPrefix(path, "/datasets-server/")
}

// door is what every request to one of the hosts passes: it gets its id, its
// line in the log and the headers all answers have.
func (h *Hub) door(host string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		h.serving.Add(1)
		defer h.serving.Done()
		if host == fault.Hub && strings.HasPrefix(r.URL.Path, controlPath) {
			h.control(out, r)
			return
		}
		id := h.requestID(r)
		out.Header().Set("X-Request-Id", id)
		// Clients compare the times of events with it.
		out.Header().Set("Date", h.Clock().Now().UTC().Format(http.TimeFormat))
		allowOrigin(out, r)
		ctx, trace := fault.Watch(r.Context())
		e := requestlog.Request{At: h.Clock().Now(), Host: host, User: h.owner(r), ID: id}
		h.log.Serve(e, out, r.WithContext(ctx), func() []string { return trace.Names }, next)
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.changed()
		}
	})
}

// requestID is the next id of an answer, with the client's own at its end.
func (h *Hub) requestID(r *http.Request) string {
	id := fmt.Sprintf("Root=1-%08x-%024x", uint32(h.Clock().Now().Unix()), h.requests.Add(1))
	if own := r.Header.Get("X-Amzn-Trace-Id"); own != "" && len(own) <= 200 {
		id += ";" + own
	}
	return id
}

// allowOrigin lets pages of other origins read the answer.
func allowOrigin(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Expose-Headers", exposed)
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Add("Vary", "Origin")
	}
}

func preflight(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Methods", "GET,HEAD,POST,PUT,PATCH,DELETE")
	w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	w.Header().Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// admitted lets a request in that is within the limits. Their headers are on
// every answer of the Hub, also on those that faults give.
func (h *Hub) admitted(next http.Handler) http.Handler {
	return answer.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			preflight(w, r)
			return nil
		}
		if !aside(r.URL.Path) {
			c, _ := h.Accounts().Caller(r)
			who, now := c.Name(), h.Clock().Now()
			if c == nil {
				who, _, _ = net.SplitHostPort(r.RemoteAddr)
				who = "address " + who
			}
			within := h.limit.Count(w.Header(), now, who, h.plan(c), r.URL.Path)
			if h.o.WhoamiLimit > 0 && r.URL.Path == "/api/whoami-v2" && !h.limit.Within(now, "whoami "+who, h.o.WhoamiLimit) ||
				h.o.Limits && !within {
				return answer.Refuse(http.StatusTooManyRequests, "We had to rate limit you")
			}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// plan is the best plan a caller has a share in.
func (h *Hub) plan(c *account.Caller) string {
	if c == nil {
		return ""
	}
	best := cmp.Or(c.User.Plan, "free")
	for _, org := range h.Accounts().Orgs(c.User.Name) {
		best = quota.Better(best, org.Plan)
	}
	return best
}

// serveHub finds the caller and asks the routes.
func (h *Hub) serveHub(w http.ResponseWriter, r *http.Request) {
	caller, ok := h.Accounts().Caller(r)
	path := r.URL.Path
	switch {
	case !ok && path == "/api/whoami-v2":
		answer.Fail(w, answer.Refuse(http.StatusUnauthorized, "Invalid user token."))
		return
	case !ok && !ownTokens(path):
		answer.Fail(w, answer.Refuse(http.StatusUnauthorized, "Invalid credentials in Authorization header"))
		return
	case caller == nil && strings.HasPrefix(path, "/api/"):
		w.Header().Add("X-HF-Warning", "unauthenticated; You are sending requests without a token. Log in for higher rate limits.")
	}
	h.world.Load().hub.ServeHTTP(w, r.WithContext(account.With(r.Context(), caller)))
}

// serveCDN asks the content store: no tokens are known here.
func (h *Hub) serveCDN(w http.ResponseWriter, r *http.Request) {
	h.world.Load().cdn.ServeHTTP(w, r)
}

// unserved answers what no route serves.
func (h *Hub) unserved(w http.ResponseWriter, r *http.Request) {
	if !h.o.AllowUnserved {
		h.log.Unserve(r.Method + " " + r.URL.EscapedPath())
	}
	answer.Fail(w, answer.NoPage())
}

// owner names the user of a request's token, for the faults.
func (h *Hub) owner(r *http.Request) string {
	caller, _ := h.Accounts().Caller(r)
	return caller.Name()
}

// endToken ends the token of a request, for the faults.
func (h *Hub) endToken(r *http.Request, revoke bool) {
	if value, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		h.Accounts().EndToken(strings.TrimSpace(value), revoke)
	}
}

// Request is one line of the request log.
type Request = requestlog.Request

// Requests is the request log, in order of arrival.
func (h *Hub) Requests() []Request { return h.log.Requests() }

// ClearRequests empties the request log and the list of Unserved.
func (h *Hub) ClearRequests() { h.log.Clear() }

// Unserved lists the requests, as method and path, that no route serves.
func (h *Hub) Unserved() []string { return h.log.Unserved() }
