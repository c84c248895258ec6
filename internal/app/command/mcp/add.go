package mcp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/servers"
	"github.com/ml-intern/ml-intern/internal/config/environ"
)

// addition is a server to add.
type addition struct {
	transport, cwd, trust, clientID, clientSecret string
	headers, env, tools                           []string
	timeout                                       int
	roots, force                                  bool
}

func newAdd(s *console.Streams) *cobra.Command {
	o := &addition{}
	cmd := &cobra.Command{
		Use:   "add NAME URL | add NAME -- COMMAND [ARG...]",
		Short: "Add a server to your settings",
		Long: `Add a server to your settings: one on the web, or a program that is started here
and sees no secrets but those given with --env. Write secrets as ${VARIABLE}; it is
replaced from the environment or a .env file, and the settings hold none.

--trust says what the server's own word about its tools counts: none (every call
asks), annotations (calls that it says only read, or destroy nothing, do not ask), or
all (nothing asks).`,
		Example: `  ml-intern mcp add files -- npx -y @modelcontextprotocol/server-filesystem ~/data
  ml-intern mcp add github https://api.githubcopilot.com/mcp --header 'Authorization: Bearer ${GITHUB_TOKEN}'
  ml-intern mcp add linear https://mcp.linear.app/mcp && ml-intern mcp login linear`,
		Args: cobra.MinimumNArgs(2),
	}
	cmd.RunE = func(c *cobra.Command, args []string) error {
		dash := c.ArgsLenAtDash()
		return console.Do(func(ctx context.Context, args []string) error {
			return with(ctx, s, func(a *app.App, _ servers.Options) error { return o.add(ctx, s, a, args, dash) })
		})(c, args)
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&o.transport, "transport", "t", "", "`KIND` of a server on the web: http (default) or sse")
	f.StringArrayVarP(&o.headers, "header", "H", nil, "a `HEADER` of every request, as 'Name: value'; repeatable")
	f.StringArrayVarP(&o.env, "env", "e", nil, "a `VARIABLE` of the program, as NAME=value; repeatable")
	f.StringVar(&o.cwd, "cwd", "", "`DIR` the program runs in (default where the session works)")
	f.StringVar(&o.trust, "trust", "", "`WORD`: none, annotations (default) or all")
	f.StringSliceVar(&o.tools, "tools", nil, "offer the model only these, a comma list of `NAMES`")
	f.BoolVar(&o.roots, "roots", false, "tell the server the folder that is worked in")
	f.IntVar(&o.timeout, "timeout", 0, "`SECONDS` a call may go on without a word (default 600)")
	f.StringVar(&o.clientID, "client-id", "", "`ID` of this program at the server's login, or the address of its description")
	f.StringVar(&o.clientSecret, "client-secret", "", "`SECRET` that belongs to the id")
	f.BoolVar(&o.force, "force", false, "replace an entry of the same name")
	return cmd
}

func (o *addition) add(ctx context.Context, s *console.Streams, a *app.App, args []string, dash int) error {
	name := args[0]
	if err := sound(name); err != nil {
		return err
	}
	if e, ok := a.Config().MCPServers[name]; ok && !o.force {
		return console.Usage("there is a server %q already (from the layer %s): --force replaces it", name, e.Layer)
	}
	entry, err := o.entry(args[1:], dash >= 0)
	if err != nil {
		return err
	}
	text, err := encoded(entry)
	if err != nil {
		return err
	}
	if err := a.Loaded.Set(ctx, key(name), text); err != nil {
		return console.UsageOf(err)
	}
	fmt.Fprintf(s.Out, "added %s to %s\nml-intern mcp test %s tries it\n", name, a.Loaded.UserFile, name)
	for _, where := range plainSecrets(entry) {
		fmt.Fprintf(s.Err, "warning: %s stands in the settings in clear: write ${VARIABLE} in its place, and the value in the environment or in %s\n", where, a.Loaded.Places.EnvFile())
	}
	return nil
}

// sound checks the name of a server: rules and commands name it.
func sound(name string) error {
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
		return console.Usage("the name of a server has up to 64 letters, digits, \".\", \"_\" and \"-\"")
	}
	return nil
}

// entry is what is written.
func (o *addition) entry(what []string, program bool) (map[string]any, error) {
	entry := map[string]any{}
	web := strings.HasPrefix(what[0], "http://") || strings.HasPrefix(what[0], "https://")
	switch {
	case program || !web:
		if len(o.headers) > 0 || o.transport != "" && o.transport != "stdio" || o.clientID != "" {
			return nil, console.Usage("--header, --transport and --client-id go with an address; %s is taken for a program", what[0])
		}
		entry["command"] = what[0]
		if len(what) > 1 {
			entry["args"] = what[1:]
		}
	case len(what) > 1:
		return nil, console.Usage("behind an address nothing follows; a program is given behind --")
	case len(o.env) > 0 || o.cwd != "":
		return nil, console.Usage("--env and --cwd go with a program")
	default:
		entry["url"] = what[0]
	}
	headers, err := pairs("--header", ":", o.headers)
	if err != nil {
		return nil, err
	}
	env, err := pairs("--env", "=", o.env)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]any{"headers": headers, "env": env} {
		if m := value.(map[string]any); len(m) > 0 {
			entry[name] = m
		}
	}
	for name, value := range map[string]string{
		"transport": o.transport, "cwd": o.cwd, "trust": o.trust, "client_id": o.clientID, "client_secret": o.clientSecret,
	} {
		if value != "" {
			entry[name] = value
		}
	}
	if len(o.tools) > 0 {
		entry["tools"] = o.tools
	}
	if o.roots {
		entry["roots"] = true
	}
	if o.timeout > 0 {
		entry["timeout"] = o.timeout
	}
	return entry, nil
}

// plainSecrets are the values of an entry that are secret and stand there as they are.
func plainSecrets(entry map[string]any) []string {
	var out []string
	look := func(group string, secret func(name string) bool) {
		m, _ := entry[group].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if value, _ := m[name].(string); secret(name) && value != "" && !strings.Contains(value, "${") {
				out = append(out, name)
			}
		}
	}
	look("headers", func(name string) bool {
		return strings.EqualFold(name, "Authorization") || environ.Secret(strings.ReplaceAll(name, "-", "_"))
	})
	look("env", environ.Secret)
	if value, _ := entry["client_secret"].(string); value != "" && !strings.Contains(value, "${") {
		out = append(out, "client_secret")
	}
	return out
}
