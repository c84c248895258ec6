package wait

import "time"

// Understand reads a condition; it returns its time, if it is one.
func Understand(c Condition, now time.Time) (time.Time, error) {
	kind, name, err := c.kindOf()
	if err != nil {
		return time.Time{}, err
	}
	understood, err := c.understand(kind, name, now)
	if err != nil {
		return time.Time{}, err
	}
	understood.compares(1)
	return understood.when, nil
}
