// Package dockerfile reads of a Dockerfile what running its image's command
// without building the image needs. It builds nothing.
package dockerfile

import (
	"encoding/json"
	"path"
	"strings"
)

// File is what was found.
type File struct {
	// Command is the last CMD in JSON form behind the last ENTRYPOINT in JSON
	// form; empty when there is no such CMD.
	Command []string
	// Environment are the variables of ENV.
	Environment map[string]string
	// Places are absolute paths of the image with the paths of the build's
	// directory they were copied from; WORKDIR is the directory itself.
	Places map[string]string
	// Steps are the instructions, a line each, for a log.
	Steps []string
}

// Parse reads a Dockerfile. Instructions it does not know are steps only.
func Parse(text string) File {
	f := File{Environment: map[string]string{}, Places: map[string]string{}}
	var entry []string
	dir := "/"
	for _, line := range instructions(text) {
		f.Steps = append(f.Steps, line)
		name, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch strings.ToUpper(name) {
		case "CMD":
			f.Command = list(rest, f.Command)
		case "ENTRYPOINT":
			entry = list(rest, entry)
		case "ENV":
			variables(rest, f.Environment)
		case "WORKDIR":
			dir = absolute(dir, rest)
			f.place(dir, ".")
		case "COPY", "ADD":
			f.copied(dir, rest)
		}
	}
	if f.Command != nil {
		f.Command = append(entry[:len(entry):len(entry)], f.Command...)
	}
	return f
}

// instructions joins continued lines and drops comments.
func instructions(text string) []string {
	var all []string
	current := ""
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		part, more := strings.CutSuffix(line, "\\")
		current = strings.TrimSpace(current + " " + strings.TrimSpace(part))
		if !more {
			all = append(all, current)
			current = ""
		}
	}
	if current != "" {
		all = append(all, current)
	}
	return all
}

// list reads the JSON form, or returns otherwise.
func list(text string, otherwise []string) []string {
	var words []string
	if json.Unmarshal([]byte(text), &words) != nil || len(words) == 0 {
		return otherwise
	}
	return words
}

// variables reads "A=b C="d e"" or "A the rest".
func variables(text string, into map[string]string) {
	name, rest, ok := strings.Cut(text, "=")
	if !ok || strings.ContainsAny(name, " \t") {
		if name, rest, ok := strings.Cut(text, " "); ok {
			into[name] = strings.TrimSpace(rest)
		}
		return
	}
	for ok {
		value, after := word(rest)
		into[strings.TrimSpace(name)] = value
		name, rest, ok = strings.Cut(strings.TrimSpace(after), "=")
	}
}

// word takes the first word off text, quotes removed.
func word(text string) (value, rest string) {
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		if end := strings.IndexByte(text[1:], text[0]); end >= 0 {
			return text[1 : 1+end], text[end+2:]
		}
	}
	value, rest, _ = strings.Cut(text, " ")
	return value, rest
}

func absolute(dir, p string) string {
	if !path.IsAbs(p) {
		p = path.Join(dir, p)
	}
	return path.Clean(p)
}

func (f File) place(target, source string) {
	if target != "/" {
		f.Places[target] = source
	}
}

// copied notes where COPY and ADD put what is in the build's directory.
func (f File) copied(dir, text string) {
	words := list(text, nil)
	if words == nil {
		words = strings.Fields(text)
	}
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		if strings.HasPrefix(words[0], "--from") {
			return // of another image
		}
		words = words[1:]
	}
	if len(words) < 2 {
		return
	}
	sources, to := words[:len(words)-1], words[len(words)-1]
	target := absolute(dir, to)
	for _, s := range sources {
		s = path.Clean("/" + s)[1:] // nothing lies outside of the build's directory
		switch {
		case s == "":
			f.place(target, ".")
		case strings.HasSuffix(to, "/") || to == "." || len(sources) > 1:
			f.place(path.Join(target, path.Base(s)), s)
		default:
			f.place(target, s)
		}
	}
}
