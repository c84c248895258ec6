package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// runPrompt is the program's main job: one prompt, without questions.
func runPrompt(ctx context.Context, s *Streams, o *rootOptions, prompt string) error {
	if err := o.check(); err != nil {
		return err
	}
	code, err := o.runSession(ctx, s, prompt)
	if err == nil {
		return silent(code)
	}
	code = codeOf(err)
	if o.format != "text" {
		printFailure(s, code, err)
		return silent(code)
	}
	return &exitError{code: code, err: err}
}

// codeOf maps an error from before the run to an exit code.
func codeOf(err error) int {
	var exit *exitError
	var wrong *app.UsageError
	var missing *app.MissingKeyError
	switch {
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &missing):
		return headless.ExitAuth
	case errors.As(err, &wrong):
		return headless.ExitUsage
	}
	return headless.ExitFailure
}

// printFailure is the result object of a run that did not begin.
func printFailure(s *Streams, code int, err error) {
	name := map[int]string{headless.ExitAuth: "auth", headless.ExitUsage: "usage"}[code]
	if name == "" {
		name = "internal"
	}
	raw, encodeErr := event.Encode(headless.Failed(code, name, err.Error()))
	if encodeErr != nil {
		raw = []byte("{}")
	}
	fmt.Fprintln(s.Out, string(raw))
}

// runSession opens the session and follows it to the end of its turn.
func (o *rootOptions) runSession(ctx context.Context, s *Streams, prompt string) (int, error) {
	if o.dir != "" {
		if info, err := os.Stat(o.dir); err != nil || !info.IsDir() {
			return 0, usage("--cwd %s: it is not a directory", o.dir)
		}
		s.Dir = app.Absolute(o.dir, s.Dir)
	}
	if o.print != "" {
		prompt = strings.TrimSpace(o.print + "\n\n" + prompt)
	}
	prompt, err := withInput(s, prompt)
	if err != nil {
		return 0, err
	}
	request := o.sessionRequest()
	request.Prompt = strings.TrimSpace(prompt) != ""
	if !request.Prompt && !o.goOn && o.resume == "" {
		return 0, &exitError{code: headless.ExitUsage, err: errNoPrompt}
	}
	check, err := o.schemaCheck(s)
	if err != nil {
		return 0, err
	}
	a, err := app.New(ctx, app.Options{
		Dir: s.Dir, Environ: s.Environ, Flags: o.settings, Trust: o.trust, Headless: true, NoStream: o.noStream,
		Warn: func(line string) { fmt.Fprintln(s.Err, line) },
	})
	if err != nil {
		return 0, err
	}
	defer a.Close()
	session, err := a.OpenSession(ctx, request)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	if !request.Prompt && !session.Unfinished {
		return 0, usage("session %s has nothing unfinished: give a prompt to go on with", session.ID)
	}
	return o.follow(ctx, s, a, session, prompt, check)
}

func (o *rootOptions) follow(ctx context.Context, s *Streams, a *app.App, session *app.Session, prompt string, check func(string) (string, error)) (int, error) {
	stop, release := stopSignals(ctx, o.timeout)
	defer release()
	last := &lastMessage{path: o.lastFile}
	set := session.Settings()
	code := headless.Run(ctx, session, headless.Options{
		Stdout: s.Out, Stderr: s.Err, TTY: s.OutTTY, Format: headless.Format(o.format), Quiet: o.quiet,
		Verbose: o.verbose, Prompt: strings.TrimSpace(prompt), After: session.After, Check: check, Stop: stop,
		Final: last.write,
		Init: headless.Init{
			SessionID: session.ID, Model: set.Model, Workdir: set.Workdir, Runtime: set.Runtime, Tools: session.Tools,
			Version: app.Version(), TokenLoaded: a.Token() != "", MaxIterations: set.MaxIterations,
			CapUSD: float64(set.CapMicroUSD) / 1e6,
		},
	})
	if last.err != nil {
		fmt.Fprintln(s.Err, "ERROR: "+last.err.Error())
		return headless.ExitFailure, nil
	}
	return code, nil
}

// lastMessage writes the final message to a file.
type lastMessage struct {
	path string
	err  error
}

func (l *lastMessage) write(text string) {
	if l.path == "" {
		return
	}
	if err := os.WriteFile(l.path, []byte(text+"\n"), 0o644); err != nil {
		l.err = fmt.Errorf("--output-last-message %s: %w", l.path, err)
	}
}

// stopSignals returns a context that ends at the time limit or at the first
// signal; a second SIGINT ends the process at once.
func stopSignals(ctx context.Context, limit time.Duration) (context.Context, func()) {
	stop, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	var timer <-chan time.Time
	if limit > 0 {
		timer = time.After(limit)
	}
	var count atomic.Int32
	go func() {
		defer close(done)
		for {
			select {
			case <-stop.Done():
				if context.Cause(stop) == context.Canceled {
					return
				}
				timer = nil
				select {
				case sig, open := <-signals:
					if !open {
						return
					}
					if sig == os.Interrupt && count.Add(1) > 0 {
						os.Exit(headless.ExitInterrupt)
					}
				}
			case <-timer:
				cancel(headless.ErrTimeout)
			case sig, open := <-signals:
				if !open {
					return
				}
				cause := headless.ErrTerminated
				if sig == os.Interrupt {
					cause = headless.ErrInterrupted
				}
				cancel(cause)
			}
		}
	}()
	return stop, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
		<-done
	}
}

// schemaCheck reads --output-schema.
func (o *rootOptions) schemaCheck(s *Streams) (func(string) (string, error), error) {
	if o.schemaFile == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(app.Absolute(o.schemaFile, s.Dir))
	if err != nil {
		return nil, usage("--output-schema: %v", err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(raw, &schema); err != nil {
		return nil, usage("--output-schema %s: it is not a JSON schema: %v", o.schemaFile, err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		return nil, usage("--output-schema %s: %v", o.schemaFile, err)
	}
	return func(text string) (string, error) {
		bare := bareJSON(text)
		var value any
		if err := json.Unmarshal([]byte(bare), &value); err != nil {
			return "", fmt.Errorf("it is not JSON: %w", err)
		}
		return bare, resolved.Validate(value)
	}, nil
}

// bareJSON removes a code fence around a value.
func bareJSON(text string) string {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "```") {
		return text
	}
	_, body, _ := strings.Cut(text, "\n")
	if at := strings.LastIndex(body, "```"); at >= 0 {
		body = body[:at]
	}
	return strings.TrimSpace(body)
}
