package proc

// Limit makes the file of c stop at n bytes.
func Limit(c *Capture, n int64) { c.limit = n }
