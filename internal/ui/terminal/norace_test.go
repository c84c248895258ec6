//go:build !race

package terminal_test

const raceEnabled = false
