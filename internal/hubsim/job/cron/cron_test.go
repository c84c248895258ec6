package cron_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/job/cron"
)

func TestNext(t *testing.T) {
	const layout = "2006-01-02 15:04:05"
	for _, c := range []struct{ schedule, from, want string }{
		{"@hourly", "2026-01-01 00:00:00", "2026-01-01 01:00:00"},
		{"@hourly", "2026-01-01 00:59:59", "2026-01-01 01:00:00"},
		{"@daily", "2026-01-31 10:00:00", "2026-02-01 00:00:00"},
		{"@weekly", "2026-01-01 00:00:00", "2026-01-04 00:00:00"},
		{"@monthly", "2026-12-01 00:00:00", "2027-01-01 00:00:00"},
		{"@yearly", "2026-01-01 00:00:00", "2027-01-01 00:00:00"},
		{"@annually", "2026-01-01 00:00:00", "2027-01-01 00:00:00"},
		{"0 9 * * 1", "2026-01-01 00:00:00", "2026-01-05 09:00:00"},
		{"0 9 * * 7", "2026-01-01 00:00:00", "2026-01-04 09:00:00"},
		{"*/15 * * * *", "2026-01-01 00:15:00", "2026-01-01 00:30:00"},
		{"5,10 1-2 * * *", "2026-01-01 01:06:00", "2026-01-01 01:10:00"},
		{"5,10 1-2 * * *", "2026-01-01 01:10:00", "2026-01-01 02:05:00"},
		{"0 0 13 * 5", "2026-01-01 00:00:00", "2026-01-02 00:00:00"},
		{"0 0 29 2 *", "2026-01-01 00:00:00", "2028-02-29 00:00:00"},
		{"30 0 0 * * *", "2026-01-01 00:00:00", "2026-01-01 00:00:30"},
		{"0 0 0 1 1 * 2030", "2026-01-01 00:00:00", "2030-01-01 00:00:00"},
	} {
		s, err := cron.Parse(c.schedule)
		if err != nil {
			t.Error(err)
			continue
		}
		from, _ := time.Parse(layout, c.from)
		next, err := s.Next(from)
		if err != nil || next.Format(layout) != c.want {
			t.Errorf("%s after %s: %v, %v; want %s", c.schedule, c.from, next, err, c.want)
		}
	}
}

func TestBadSchedules(t *testing.T) {
	for _, c := range []struct{ schedule, want string }{
		{"", "0 fields"},
		{"@often", "no known alias"},
		{"* * * *", "4 fields"},
		{"* * * * * * * *", "8 fields"},
		{"60 * * * *", `minute "60"`},
		{"0 9 * * MON", "neither a number"},
		{"*/0 * * * *", "0 is not from 1"},
		{"5-2 * * * *", "2 is not from 5"},
		{"1, * * * *", "neither a number"},
		{"1-10/2 * * * *", "neither a number"},
	} {
		if _, err := cron.Parse(c.schedule); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.schedule, err)
		}
	}
	s, err := cron.Parse("0 0 31 2 *")
	if err != nil {
		t.Fatal(err)
	}
	if next, err := s.Next(time.Now()); err == nil {
		t.Errorf("the 31st of February is %v", next)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"@hourly", "*/5 1-2 1,2 * 7", "0 0 0 29 2 * *", "- , */ * *"} {
		f.Add(s)
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := cron.Parse(text)
		if err != nil {
			return
		}
		next, err := s.Next(from)
		if err == nil && !next.After(from) {
			t.Errorf("%q: %v is not after %v", text, next, from)
		}
	})
}
