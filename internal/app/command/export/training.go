package export

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/exports"
	"github.com/ml-intern/ml-intern/internal/lab/chatdata"
	"github.com/ml-intern/ml-intern/internal/lab/tags"
)

// days are the flags about the days on which sessions began.
type days struct {
	n    int
	date string
}

func (d *days) flags(cmd *cobra.Command, n int) {
	cmd.Flags().IntVar(&d.n, "days", n, "sessions that began in the last `N` days (UTC) before today; 0 is all days, today too")
	cmd.Flags().StringVar(&d.date, "date", "", "sessions that began on this `DAY` (UTC), as in 2026-01-31")
}

// mostDays bounds --days: a hundred years.
const mostDays = 36525

// span is the time that the flags mean; zero is no bound.
func (d *days) span(now time.Time) (from, to time.Time, err error) {
	if d.date != "" {
		if from, err = time.Parse(time.DateOnly, d.date); err != nil {
			return from, to, console.Usage("--date is %q: it must be a day, as in 2026-01-31", d.date)
		}
		return from, from.AddDate(0, 0, 1), nil
	}
	if d.n < 0 || d.n > mostDays {
		return from, to, console.Usage("--days is %d: it must be between 0 and %d", d.n, mostDays)
	}
	if d.n == 0 {
		return from, to, nil
	}
	to = now.UTC().Truncate(24 * time.Hour)
	return to.AddDate(0, 0, -d.n), to, nil
}

// about is what each command of training data says of itself.
var about = map[chatdata.Format]struct{ short, long string }{
	chatdata.SFT: {"Make training data: messages, tools and tags of each session", `Make training data of sessions, a line of JSON each: sft/2026-01-31/ID.jsonl with
session_id, model, timestamp, tags, messages and tools, as the sessions have them.
Tags say what a session is, as in outcome:completed or task:training.`},
	chatdata.ChatML: {"The same as sft, with messages of role and text", `Make training data of sessions, a line of JSON each: chatml/2026-01-31/ID.jsonl with
messages of a role and a text. Calls of tools stand in the texts, between <tool_call>
and </tool_call>.`},
	chatdata.ShareGPT: {"The same as sft, with conversations of from and value", `Make training data of sessions, a line of JSON each: sharegpt/2026-01-31/ID.jsonl
with conversations of from (system, human, gpt or tool) and value. Calls of tools
stand in the texts, between <tool_call> and </tool_call>.`},
}

func newTraining(s *console.Streams, name chatdata.Format) *cobra.Command {
	var e ends
	var d days
	var t exports.Training
	format := string(name)
	cmd := &cobra.Command{
		Use:   string(name),
		Short: about[name].short,
		Long:  about[name].long,
		Example: `  ml-intern export ` + string(name) + ` --days 30 --min-outcome completed --tag task:training
  ml-intern export ` + string(name) + ` --days 0 --redact strict --out -`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) (err error) {
			if t.Format = chatdata.Format(format); !slices.Contains(chatdata.Formats(), t.Format) {
				return console.Usage("--format is %q: it must be sft, chatml or sharegpt", format)
			}
			if t.Outcome != "" && !slices.Contains(tags.Outcomes(), t.Outcome) {
				return console.Usage("--min-outcome is %q: it must be one of %s", t.Outcome, strings.Join(tags.Outcomes(), ", "))
			}
			for _, tag := range t.Tags {
				if namespace, value, ok := strings.Cut(tag, ":"); !ok || namespace == "" || value == "" {
					return console.Usage("--tag is %q: a tag is namespace:value, as in task:training", tag)
				}
			}
			if t.From, t.To, err = d.span(time.Now()); err != nil {
				return err
			}
			return e.run(ctx, s, "HF_SFT_WRITE_TOKEN", false, func(ctx context.Context, d *desk) (exports.Summary, error) {
				return t.Sessions(ctx, d.options)
			})
		}),
	}
	f := cmd.Flags()
	d.flags(cmd, 1)
	if name == chatdata.SFT {
		f.StringVar(&format, "format", format, "`FORMAT`: sft, chatml or sharegpt")
	}
	f.StringVar(&t.Outcome, "min-outcome", "", "leave out sessions that came to less than this `OUTCOME`: "+strings.Join(tags.Outcomes(), ", "))
	f.StringArrayVar(&t.Tags, "tag", nil, "only sessions with this `TAG`, as in task:training; repeatable, all must be there")
	e.hint = "--days 0 takes all, --date one day"
	e.flags(cmd)
	e.texts(cmd)
	e.rules(cmd)
	return cmd
}
