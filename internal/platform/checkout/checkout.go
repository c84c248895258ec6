// Package checkout reads what a git checkout says about itself. It starts no
// program and changes nothing.
package checkout

import (
	"os"
	"path/filepath"
	"strings"
)

// Branch is the checked out branch of the repository at root; empty outside
// one and for a detached head. It reads two small files and starts no program.
func Branch(root string) string {
	if root == "" {
		return ""
	}
	dir := filepath.Join(root, ".git")
	if link, err := os.ReadFile(dir); err == nil { // a worktree: a file that names the folder
		dir = strings.TrimSpace(strings.TrimPrefix(string(link), "gitdir:"))
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
	}
	head, err := os.ReadFile(filepath.Join(dir, "HEAD"))
	if err != nil {
		return ""
	}
	branch, ok := strings.CutPrefix(strings.TrimSpace(string(head)), "ref: refs/heads/")
	if !ok {
		return ""
	}
	return branch
}
