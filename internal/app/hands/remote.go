package hands

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox/census"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox/injob"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox/inspace"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox/program"
	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/trackio"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/tools/files"
	tools "github.com/ml-intern/ml-intern/internal/tools/sandbox"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox/bill"
	"github.com/ml-intern/ml-intern/internal/tools/shell"
)

// Fleet makes sandboxes on the Hub, for all sessions of the program.
type Fleet struct {
	opts   Options
	makers map[sandbox.Kind]sandbox.Maker
	hosts  sandbox.Hosts
	slots  sandbox.Slots
}

// Options of a fleet.
type Options struct {
	Loaded *config.Loaded
	Client *hub.Client
	// Jobs and Spaces are what their machines cost.
	Jobs, Spaces *price.Book
	// Token gives the user's Hub token, which opens the gateway before a sandbox.
	Token func() string
	// JobToken gives what a sandbox gets as HF_TOKEN; "" is none. OwnToken says
	// that it is the user's own.
	JobToken func() string
	OwnToken bool
	HTTP     *http.Client
	// Hold takes in secrets that are never to be shown; nil does nothing.
	Hold func(values ...string)
	// Dial replaces how connections to sandboxes are made; nil is the network.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Version string
}

// NewFleet returns a fleet; nothing is asked yet.
func NewFleet(o Options) *Fleet {
	if o.Hold == nil {
		o.Hold = func(...string) {}
	}
	f := &Fleet{opts: o, hosts: sandbox.Hosts{
		Space: o.Loaded.URL("ML_INTERN_SPACE_HOST_TEMPLATE").Value, Job: o.Loaded.URL("ML_INTERN_JOB_HOST_TEMPLATE").Value,
	}}
	named := o.Loaded.Env("ML_INTERN_TOOLSERVER")
	if named != "" && !filepath.IsAbs(named) {
		named = filepath.Join(o.Loaded.Dir, named)
	}
	prog := program.New(program.Options{
		Path: named, Own: os.Executable, OS: runtime.GOOS, Arch: runtime.GOARCH,
		Version: o.Version, Released: program.Released(), HTTP: o.HTTP, Cache: filepath.Join(o.Loaded.Places.Cache, "toolserver"),
	})
	c := o.Client
	f.makers = map[sandbox.Kind]sandbox.Maker{
		sandbox.Space: inspace.New(inspace.Options{
			Repos: c.Repos, Commits: c.Commits, Spaces: c.Spaces, Program: prog, Hosts: f.hosts, Endpoint: c.Endpoint(),
		}),
		sandbox.Job: injob.New(injob.Options{Jobs: c.Jobs, Repos: c.Repos, Commits: c.Commits, Program: prog, Hosts: f.hosts}),
	}
	return f
}

// Hands makes the tools of a session that works in a sandbox. Dir is the
// session's folder; "" when nothing is kept.
func (f *Fleet) Hands(session, dir string) (*Hands, error) {
	path := ""
	if dir != "" {
		path = filepath.Join(dir, sandbox.FileName)
	}
	records, err := sandbox.OpenRecords(path)
	if err != nil {
		return nil, err
	}
	c := f.opts.Loaded.Config
	keeper, err := tools.New(tools.Options{
		Makers: f.makers, Prices: bill.Books{sandbox.Space: f.opts.Spaces, sandbox.Job: f.opts.Jobs},
		Choose: f.choose, Guess: f.guess, Connect: f.connect, Slot: f.slots.Take, Records: records, Session: session,
		Secrets: f.secrets, Variables: f.variables, TokenBroad: f.broad, Trackio: f.trackio,
		Prefetch: c.SandboxPrefetch, Resync: c.SandboxResync, Billing: f.opts.Client.Endpoint() + "/settings/billing",
	})
	if err != nil {
		return nil, err
	}
	h := &Hands{Open: keeper.Open, keeper: keeper}
	h.Create, h.Delete = keeper.Tools()
	h, err = build(
		shell.Options{
			Workspace: keeper.Open, DirName: sandbox.Dir, DefaultTimeout: sandboxTimeout, MaxTimeout: sandboxMaxTimeout, Errors: true,
		},
		files.Options{Workspace: keeper.Open, Signatures: true}, h,
	)
	if err == nil && c.ResearchBash {
		h.Bare = bareThere{h.Bash}
	}
	return h, err
}

// kinds are what is tried for a namespace, the first first.
func (f *Fleet) kinds(who *account.Identity, namespace string) []sandbox.Kind {
	first := map[string]bool{"space": true, "auto": paid(who, namespace)}
	if first[f.opts.Loaded.Config.SandboxBackend] {
		return []sandbox.Kind{sandbox.Space, sandbox.Job}
	}
	return []sandbox.Kind{sandbox.Job, sandbox.Space}
}

