package command

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/simulation"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// startSimulation puts a simulated Hub in the place of the real one for a run.
// end shows the bill and stops it.
func (o *rootOptions) startSimulation(ctx context.Context, s *console.Streams, options *app.Options) (end func(), err error) {
	scenario, err := simulation.Find(o.simulate)
	if err != nil {
		return nil, console.Usage("--simulate: %w", err)
	}
	own := s.Environ
	if own == nil {
		own = os.Environ()
	}
	sim, err := simulation.Start(ctx, scenario, simulation.Options{
		Fence: proc.Auto, Say: func(line string) { fmt.Fprintln(s.Err, "note: "+line) },
	})
	if err != nil {
		return nil, err
	}
	if options.Environ, err = sim.Environ(own); err != nil {
		return nil, firstOf(err, sim.Close())
	}
	options.Simulation = sim
	if _, chosen := o.settings["model_name"]; !chosen && !setIn(own, "ML_INTERN_MODEL") {
		options.Flags["model_name"] = []string{simulation.Model}
	}
	fmt.Fprintf(s.Err, "This run is simulated (scenario %s: %s): the Hub, its jobs and its bill are not real, and you are %s on it.\n",
		scenario.Name, scenario.Means, simulation.User)
	return func() {
		fmt.Fprintln(s.Err, sim.Bill())
		if err := sim.Close(); err != nil {
			fmt.Fprintln(s.Err, "warning: "+err.Error())
		}
	}, nil
}

// setIn reports whether a variable of an environment has a value.
func setIn(environment []string, name string) bool {
	for _, entry := range environment {
		if value, ok := strings.CutPrefix(entry, name+"="); ok && value != "" {
			return true
		}
	}
	return false
}
