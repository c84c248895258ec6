//go:build race

package jobs_test

// raceDetector says that memory is used by the race detector too.
const raceDetector = true
