package traces

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/traceset"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/app/saved"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

// Standing is how uploads stand on this machine.
type Standing struct {
	// On says that sessions are uploaded to the user's own data set, Shared that
	// counters go to the data set of that name.
	On     bool   `json:"on"`
	Shared string `json:"shared,omitempty"`
	// Off says why nothing is uploaded to the user's own data set.
	Off string `json:"off_because,omitempty"`
	// Repo is the page of the user's own data set, empty while nobody is known.
	Repo   string `json:"repo,omitempty"`
	Format string `json:"format"`
	// Sent counts the sessions that are there as they are, Last is when the
	// newest of them was sent.
	Sent    int       `json:"sent"`
	Last    time.Time `json:"last,omitzero"`
	Waiting []Waiting `json:"waiting"`
	// Error is the newest trouble, empty for none.
	Error string `json:"last_error,omitempty"`
}

// Waiting is an upload that is not done.
type Waiting struct {
	SessionID string     `json:"session_id"`
	Kind      trace.Kind `json:"kind"`
	// Why it has not been sent, empty where it was not tried yet; Until is when
	// it is tried again.
	Why   string    `json:"why,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// Standing reads how things stand; nobody is asked.
func (d *Desk) Standing(ctx context.Context) (Standing, error) {
	wanted, _ := d.Wanted()
	c := &d.o.Loaded.Config
	s := Standing{Off: d.off(ctx), Repo: d.Repo(), Format: c.TraceFormat, Waiting: []Waiting{}}
	s.On = s.Off == ""
	if slices.Contains(wanted, trace.Shared) && !d.o.Simulated && d.token(ctx, trace.Shared) != "" {
		s.Shared = c.SessionDatasetRepo
	}
	places, err := d.Queue().Places()
	if err != nil {
		return s, err
	}
	for repo, p := range places {
		if text := p.Refused + p.Error; text != "" {
			s.Error = repo + ": " + text
		}
	}
	all, err := d.Queue().All()
	if err != nil {
		return s, err
	}
	for _, id := range all {
		record, _, err := d.Queue().Load(id)
		if err != nil {
			return s, err
		}
		for kind, item := range record.Items {
			s.take(id, kind, item, places[item.Repo])
		}
	}
	slices.SortFunc(s.Waiting, func(a, b Waiting) int { return strings.Compare(a.SessionID+string(a.Kind), b.SessionID+string(b.Kind)) })
	return s, ctx.Err()
}

// off says why nothing is uploaded to the user's own data set, empty where
// something is.
func (d *Desk) off(ctx context.Context) string {
	c := &d.o.Loaded.Config
	switch {
	case d.o.Simulated:
		return "this is a simulation"
	case !c.SaveSessions:
		return "save_sessions is false, so no session is kept"
	case !c.ShareTraces || d.turnedOff():
		return ErrOff.Error()
	case strings.TrimSpace(c.PersonalTraceRepoTemplate) == "":
		return "personal_trace_repo_template is empty"
	}
	if _, err := d.Wanted(); err != nil {
		return err.Error()
	}
	if d.token(ctx, trace.Personal) == "" {
		return "nobody is logged in at the Hub; ml-intern login logs in"
	}
	return ""
}

func (s *Standing) take(id string, kind trace.Kind, item trace.Item, p trace.Place) {
	if kind == trace.Personal && item.Status() == trace.Success {
		s.Sent++
	}
	if item.At.After(s.Last) {
		s.Last = item.At
	}
	if item.Want <= item.Done {
		return
	}
	w := Waiting{SessionID: id, Kind: kind, Why: item.Error}
	if w.Why == "" {
		w.Why = p.Refused + p.Error
	}
	if item.Due() && p.NotBefore.After(time.Now()) {
		w.Until = p.NotBefore
	}
	if w.Why != "" && s.Error == "" {
		s.Error = w.Why
	}
	s.Waiting = append(s.Waiting, w)
}

// shownWaiting is how many of those that wait are named.
const shownWaiting = 10

// Text says it in lines.
func (s Standing) Text() string {
	var b strings.Builder
	if s.Off == "" {
		fmt.Fprintf(&b, "share_traces is on: sessions are uploaded as %s.", s.Format)
	} else {
		b.WriteString("Nothing is uploaded: " + saved.Line(s.Off) + ".")
		if s.Shared == "" && s.Sent == 0 && len(s.Waiting) == 0 && s.Error == "" {
			return b.String()
		}
	}
	if s.Shared != "" {
		fmt.Fprintf(&b, "\nCounters go to %s, without anything that was said or done.", s.Shared)
	}
	if s.Sent > 0 {
		fmt.Fprintf(&b, "\nUploaded: %s, the newest at %s.", amount.Count(s.Sent, "session"), s.Last.Local().Format("2006-01-02 15:04"))
	}
	if len(s.Waiting) == 0 {
		b.WriteString("\nQueue: empty.")
	} else {
		fmt.Fprintf(&b, "\nQueue: %s.", amount.Count(len(s.Waiting), "upload"))
	}
	for i, w := range s.Waiting {
		if i == shownWaiting {
			fmt.Fprintf(&b, "\n  and %s more", amount.Grouped(len(s.Waiting)-i))
			break
		}
		fmt.Fprintf(&b, "\n  %s, %s", w.SessionID, w.Kind)
		if w.Why != "" {
			b.WriteString(": " + saved.Line(w.Why))
		}
		if !w.Until.IsZero() {
			b.WriteString("; again at " + w.Until.Local().Format("15:04:05"))
		}
	}
	switch {
	case s.Error != "" && slices.ContainsFunc(s.Waiting[:min(shownWaiting, len(s.Waiting))], func(w Waiting) bool { return w.Why != "" && strings.HasSuffix(s.Error, w.Why) }):
		// It stands above.
	case s.Error != "":
		b.WriteString("\nLast error: " + saved.Line(s.Error))
	case len(s.Waiting) == 0:
		b.WriteString(" Last error: none.")
	}
	return b.String()
}

// ErrOff says that nothing is shared.
var ErrOff = errors.New("share_traces is off; ml-intern traces on turns it on")

// Own is the user's data set, as client sees it, after what it needs is there:
// in the order in which it can be mended.
func (d *Desk) Own(ctx context.Context, client *hub.Client) (*traceset.Set, error) {
	c := &d.o.Loaded.Config
	if !c.ShareTraces || d.turnedOff() {
		return nil, ErrOff
	}
	token := d.o.Token(ctx)
	user, failed := d.o.User(), error(nil)
	if user == "" && token != "" {
		user, failed = d.whoami(ctx)
	}
	switch {
	case user == "" && token == "":
		return nil, errors.New("nobody is logged in at the Hub, so there is no dataset of yours; /login or ml-intern login logs in")
	case failed != nil:
		return nil, fmt.Errorf("your name on the Hub is not known: %w", failed)
	case user == "":
		return nil, errors.New("your name on the Hub is not known; /login or ml-intern login logs in anew, ml-intern doctor tells what is wrong")
	case strings.TrimSpace(c.PersonalTraceRepoTemplate) == "":
		return nil, errors.New("personal_trace_repo_template is empty, so there is no dataset to share")
	case token == "":
		return nil, errors.New("there is no Hub token; /login or ml-intern login logs in")
	}
	name, err := traceset.Name(c.PersonalTraceRepoTemplate, user)
	if err != nil {
		return nil, fmt.Errorf("personal_trace_repo_template: %w", err)
	}
	return &traceset.Set{Hub: client, Repo: name, Scrub: d.o.Scrubber()}, nil
}

// Render makes what is uploaded of a session, and the card beside it.
func (d *Desk) Render(ctx context.Context, doc document.Document) (content trace.Content, card string, err error) {
	content, err = trace.Rows(d.o.Loaded.Config.TraceFormat, trace.MostBytes)(ctx, doc, d.o.Scrubber())
	return content, d.card(), err
}

// Hits tells in lines which secrets were found.
func Hits(h traceset.Hits) string {
	text := "No secret was removed."
	if len(h.Removed) > 0 {
		text = "Secrets that were removed: " + traceset.Top(h.Removed) + "."
	}
	if len(h.Left) > 0 {
		text += "\nWARNING: still in there, by today's patterns: " + traceset.Top(h.Left) + "."
	}
	return text
}

// Seen tells in lines what everybody would see of a data set.
func Seen(c traceset.Contents) string {
	text := fmt.Sprintf("%s, %s", amount.Count(c.Sessions, "session"), amount.Bytes(c.Bytes))
	if c.Examined < c.Sessions {
		text += fmt.Sprintf("; %s of them were looked at for secrets", amount.Grouped(c.Examined))
	}
	return text + ".\n" + Hits(c.Hits) +
		"\nEverybody will see the prompts, the code, the outputs and the paths in them. Secrets are removed by patterns only: look at the files first."
}

// Place tells who sees a data set.
func Place(set *traceset.Set, state traceset.State) string {
	if !state.Exists {
		return set.Repo + " does not exist yet. It will be created private on the next save that is uploaded."
	}
	return set.URL() + "\nVisibility: " + state.Visibility()
}

// TakenOut notes that a person has taken a session's file out: it is not sent
// again by itself.
func (d *Desk) TakenOut(ctx context.Context, file string) error {
	id := strings.TrimSuffix(file[strings.LastIndexByte(file, '/')+1:], ".jsonl")
	return d.Queue().TakeOut(ctx, id)
}
