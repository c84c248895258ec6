//go:build !race

package transcript_test

// raced says that the race detector watches: it makes things slow and large.
const raced = false
