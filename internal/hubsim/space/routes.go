package space

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/flavor"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/stream"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/volume"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/space/offer"
)

var goodKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

func badKey(key string) error {
	return answer.Refuse(http.StatusBadRequest, fmt.Sprintf(`"key": %q: letters, digits and "_", a letter first`, key))
}

// maxSleep is how many seconds an app may be idle at most: ten years.
const maxSleep = 10 * 365 * 24 * 3600

// checkSleep refuses a time after which no app can be put to sleep; 0 is the
// hardware's own.
func checkSleep(field string, seconds *int64) error {
	if seconds != nil && (*seconds < -1 || *seconds > maxSleep) {
		return answer.Refuse(http.StatusBadRequest, fmt.Sprintf("%q must be positive and at most %d, or -1 for never", field, maxSleep))
	}
	return nil
}

// Routes registers the routes.
func (ss *Spaces) Routes(mux *http.ServeMux) {
	handle := func(pattern string, h answer.Handler) { mux.Handle(pattern, repo.Route(h)) }
	offer.Routes(ss.o.Clock, handle)
	const one = "/api/spaces/{ns}/{name}/"
	handle("GET "+one+"runtime", func(w http.ResponseWriter, r *http.Request) error {
		sp, err := ss.find(r)
		if err != nil {
			return err
		}
		ss.suffer(sp, fault.From(r.Context()))
		return ss.answer(w, sp)
	})
	handle("POST "+one+"hardware", ss.hardware)
	handle("POST "+one+"sleeptime", ss.sleeptime)
	handle("POST "+one+"pause", ss.pause)
	handle("POST "+one+"restart", ss.restart)
	handle("POST "+one+"dev-mode", ss.devMode)
	handle("GET "+one+"secrets", ss.secrets)
	handle("POST "+one+"secrets", ss.setSecret)
	handle("DELETE "+one+"secrets", ss.dropSecret)
	handle("GET "+one+"variables", ss.variables)
	handle("POST "+one+"variables", ss.setVariable)
	handle("DELETE "+one+"variables", ss.dropVariable)
	handle("PUT "+one+"volumes", ss.setVolumes)
	handle("DELETE "+one+"volumes", ss.dropVolumes)
	handle("GET "+one+"logs/{which}", ss.logs)
	handle("GET "+one+"events", ss.eventsOf)
	handle("GET "+one+"metrics", ss.metrics)
	handle("GET "+one+"jwt", ss.jwt)
	handle("/__spaces/{subdomain}/", ss.app)
	handle("/__spaces/{subdomain}", ss.app)
}

