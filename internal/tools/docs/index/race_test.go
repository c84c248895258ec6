//go:build race

package index_test

// raced says that the race detector slows everything down.
const raced = true
