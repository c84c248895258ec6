package hubsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/guard"
)

// controlPath is where the simulator itself is steered.
const controlPath = "/__hubsim/"

// maxControl bounds the body of a control request.
const maxControl = 4 << 20

// control serves the control routes to programs of this machine, and to who
// types such an address. Web pages are kept out, those on this machine too:
// apps of Spaces are among them.
func (h *Hub) control(w http.ResponseWriter, r *http.Request) {
	page := r.Header.Get("Origin") != "" || !slices.Contains([]string{"", "none"}, r.Header.Get("Sec-Fetch-Site"))
	if !h.o.Control || page || !guard.Local(r.RemoteAddr) || !guard.Local(r.Host) {
		answer.Fail(w, answer.NoPage())
		return
	}
	h.steer.ServeHTTP(w, r)
}

// steering are the control routes.
func (h *Hub) steering() http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]answer.Handler{
		"GET " + controlPath + "faults":      h.showFaults,
		"POST " + controlPath + "faults":     h.addFaults,
		"DELETE " + controlPath + "faults":   h.clearFaults,
		"GET " + controlPath + "clock":       h.showClock,
		"POST " + controlPath + "clock":      h.moveClock,
		"GET " + controlPath + "requests":    h.showRequests,
		"DELETE " + controlPath + "requests": h.forgetRequests,
		"POST " + controlPath + "reset":      h.resetNow,
		"POST " + controlPath + "seed":       h.seedNow,
		"GET " + controlPath + "state":       h.showState,
	} {
		mux.Handle(pattern, f)
	}
	return mux
}

func bad(field string, err error) error {
	return answer.Refuse(http.StatusBadRequest, fmt.Sprintf("%s: %v", field, err))
}

func (h *Hub) showFaults(w http.ResponseWriter, _ *http.Request) error {
	answer.JSON(w, http.StatusOK, h.Faults.Rules())
	return nil
}

func (h *Hub) addFaults(w http.ResponseWriter, r *http.Request) error {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControl))
	if err != nil {
		return bad("body", err)
	}
	rules, err := fault.Parse(raw)
	if err == nil {
		err = h.Faults.Add(rules...)
	}
	if err != nil {
		return bad("body", err)
	}
	return h.showFaults(w, r)
}

func (h *Hub) clearFaults(w http.ResponseWriter, r *http.Request) error {
	h.Faults.Clear()
	return h.showFaults(w, r)
}

func (h *Hub) showClock(w http.ResponseWriter, _ *http.Request) error {
	mode := "manual"
	switch scale := h.o.Clock.Scale; scale {
	case 0:
	case 1:
		mode = "real"
	default:
		mode = fmt.Sprintf("scaled=%g", scale)
	}
	answer.JSON(w, http.StatusOK, map[string]any{"now": clock.Format(h.Clock().Now()), "clock": mode})
	return nil
}

func (h *Hub) moveClock(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Advance   string `json:"advance"` // such as 90s
		AdvanceMs int64  `json:"advanceMs"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	d := time.Duration(body.AdvanceMs) * time.Millisecond
	if body.Advance != "" {
		var err error
		if d, err = time.ParseDuration(body.Advance); err != nil {
			return bad("advance", err)
		}
	}
	if d <= 0 {
		return answer.Refuse(http.StatusBadRequest, `"advance" or "advanceMs" must be positive`)
	}
	h.Advance(d)
	h.changed()
	return h.showClock(w, r)
}

// showRequests is the log; ?path= is a regular expression over the paths.
func (h *Hub) showRequests(w http.ResponseWriter, r *http.Request) error {
	pattern, err := regexp.Compile(r.URL.Query().Get("path"))
	if err != nil {
		return bad("path", err)
	}
	some := []Request{}
	for _, e := range h.Requests() {
		if pattern.MatchString(e.Path) {
			some = append(some, e)
		}
	}
	answer.JSON(w, http.StatusOK, map[string]any{"requests": some, "unserved": h.Unserved()})
	return nil
}

func (h *Hub) forgetRequests(w http.ResponseWriter, r *http.Request) error {
	h.ClearRequests()
	return h.showRequests(w, &http.Request{URL: &url.URL{}})
}

func (h *Hub) resetNow(w http.ResponseWriter, r *http.Request) error {
	if err := h.Reset(); err != nil {
		return err
	}
	return h.showClock(w, r)
}

// seedNow plants a seed beside what exists.
func (h *Hub) seedNow(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Seed string `json:"seed"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if err := h.Plant(body.Seed); err != nil {
		return bad("seed", err)
	}
	return h.showState(w, r)
}

// showState tells what exists; of secrets it shows where they are. Tests that
// need the values ask the parts of the Hub.
func (h *Hub) showState(w http.ResponseWriter, _ *http.Request) error {
	h.change.Lock()
	all, err := h.world.Load().save()
	h.change.Unlock()
	if err != nil {
		return err
	}
	shown := map[string]any{}
	for name, raw := range all {
		var v any
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			return fmt.Errorf("read the state of %s: %w", name, err)
		}
		shown[name] = withoutSecrets(v)
	}
	answer.JSON(w, http.StatusOK, map[string]any{"areas": shown})
	return nil
}

// withoutSecrets is a state with the values left out that open something: of
// jobs and Spaces, webhooks and programs, tokens and what makes new ones.
func withoutSecrets(v any) any {
	const hidden = "[hidden]"
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = withoutSecrets(v[i])
		}
	case map[string]any:
		for name, x := range v {
			inner, _ := x.(map[string]any)
			switch strings.ToLower(name) {
			case "secret", "signer", "random":
				v[name] = hidden
			case "refresh": // by token
				v[name] = len(inner)
			case "secrets":
				for key := range inner {
					inner[key] = hidden
				}
			case "tokens":
				list, _ := x.([]any)
				for _, t := range list {
					if t, ok := t.(map[string]any); ok {
						t["value"] = hidden
					}
				}
			default:
				v[name] = withoutSecrets(x)
			}
		}
	}
	return v
}
