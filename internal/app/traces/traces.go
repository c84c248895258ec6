// Package traces is where the sessions of this user go: it makes the uploader
// from the settings and the login, keeps session files true about uploads, and
// says how things stand. When something is sent is for the uploader to say.
package traces

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/traceset"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/app/whois"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/config/layer"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

// Options of a desk.
type Options struct {
	Loaded *config.Loaded
	HTTP   *http.Client
	// Token is the user's, renewed where that is due; empty for nobody.
	Token func(ctx context.Context) string
	// User is the user's name on the Hub as far as it is known without asking.
	User func() string
	// Scrubber knows what is secret now.
	Scrubber func() *redact.Scrubber
	// Source is where sessions are.
	Source trace.Source
	// Simulated says that everything outside is simulated: nothing is uploaded.
	Simulated bool
	Log       *slog.Logger
}

// Desk is the uploads of this user.
type Desk struct {
	*trace.Uploader
	o Options
}

// Open opens the uploads. Nothing is read or asked yet.
func Open(o Options) (*Desk, error) {
	d := &Desk{o: o}
	var err error
	d.Uploader, err = trace.New(trace.Options{
		Queue: trace.OpenQueue(Folder(o.Loaded.Places)), Source: o.Source, Wanted: d.Now, Target: d.target,
		Scrubber: o.Scrubber, Changed: d.changed, Log: o.Log,
	})
	return d, err
}

// Folder is where the queue lies.
func Folder(p place.Places) string { return filepath.Join(p.State, "uploads") }

// Wanted is what the settings want to be sent, whoever is logged in. The error
// says why a template or a name cannot be meant.
func (d *Desk) Wanted() (kinds []trace.Kind, err error) {
	c := &d.o.Loaded.Config
	if !c.SaveSessions {
		return nil, nil
	}
	if c.ShareTraces && c.PersonalTraceRepoTemplate != "" {
		if _, err = traceset.Name(c.PersonalTraceRepoTemplate, "user"); err == nil {
			kinds = append(kinds, trace.Personal)
		} else {
			err = fmt.Errorf("personal_trace_repo_template: %w", err)
		}
	}
	if c.TelemetryShared && c.SessionDatasetRepo != "" && d.byUser("telemetry.shared") && d.byUser("session_dataset_repo") {
		kinds = append(kinds, trace.Shared)
	}
	return kinds, err
}

// byUser reports whether the user himself has set a key: nothing is sent to
// others because of a default or of a project's settings.
func (d *Desk) byUser(key string) bool {
	return slices.ContainsFunc(d.o.Loaded.Values(), func(v config.Value) bool {
		return v.Key == key && v.Source.Layer != "default" && v.Source.Layer != "project"
	})
}

// Now is what is wanted and has a token.
func (d *Desk) Now(ctx context.Context) (all []trace.Wanted) {
	kinds, _ := d.Wanted() // what cannot be meant is told at the start
	for _, kind := range kinds {
		if kind == trace.Personal && d.turnedOff() || d.token(ctx, kind) == "" {
			continue
		}
		w := trace.Wanted{Kind: kind, User: d.o.User(), Repo: d.Repo()}
		if kind == trace.Shared {
			w.Repo = d.page(d.o.Loaded.Config.SessionDatasetRepo)
		}
		all = append(all, w)
	}
	return all
}

// turnedOff reports whether the user's file says so by now: another process may
// have written it since this one began.
func (d *Desk) turnedOff() bool {
	raw, err := os.ReadFile(d.o.Loaded.UserFile)
	if err != nil {
		return false
	}
	object, err := layer.ParseObject(raw)
	return err == nil && object["share_traces"] == false
}

// token is that of a kind.
func (d *Desk) token(ctx context.Context, kind trace.Kind) string {
	if kind == trace.Personal {
		return d.o.Token(ctx)
	}
	for _, name := range []string{"HF_SESSION_UPLOAD_TOKEN", "HF_TOKEN", "HF_ADMIN_TOKEN"} {
		if token := d.o.Loaded.Env(name); token != "" {
			return token
		}
	}
	return ""
}

// connect makes a client that waits for nothing long, nor for a Hub that cannot be
// reached, and tells nobody: waiting is for the queue.
func (d *Desk) connect(token string) (*hub.Client, error) {
	l := &line{next: d.o.HTTP.Transport}
	return hub.New(hub.Options{
		HTTP: l.client(d.o.HTTP), Endpoint: d.endpoint(), Token: token, Offline: d.offline(), Wait: l.wait,
		Warn: func(_, message string) { d.o.Log.Warn("the Hub says", "message", message) },
	})
}

// whoami asks the Hub, and remembers the answer.
func (d *Desk) whoami(ctx context.Context) (string, error) {
	l := &line{next: d.o.HTTP.Transport}
	who, notKept, err := whois.Desk{
		HTTP: l.client(d.o.HTTP), Endpoint: d.endpoint(), Path: d.o.Loaded.Places.Identity(), Wait: l.wait,
	}.Ask(ctx, d.o.Token(ctx))
	if err != nil {
		return "", err
	}
	if notKept != nil {
		d.o.Log.Warn("who is logged in is not remembered", "error", notKept)
	}
	return who.Name, nil
}

func (d *Desk) endpoint() string { return d.o.Loaded.URL("HF_ENDPOINT").Value }

// line notes why the Hub could not be reached.
type line struct {
	next http.RoundTripper
	dead atomic.Pointer[error] // nil while it can
}

