// Package runs is what runs for a person: jobs on the Hub in his namespaces,
// background commands that sessions on this machine have started, and log files
// that he names. It lists them and follows them with their curves and what the
// rules notice in these. It starts and ends nothing, and draws nothing.
package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/app/ledger"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Options of a board.
type Options struct {
	// Sessions are those on this machine; nil has none.
	Sessions ledger.Store
	// Scrub takes secrets out of a text; nil leaves it as it is.
	Scrub func(text string) string
}

// Board knows what runs. It is safe for concurrent use, once it is connected.
type Board struct {
	opts Options
	// client asks the Hub; nil before Connect. prices are those of jobs, and
	// spaces the namespaces they are looked for in, the user's own first.
	client *hub.Client
	prices *price.Book
	user   string
	spaces []string

	mu       sync.Mutex
	journals map[string]journal // by path, as they were read last
}

// New returns a board; nothing is asked yet.
func New(o Options) *Board {
	if o.Scrub == nil {
		o.Scrub = func(text string) string { return text }
	}
	return &Board{opts: o, journals: map[string]journal{}}
}

// Connect adds the Hub, as the user who is logged in there: the jobs of his
// namespace and those of his organisations, or of one of them alone.
func (b *Board) Connect(ctx context.Context, client *hub.Client, prices *price.Book, namespace string) error {
	who, err := client.Account.Whoami(ctx)
	if err != nil {
		return err
	}
	b.client, b.prices, b.user, b.spaces = client, prices, who.Name, []string{namespace}
	if namespace == "" {
		b.spaces[0] = who.Name
		for _, o := range who.Orgs {
			b.spaces = append(b.spaces, o.Name)
		}
	}
	return nil
}

// User is who asks the Hub.
func (b *Board) User() string { return b.user }

// Namespaces are those whose jobs are looked for.
func (b *Board) Namespaces() []string { return b.spaces }

// Row is a run as it is at one moment. Its texts are safe to be shown.
type Row struct {
	// Source names the run for good: "job:NS/ID", "process:GROUP" or
	// "file:PATH". ID is what a person types.
	Source string
	ID     string
	// Name is that of a job, or the command of a process.
	Name string
	// State is the stage of a job, else "running", "over" or "".
	State   string
	Message string // more about the state
	Over    bool
	Failed  bool
	Began   time.Time // zero where nobody knows
	// Namespace, Flavor and URL are those of a job.
	Namespace, Flavor, URL string
	// Session is the session that a process belongs to.
	Session string

	ns     string
	job    *job.Job // nil for what costs nothing
	prices *price.Book
	log    string // of a process, "" for none
	group  string
}

// Costs is what a run has cost so far in millionths of a dollar; nil is
// unknown. paid is false for what runs here: it costs nothing.
func (r Row) Costs() (micro *int64, paid bool) {
	if r.job == nil {
		return nil, false
	}
	return Cost(r.prices.Known(), *r.job), true
}

// Rows lists what runs now: jobs, then processes, each the newest first. An
// error tells why some may be missing.
func (b *Board) Rows(ctx context.Context) ([]Row, error) {
	var rows []Row
	var problems []error
	if b.client != nil {
		found, err := b.Jobs(ctx, false)
		problems = append(problems, err)
		for _, f := range found {
			rows = append(rows, b.jobRow(f.Namespace, f.Job))
		}
	}
	here, err := b.processes()
	return append(rows, here...), errors.Join(append(problems, err)...)
}

// find is the run that an id means.
func (b *Board) find(ctx context.Context, id string) (Row, error) {
	if path, ok := strings.CutPrefix(id, "file:"); ok {
		return b.fileRow(path), nil
	}
	here, err := b.processes()
	i := slices.IndexFunc(here, func(r Row) bool { return r.ID == id || r.Source == id })
	switch {
	case i >= 0:
		return here[i], nil
	case strings.HasPrefix(id, "process:") && err != nil:
		return Row{}, err
	case strings.HasPrefix(id, "process:"):
		return Row{}, fmt.Errorf("there is no process %s of a session", b.shown(id))
	case b.client == nil:
		return Row{}, fmt.Errorf("there is no process %s of a session, and nobody is logged in to the Hub: set HF_TOKEN or run ml-intern login", b.shown(id))
	}
	found, err := b.Find(ctx, id)
	if err != nil {
		return Row{}, err
	}
	return b.jobRow(found.Namespace, found.Job), nil
}

// fileRow is a log file.
func (b *Board) fileRow(path string) Row {
	return Row{Source: "file:" + b.shown(path), ID: b.shown(path), log: path}
}

// shown is a text of others in one line, without secrets and without what steers
// a terminal.
func (b *Board) shown(text string) string {
	return strings.Join(strings.Fields(plain.ForTerminal(b.opts.Scrub(text))), " ")
}

// newest sorts rows by when they began, the newest first.
func newest(rows []Row) {
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Or(b.Began.Compare(a.Began), strings.Compare(a.ID, b.ID)) })
}
