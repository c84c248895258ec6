package doctor

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

// uploads tells whether sessions are uploaded, and what hinders it. That they are
// not is no fault.
func (o Options) uploads(ctx context.Context) []Finding {
	const name = "traces"
	if o.Uploads == nil {
		return nil
	}
	s, err := o.Uploads(ctx)
	if err != nil {
		return one(name, Warning, err.Error())
	}
	text := "nothing is uploaded: " + s.Off
	if s.On {
		text = "sessions are uploaded to your own dataset"
		if s.Repo != "" {
			text += " " + s.Repo
		}
	}
	if len(s.Waiting) > 0 {
		text += "; " + amount.Count(len(s.Waiting), "upload") + " in the queue"
	}
	if s.On && s.Error != "" {
		return []Finding{{name, Warning, text + ": " + s.Error, "ml-intern traces status tells more, ml-intern traces push tries again"}}
	}
	return one(name, OK, text)
}
