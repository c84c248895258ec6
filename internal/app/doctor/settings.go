package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app/hooks"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// configuration tells its faults and warnings.
func (o Options) configuration(context.Context) []Finding {
	const name = "configuration"
	var out []Finding
	var problems config.Problems
	switch {
	case errors.As(o.Faults, &problems):
		for _, p := range problems {
			out = append(out, Finding{name, Failure, strings.TrimPrefix(p.Error(), "config error: "), "ml-intern config set KEY VALUE mends it"})
		}
	case o.Faults != nil:
		out = append(out, Finding{Name: name, Status: Failure, Detail: o.Faults.Error()})
	}
	for _, w := range o.Loaded.Warnings {
		out = append(out, Finding{Name: name, Status: Warning, Detail: w.String()})
	}
	if len(out) > 0 {
		return out
	}
	detail := o.Loaded.UserFile
	if _, err := os.Stat(detail); err != nil {
		detail += " (not there: defaults apply)"
	}
	return one(name, OK, detail)
}

// dotenv tells which file supplied which names, never a value.
func (o Options) dotenv(context.Context) []Finding {
	const name = ".env"
	var out []Finding
	for _, f := range o.Loaded.EnvFiles() {
		if len(f.Names) > 0 {
			out = append(out, Finding{Name: name, Status: OK, Detail: f.Path + ": " + strings.Join(f.Names, ", ")})
		}
		if len(f.Ignored) > 0 {
			out = append(out, Finding{
				name, Warning, f.Path + ": not taken, because this folder is not trusted: " + strings.Join(f.Ignored, ", "), "ml-intern trust",
			})
		}
	}
	if len(out) == 0 {
		return one(name, OK, "no file supplies variables")
	}
	return out
}

// folders tells whether state can be written and the project is trusted.
func (o Options) folders(context.Context) []Finding {
	l := o.Loaded
	out := []Finding{{Name: "folders", Status: OK, Detail: "state in " + l.Places.State}}
	if err := writable(l.Places.State); err != nil {
		out[0] = Finding{"folders", Failure, err.Error(), "sessions cannot be kept: set ML_INTERN_HOME to a folder that can be written"}
	}
	trust := "not trusted: its configuration and .env are read only in part"
	if l.Trusted {
		trust = "trusted"
	}
	return append(out, Finding{Name: "project", Status: OK, Detail: l.Workspace + ": " + trust})
}

func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// addresses lists the services that are not the usual ones.
func (o Options) addresses(context.Context) []Finding {
	var out []Finding
	for _, u := range o.Loaded.URLs() {
		if u.Set() && u.Value != u.Default && u.From != u.Fallback {
			out = append(out, Finding{Name: "address", Status: OK, Detail: fmt.Sprintf("%s: %s", u.From, withoutUser(u.Value))})
		}
	}
	return out
}

// withoutUser removes a name and password from an address.
func withoutUser(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	host, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(host, "@"); ok && at >= 0 {
		address = scheme + "://" + host[at+1:]
		if path != "" {
			address += "/" + path
		}
	}
	return address
}

// permissions tells what runs without asking.
func (o Options) permissions(context.Context) []Finding {
	c := &o.Loaded.Config
	p := c.Permissions
	cap := "no spending cap"
	if usd, _ := c.CostCap(true); usd > 0 {
		cap = fmt.Sprintf("spending cap %.2f USD", usd)
	}
	return one("permissions", OK, fmt.Sprintf("mode %s, with a prompt %s; %d allow, %d ask and %d deny rules; %s with a prompt",
		c.ApprovalMode(false), c.ApprovalMode(true), len(p.Allow), len(p.Ask), len(p.Deny), cap))
}

// sandbox tells which fences for commands the operating system has.
func (o Options) sandbox(ctx context.Context) []Finding {
	layers := proc.Available(ctx)
	var texts []string
	usable := map[string]bool{}
	for _, l := range layers {
		texts = append(texts, l.String())
		usable[string(l.Mode)] = l.OK
		usable["auto"] = usable["auto"] || l.OK
	}
	detail := strings.Join(texts, "; ")
	asked := o.Loaded.Config.BashSandbox
	if !slices.Contains([]string{"", "off"}, asked) && !usable[asked] {
		return []Finding{{"sandbox", Failure, "bash_sandbox is " + asked + ", and it does not work here: " + detail, "install it, or set bash_sandbox to off"}}
	}
	if asked == "" {
		asked = "off"
	}
	return one("sandbox", OK, "bash_sandbox "+asked+"; available: "+detail)
}

// mcp visits the configured servers.
func (o Options) mcp(ctx context.Context) []Finding {
	const name = "mcp server"
	if o.Servers != nil {
		return o.Servers(ctx, name)
	}
	var out []Finding
	for _, server := range slices.Sorted(maps.Keys(o.Loaded.Config.MCPServers)) {
		out = append(out, Finding{Name: name, Status: OK, Detail: server + ": not visited"})
	}
	return out
}

// hooks tells what runs beside a session's moments.
func (o Options) hooks(context.Context) []Finding {
	rows := hooks.List(o.Loaded)
	if len(rows) == 0 {
		return nil
	}
	detail := amount.Count(len(rows), "command") + " beside " + hooks.Of(rows)
	if n := len(hooks.Project(o.Loaded)); n > 0 {
		detail += fmt.Sprintf(", %s of this project's own", amount.Grouped(n))
	}
	return one("hooks", OK, detail+" (ml-intern hooks)")
}
