//go:build !unix

package mcpserver

import "os"

// unread reports whether nobody reads what is written to f: it cannot be told.
func unread(*os.File) bool { return false }
