package exports

import (
	"context"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/exports/source"
	"github.com/ml-intern/ml-intern/internal/app/exports/target"
	"github.com/ml-intern/ml-intern/internal/lab/chatdata"
	"github.com/ml-intern/ml-intern/internal/lab/tags"
)

// Training says which sessions become training data, and in which form.
type Training struct {
	Format chatdata.Format
	// From and To bound the days on which the sessions began; zero is no bound.
	From, To time.Time
	// Tags must all be a session's.
	Tags []string
	// Outcome is the least that a session must have come to, one of [tags.Outcomes];
	// empty takes every one.
	Outcome string
}

// Sessions writes a file of one line a session.
func (t Training) Sessions(ctx context.Context, o Options) (Summary, error) {
	e := begin(o)
	label := map[chatdata.Format]string{chatdata.ChatML: "ChatML", chatdata.ShareGPT: "ShareGPT"}[t.Format]
	if label == "" {
		label = "SFT"
	}
	err := e.sessions(ctx, source.Wanted{From: t.From, To: t.To}, func(found source.Found) error {
		has := tags.Of(found.Session, tags.Rules(o.Compat))
		if found.ID == "" || !t.takes(has) {
			e.sum.LeftOut++
			return nil
		}
		line, err := chatdata.Line(found.Session, has, t.Format)
		if err == nil {
			line, err = e.clean(found.Session, line)
		}
		if err != nil {
			return e.unfit(found, err)
		}
		name := fileName(found.ID)
		return e.put(ctx, target.File{
			Path: string(t.Format) + "/" + found.Day + "/" + name + ".jsonl", Data: line, Message: "Add " + label + " row " + name,
		})
	})
	return e.sum, err
}

// takes reports whether a session with these tags is wanted.
func (t Training) takes(has []string) bool {
	for _, tag := range t.Tags {
		if !slices.Contains(has, tag) {
			return false
		}
	}
	return t.Outcome == "" || tags.Outcome(has) >= slices.Index(tags.Outcomes(), t.Outcome)
}

// unfit passes over a session of which no line can be made.
func (e *export) unfit(found source.Found, err error) error {
	e.sum.Bad++
	e.Warn((&source.BadError{Name: found.ID, Err: err}).Error())
	return nil
}
