// Package host is the process of a tool server: it takes its settings from the
// environment, hides the token from what it will run, gives up the rights of
// root where it has them, and listens. It does not know what the server does.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/toolserver"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// The variables of the environment.
const (
	TokenVariable   = "SANDBOX_API_TOKEN"
	PortVariable    = "PORT"
	HostVariable    = "ML_INTERN_SANDBOX_HOST"     // default: every interface
	ForwardVariable = "ML_INTERN_FORWARD_HF_TOKEN" // default: true
	defaultPort     = "7860"
)

// Options are what the process is started with.
type Options struct {
	// Environ is the environment of the process.
	Environ []string
	// Dir is the absolute folder of the workspace; it is made if it is missing.
	Dir string
	// Idle is how long the server lives without use; 0 is the usual time.
	Idle time.Duration
	// Version is the program's.
	Version string
	// Log gets what the operator of the sandbox reads, a line each.
	Log io.Writer
}

// variables are an environment by name.
type variables []string

// take removes a variable and returns its value.
func (v *variables) take(name string) string {
	value := ""
	*v = slices.DeleteFunc(*v, func(entry string) bool {
		rest, ok := strings.CutPrefix(entry, name+"=")
		if ok {
			value = rest
		}
		return ok
	})
	return value
}

func (v *variables) set(name, value string) {
	v.take(name)
	*v = append(*v, name+"="+value)
}

// Run serves until ctx is done or nobody has used the server for long.
func Run(ctx context.Context, o Options) error {
	env := variables(slices.Clone(o.Environ))
	token, err := takeToken(&env)
	if err != nil {
		return err
	}
	forward, err := parseSwitch(env.take(ForwardVariable), true)
	if err != nil {
		return fmt.Errorf("%s: %w", ForwardVariable, err)
	}
	address, err := address(&env)
	if err != nil {
		return err
	}
	if err := prepare(o, &env); err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "ml-intern-sandbox-")
	if err != nil {
		return fmt.Errorf("make a folder for outputs: %w", err)
	}
	server, err := toolserver.New(toolserver.Options{
		Token: token, Dir: o.Dir, Temp: temp, Environ: env, ForwardHFToken: forward, Idle: o.Idle, Version: o.Version,
	})
	if err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	if token == "" {
		fmt.Fprintf(o.Log, "%s is not set: every request is refused\n", TokenVariable)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return errors.Join(fmt.Errorf("listen on %s: %w", address, err), server.Close())
	}
	fmt.Fprintf(o.Log, "listening on %s, workspace %s\n", l.Addr(), o.Dir)
	return server.Serve(ctx, l)
}

// address is where to listen.
func address(env *variables) (string, error) {
	port := env.take(PortVariable)
	if port == "" {
		port = defaultPort
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%s %q: it must be a number from 0 to 65535", PortVariable, port)
	}
	return net.JoinHostPort(env.take(HostVariable), port), nil
}

func parseSwitch(text string, otherwise bool) (bool, error) {
	switch strings.ToLower(text) {
	case "":
		return otherwise, nil
	case "1", "true", "yes", "on":
		return true, nil
	case "0", "false", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q: it must be true or false", text)
}

// prepare makes the workspace's folder, gives up root and hides the process
// from those it will start.
func prepare(o Options, env *variables) error {
	if !filepath.IsAbs(o.Dir) {
		return fmt.Errorf("folder %q of the workspace: it must be absolute", o.Dir)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of the workspace: %w", err)
	}
	if said, err := giveUpRoot(o.Dir, env); err != nil {
		return err
	} else if said != "" {
		fmt.Fprintln(o.Log, said)
	}
	if err := proc.Conceal(); err != nil {
		return fmt.Errorf("hide the process from its children: %w", err)
	}
	return nil
}
