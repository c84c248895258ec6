package hubsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
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
	mux.ServeHTTP(w, r)
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

// showState tells what exists. It is the one place that shows secrets: tests
// look here for what no other answer may contain.
func (h *Hub) showState(w http.ResponseWriter, _ *http.Request) error {
	h.change.Lock()
	all, err := h.world.Load().save()
	h.change.Unlock()
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{"areas": map[string]json.RawMessage(all)})
	return nil
}
