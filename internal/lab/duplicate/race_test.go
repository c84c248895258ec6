//go:build race

package duplicate_test

const raceEnabled = true
