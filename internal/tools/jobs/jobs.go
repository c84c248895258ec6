// Package jobs is the tool that runs commands on the Hub's machines: it
// delivers scripts, follows jobs to their real end, keeps their logs and their
// money, and finds after a crash what it had started. It knows neither how the
// Hub speaks nor who approves.
package jobs

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/observe"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/script"
)

//go:embed hf_jobs.json
var description []byte

// maxOutput is the most characters of a result.
const maxOutput = 30_000

// Options of the tool.
type Options struct {
	Jobs *job.API
	// Namespace finds who runs and pays: the one asked for, else the user.
	Namespace func(ctx context.Context, requested string) (string, error)
	Prices    *price.Book
	// Script says where scripts are read.
	Script script.Options
	// Token is what jobs get as HF_TOKEN; "" is none. TokenBroad says that it
	// may write everywhere, of which the user is told once.
	Token      func() string
	TokenBroad func() bool
	// Secret reads a variable of the user's that may be passed to jobs.
	Secret func(name string) (value string, allowed bool)
	// Ship commits files for a job that carries too much for its environment,
	// in a folder of the namespace's own repository for jobs.
	Ship func(ctx context.Context, namespace, folder string, files map[string][]byte) (job.Volume, error)
	// Hook is the text of the sitecustomize.py that notices what a script
	// pushes; nil or "" is none.
	Hook func(sessionID string) string
	// Line recognises a line that the hook has written: what it returns is called
	// when the job is over, and the line is not shown. nil knows none.
	Line func(line string) (then func(ctx context.Context))
	// Trackio makes a dashboard ready before its job starts; nil does nothing.
	Trackio func(ctx context.Context, space, project string, log func(string)) error
	// LogDir is where a session keeps the logs of its jobs; "" keeps none.
	LogDir func(sessionID string) string
	// Leave keeps jobs running when a person interrupts their call.
	Leave bool
	// HasSecret reports what kind of secret a text shows, "" for none; nil looks
	// at nothing.
	HasSecret func(text string) string
	// Scrub takes secrets out of a line of a log; nil leaves it as it is. Hold is
	// told of the secrets that a job gets, which Scrub then knows too; it may be
	// nil.
	Scrub func(line string) string
	Hold  func(values []string)
}

// Tool is hf_jobs.
type Tool struct {
	opts Options
	spec tool.Spec

	mu      sync.Mutex
	session tool.Session
	own     map[string]bool // jobs of this session, by id
	blocked map[string]bool // namespaces that had no credits
	warned  bool            // of a broad token
	watched map[string]*watched
	look    *observe.Desk
	closed  bool
	// watching ends what goes on without a call, which done waits for; ending is
	// what is to be cancelled before.
	watching     context.Context
	stop         context.CancelFunc
	done, ending sync.WaitGroup
}

var (
	_ tool.KeyedTool = (*Tool)(nil)
	_ tool.Resolver  = (*Tool)(nil)
	_ tool.Companion = (*Tool)(nil)
	_ tool.Closer    = (*Tool)(nil)
)

// New returns the tool. The flavors it offers are those of the price list at
// hand.
func New(o Options) (*Tool, error) {
	if o.Jobs == nil || o.Namespace == nil || o.Prices == nil {
		return nil, errors.New("make hf_jobs: Jobs, Namespace and Prices are required")
	}
	spec, err := tool.ParseSpec(description, maxOutput)
	if err != nil {
		return nil, err
	}
	if spec.Parameters, err = request.WithFlavors(spec.Parameters, o.Prices.Known().Names()); err != nil {
		return nil, err
	}
	spec.Synonyms = tool.Synonyms{
		Names: map[string]string{"flavor": "hardware_flavor", "hardware": "hardware_flavor"},
		Values: map[string]map[string]string{"operation": {
			"uv": "run", "scheduled uv": "scheduled run", "list": "ps", "scheduled list": "scheduled ps",
		}},
	}
	if o.Token == nil {
		o.Token = func() string { return "" }
	}
	if o.HasSecret == nil {
		o.HasSecret = func(string) string { return "" }
	}
	if o.Scrub == nil {
		o.Scrub = func(line string) string { return line }
	}
	if o.Hold == nil {
		o.Hold = func([]string) {}
	}
	t := &Tool{
		opts: o, spec: spec, own: map[string]bool{}, blocked: map[string]bool{}, watched: map[string]*watched{}, look: observe.NewDesk(o.LogDir),
	}
	t.watching, t.stop = context.WithCancel(context.Background())
	return t, nil
}

// Spec describes the tool.
func (t *Tool) Spec() tool.Spec { return t.spec }

// Run does the operation.
func (t *Tool) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p request.Params
	if err := tool.Decode(args, &p); err != nil {
		return tool.Failed(fmt.Sprintf("hf_jobs was not run: %v", err)), nil
	}
	act, ok := operations[p.Operation]
	if !ok {
		return tool.Failed(fmt.Sprintf("Unknown operation %q. The operations are: %s.", p.Operation, request.Operations(t.spec.Parameters))), nil
	}
	if err := p.Check(); err != nil {
		return tool.Failed(err.Error()), nil
	}
	ns, err := t.opts.Namespace(ctx, p.Namespace)
	if err != nil {
		return tool.Failed(err.Error()), ctx.Err()
	}
	p.Namespace = ns
	r, err := act(t, ctx, env, p)
	if err != nil && ctx.Err() == nil {
		r, err = tool.Failed(t.problem(p, err)), nil
	}
	// Whoever answered may have repeated what the job was given.
	r.Output = t.opts.Scrub(plain.String(r.Output))
	return r, err
}

// operation is one thing the tool does.
type operation func(t *Tool, ctx context.Context, env tool.Env, p request.Params) (tool.Result, error)

// operations are all of them.
var operations = map[string]operation{
	"run": (*Tool).run, "ps": (*Tool).list, "logs": (*Tool).logs, "inspect": (*Tool).inspect, "cancel": (*Tool).cancel,
	"wait": (*Tool).wait, "metrics": (*Tool).metrics, "hardware": (*Tool).hardware,
	"scheduled run": (*Tool).schedule, "scheduled ps": (*Tool).schedules, "scheduled inspect": (*Tool).inspectSchedule,
	"scheduled delete": (*Tool).unschedule, "scheduled suspend": (*Tool).suspend, "scheduled resume": (*Tool).resume,
	"scheduled trigger": (*Tool).trigger,
}

func ref(ns, id string) string { return "job:" + ns + "/" + id }

func parseRef(s string) (ns, id string, ok bool) {
	rest, ok := strings.CutPrefix(s, "job:")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

func (t *Tool) remember(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.own[id] = true
}

func (t *Tool) isOwn(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.own[id]
}
