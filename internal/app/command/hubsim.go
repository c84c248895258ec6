package command

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"mvdan.cc/sh/v3/syntax"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// simulator are the flags of hubsim.
type simulator struct {
	listen, cdn, seed, state, faults, clock, exec, user string
}

func newHubsim(s *console.Streams) *cobra.Command {
	o := &simulator{}
	cmd := &cobra.Command{
		Use:   "hubsim",
		Short: "Run a simulated Hugging Face Hub on this machine",
		Long: `Run a simulated Hugging Face Hub: repositories, jobs, Spaces and the services
around it, for tests, demonstrations and work without a network. It prints the
variables that point ml-intern, and other programs, at it, and runs until it is
interrupted. Jobs run as processes of this machine unless --exec is scripted.`,
		Example: `  ml-intern hubsim
  eval "$(ml-intern hubsim env)" && ml-intern "list my models"
  ml-intern hubsim --state ./hub --clock scaled=60 --faults faults.json`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error { return o.run(ctx, s) }),
	}
	p := cmd.PersistentFlags()
	p.StringVar(&o.listen, "listen", "127.0.0.1:7870", "`ADDRESS` of the Hub")
	p.StringVar(&o.seed, "seed", "acme", "what exists at the start: acme, empty or a `DIR`")
	f := cmd.Flags()
	f.StringVar(&o.cdn, "cdn-listen", "", "`ADDRESS` of the content host (default the next port)")
	f.StringVar(&o.state, "state", "", "keep everything in this `DIR` (default in memory)")
	f.StringVar(&o.faults, "faults", "", "play the faults of this `FILE`")
	f.StringVar(&o.clock, "clock", "real", "`CLOCK`: real, scaled=K (K times as fast) or manual")
	f.StringVar(&o.exec, "exec", hubsim.Local, "how jobs run: `WAY` is local or scripted")
	env := &cobra.Command{
		Use:   "env",
		Short: "Print the variables that point programs at the simulated Hub",
		Long: `Print the variables that point programs at the simulated Hub, as lines for a
shell. The Hub need not be running.`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(context.Context, []string) error { return o.env(s) }),
	}
	env.Flags().StringVar(&o.user, "user", "bob", "log in as this `NAME`")
	cmd.AddCommand(env)
	return cmd
}

// options checks the flags.
func (o *simulator) options(s *console.Streams) (hubsim.Options, error) {
	home, err := simulatorHome(s)
	if err != nil {
		return hubsim.Options{}, err
	}
	opts := hubsim.Options{
		Seed: o.seed, Exec: o.exec, Control: true, AllowUnserved: true, Home: home, Fence: proc.Auto,
		Say: func(line string) { fmt.Fprintln(s.Err, line) },
	}
	if o.seed != "acme" && o.seed != "empty" {
		opts.Seed = app.Absolute(o.seed, s.Dir)
	}
	if o.state != "" {
		opts.StateDir = app.Absolute(o.state, s.Dir)
	}
	if opts.Listen, opts.CDNListen, err = addresses(o.listen, o.cdn); err != nil {
		return opts, err
	}
	if opts.Clock, err = clockOptions(o.clock); err != nil {
		return opts, err
	}
	if o.exec != hubsim.Local && o.exec != hubsim.Scripted {
		return opts, console.Usage("--exec is %q: it must be local or scripted", o.exec)
	}
	return opts, nil
}

// simulatorHome is an HF_HOME of its own: the real login is neither read nor
// changed.
func simulatorHome(s *console.Streams) (string, error) {
	lookup := func(name string) (string, bool) {
		for _, entry := range s.Environ {
			if key, value, ok := strings.Cut(entry, "="); ok && key == name {
				return value, true
			}
		}
		return "", false
	}
	places, err := place.Find(lookup, runtime.GOOS, s.Dir)
	if err != nil {
		return "", console.UsageOf(err)
	}
	return filepath.Join(places.State, "hubsim", "huggingface"), nil
}

// addresses completes the two addresses: the content host listens on the next
// port.
func addresses(hub, cdn string) (string, string, error) {
	host, port, err := net.SplitHostPort(hub)
	if err != nil {
		return "", "", console.Usage("--listen: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", "", console.Usage("--listen is %q: the port must be a number up to 65535", hub)
	}
	if cdn == "" {
		if n > 0 {
			n++
		}
		cdn = net.JoinHostPort(host, strconv.FormatUint(n, 10))
	}
	if _, _, err := net.SplitHostPort(cdn); err != nil {
		return "", "", console.Usage("--cdn-listen: %w", err)
	}
	return hub, cdn, nil
}

func clockOptions(text string) (clock.Options, error) {
	switch factor, scaled := strings.CutPrefix(text, "scaled="); {
	case text == "real":
		return clock.Options{Scale: 1}, nil
	case text == "manual":
		return clock.Options{}, nil
	case scaled:
		if k, err := strconv.ParseFloat(factor, 64); err == nil && k > 0 && k <= 1e6 {
			return clock.Options{Scale: k}, nil
		}
	}
	return clock.Options{}, console.Usage("--clock is %q: it must be real, manual or scaled=K with K from above 0 to 1000000", text)
}

func (o *simulator) run(ctx context.Context, s *console.Streams) error {
	opts, err := o.options(s)
	if err != nil {
		return err
	}
	rules, err := o.rules(s)
	if err != nil {
		return err
	}
	h, err := hubsim.New(opts)
	if err != nil {
		return console.UsageOf(err)
	}
	stop, release := console.StopSignals(ctx, 0)
	defer release()
	if err := h.Faults.Add(rules...); err != nil {
		return firstOf(err, h.Close())
	}
	if err := h.Start(stop); err != nil {
		return firstOf(err, h.Close())
	}
	vars, err := h.Env("")
	if err != nil { // a seed without bob: everything but a login
		vars = hubsim.BaseEnv(h.URL())
	}
	if err := printExports(s, vars); err != nil {
		return firstOf(err, h.Close())
	}
	fmt.Fprintf(s.Err, "The simulated Hub answers at %s, its content host at %s. Stop it with Ctrl-C.\n", h.URL(), h.CDNURL())
	<-stop.Done()
	return h.Close()
}

// rules reads the file of faults.
func (o *simulator) rules(s *console.Streams) ([]fault.Rule, error) {
	if o.faults == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(app.Absolute(o.faults, s.Dir))
	if err != nil {
		return nil, console.Usage("--faults: %w", err)
	}
	rules, err := fault.Parse(raw)
	if err != nil {
		return nil, console.Usage("--faults %s: %w", o.faults, err)
	}
	return rules, nil
}

// env prints the variables without a running simulator: the seed tells the
// token.
func (o *simulator) env(s *console.Streams) error {
	o.exec, o.clock = hubsim.Scripted, "manual"
	opts, err := o.options(s)
	if err != nil {
		return err
	}
	if _, port, _ := net.SplitHostPort(opts.Listen); port == "0" {
		return console.Usage("--listen is %q: name the port the simulator listens on", opts.Listen)
	}
	h, err := hubsim.New(opts)
	if err != nil {
		return console.UsageOf(err)
	}
	vars, err := h.EnvAt("http://"+opts.Listen, o.user)
	if err != nil {
		err = console.Usage("--user: %w", err)
	} else {
		err = printExports(s, vars)
	}
	return firstOf(err, h.Close())
}

// printExports writes variables as lines for a shell.
func printExports(s *console.Streams, vars []string) error {
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		quoted, err := syntax.Quote(value, syntax.LangPOSIX)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := fmt.Fprintf(s.Out, "export %s=%s\n", name, quoted); err != nil {
			return err
		}
	}
	return nil
}