// paid reports whether a namespace has a plan that lets Docker Spaces run.
func paid(who *account.Identity, namespace string) bool {
	if namespace == who.Name {
		return who.Pro
	}
	return slices.ContainsFunc(who.Orgs, func(o account.Org) bool { return o.Name == namespace && o.Plan != "" })
}

func (f *Fleet) choose(ctx context.Context) (string, []sandbox.Kind, error) {
	who, err := f.opts.Client.Account.Whoami(ctx)
	if err != nil {
		return "", nil, err
	}
	if who.Name == "" {
		return "", nil, errors.New("the Hub does not say whose token it is")
	}
	return who.Name, f.kinds(who, who.Name), nil
}

func (f *Fleet) guess() []sandbox.Kind {
	who := f.opts.Client.Account.Known()
	if who == nil {
		return nil
	}
	return f.kinds(who, who.Name)
}

// client reaches a tool server. The Hub token opens the gateway before it, and
// goes to that address only.
func (f *Fleet) client(a tools.Address) (*remote.Client, error) {
	o := remote.Options{
		URL: a.URL, Token: a.Token, HubToken: f.opts.Token, Version: f.opts.Version,
		Restarted: a.Restarted, Unreachable: a.Unreachable, Proxy: http.ProxyFromEnvironment,
	}
	if f.opts.Dial != nil {
		o.Transport = &http.Transport{DialContext: f.opts.Dial, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second}
	}
	return remote.New(o)
}

func (f *Fleet) connect(a tools.Address) (tools.Client, error) {
	f.opts.Hold(a.Token)
	c, err := f.client(a)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (f *Fleet) secrets() map[string]string {
	token := f.opts.JobToken()
	if token == "" {
		return nil
	}
	return map[string]string{"HF_TOKEN": token, "HUGGINGFACE_HUB_TOKEN": token}
}

func (f *Fleet) variables() map[string]string {
	all := map[string]string{sandbox.ForwardVariable: "true"}
	if f.opts.JobToken() == "" {
		all[sandbox.ForwardVariable] = "false"
	}
	return all
}

// broad reports whether sandboxes get a token that may write everywhere.
func (f *Fleet) broad() bool {
	if !f.opts.OwnToken || f.opts.JobToken() == "" {
		return false
	}
	who := f.opts.Client.Account.Known()
	return who != nil && (who.Token.Role == "write" || who.Token.Role == "god")
}

// trackio makes a dashboard ready.
func (f *Fleet) trackio(ctx context.Context, space, _ string, log func(string)) error {
	c := f.opts.Client
	return trackio.New(trackio.Options{
		Repos: c.Repos, Commits: c.Commits, Buckets: c.Buckets, Spaces: c.Spaces, Own: f.own,
		Private: f.opts.Loaded.Config.TrackioPrivate, Endpoint: c.Endpoint(),
	}).Seed(ctx, space, log)
}

// own reports whether the user works under a namespace.
func (f *Fleet) own(ctx context.Context, namespace string) bool {
	all, err := f.opts.Client.Account.Namespaces(ctx)
	return err == nil && slices.Contains(all.Eligible, namespace)
}

// Owner is whose sandboxes the fleet's are.
func (f *Fleet) Owner(ctx context.Context) (string, error) {
	owner, _, err := f.choose(ctx)
	return owner, err
}

// Census looks for sandboxes; live reports whether a session runs here.
func (f *Fleet) Census(live func(ctx context.Context, session string) bool) *census.Census {
	c := f.opts.Client
	return census.New(census.Options{
		Repos: c.Repos, Spaces: c.Spaces, Jobs: c.Jobs, Makers: f.makers, Hosts: f.hosts, Idle: f.idle, Live: live,
		Endpoint: c.Endpoint(),
	})
}

// idle asks a tool server how long it was not used, which needs no token of its
// own.
func (f *Fleet) idle(ctx context.Context, url string) (time.Duration, error) {
	client, err := f.client(tools.Address{URL: url, Token: "none"})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	h, err := client.Health(ctx)
	return time.Duration(h.IdleSeconds) * time.Second, err
}

// Delete removes a sandbox.
func (f *Fleet) Delete(ctx context.Context, p sandbox.Place) error {
	maker := f.makers[p.Kind]
	if maker == nil {
		return errors.New("the kind of sandbox " + p.ID + " is not known")
	}
	_, err := maker.Delete(ctx, p)
	return err
}

// PerHour is what a sandbox costs by the hour in USD, as far as it is known
// without asking.
func (f *Fleet) PerHour(p sandbox.Place) (usd float64, known bool) {
	usd, _, known = bill.Books{sandbox.Space: f.opts.Spaces, sandbox.Job: f.opts.Jobs}.PerHour(p.Kind, cmp.Or(strings.TrimSpace(p.Hardware), sandbox.Basic))
	return usd, known
}
