// Package space serves the simulated Hub's Spaces as machines: the stages of
// each, its hardware, secrets, variables and volumes, its logs, and its app. It
// knows neither how repositories are made nor how commands are run: package
// repo tells it of commits, package exec runs the apps.
package space

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/flavor"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/meter"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/stream"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/volume"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Stages.
const (
	NoAppFile    = "NO_APP_FILE"
	Building     = "BUILDING"
	BuildError   = "BUILD_ERROR"
	AppStarting  = "APP_STARTING"
	Running      = "RUNNING"
	RuntimeError = "RUNTIME_ERROR"
	Paused       = "PAUSED"
	Sleeping     = "SLEEPING"
)

// product is what charges are booked under.
const product = "spaces"

const (
	// basic is the hardware that costs nothing; it always sleeps after
	// basicSleep without a request.
	basic      = "cpu-basic"
	basicSleep = 48 * time.Hour
)

// Options of the Spaces.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	Repos    *repo.Store
	Runner   *exec.Runner
	// Volumes finds what apps mount.
	Volumes volume.Source
	// Build and Start are how long BUILDING and APP_STARTING take; zero is 5
	// and 2 seconds.
	Build, Start time.Duration
}

// Spaces are the machines of all Spaces. They are safe for concurrent use.
type Spaces struct {
	o       Options
	streams stream.Server
	over    chan struct{}

	mu     sync.Mutex
	closed bool
	plays  int // how often a Space was built, in all
	spaces map[string]*space
	apps   map[string]http.Handler // by lower-case id
	passes map[string]pass         // short tokens
}

// pass lets its bearer use the app of one Space for a while.
type pass struct {
	hex string
	end time.Time
}

// record is what is kept of a Space.
type record struct {
	Hex       string
	Stage     string
	Error     string
	SHA       string // of the commit that was built
	Current   string // hardware; empty when nothing runs
	Requested string
	Sleep     int64 // in seconds; 0 is the flavor's own, -1 never
	DevMode   bool
	Static    bool
	Secrets   map[string]value
	Variables map[string]value
	Volumes   []volume.Volume
	// What was paid so far, by meters that have stopped.
	Minutes, NanoUSD int64
	Since            time.Time // the first of these minutes
}

// value is a secret or a variable.
type value struct {
	Value       string
	Description string
	Updated     time.Time
}

// space is a record and what is alive of it. Its members are guarded by
// Spaces.mu.
type space struct {
	record
	repo    *repo.Repo
	play    int // which of Spaces.plays is the newest
	stuck   string
	timers  []*clock.Timer
	process *exec.Process
	meter   *meter.Meter
	used    time.Time // the last request to the app
	build   *stream.Log
	run     *stream.Log
	events  *stream.Log
}

// New returns the machines of the Spaces o.Repos will have, and listens to it.
func New(o Options) (*Spaces, error) {
	if o.Clock == nil || o.Accounts == nil || o.Repos == nil || o.Runner == nil || o.Volumes == nil {
		return nil, errors.New("spaces: a clock, accounts, repositories, a runner and volumes are needed")
	}
	if o.Build == 0 {
		o.Build = 5 * time.Second
	}
	if o.Start == 0 {
		o.Start = 2 * time.Second
	}
	over := make(chan struct{})
	ss := &Spaces{
		o: o, over: over, streams: stream.Server{Clock: o.Clock, Over: over},
		spaces: map[string]*space{}, apps: map[string]http.Handler{}, passes: map[string]pass{},
	}
	o.Repos.OnCreate(ss.created)
	o.Repos.OnCommit(ss.committed)
	o.Repos.OnDelete(ss.deleted)
	return ss, nil
}

