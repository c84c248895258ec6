package shell

// The limits that tests count with.
const (
	Tick      = tick
	Beat      = beat
	LogBudget = logBudget
	MaxLine   = maxLine
)

type (
	BashParams = bashParams
	JobsParams = jobsParams
)

// Stream is the progress of one call.
type Stream = stream

// NewStream returns a running stream.
func NewStream(log func(string), spill func() string, total func() int64) *Stream {
	s := newStream(log, spill, total, func() {})
	go s.run()
	return s
}

// WriteString adds output.
func (s *stream) WriteString(text string) { s.write([]byte(text)) }

// End ends the stream.
func (s *stream) End() { s.end() }
