// Package builtin is the skills that come with the program, a folder each. It
// holds texts and scripts, and no code that reads them.
package builtin

import (
	"embed"
	"io/fs"
)

//go:embed dataset-card debug-oom eval finetune reproduce-paper
var files embed.FS

// Files are the folders of the skills.
func Files() fs.FS { return files }