func (l *line) client(like *http.Client) *http.Client {
	return &http.Client{Transport: l, Timeout: like.Timeout}
}

// wait waits a little, where that may help.
func (l *line) wait(ctx context.Context, d time.Duration, _ string) error {
	if dead := l.dead.Load(); dead != nil {
		return *dead
	}
	if d > longWait {
		return errLongWait
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// RoundTrip sends a request.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	l.dead.Store(nil)
	if trace.Away(err) {
		l.dead.Store(&err)
	}
	return resp, err
}

// longWait is the longest wait that an upload takes in between.
const longWait = 3 * time.Second

var errLongWait = errors.New("the wait is too long for an upload")

// target is where a kind goes.
func (d *Desk) target(ctx context.Context, kind trace.Kind) (trace.Target, error) {
	c, token := &d.o.Loaded.Config, d.token(ctx, kind)
	to := trace.Target{Token: hashed(token), User: d.o.User()}
	if d.offline() {
		return to, &wire.Error{Kind: wire.Offline, Op: "upload sessions"}
	}
	if to.User == "" {
		var err error
		if to.User, err = d.whoami(ctx); err != nil {
			return to, fmt.Errorf("find out whose sessions these are: %w", err)
		}
	}
	repo, card := c.SessionDatasetRepo, ""
	to.Render = trace.Counters(filepath.Join(Folder(d.o.Loaded.Places), "salt"), to.User)
	if kind == trace.Personal {
		name, err := traceset.Name(c.PersonalTraceRepoTemplate, to.User)
		if err != nil {
			return to, err
		}
		repo, to.Render, card = name, trace.Rows(c.TraceFormat, trace.MostBytes), d.card()
	}
	to.Repo = d.page(repo)
	to.Put = func(ctx context.Context, f traceset.Session) (same bool, err error) {
		client, err := d.connect(token)
		if err != nil {
			return false, err
		}
		defer client.Close()
		set := traceset.Set{Hub: client, Repo: repo}
		done, err := set.Put(ctx, f, card, kind == trace.Personal)
		return done.Unchanged, err
	}
	return to, nil
}

// card describes the form of the sessions.
func (d *Desk) card() string {
	if d.o.Loaded.Config.TraceFormat == trace.FormSimple {
		return traceset.SimpleCard()
	}
	return traceset.Card()
}

// page is the page of a data set.
func (d *Desk) page(repo string) string {
	return d.endpoint() + "/datasets/" + repo
}

// Repo is the page of the user's own data set, empty while nobody is known.
func (d *Desk) Repo() string {
	user := d.o.User()
	name, err := traceset.Name(d.o.Loaded.Config.PersonalTraceRepoTemplate, user)
	if err != nil || user == "" {
		return ""
	}
	return d.page(name)
}

// offline reports whether the user wants nothing to be asked.
func (d *Desk) offline() bool { return d.o.Loaded.EnvFlag("HF_HUB_OFFLINE") }

// hashed names a token without giving it away.
func hashed(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}

// changed notes in the session's newest file what became of its uploads.
func (d *Desk) changed(session string) {
	paths, err := filepath.Glob(filepath.Join(d.o.Loaded.Config.SessionLogDir, "session_"+session+"_*.json"))
	if err != nil || len(paths) == 0 {
		return
	}
	uploads, done := States(d.o.Loaded.Places, session)
	defer done()
	if err := document.SetUploads(slices.Max(paths), uploads); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.o.Log.Warn("a session file does not tell of its upload", "session_id", session, "error", err)
	}
}

// States is what session files say of a session's uploads. Until done is called
// nobody else writes one.
func States(p place.Places, session string) (u document.Uploads, done func()) {
	q := trace.OpenQueue(Folder(p))
	release := q.Hold(session)
	record, ok, err := q.Load(session)
	if err != nil || !ok {
		return u, release
	}
	state := func(kind trace.Kind) *document.Upload {
		item, ok := record.Items[kind]
		if !ok {
			return nil
		}
		up := &document.Upload{Status: item.Status()}
		if item.SHA256 != "" {
			up.URL = item.Repo
		}
		return up
	}
	return document.Uploads{Shared: state(trace.Shared), Personal: state(trace.Personal)}, release
}

// First returns the line that a person is told once in his life: what is
// uploaded, and how to turn it off. It is empty where it was told before, or
// nothing is uploaded.
func (d *Desk) First() string {
	kinds, _ := d.Wanted()
	if token, _ := d.o.Loaded.HFToken(); token == "" || !slices.Contains(kinds, trace.Personal) || d.turnedOff() {
		return ""
	}
	path := filepath.Join(Folder(d.o.Loaded.Places), "told.json")
	if _, err := os.Stat(path); err == nil {
		return ""
	}
	user := d.o.User()
	if user == "" {
		user = "<your name>"
	}
	name := strings.ReplaceAll(d.o.Loaded.Config.PersonalTraceRepoTemplate, "{hf_user}", user)
	raw, _ := json.Marshal(map[string]string{"told": time.Now().UTC().Format(time.RFC3339)}) // a text always encodes
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, append(raw, '\n'), 0o600)); err != nil {
		d.o.Log.Warn("that uploads were told of could not be noted", "error", err)
	}
	return "sessions are uploaded to your private dataset " + name + " on the Hub, without the secrets that are found in them; ml-intern traces off turns that off"
}
