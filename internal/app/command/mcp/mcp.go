// Package mcp is the command around servers of the model context protocol: those of
// the settings are listed, added, removed, tried and logged in to, and this program
// is offered as one. It knows how they are shown, not how they are spoken to.
package mcp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/command/mcpserve"
	"github.com/ml-intern/ml-intern/internal/app/servers"
	"github.com/ml-intern/ml-intern/internal/config/schema"
)

// New makes the command.
func New(s *console.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Use MCP servers, or serve other agents",
		Long: `Use servers of the Model Context Protocol, whose tools join the agent's own, or
serve other agents. /mcp shows the servers of a conversation.`,
	}
	list := newList(s)
	cmd.AddCommand(list, newAdd(s), newRemove(s), newTest(s), newLogin(s), newLogout(s), mcpserve.New(s))
	return console.WithDefault(cmd, list)
}

// with opens the program and its servers.
func with(ctx context.Context, s *console.Streams, do func(*app.App, servers.Options) error) error {
	a, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	return do(a, a.Servers(func(line string) { fmt.Fprintln(s.Err, console.OneLine(line)) }, nil))
}

// listed is a server as it is listed.
type listed struct {
	Name      string `json:"name"`
	Transport string `json:"transport"`
	Where     string `json:"where"`
	Trust     string `json:"trust"`
	Login     string `json:"login,omitempty"`
	Layer     string `json:"layer"`
}

func newList(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the servers of the settings",
		Long:  `List the servers of the settings. Nothing is started: ml-intern mcp test does.`,
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			return with(ctx, s, func(a *app.App, o servers.Options) error {
				all := []listed{}
				for _, name := range o.Names() {
					all = append(all, list(o, name))
				}
				if asJSON {
					return s.PrintJSON(all)
				}
				return table(s.Out, all)
			})
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func list(o servers.Options, name string) listed {
	e := o.Loaded.Config.MCPServers[name]
	l := listed{Name: name, Transport: e.Transport, Where: catalog.Line(o.Place(name), 300), Trust: e.Trust, Layer: e.Layer}
	if e.URL != "" {
		l.Login = o.Identity(name)
	}
	return l
}

func table(out io.Writer, all []listed) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "no servers (ml-intern mcp add --help)")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, l := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\ttrust: %s\t%s\n", console.OneLine(l.Name), l.Transport, console.OneLine(l.Where), l.Trust, l.Login)
	}
	return w.Flush()
}

func newRemove(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME",
		Aliases: []string{"rm"},
		Short:   "Take a server out of your settings",
		Args:    cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			return with(ctx, s, func(a *app.App, o servers.Options) error { return remove(ctx, s, a, args[0]) })
		}),
	}
}

func remove(ctx context.Context, s *console.Streams, a *app.App, name string) error {
	e, ok := a.Config().MCPServers[name]
	switch {
	case !ok:
		return console.Usage("there is no MCP server %q in the settings (ml-intern mcp list)", name)
	case e.Layer == "project":
		return console.Usage("%s stands in the project's own settings: %s", name, a.Loaded.ProjectFile())
	case e.Layer == "user":
		if err := a.Loaded.Unset(ctx, key(name)); err != nil {
			return err
		}
	default: // what is built in is taken away by saying so
		if err := a.Loaded.Set(ctx, key(name), "null"); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.Out, "removed %s from %s\n", name, a.Loaded.UserFile)
	if e.Layer == "user" && name == schema.HubServer {
		fmt.Fprintln(s.Out, "the built-in entry of that name is in force again; remove it once more to be without it")
	}
	return nil
}

// key is the setting of a server.
func key(name string) string { return "mcpServers." + name }

// tested is a server that was tried.
type tested struct {
	Name      string   `json:"name"`
	Where     string   `json:"where,omitempty"`
	State     string   `json:"state"`
	Problem   string   `json:"problem,omitempty"`
	Title     string   `json:"title,omitempty"`
	Version   string   `json:"version,omitempty"`
	Protocol  string   `json:"protocol,omitempty"`
	Tools     []offer  `json:"tools"`
	Resources []string `json:"resources,omitempty"`
	Prompts   []offer  `json:"prompts,omitempty"`
	Notes     []string `json:"notes,omitempty"`

	unused bool // the entry that everybody has, without a login at the Hub
}

// offer is a tool or a prompt.
type offer struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	ReadOnly    bool   `json:"read_only,omitempty"`
	Bytes       int    `json:"bytes,omitempty"`
}

