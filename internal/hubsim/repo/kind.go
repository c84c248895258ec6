// Package repo keeps the repositories of the simulated Hub: who may see and
// change them, their names past and present, their history and files, and the
// git side of pull requests. Spaces, jobs, discussions and lists stand on it; it
// knows none of them. Below it are what a repository holds, cards, and the routes.
package repo

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
)

// Type is the kind of a repository, as bodies write it.
type Type string

// Types of repositories.
const (
	Model   Type = "model"
	Dataset Type = "dataset"
	Space   Type = "space"
)

// Types lists the types in the order of the routes.
func Types() []Type { return []Type{Model, Dataset, Space} }

// Plural is the type in API paths.
func (t Type) Plural() string { return string(t) + "s" }

// Prefix stands before the id in addresses of pages and files.
func (t Type) Prefix() string {
	if t == Model {
		return ""
	}
	return t.Plural() + "/"
}

// ParseType reads the type of a body, where an absent one is a model.
func ParseType(s string) (Type, bool) {
	if s == "" {
		return Model, true
	}
	t := Type(s)
	return t, t == Model || t == Dataset || t == Space
}

// ParsePlural reads the type of a path.
func ParsePlural(s string) (Type, bool) {
	t := Type(strings.TrimSuffix(s, "s"))
	return t, t.Plural() == s && (t == Model || t == Dataset || t == Space)
}

// maxName is the length of a repository's name.
const maxName = 96

// CheckName says what is wrong with the name of a repository, without its
// namespace.
func CheckName(name string) error {
	odd := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_.-", c)
	}
	low := strings.ToLower(name)
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, odd) || strings.Trim(name, "-.") != name ||
		strings.Contains(name, "--") || strings.Contains(name, "..") || strings.HasSuffix(low, ".git") || strings.HasSuffix(low, ".ipynb") {
		return fmt.Errorf("invalid repository name %q: it has 1 to %d characters of [A-Za-z0-9_.-], no - or . at its ends, no -- or .., and does not end in .git or .ipynb", name, maxName)
	}
	return nil
}

// Moved says that a repository has another name than the one it was asked by.
type Moved struct {
	Type     Type
	From, To string // ids
}

func (m *Moved) Error() string {
	return fmt.Sprintf("%s %s is now called %s", m.Type, m.From, m.To)
}

// Subdomain is the name a Space's app has in the host of its address.
func Subdomain(id string) string {
	const longest, cut = 63, 56 // of a part of a host name; what is kept of a longer one
	name := strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			return c
		case 'A' <= c && c <= 'Z':
			return c + 'a' - 'A'
		}
		return '-'
	}, id)
	if name = strings.Trim(name, "-"); len(name) <= longest {
		return name
	}
	sum := sha1.Sum([]byte(id)) // tells names apart, protects nothing
	return name[:cut] + "-" + hex.EncodeToString(sum[:3])
}
