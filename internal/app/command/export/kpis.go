package export

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/exports"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

// mostHours bounds --hours: a year.
const mostHours = 366 * 24

func newKPIs(s *console.Streams) *cobra.Command {
	var e ends
	var hours int
	var hour, day string
	cmd := &cobra.Command{
		Use:   "kpis",
		Short: "Roll sessions up into hourly or daily key figures",
		Long: `Roll sessions up into key figures: a CSV file of one row for each UTC hour, as
hourly/2026-01-31/14.csv, or for a UTC day, as daily/2026-01-31.csv. An hour in which
nothing happened has no file. Without a flag it is the hour that ended last.`,
		Example: `  ml-intern export kpis --hours 24
  ml-intern export kpis --daily-backfill 2026-01-31 --out -
  ml-intern export kpis --source hf:acme/sessions --target hf:acme/figures`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			buckets, err := chosen(time.Now(), hours, hour, day)
			if err != nil {
				return err
			}
			if e.out == "-" { // one table, the oldest first
				slices.Reverse(buckets)
			}
			return e.run(ctx, s, "HF_KPI_WRITE_TOKEN", true, func(ctx context.Context, d *desk) (exports.Summary, error) {
				return exports.KPIs(ctx, d.options, buckets)
			})
		}),
	}
	f := cmd.Flags()
	f.IntVar(&hours, "hours", 1, "the last `N` hours that are over")
	f.StringVar(&hour, "datetime", "", "one `HOUR` (UTC), as in 2026-01-31T14")
	f.StringVar(&day, "daily-backfill", "", "one `DAY` (UTC), as in 2026-01-31")
	e.hint = "--hours N takes the last N hours that are over, --datetime and --daily-backfill choose another time, also one that is not over"
	e.flags(cmd)
	e.rules(cmd)
	return cmd
}

// chosen are the buckets that the flags mean, the newest first.
func chosen(now time.Time, hours int, hour, day string) ([]exports.Bucket, error) {
	switch {
	case hour != "" && day != "":
		return nil, console.Usage("--datetime and --daily-backfill exclude each other")
	case day != "":
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return nil, console.Usage("--daily-backfill is %q: it must be a day, as in 2026-01-31", day)
		}
		return []exports.Bucket{exports.DayOf(at)}, nil
	case hour != "":
		at, err := time.Parse("2006-01-02T15", hour)
		if err != nil {
			at = trajectory.Time(hour)
		}
		if at.IsZero() {
			return nil, console.Usage("--datetime is %q: it must be an hour, as in 2026-01-31T14", hour)
		}
		return []exports.Bucket{exports.HourOf(at)}, nil
	case hours < 1 || hours > mostHours:
		return nil, console.Usage("--hours is %d: it must be between 1 and %d", hours, mostHours)
	}
	var out []exports.Bucket
	for i := range hours {
		out = append(out, exports.HourOf(now.Add(-time.Duration(i+1)*time.Hour)))
	}
	return out, nil
}