// find returns the machine of the path's Space for who may see it.
func (ss *Spaces) find(r *http.Request) (*space, error) {
	one, err := ss.o.Repos.Find(r.Context(), repo.Space, r.PathValue("ns")+"/"+r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return ss.machine(one), nil
}

// own returns it for who may change it.
func (ss *Spaces) own(r *http.Request) (*space, error) {
	one, err := ss.o.Repos.Writable(r.Context(), repo.Space, r.PathValue("ns")+"/"+r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return ss.machine(one), nil
}

// runtime is a Space's machine as answers show it.
type runtime struct {
	Stage    string `json:"stage"`
	Hardware struct {
		Current   *string `json:"current"`
		Requested *string `json:"requested"`
	} `json:"hardware"`
	Storage  *string `json:"storage"`
	GCAfter  *int64  `json:"gcTimeout,omitempty"`
	Replicas struct {
		Requested int `json:"requested"`
		Current   int `json:"current,omitempty"`
	} `json:"replicas"`
	DevMode *bool           `json:"devMode,omitempty"`
	Domains []domain        `json:"domains,omitempty"`
	Error   string          `json:"errorMessage,omitempty"`
	SHA     string          `json:"sha,omitempty"`
	Volumes []volume.Volume `json:"volumes,omitempty"`
}

type domain struct {
	Domain string `json:"domain"`
	Stage  string `json:"stage"`
}

// runtime shows the machine. The lock is held.
func (sp *space) runtime() runtime {
	v := runtime{Stage: sp.Stage, Error: sp.Error, Volumes: sp.Volumes}
	v.Replicas.Requested = 1
	if sp.Stage == Running {
		v.Replicas.Current = 1
	}
	if sp.Static {
		return v
	}
	requested, current, dev := sp.Requested, sp.Current, sp.DevMode
	v.Hardware.Requested, v.DevMode = &requested, &dev
	if sp.Stage == Running {
		v.Hardware.Current, v.SHA = &current, sp.SHA
	}
	if limit := int64(sp.gc() / time.Second); limit > 0 {
		v.GCAfter = &limit
	} else if sp.Sleep < 0 {
		never := sp.Sleep
		v.GCAfter = &never
	}
	v.Domains = []domain{{repo.Subdomain(sp.repo.ID()) + ".hf.space", "READY"}}
	return v
}

// Runtime is what the info of a Space says of its machine.
func (ss *Spaces) Runtime(r *repo.Repo) any {
	sp := ss.machine(r)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return sp.runtime()
}

func (ss *Spaces) answer(w http.ResponseWriter, sp *space) error {
	ss.mu.Lock()
	v := sp.runtime()
	ss.mu.Unlock()
	answer.JSON(w, http.StatusOK, v)
	return nil
}

// again restarts a Space that has something to start, because of r.
func (ss *Spaces) again(sp *space, r *http.Request) {
	ss.mu.Lock()
	stage := sp.Stage
	ss.mu.Unlock()
	if stage == Paused || stage == NoAppFile {
		return
	}
	ss.rebuild(sp)
	ss.suffer(sp, fault.From(r.Context()))
}

func (ss *Spaces) hardware(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.own(r)
	if err != nil {
		return err
	}
	var body struct {
		Flavor string `json:"flavor"`
		Sleep  *int64 `json:"sleepTimeSeconds"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if err := ss.affordable(sp.repo, body.Flavor); err != nil {
		return err
	}
	if err := checkSleep("sleepTimeSeconds", body.Sleep); err != nil {
		return err
	}
	ss.mu.Lock()
	static := sp.Static
	if body.Sleep != nil {
		sp.Sleep = *body.Sleep
	}
	ss.mu.Unlock()
	if static {
		return answer.Refuse(http.StatusBadRequest, "Static Spaces have no hardware")
	}
	// The meter's minutes are of the old flavor.
	ss.halted(sp)
	ss.mu.Lock()
	sp.Requested = body.Flavor
	ss.mu.Unlock()
	ss.again(sp, r)
	return ss.answer(w, sp)
}

// halted ends what runs, in the same stage.
func (ss *Spaces) halted(sp *space) {
	ss.mu.Lock()
	after := ss.clear(sp)
	ss.mu.Unlock()
	after()
}

func (ss *Spaces) sleeptime(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.own(r)
	if err != nil {
		return err
	}
	var body struct {
		Seconds *int64 `json:"seconds"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if body.Seconds == nil || *body.Seconds == 0 {
		return answer.Refuse(http.StatusBadRequest, `"seconds" must be positive, or -1 for never`)
	}
	if err := checkSleep("seconds", body.Seconds); err != nil {
		return err
	}
	ss.mu.Lock()
	sp.Sleep = *body.Seconds
	if sp.Stage == Running {
		for _, t := range sp.timers {
			t.Stop()
		}
		ss.watch(sp, sp.play)
	}
	ss.mu.Unlock()
	return ss.answer(w, sp)
}

func (ss *Spaces) pause(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.own(r)
	if err != nil {
		return err
	}
	ss.halt(sp, Paused, "")
	return ss.answer(w, sp)
}

func (ss *Spaces) restart(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.own(r)
	if err != nil {
		return err
	}
	ss.rebuild(sp)
	ss.suffer(sp, fault.From(r.Context()))
	return ss.answer(w, sp)
}

func (ss *Spaces) devMode(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.own(r)
	if err != nil {
		return err
	}
	var body struct {
		Enabled bool `json:"enabled"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if owner, ok := ss.o.Accounts.Find(sp.repo.Namespace()); body.Enabled && (!ok || !owner.Paying()) {
		return answer.Refuse(http.StatusPaymentRequired, "Dev Mode requires a PRO subscription or a Team or Enterprise organization")
	}
	ss.mu.Lock()
	sp.DevMode = body.Enabled
	ss.mu.Unlock()
	ss.again(sp, r)
	return ss.answer(w, sp)
}

func parseVolumes(raw json.RawMessage, into *[]volume.Volume) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var volumes []volume.Volume
	if err := json.Unmarshal(raw, &volumes); err != nil {
		return answer.Refuse(http.StatusUnprocessableEntity, `"volumes": `+err.Error())
	}
	if err := volume.Check(volumes); err != nil {
		return answer.Refuse(http.StatusUnprocessableEntity, err.Error())
	}
	*into = volumes
	return nil
}

func (ss *Spaces) setVolumes(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.own(r)
	if err != nil {
		return err
	}
	var body struct {
		Volumes json.RawMessage `json:"volumes"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	var volumes []volume.Volume
	if err := parseVolumes(body.Volumes, &volumes); err != nil {
		return err
	}
	for _, v := range volumes {
		if _, err := ss.o.Volumes.Mount(r.Context(), v); err != nil {
			return err
		}
	}
	ss.mu.Lock()
	sp.Volumes = volumes
	ss.mu.Unlock()
	ss.again(sp, r)
	return ss.answer(w, sp)
}

func (ss *Spaces) dropVolumes(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.own(r)
	if err != nil {
		return err
	}
	ss.mu.Lock()
	sp.Volumes = nil
	ss.mu.Unlock()
	ss.again(sp, r)
	return ss.answer(w, sp)
}

func (ss *Spaces) logs(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.find(r)
	if err != nil {
		return err
	}
	n, err := answer.Tail(r.URL.Query())
	if err != nil {
		return err
	}
	ss.mu.Lock()
	log := sp.run
	if r.PathValue("which") == "build" {
		log = sp.build
	}
	ss.mu.Unlock()
	if which := r.PathValue("which"); which != "build" && which != "run" {
		return answer.Refuse(http.StatusNotFound, "Not Found")
	}
	ss.streams.Log(w, r, log, n)
	return nil
}

func (ss *Spaces) eventsOf(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.find(r)
	if err != nil {
		return err
	}
	ss.streams.Log(w, r, sp.events, 0)
	return nil
}

func (ss *Spaces) metrics(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.find(r)
	if err != nil {
		return err
	}
	ss.streams.Samples(w, r, func() (stream.Entry, bool) {
		ss.mu.Lock()
		defer ss.mu.Unlock()
		f, _ := flavor.FindSpace(sp.Requested)
		return stream.JSON("metric", f.Sample()), sp.Stage == Running && !sp.Static
	})
	return nil
}
