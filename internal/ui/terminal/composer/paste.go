package composer

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/editor"
)

// paste takes what the terminal calls a paste: also files that are dragged
// there. One of nothing is a picture that the terminal could not write.
func (c *Composer) paste(content string) Action {
	c.chord = false
	switch {
	case content == "":
		return Action{Kind: Image}
	case c.search != nil:
		line, _, _ := strings.Cut(strings.TrimSpace(editor.Clean(content)), "\n")
		c.search.query.Insert(line)
		c.search.narrow()
		return Action{}
	}
	if path, ok := c.picture(content); ok {
		mention := complete.Mention(path) + " "
		if !c.text.AfterBlank() {
			mention = " " + mention
		}
		c.text.Insert(mention)
		return Action{}
	}
	c.text.Paste(content)
	return Action{}
}

// picture reports whether a paste is the path of one picture, however the
// terminal writes it, and how the path is mentioned.
func (c *Composer) picture(content string) (string, bool) {
	content = strings.TrimSpace(content)
	if len(content) > lineLimit || strings.ContainsAny(content, "\r\n\x00\x1b") {
		return "", false
	}
	for _, path := range spellings(content) {
		full := path
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			if home, err := os.UserHomeDir(); err == nil {
				full = filepath.Join(home, rest)
			}
		}
		if !filepath.IsAbs(full) {
			full = filepath.Join(c.o.Dir, full)
		}
		if !isPicture(full) || strings.Contains(full, `"`) || !c.o.IsFile(full) {
			continue
		}
		if rel, err := filepath.Rel(c.o.Dir, full); err == nil && c.o.Dir != "" && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel), true
		}
		return filepath.ToSlash(full), true
	}
	return "", false
}

// spellings are the paths that a dragged file may mean: terminals write it as
// it is, in quotes, with backslashes in front of blanks, or as a URL.
func spellings(s string) []string {
	if u, err := url.Parse(s); err == nil && u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") {
		return []string{filepath.FromSlash(u.Path)}
	}
	if n := len(s); n >= 2 && (s[0] == '\'' || s[0] == '"') && s[n-1] == s[0] {
		return []string{s[1 : n-1]}
	}
	all := []string{s}
	if filepath.Separator != '\\' && strings.Contains(s, `\`) {
		all = append(all, complete.Unescape(s))
	}
	return all
}

func isPicture(path string) bool {
	endings := []string{".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp"}
	return slices.Contains(endings, strings.ToLower(filepath.Ext(path)))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
