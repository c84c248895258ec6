package mcp

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"sync"

	"github.com/muesli/cancelreader"
	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/servers"
)

func newLogin(s *console.Streams) *cobra.Command {
	var port int
	var browser bool
	cmd := &cobra.Command{
		Use:   "login NAME",
		Short: "Log in at a server, in the browser",
		Long: `Log in at a server of the settings, in the browser. The address to go to is
printed; the browser comes back to this machine. Where it runs on another one, paste
the address it came to here. What the login gives is kept in a private file and
renewed by itself; ml-intern mcp logout forgets it.`,
		Args: cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			return with(ctx, s, func(_ *app.App, o servers.Options) error { return login(ctx, s, o, args[0], port, browser) })
		}),
	}
	cmd.Flags().BoolVar(&browser, "browser", false, "open the address in a browser here")
	cmd.Flags().IntVar(&port, "port", 0, "`PORT` the browser comes back to (default any that is free)")
	return cmd
}

func login(ctx context.Context, s *console.Streams, o servers.Options, name string, port int, browser bool) error {
	stop, release := console.StopSignals(ctx, 0)
	defer release()
	ctx, cancel := context.WithCancel(stop)
	defer cancel()
	var reading sync.WaitGroup
	defer reading.Wait()
	err := o.Login(ctx, name, port, func(address string, paste func(string) error) {
		fmt.Fprintf(s.Err, "Open this address in a browser to log in at %s:\n\n%s\n\n", name, console.OneLine(address))
		if browser {
			if err := open(address); err != nil {
				fmt.Fprintln(s.Err, "warning: the browser was not opened: "+err.Error())
			}
		}
		if s.InTTY {
			fmt.Fprintln(s.Err, "If it runs on another machine, paste the address it came to here.")
			read(ctx, s, &reading, paste)
		}
	})
	cancel() // nothing is pasted any more
	switch {
	case stop.Err() != nil:
		return &console.ExitError{Code: console.StopCode(stop), Err: errNobody}
	case err != nil:
		return err
	}
	e := o.Visit(stop, name)
	fmt.Fprintf(s.Out, "logged in at %s\n", name)
	if e.Problem != "" {
		return fmt.Errorf("the server is not ready all the same: %s", console.OneLine(e.Problem))
	}
	return nil
}

// read takes addresses that are pasted, until ctx is done.
func read(ctx context.Context, s *console.Streams, work *sync.WaitGroup, paste func(string) error) {
	in, err := cancelreader.NewReader(s.In)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { in.Cancel() })
	work.Go(func() {
		defer stop()
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			if err := paste(lines.Text()); err != nil {
				fmt.Fprintln(s.Err, err.Error())
			}
		}
	})
}

// open opens an address in the person's browser.
func open(address string) error {
	argv := []string{"xdg-open", address}
	switch runtime.GOOS {
	case "darwin":
		argv = []string{"open", address}
	case "windows":
		argv = []string{"rundll32", "url.dll,FileProtocolHandler", address}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // it ends by itself, or with this process
	return nil
}

func newLogout(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "logout NAME",
		Short: "Forget the login at a server",
		Args:  cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			return with(ctx, s, func(_ *app.App, o servers.Options) error {
				had, err := o.Logout(ctx, args[0])
				if err != nil {
					return err
				}
				text := "logged out at " + args[0]
				if !had {
					text = "there was no login at " + args[0]
				}
				_, err = fmt.Fprintln(s.Out, text)
				return err
			})
		}),
	}
}
