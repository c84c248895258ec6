package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/download"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/exports"
	"github.com/ml-intern/ml-intern/internal/app/exports/source"
	"github.com/ml-intern/ml-intern/internal/app/exports/target"
	"github.com/ml-intern/ml-intern/internal/lab/anonymous"
)

// ends are the flags about where sessions come from and where files go to.
type ends struct {
	source, store string
	target, out   string
	redact        string
	compat        bool
	// hint says which flags choose another time.
	hint string
}

// defaultOut is the folder that takes files where nothing else is said.
const defaultOut = "ml-intern-export"

// Values of --redact.
const (
	redactSecrets = "secrets"
	redactStrict  = "strict"
)

func (e *ends) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.source, "source", "", "read a folder of session or trace `FILES`, or a data set: hf:NS/NAME (default the sessions on this machine)")
	f.StringVar(&e.store, "store", "", "read the state `DIR` of another installation")
	f.StringVar(&e.target, "target", "", "upload to the data set `hf:NS/NAME`, made private where it is not there")
	f.StringVarP(&e.out, "out", "o", "", "write to this `DIR`; - is standard output (default "+defaultOut+")")
}

// texts are the flags of exports that hold what was said.
func (e *ends) texts(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.redact, "redact", redactSecrets, "remove `WHAT`: secrets, or strict for e-mail and IP addresses, telephone numbers, user and host names too")
}

// rules are the flags of exports that the Python original has too.
func (e *ends) rules(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&e.compat, "compat", false, "follow the Python original to the letter, mistakes included")
}

// dataset is the name in hf:NS/NAME, or in NS/NAME as the Python original has it.
func dataset(text string) (name string, ok bool) {
	name = strings.TrimPrefix(text, "hf:")
	return name, wire.CheckFullRepoID("name", name) == nil
}

func (e *ends) check() error {
	switch {
	case e.source != "" && e.store != "":
		return console.Usage("--source and --store exclude each other")
	case e.target != "" && e.out != "":
		return console.Usage("--target and --out exclude each other")
	case e.redact != "" && e.redact != redactSecrets && e.redact != redactStrict:
		return console.Usage("--redact is %q: it must be %s or %s", e.redact, redactSecrets, redactStrict)
	}
	if _, ok := dataset(e.target); e.target != "" && !ok {
		return console.Usage("--target is %q: it must be the name of a data set, as in hf:me/my-figures (--out names a folder)", e.target)
	}
	return nil
}

// desk is one export with its ends open.
type desk struct {
	*app.App
	streams *console.Streams
	ends    *ends
	meter   *meter
	// writeToken is the variable whose token is the first choice.
	writeToken string

	hub     *hub.Client
	options exports.Options
}

// work does an export whose ends are open.
type work func(ctx context.Context, d *desk) (exports.Summary, error)

// run opens both ends, does the export, and tells what came of it. columns says that
// files begin with a line of columns.
func (e *ends) run(ctx context.Context, s *console.Streams, writeToken string, columns bool, do work) error {
	if err := e.check(); err != nil {
		return err
	}
	a, err := app.New(ctx, app.Options{Dir: s.Dir, Environ: s.Environ, Warn: func(line string) { fmt.Fprintln(s.Err, console.OneLine(line)) }})
	if err != nil {
		return err
	}
	d := &desk{App: a, streams: s, ends: e, meter: newMeter(s.Err), writeToken: writeToken}
	err = d.open(ctx, columns)
	if err == nil {
		err = d.do(ctx, do)
	}
	if d.hub != nil {
		d.hub.Close()
	}
	return errors.Join(err, a.Close())
}

func (d *desk) do(ctx context.Context, do work) error {
	ctx, release := console.StopSignals(ctx, 0)
	defer release()
	sum, err := do(ctx, d)
	d.meter.clear()
	if ctx.Err() != nil {
		fmt.Fprintf(d.streams.Err, "stopped: %s\n", sum)
		return console.Silent(console.StopCode(ctx))
	}
	if err != nil {
		return fmt.Errorf("%w (%s)", err, sum)
	}
	switch nothing := sum.Written+sum.Unchanged+sum.Failed == 0; {
	case sum.Read+sum.Bad == 0:
		fmt.Fprintln(d.streams.Err, "there are no sessions of that time: "+d.ends.hint)
	case nothing && sum.Read > 0 && sum.LeftOut == 0:
		fmt.Fprintln(d.streams.Err, "nothing happened in that time: "+d.ends.hint)
	}
	if sum.Failed > 0 {
		fmt.Fprintln(d.streams.Err, "what could not be stored is tried again by the same command")
	}
	fmt.Fprintf(d.streams.Err, "%s of %s; to %s\n", sum, console.OneLine(d.options.Source.String()), console.OneLine(d.options.Target.String()))
	if sum.Failed > 0 {
		return console.Silent(1)
	}
	return nil
}

