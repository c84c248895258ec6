package pdf

// Fence and Read are what the child does, for tests that are one.
var (
	Fence = fence
	Read  = read
)
