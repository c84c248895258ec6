package command

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/command/detached"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/app/message"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
	"github.com/ml-intern/ml-intern/internal/ui/headless/lines"
)

// runPrompt is the program's main job: one prompt, without questions.
func runPrompt(ctx context.Context, s *console.Streams, o *rootOptions, prompt string) error {
	if err := o.check(); err != nil {
		return err
	}
	code, err := o.runSession(ctx, s, prompt)
	if err == nil {
		return console.Silent(code)
	}
	code = console.CodeOf(err)
	if o.format != "text" {
		printFailure(s, code, err)
		return console.Silent(code)
	}
	return &console.ExitError{Code: code, Err: err}
}

// printFailure is the result object of a run that did not begin.
func printFailure(s *console.Streams, code int, err error) {
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
func (o *rootOptions) runSession(ctx context.Context, s *console.Streams, prompt string) (int, error) {
	check, err := o.schemaCheck(s)
	if err != nil {
		return 0, err
	}
	if err := o.checkFile(s); err != nil {
		return 0, err
	}
	dir, err := o.workdir(s)
	if err != nil {
		return 0, err
	}
	if o.print != "" {
		prompt = strings.TrimSpace(o.print + "\n\n" + prompt)
	}
	if !o.lines() {
		if prompt, err = withInput(s, prompt); err != nil {
			return 0, err
		}
	}
	request := o.sessionRequest()
	request.Prompt = strings.TrimSpace(prompt) != ""
	if len(o.images) > 0 && !request.Prompt {
		return 0, console.Usage("--image goes with a prompt; in a conversation mention pictures with @path, or paste them")
	}
	images, err := o.pictures(ctx, s)
	if err != nil {
		return 0, err
	}
	if !request.Prompt && o.conversation(s) {
		return o.converse(ctx, s, dir, request)
	}
	if !request.Prompt && !request.Later && !o.goOn && o.resume == "" {
		return 0, &console.ExitError{Code: headless.ExitUsage, Err: errNoPrompt}
	}
	if o.detach {
		return 0, o.inBackground(ctx, s, dir, event.UserInput{Text: strings.TrimSpace(prompt), Images: images}, request)
	}
	options := app.Options{
		Dir: dir, Environ: s.Environ, Flags: o.settings, Trust: o.trust, Headless: !o.lines(), Unattended: o.lines(), NoStream: o.noStream,
		Warn: func(line string) { fmt.Fprintln(s.Err, "warning: "+line) },
	}
	if o.simulate != "" {
		end, err := o.startSimulation(ctx, s, &options)
		if err != nil {
			return 0, err
		}
		defer end()
	}
	a, err := app.New(ctx, options)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	in, err := spelled(ctx, s, a, prompt)
	if err != nil {
		return 0, err
	}
	in.Images = append(images, in.Images...)
	session, err := a.OpenSession(ctx, request)
	if err != nil {
		return 0, err
	}
	code, err := o.follow(ctx, s, a, session, in, check)
	detach.Uploads(context.WithoutCancel(ctx), a, detach.Command{Environ: s.Environ, Dir: dir})
	return code, err
}

// spelled is the message of a prompt: one that calls a skill or a command of the
// user's by name is spelled out.
func spelled(ctx context.Context, s *console.Streams, a *app.App, prompt string) (event.UserInput, error) {
	in, notes, err := message.New(message.Options{App: a}).Prompt(ctx, strings.TrimSpace(prompt))
	if err != nil {
		return in, console.Usage("%w", err)
	}
	for _, note := range notes {
		fmt.Fprintln(s.Err, note)
	}
	return in, nil
}

// asked is what another program asks for on standard input; nil where none does.
// Its messages are spelled out as prompts are.
func (o *rootOptions) asked(ctx context.Context, s *console.Streams, a *app.App) func() (lines.Line, error) {
	if !o.lines() {
		return nil
	}
	reader := lines.NewReader(s.In)
	return func() (lines.Line, error) {
		l, err := reader.Next()
		said, ok := l.Operation.(event.UserInput)
		if err != nil || !ok {
			return l, err
		}
		in, err := spelled(ctx, s, a, said.Text)
		if err != nil {
			return l, &lines.Error{Number: l.Number, Why: err.Error()}
		}
		in.Images = append(in.Images, said.Images...)
		l.Operation = in
		return l, nil
	}
}

// inBackground hands the run to a process of its own.
func (o *rootOptions) inBackground(ctx context.Context, s *console.Streams, dir string, in event.UserInput, request app.SessionRequest) error {
	r := detached.Run{Dir: dir, JSON: o.format == "json", Quiet: o.quiet, Request: detach.Request{
		Session: request, Settings: o.settings, Trust: o.trust, NoStream: o.noStream, Unattended: true, Timeout: o.timeout,
	}}
	if request.Prompt {
		r.Request.Input = &in
	}
	return detached.Start(ctx, s, r)
}

// workdir is where the session works.
func (o *rootOptions) workdir(s *console.Streams) (string, error) {
	if o.dir == "" {
		return s.Dir, nil
	}
	dir := app.Absolute(o.dir, s.Dir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", console.Usage("--cwd %s: it is not a directory", o.dir)
	}
	return dir, nil
}

// checkFile refuses, before hours of work, a file for the last message that
// cannot be written.
func (o *rootOptions) checkFile(s *console.Streams) error {
	if o.lastFile == "" {
		return nil
	}
	o.lastFile = app.Absolute(o.lastFile, s.Dir)
	if info, err := os.Stat(o.lastFile); err == nil && info.IsDir() {
		return console.Usage("--output-last-message %s: it is a directory", o.lastFile)
	}
	if info, err := os.Stat(filepath.Dir(o.lastFile)); err != nil || !info.IsDir() {
		return console.Usage("--output-last-message %s: its folder does not exist", o.lastFile)
	}
	return nil
}

func (o *rootOptions) follow(ctx context.Context, s *console.Streams, a *app.App, session *app.Session, in event.UserInput, check func(string) (string, error)) (int, error) {
	stop, release := console.StopSignals(ctx, o.timeout)
	defer release()
	last := &lastMessage{path: o.lastFile}
	set := session.Settings()
	screen := session.Audience().Join(false)
	defer screen.Leave()
	code := headless.Run(ctx, session, headless.Options{
		Input:  o.asked(ctx, s, a),
		Stdout: s.Out, Stderr: s.Err, TTY: s.OutTTY, Format: headless.Format(o.format), Quiet: o.quiet,
		Verbose: o.verbose, Prompt: in.Text, Typed: in.Shown, Terms: in.Terms, Images: in.Images, Shown: a.Scrub(cmp.Or(in.Shown, in.Text)),
		After: session.After, Check: check, Stop: stop, Seen: func(seq int64) { screen.Saw(0, seq, false) },
		Once: o.simulate != "", Evidence: session.Evidence, Final: last.write, Saved: func() string { return saved(a, session) },
		Init: headless.Init{
			SessionID: session.ID, Model: set.Model, Workdir: set.Workdir, Runtime: set.Runtime, Tools: session.Tools,
			Version: app.Version(), TokenLoaded: a.Token() != "" && o.simulate == "", MaxIterations: set.MaxIterations,
			CapUSD: float64(set.CapMicroUSD) / 1e6,
		},
	})
	if last.err != nil {
		fmt.Fprintln(s.Err, "ERROR: "+last.err.Error())
		return headless.ExitFailure, nil
	}
	return code, nil
}

// saved ends the session and tells where its file is. A session whose work
// does not end in time is left to the end of the process.
func saved(a *app.App, session *app.Session) string {
	done := make(chan error, 1)
	go func() { done <- session.Close() }()
	select {
	case err := <-done:
		if err != nil {
			a.Debug("close the session: " + err.Error())
		}
	case <-time.After(closeWait):
		a.Debug("the session did not close in time")
	}
	return session.LogPath()
}

// closeWait is how long the end of a session may take.
const closeWait = 10 * time.Second

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

// schemaCheck reads --output-schema.
func (o *rootOptions) schemaCheck(s *console.Streams) (func(string) (string, error), error) {
	if o.schemaFile == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(app.Absolute(o.schemaFile, s.Dir))
	if err != nil {
		return nil, console.Usage("--output-schema: %v", err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(raw, &schema); err != nil {
		return nil, console.Usage("--output-schema %s: it is not a JSON schema: %v", o.schemaFile, err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		return nil, console.Usage("--output-schema %s: %v", o.schemaFile, err)
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