// created makes the machine of a new Space.
func (ss *Spaces) created(r *repo.Repo, spec repo.CreateSpec) error {
	if r.Type() != repo.Space {
		return nil
	}
	sp := ss.machine(r)
	now := ss.o.Clock.Stamp()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if spec.From != nil {
		if from, ok := ss.spaces[spec.From.Hex()]; ok {
			for k, v := range from.Variables {
				sp.Variables[k] = value{v.Value, v.Description, now}
			}
		}
	}
	for into, list := range map[*map[string]value][]repo.KeyValue{&sp.Secrets: spec.Secrets, &sp.Variables: spec.Variables} {
		for _, kv := range list {
			if !goodKey.MatchString(kv.Key) {
				return badKey(kv.Key)
			}
			(*into)[kv.Key] = value{kv.Value, kv.Description, now}
		}
	}
	if err := checkSleep("sleepTimeSeconds", spec.SleepTimeSeconds); err != nil {
		return err
	}
	if spec.SleepTimeSeconds != nil {
		sp.Sleep = *spec.SleepTimeSeconds
	}
	sp.DevMode = spec.DevMode
	if err := parseVolumes(spec.Volumes, &sp.Volumes); err != nil {
		return err
	}
	if spec.Hardware == "" {
		return nil
	}
	if err := ss.affordable(r, spec.Hardware); err != nil && !spec.Trusted {
		return err
	}
	sp.Requested = spec.Hardware
	return nil
}

// affordable says why a Space may not have a flavor.
func (ss *Spaces) affordable(r *repo.Repo, name string) error {
	f, ok := flavor.FindSpace(name)
	if !ok {
		return answer.Refuse(http.StatusBadRequest, `"hardware": `+name+" is unknown")
	}
	if owner, ok := ss.o.Accounts.Find(r.Namespace()); f.MicroUSD > 0 && (!ok || !canPay(owner)) {
		return answer.Refuse(http.StatusPaymentRequired, "Pre-paid credit balance is insufficient - add more credits to your account to use "+f.PrettyName+".")
	}
	return nil
}

// canPay reports whether the owner's next minute can be paid.
func canPay(e *account.Entity) bool {
	return e.CreditMicroUSD > 0 || e.CanPay && e.BillingMode == "postpaid"
}

// machine returns the machine of r, a new one when there is none.
func (ss *Spaces) machine(r *repo.Repo) *space {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	sp, ok := ss.spaces[r.Hex()]
	if !ok {
		sp = &space{
			record: record{
				Hex: r.Hex(), Stage: NoAppFile, Requested: basic, Secrets: map[string]value{}, Variables: map[string]value{},
			},
			repo: r, build: &stream.Log{}, run: &stream.Log{}, events: &stream.Log{},
		}
		if !ss.closed {
			ss.spaces[r.Hex()] = sp
		}
	}
	return sp
}

// committed builds a Space whose main branch has moved.
func (ss *Spaces) committed(r *repo.Repo, ref, _ string) {
	if r.Type() != repo.Space || ref != git.Main {
		return
	}
	sp := ss.machine(r)
	ss.mu.Lock()
	paused := sp.Stage == Paused
	ss.mu.Unlock()
	if !paused {
		ss.rebuild(sp)
	}
}

// deleted ends the machine of a Space that is gone.
func (ss *Spaces) deleted(r *repo.Repo) {
	ss.mu.Lock()
	sp, ok := ss.spaces[r.Hex()]
	if ok {
		delete(ss.spaces, r.Hex())
		delete(ss.apps, strings.ToLower(r.ID()))
	}
	ss.mu.Unlock()
	if !ok {
		return
	}
	ss.halt(sp, "DELETING", "")
	sp.build.End()
	sp.events.End()
}

// Register lets h be the app of the Space called id, whatever its files are.
func (ss *Spaces) Register(id string, h http.Handler) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.apps[strings.ToLower(id)] = h
}

// Settle takes every Space that is being built or started to RUNNING at once, as
// seeds want it. Its app starts with the first request: by then the simulator
// has its address.
func (ss *Spaces) Settle() {
	ss.mu.Lock()
	var after []func()
	for _, sp := range ss.spaces {
		if sp.Stage != Building && sp.Stage != AppStarting {
			continue
		}
		after = append(after, ss.clear(sp))
		sp.build.End()
		sp.Current, sp.used = sp.Requested, time.Time{}
		ss.set(sp, Running, "")
	}
	ss.mu.Unlock()
	for _, f := range after {
		f()
	}
}

// Close ends all streams and forgets timers; the runner's owner ends the apps.
func (ss *Spaces) Close() error {
	ss.mu.Lock()
	if ss.closed {
		ss.mu.Unlock()
		return nil
	}
	ss.closed = true
	close(ss.over)
	var meters []*meter.Meter
	for _, sp := range ss.spaces {
		for _, t := range sp.timers {
			t.Stop()
		}
		if sp.meter != nil {
			meters = append(meters, sp.meter)
		}
	}
	ss.mu.Unlock()
	for _, m := range meters {
		m.Stop()
	}
	return nil
}
