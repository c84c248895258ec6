package event

// String is a finding in one line, for a model and for progress.
func (f Finding) String() string {
	return "[" + f.Severity + "] " + f.Source + ": " + f.Text
}