// open opens both ends.
func (d *desk) open(ctx context.Context, columns bool) error {
	d.options = exports.Options{
		Scrubber: d.Secrets().Scrubber(), Strict: d.ends.redact == redactStrict, Compat: d.ends.compat, Progress: d.meter.read,
		Warn: func(line string) {
			d.meter.clear()
			fmt.Fprintln(d.streams.Err, console.OneLine(d.Scrub(line)))
		},
	}
	if d.options.Strict {
		d.options.Names = d.names(ctx)
	}
	var err error
	if d.options.Source, err = d.source(ctx); err != nil {
		return err
	}
	d.options.Target, err = d.target(ctx, columns)
	return err
}

// names are those of whoever runs this, and of the machine.
func (d *desk) names(ctx context.Context) anonymous.Names {
	var names anonymous.Names
	if u, err := user.Current(); err == nil {
		_, short, found := strings.Cut(u.Username, `\`) // the domain of Windows
		if !found {
			short = u.Username
		}
		names.Users = append(names.Users, short)
	}
	names.Users = append(names.Users, filepath.Base(d.Loaded.Places.Home))
	if u := d.User(ctx, false); u != nil {
		names.Users = append(names.Users, *u)
	}
	if host, err := os.Hostname(); err == nil {
		names.Hosts = append(names.Hosts, host)
	}
	return names
}

func (d *desk) source(ctx context.Context) (source.Source, error) {
	switch e := d.ends; {
	case e.store != "":
		local, err := source.Open(app.Absolute(e.store, d.streams.Dir))
		if err != nil {
			return nil, console.UsageOf(err)
		}
		return local, nil
	case e.source != "":
		return d.foreign(ctx)
	}
	places := d.Loaded.Places
	s, err := store.New(store.Options{Root: places.Sessions()})
	if err != nil {
		return nil, err
	}
	return &source.Local{Store: s, Name: "this machine", Dirs: []string{
		cmp.Or(d.Config().SessionLogDir, places.Sessions()), places.Sessions(), filepath.Join(d.Loaded.Dir, "session_logs"),
	}}, nil
}

// foreign is the folder or the data set that --source names. A folder that is there wins
// over a data set of the same name.
func (d *desk) foreign(ctx context.Context) (source.Source, error) {
	text := d.ends.source
	if !strings.HasPrefix(text, "hf:") {
		dir := app.Absolute(text, d.streams.Dir)
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return source.Folder{Dir: dir, Name: text}, nil
		}
	}
	name, ok := dataset(text)
	if !ok {
		return nil, console.Usage("--source is %q: it must be a folder that is there, or a data set as in hf:NS/NAME", text)
	}
	if err := d.connect(ctx); err != nil {
		return nil, err
	}
	files, err := download.New(d.hub.Conn, download.Options{
		Shared: cmp.Or(d.Loaded.Env("HF_HUB_CACHE"), filepath.Join(cmp.Or(d.Loaded.Env("HF_HOME"), filepath.Join(filepath.Dir(d.Loaded.Places.Cache), "huggingface")), "hub")),
		Own:    d.Loaded.Places.Cache, Progress: d.meter.fetched,
	})
	if err != nil {
		return nil, err
	}
	return source.Dataset{Files: files, Repo: name}, nil
}

func (d *desk) target(ctx context.Context, columns bool) (target.Target, error) {
	switch e := d.ends; {
	case e.out == "-":
		return &target.Stream{To: d.streams.Out, Columns: columns}, nil
	case e.target != "":
		name, _ := dataset(e.target) // checked before
		if d.token(ctx) == "" {
			return nil, &app.MissingKeyError{Err: fmt.Errorf("there is no token to upload with: set %s, HF_SESSION_UPLOAD_TOKEN, HF_TOKEN or HF_ADMIN_TOKEN, or run ml-intern login", d.writeToken)}
		}
		if err := d.connect(ctx); err != nil {
			return nil, err
		}
		return &target.Dataset{Hub: d.hub, Repo: name}, nil
	}
	return target.Folder{Dir: app.Absolute(cmp.Or(d.ends.out, defaultOut), d.streams.Dir)}, nil
}

// token is the first that is set.
func (d *desk) token(ctx context.Context) string {
	return cmp.Or(d.Loaded.Env(d.writeToken), d.Loaded.Env("HF_SESSION_UPLOAD_TOKEN"), d.FreshToken(ctx).Token, d.Loaded.Env("HF_ADMIN_TOKEN"))
}

func (d *desk) connect(ctx context.Context) (err error) {
	if d.hub == nil {
		d.hub, err = d.OpenHubAs(d.token(ctx))
	}
	return err
}
