// Package cron reads schedules and tells when they are due next. It knows
// neither a clock nor what is started then.
package cron

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// horizon is how far ahead Next looks: a 29th of February comes every eight
// years at the latest.
const horizon = 9 * 366

// Schedule is when something is due, in UTC.
type Schedule struct {
	second, minute, hour, day, month, weekday, year field
}

// field is a set of numbers; nil allows all.
type field []int

func (f field) has(n int) bool { return f == nil || slices.Contains(f, n) }

// aliases are the names for common schedules.
func aliases(name string) string {
	switch name {
	case "@annually", "@yearly":
		return "0 0 1 1 *"
	case "@monthly":
		return "0 0 1 * *"
	case "@weekly":
		return "0 0 * * 0"
	case "@daily":
		return "0 0 * * *"
	case "@hourly":
		return "0 * * * *"
	}
	return name
}

// Parse reads an alias or 5 fields (minute, hour, day, month, weekday), 6 (with
// the second in front) or 7 (with the year at the end) of numbers, *, */n, a-b
// and lists of these.
func Parse(text string) (Schedule, error) {
	words := strings.Fields(aliases(strings.TrimSpace(text)))
	if len(words) < 5 || len(words) > 7 {
		return Schedule{}, fmt.Errorf("schedule %q: it is no known alias and has %d fields, not 5 to 7", text, len(words))
	}
	if len(words) == 5 {
		words = append([]string{"0"}, words...)
	}
	if len(words) == 6 {
		words = append(words, "*")
	}
	var s Schedule
	for i, f := range []struct {
		name     string
		min, max int
		to       *field
	}{
		{"second", 0, 59, &s.second},
		{"minute", 0, 59, &s.minute},
		{"hour", 0, 23, &s.hour},
		{"day", 1, 31, &s.day},
		{"month", 1, 12, &s.month},
		{"weekday", 0, 7, &s.weekday},
		{"year", 1970, 2199, &s.year},
	} {
		var err error
		if *f.to, err = parse(words[i], f.min, f.max); err != nil {
			return Schedule{}, fmt.Errorf("schedule %q: %s %q: %w", text, f.name, words[i], err)
		}
	}
	if s.weekday.has(7) && s.weekday != nil {
		s.weekday = append(s.weekday, 0)
	}
	return s, nil
}

// parse reads one field.
func parse(text string, least, most int) (field, error) {
	if text == "*" {
		return nil, nil
	}
	var f field
	for part := range strings.SplitSeq(text, ",") {
		from, to, step := least, most, 1
		var err error
		if n, ok := strings.CutPrefix(part, "*/"); ok {
			if step, err = number(n, 1, most); err != nil {
				return nil, err
			}
		} else if a, b, ok := strings.Cut(part, "-"); ok {
			if from, err = number(a, least, most); err != nil {
				return nil, err
			}
			if to, err = number(b, from, most); err != nil {
				return nil, err
			}
		} else {
			if from, err = number(part, least, most); err != nil {
				return nil, err
			}
			to = from
		}
		for n := from; n <= to; n += step {
			f = append(f, n)
		}
	}
	return f, nil
}

func number(text string, least, most int) (int, error) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, fmt.Errorf("%q is neither a number nor *, */n, a-b or a list of these", text)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s is not from %d to %d", text, least, most)
	}
	return n, nil
}

// errNever is what a schedule without any time meets.
var errNever = errors.New("the schedule is never due")

// Next returns the first time after t.
func (s Schedule) Next(t time.Time) (time.Time, error) {
	t = t.UTC().Truncate(time.Second).Add(time.Second)
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	for i := range horizon {
		day := midnight.AddDate(0, 0, i)
		if !s.onDay(day) {
			continue
		}
		if next, ok := s.within(day, t); ok {
			return next, nil
		}
	}
	return time.Time{}, errNever
}

// onDay reports whether the schedule is due on a day: where both the day of the
// month and that of the week are given, one of them suffices.
func (s Schedule) onDay(day time.Time) bool {
	if !s.year.has(day.Year()) || !s.month.has(int(day.Month())) {
		return false
	}
	inMonth, inWeek := s.day.has(day.Day()), s.weekday.has(int(day.Weekday()))
	if s.day != nil && s.weekday != nil {
		return inMonth || inWeek
	}
	return inMonth && inWeek
}

// within returns the first time on a day that is not before t.
func (s Schedule) within(day, t time.Time) (time.Time, bool) {
	for h := range 24 {
		if !s.hour.has(h) || day.Add(time.Duration(h+1)*time.Hour).Compare(t) <= 0 {
			continue
		}
		for m := range 60 {
			if !s.minute.has(m) {
				continue
			}
			for sec := range 60 {
				at := day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second)
				if s.second.has(sec) && !at.Before(t) {
					return at, true
				}
			}
		}
	}
	return time.Time{}, false
}
