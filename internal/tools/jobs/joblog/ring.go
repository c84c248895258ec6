package joblog

// ring keeps the newest lines, at most lastLines of them and lastBytes of text.
type ring struct {
	lines []string
	start int // lines before it have been given up
	bytes int
}

// push adds a line and hands what must leave for it to leave.
func (r *ring) push(text string, leave func(string)) {
	r.lines = append(r.lines, text)
	r.bytes += len(text)
	for len(r.lines)-r.start > lastLines || r.bytes > lastBytes && len(r.lines)-r.start > 1 {
		leave(r.lines[r.start])
		r.bytes -= len(r.lines[r.start])
		r.lines[r.start] = ""
		r.start++
	}
	if r.start > lastLines {
		r.lines = append(r.lines[:0], r.lines[r.start:]...)
		r.start = 0
	}
}

// all are the lines that are there, oldest first.
func (r *ring) all() []string { return r.lines[r.start:] }
