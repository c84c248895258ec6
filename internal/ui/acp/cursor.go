package acp

import (
	"strconv"
	"strings"
)

// cursorMark begins a cursor: what an editor keeps says nothing to it.
const cursorMark = "from-"

func writeCursor(n int) string { return cursorMark + strconv.Itoa(n) }

func readCursor(text string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(text, cursorMark)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0
}
