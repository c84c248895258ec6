package visit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/doctor"
	"github.com/ml-intern/ml-intern/internal/app/servers"
)

// mcp visits the MCP servers, all at once. One that is not there costs its own tools
// and nothing else: that is no failure.
func mcp(a *app.App) func(ctx context.Context, name string) []doctor.Finding {
	return func(ctx context.Context, name string) []doctor.Finding {
		o := a.Servers(func(string) {}, nil)
		names := o.Names()
		out := make([]doctor.Finding, len(names))
		var work sync.WaitGroup
		for i, server := range names {
			work.Go(func() { out[i] = finding(name, o.Visit(ctx, server)) })
		}
		work.Wait()
		return out
	}
}

func finding(name string, e servers.Entry) doctor.Finding {
	var needs *servers.NeedsHubError
	switch {
	case errors.As(e.Err, &needs):
		return doctor.Finding{Name: name, Status: doctor.OK, Detail: e.Name + ": not used without a login at the Hub"}
	case e.State == server.Ready:
		return doctor.Finding{Name: name, Status: doctor.OK, Detail: fmt.Sprintf("%s: ready, %d tools", e.Name, len(e.Catalog.Tools))}
	}
	return doctor.Finding{Name: name, Status: doctor.Warning, Detail: fmt.Sprintf("%s: %s", e.Name, e.Problem), Hint: "ml-intern mcp test " + e.Name}
}
