// Package visit prepares an examination of the program as it is set up. What is
// examined is doctor's.
package visit

import (
	"context"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/doctor"
	"github.com/ml-intern/ml-intern/internal/app/traces"
)

// Options are what to look at; the terminal is the caller's to describe.
func Options(ctx context.Context, a *app.App) doctor.Options {
	o := doctor.Options{
		Loaded: a.Loaded, HTTP: a.HTTP(), Whoami: a.Whoami, Login: a.FreshToken, Model: a.Model(), Servers: mcp(a),
		Uploads: func(ctx context.Context) (traces.Standing, error) {
			desk, err := a.Traces()
			if err != nil {
				return traces.Standing{}, err
			}
			return desk.Standing(ctx)
		},
	}
	route, err := a.Models.Resolve(ctx, o.Model)
	o.ModelErr, o.ModelLabel = err, route.Label
	if err == nil && route.ID.Local() {
		o.ModelURL = o.Loaded.URL(localVariable(route.ID.Prefix)).Value
	}
	return o
}

// localVariable is the variable with the address of a local model server.
func localVariable(prefix string) string {
	if prefix == modelid.LMStudio {
		return "LMSTUDIO_BASE_URL"
	}
	return strings.ToUpper(prefix) + "_BASE_URL"
}
