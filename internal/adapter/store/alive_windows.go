package store

// alive leaves the answer to the lock, which costs little here.
func alive(int) bool { return true }