func newTest(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "test [NAME...]",
		Short: "Connect to servers and show what they offer",
		Long: `Connect to the servers of the settings, or to those named, and show what they
offer. Exit code 1 when one of them is not there.`,
		RunE: console.Do(func(ctx context.Context, args []string) error {
			return with(ctx, s, func(_ *app.App, o servers.Options) error { return test(ctx, s, o, args, asJSON) })
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func test(ctx context.Context, s *console.Streams, o servers.Options, names []string, asJSON bool) error {
	known := o.Names()
	for _, name := range names {
		if !slices.Contains(known, name) {
			return console.Usage("there is no MCP server %q in the settings (ml-intern mcp list)", name)
		}
	}
	asked := len(names) > 0
	if !asked {
		names = known
	}
	all := make([]tested, len(names))
	var work sync.WaitGroup
	for i, name := range names {
		work.Go(func() { all[i] = result(o.Visit(ctx, name)) })
	}
	work.Wait()
	bad := 0
	for _, t := range all {
		if t.State != string(server.Ready) && (asked || !t.unused) {
			bad++
		}
	}
	if asJSON {
		if err := s.PrintJSON(all); err != nil {
			return err
		}
		return console.Silent(min(bad, 1))
	}
	for i, t := range all {
		if i > 0 {
			fmt.Fprintln(s.Out)
		}
		t.print(s.Out)
	}
	return console.Silent(min(bad, 1))
}

func result(e servers.Entry) tested {
	t := tested{
		Name: e.Name, Where: e.Where, State: string(e.State), Problem: e.Problem, Title: e.Title, Version: e.Release, Protocol: e.Protocol,
		Tools: []offer{}, Notes: e.Catalog.Notes,
	}
	var needs *servers.NeedsHubError
	t.unused = errors.As(e.Err, &needs)
	if e.State == server.Waiting { // not by a visit
		t.State = string(server.Failed)
	}
	for _, c := range e.Catalog.Tools {
		t.Tools = append(t.Tools, offer{c.Name, catalog.Line(cmp.Or(c.Description, c.Title), 200), c.ReadOnly, len(c.Description) + len(c.Parameters)})
	}
	for _, r := range slices.Concat(e.Catalog.Resources, e.Catalog.Templates) {
		t.Resources = append(t.Resources, r.URI)
	}
	for _, p := range e.Catalog.Prompts {
		t.Prompts = append(t.Prompts, offer{Name: p.Name, Description: p.Description})
	}
	return t
}

// shownResources is how many are listed one by one.
const shownResources = 20

func (t tested) print(out io.Writer) {
	line := func(format string, args ...any) { fmt.Fprintln(out, console.OneLine(fmt.Sprintf(format, args...))) }
	if t.State != string(server.Ready) {
		line("%s: %s: %s", t.Name, t.State, t.Problem)
		return
	}
	line("%s: ready: %s %s, protocol %s", t.Name, t.Title, t.Version, t.Protocol)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range t.Tools {
		mark := ""
		if c.ReadOnly {
			mark = "only reads"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", console.OneLine(c.Name), mark, console.OneLine(catalog.Line(c.Description, 100)))
	}
	for i, uri := range t.Resources {
		if i == shownResources {
			fmt.Fprintf(w, "  %d more resources\t\t\n", len(t.Resources)-i)
			break
		}
		fmt.Fprintf(w, "  %s\tresource\t\n", console.OneLine(uri))
	}
	for _, p := range t.Prompts {
		fmt.Fprintf(w, "  %s\tprompt\t%s\n", console.OneLine("/"+t.Name+":"+p.Name), console.OneLine(catalog.Line(p.Description, 100)))
	}
	w.Flush()
	for _, n := range t.Notes {
		fmt.Fprintf(out, "  %s\n", console.OneLine(n))
	}
}

// encoded is an entry as it is written.
func encoded(entry map[string]any) (string, error) {
	raw, err := json.Marshal(entry)
	if err != nil {
		return "", fmt.Errorf("write the entry: %w", err)
	}
	return string(raw), nil
}

// errNobody is a login that nobody finished.
var errNobody = errors.New("nobody was logged in")

// pairs reads NAME=value or "Name: value".
func pairs(flag, separator string, given []string) (map[string]any, error) {
	if len(given) == 0 {
		return nil, nil
	}
	out := map[string]any{}
	for _, text := range given {
		name, value, ok := strings.Cut(text, separator)
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, console.Usage("%s takes NAME%sVALUE", flag, separator)
		}
		out[name] = strings.TrimSpace(value)
	}
	return out, nil
}
