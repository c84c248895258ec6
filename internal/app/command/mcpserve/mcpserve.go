// Package mcpserve is the command that offers the agent's tools, and the agent
// itself, to other agents over the Model Context Protocol: its flags, who may
// reach it, and how it begins and ends.
package mcpserve

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/offer"
	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

// options are the command's.
type options struct {
	http, tokenFile, dir string
	hosts, tools         []string
	writes               bool
	mode, cost, model    string
}

// instructions tell the other agent what this is.
const instructions = `ml-intern is an autonomous machine-learning engineer. Its tools look up papers,
documentation, code, models, data sets and jobs; what they state is marked [S1],
[S2], … with its source. The tool run gives a whole task to it.`

// New makes the command.
func New(s *console.Streams) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Offer the tools, and whole runs, to other agents",
		Long: `Offer the tools for research, data, models, the Hub and jobs to another agent,
with a tool "run" that gives it a whole task. It speaks the Model Context
Protocol on standard input and output, or over HTTP with --http.

Without --allow-writes tools only look. Calls are made under the permission
rules of the configuration; nobody can be asked, so what would ask is refused.
A run is a session of its own, headless, in or below the working directory:
--approval-mode and --max-cost bound what it may be asked for (yolo and 25 USD
unless the configuration says otherwise). ml-intern ps lists the runs.

Over HTTP every request needs a bearer token: that of --token-file, or of
ML_INTERN_MCP_TOKEN, or one that is made and printed at the start.`,
		Example: `  claude mcp add ml-intern -- ml-intern mcp serve
  ml-intern mcp serve --http --max-cost 5
  ml-intern mcp serve --allow-writes --approval-mode auto-edit --cwd ~/project`,
		Args: o.address,
		RunE: console.Do(func(ctx context.Context, _ []string) error { return o.run(ctx, s) }),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.http, "http", "", "serve over HTTP on this `ADDRESS` (default "+mcpserver.DefaultAddr+"), at "+mcpserver.Path)
	f.Lookup("http").NoOptDefVal = mcpserver.DefaultAddr
	f.StringVar(&o.tokenFile, "token-file", "", "`FILE` with the bearer token")
	f.StringSliceVar(&o.hosts, "allow-host", nil, "`NAME` this server is reached by, beside addresses and localhost; repeatable")
	f.StringVar(&o.dir, "cwd", "", "work in this `DIR` (default the current one); runs may work in and below it")
	f.StringSliceVar(&o.tools, "tools", nil, "offer only these, a comma list of `NAMES`")
	f.BoolVar(&o.writes, "allow-writes", false, "also offer bash, write, edit, jobs and other calls that change something")
	f.StringVar(&o.mode, "approval-mode", "", "`MODE` of calls, and the most that a run may ask for: plan, ask, auto-edit, upstream or yolo")
	f.StringVar(&o.cost, "max-cost", "", "most `USD` that a run, and all other calls together, may spend; 0 is unlimited")
	f.StringVarP(&o.model, "model", "m", "", "`ID` of the model of runs and of research")
	return cmd
}

// address takes the word behind --http, which may also stand there without one.
func (o *options) address(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && cmd.Flags().Changed("http") && o.http == mcpserver.DefaultAddr {
		o.http, args = args[0], nil
	}
	return cobra.NoArgs(cmd, args)
}

// settings are those of the command line, by key.
func (o *options) settings() map[string][]string {
	set := map[string][]string{}
	for key, value := range map[string]string{"permissions.mode": o.mode, "max_cost_usd": o.cost, "model_name": o.model} {
		if value != "" {
			set[key] = []string{value}
		}
	}
	return set
}

func (o *options) run(ctx context.Context, s *console.Streams) error {
	dir, err := o.workdir(s)
	if err != nil {
		return err
	}
	door, err := o.door(s)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, app.Options{
		Dir: dir, Environ: s.Environ, Flags: o.settings(),
		Warn: func(line string) { fmt.Fprintln(s.Err, "warning: "+line) },
	})
	if err != nil {
		return err
	}
	defer a.Close()
	stop, release := console.StopSignals(ctx, 0)
	defer release()
	all, err := offer.New(stop, offer.Options{
		App: a, Environ: s.Environ, Root: dir, Writes: o.writes, Only: o.tools, Settings: o.settings(),
	})
	if err != nil {
		return err
	}
	defer func() {
		if err := all.Close(); err != nil {
			a.Debug(err.Error())
		}
	}()
	server, err := mcpserver.New(mcpserver.Options{
		Name: "ml-intern", Title: "ml-intern", Version: app.Version(), Instructions: instructions,
		Tools: all.Tools, Prompts: all.Prompts,
		Log: slog.New(slog.NewTextHandler(debug{a}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	defer server.Close()
	if door != nil {
		a.Secrets().Hold(door.token)
		return door.serve(stop, s, server)
	}
	if s.InTTY {
		fmt.Fprintln(s.Err, "Messages of the Model Context Protocol are expected on standard input: a client starts this command (see docs/mcp.md). Ctrl-C ends it; --http serves over HTTP.")
	}
	return server.Serve(stop, s.In, s.Out)
}

// workdir is the folder of the server.
func (o *options) workdir(s *console.Streams) (string, error) {
	if o.dir == "" {
		return s.Dir, nil
	}
	dir := app.Absolute(o.dir, s.Dir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", console.Usage("--cwd %s: it is not a directory", o.dir)
	}
	return dir, nil
}

// debug sends the lines of the server to the debug log.
type debug struct{ app *app.App }

func (d debug) Write(p []byte) (int, error) {
	d.app.Debug(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// door is how the server is reached over HTTP.
type door struct {
	listener net.Listener
	token    string
	made     bool // by us: nobody knows it yet
	hosts    []string
}

// door opens the address, nil for standard input and output.
func (o *options) door(s *console.Streams) (*door, error) {
	if o.http == "" {
		if o.tokenFile != "" || len(o.hosts) > 0 {
			return nil, console.Usage("--token-file and --allow-host go with --http")
		}
		return nil, nil
	}
	address, err := mcpserver.Addr(o.http)
	if err != nil {
		return nil, console.Usage("--http: %w", err)
	}
	d := &door{hosts: o.hosts}
	if d.token, err = o.token(s); err != nil {
		return nil, err
	}
	if d.token == "" {
		if !loopback(address) {
			return nil, console.Usage("--http %s can be reached from other machines: give a token with --token-file or ML_INTERN_MCP_TOKEN", o.http)
		}
		d.token, d.made = newToken(), true
	}
	if d.listener, err = net.Listen("tcp", address); err != nil {
		return nil, fmt.Errorf("--http %s: %w", o.http, err)
	}
	return d, nil
}

// serve tells how the server is reached, and serves it.
func (d *door) serve(ctx context.Context, s *console.Streams, server *mcpserver.Server) error {
	fmt.Fprintf(s.Err, "serving MCP on http://%s%s\n", d.listener.Addr(), mcpserver.Path)
	if d.made {
		fmt.Fprintf(s.Err, "token: %s\n", d.token)
	}
	return server.ServeHTTP(ctx, d.listener, mcpserver.HTTP{Token: d.token, Hosts: d.hosts})
}
