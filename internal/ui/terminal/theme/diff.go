package theme

import "strings"

// OfDiff is how a line of a unified difference is drawn.
func OfDiff(line string) Role {
	switch {
	case strings.HasPrefix(line, "+++ "), strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "diff --git "):
		return Strong
	case strings.HasPrefix(line, "@@"):
		return Accent
	case strings.HasPrefix(line, "+"):
		return Added
	case strings.HasPrefix(line, "-"):
		return Removed
	}
	return Text
}

// IsDiff reports whether a text is a unified difference, by how it begins.
func IsDiff(text string) bool {
	head := text[:min(len(text), 2000)]
	return strings.HasPrefix(head, "diff --git ") || strings.HasPrefix(head, "--- ") && strings.Contains(head, "\n+++ ") && strings.Contains(head, "\n@@ ")
}
