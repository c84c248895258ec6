package download

// Wants lets tests look at patterns alone.
func (o SnapshotOptions) Wants(path string) bool { return o.wants(path) }
