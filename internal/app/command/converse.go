package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/command/interactive"
)

// look is how the conversation looks.
type look struct{ plain, screenReader, ascii, noColor bool }

func (l *look) flags(f *pflag.FlagSet) {
	f.BoolVar(&l.plain, "plain", false, "converse line by line, without drawing anything anew")
	f.BoolVar(&l.screenReader, "screen-reader", false, "converse in plain words for a screen reader")
	f.BoolVar(&l.ascii, "ascii", false, "draw with ASCII characters only")
	f.BoolVar(&l.noColor, "no-color", false, "use no colours (so does NO_COLOR)")
}

func (l *look) options() interactive.Options {
	return interactive.Options{Plain: l.plain, ScreenReader: l.screenReader, ASCII: l.ascii, NoColor: l.noColor}
}

// conversation reports whether somebody is there to talk to, and nothing asked
// for is a headless run's.
func (o *rootOptions) conversation(s *console.Streams) bool {
	return s.InTTY && o.format == "text" && o.lastFile == "" && o.schemaFile == "" && o.timeout == 0 && !o.quiet
}

// converse opens the conversation in the terminal.
func (o *rootOptions) converse(ctx context.Context, s *console.Streams, dir string, request app.SessionRequest) (int, error) {
	run := o.look.options()
	run.Session = request
	run.App = app.Options{
		Dir: dir, Environ: s.Environ, Flags: o.settings, Trust: o.trust, NoStream: o.noStream,
		Warn: func(line string) { fmt.Fprintln(s.Err, "warning: "+line) },
	}
	if o.simulate != "" {
		end, err := o.startSimulation(ctx, s, &run.App)
		if err != nil {
			return 0, err
		}
		run.End = end
	}
	return interactive.Run(ctx, s, run)
}

// newAttach shows a running session.
func newAttach(s *console.Streams) *cobra.Command {
	var l look
	cmd := &cobra.Command{
		Use:   "attach ID",
		Short: "Show a session that runs in the background",
		Long: `Show a session that runs in the background (ml-intern ps lists them) and take
part in it. Several terminals may show the same session. Ctrl-B d leaves it
running, /quit ends it. A session that has ended meanwhile is gone on with.`,
		Args: cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			if !s.InTTY {
				return console.Usage("attach needs a terminal; ml-intern tail %s shows what happens", args[0])
			}
			run := l.options()
			run.Attach, run.App = args[0], app.Options{Dir: s.Dir, Environ: s.Environ}
			code, err := interactive.Run(ctx, s, run)
			if err != nil {
				return err
			}
			return console.Silent(code)
		}),
	}
	l.flags(cmd.Flags())
	return cmd
}
