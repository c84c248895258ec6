package skills

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Lengths that the Agent Skills layout allows, in characters.
const (
	nameLimit, descriptionLimit, compatibilityLimit = 64, 1024, 500
)

// hintLimit bounds what shows the arguments, in characters.
const hintLimit = 100

// skillFile is the file that makes a folder a skill.
const skillFile = "SKILL.md"

// skills reads the skills of a place.
func (l *loading) skills(p Place) {
	f, err := p.open("")
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		l.problem(p.Dir, "not read: %v", cause(err))
		return
	}
	defer f.close()
	entries, err := fs.ReadDir(f, ".")
	if err != nil {
		l.problem(p.Dir, "not read: %v", cause(err))
	}
	found := 0
	for _, d := range entries {
		name := d.Name()
		if strings.HasPrefix(name, ".") || !d.IsDir() && d.Type() != fs.ModeSymlink {
			continue
		}
		open := func() (*folder, error) { return p.open(name) }
		e, ok := l.skill(open, name, filepath.Join(p.Dir, name))
		if !ok {
			continue
		}
		if found++; found > mostEntries {
			l.problem(p.Dir, "it has more than %d skills: the others are left out", mostEntries)
			return
		}
		e.Origin, e.Path, e.Dir = p.Origin, filepath.Join(p.Dir, name, skillFile), filepath.Join(p.Dir, name)
		l.add(e)
	}
}

// builtIn reads the built-in skills.
func (l *loading) builtIn() {
	entries, err := fs.ReadDir(l.BuiltIn, ".")
	if err != nil {
		l.problem(string(BuiltIn), "not read: %v", err)
	}
	for _, d := range entries {
		if !d.IsDir() {
			continue
		}
		if e, ok := l.skill(embedded(l.BuiltIn, d.Name()), d.Name(), path.Join(string(BuiltIn), d.Name())); ok {
			e.Origin = BuiltIn
			l.add(e)
		}
	}
}

// skill reads one skill; dir names its folder for people.
func (l *loading) skill(open func() (*folder, error), name, dir string) (Entry, bool) {
	e := Entry{Kind: Skill, Name: name, ForModel: true, ForPerson: true, open: open, file: skillFile}
	at := filepath.Join(dir, skillFile)
	f, err := open()
	if err != nil {
		if info, statErr := os.Stat(dir); statErr != nil || info.IsDir() { // a link to a file is none of ours
			l.problem(dir, "left out: %v", cause(err))
		}
		return e, false
	}
	defer f.close()
	raw, err := f.read(skillFile)
	if errors.Is(err, fs.ErrNotExist) {
		l.remark(dir, "it has no %s", skillFile)
		return e, false
	}
	return e, l.filled(&e, at, string(raw), err)
}

// filled has an entry take over what its file says, and tells what is wrong.
func (l *loading) filled(e *Entry, at, text string, err error) bool {
	var unknown []string
	if err == nil {
		unknown, err = e.fill(text)
	}
	if err != nil {
		l.problem(at, "left out: %v", err)
		return false
	}
	if len(unknown) > 0 {
		l.remark(at, "its front matter has %s, which is not read", strings.Join(unknown, ", "))
	}
	return true
}

// commands reads the commands of a place.
func (l *loading) commands(p Place) {
	f, err := p.base()
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		l.problem(p.Dir, "not read: %v", cause(err))
		return
	}
	defer f.close()
	found := 0
	err = f.walk(func(name string, _ int64) error {
		if path.Ext(name) != ".md" {
			return nil
		}
		if found++; found > mostEntries {
			return errMany
		}
		l.command(p, f, name)
		return nil
	})
	switch {
	case errors.Is(err, errMany):
		l.problem(p.Dir, "it has more than %d commands, or %d files: the others are left out", mostEntries, mostSeen)
	case err != nil:
		l.problem(p.Dir, "not read: %v", cause(err))
	}
}

// command reads one command; its folders are the front part of its name.
func (l *loading) command(p Place, f *folder, file string) {
	at := filepath.Join(p.Dir, filepath.FromSlash(file))
	e := Entry{
		Kind: Command, Origin: p.Origin, Path: at, ForPerson: true, file: file,
		Name: strings.ToLower(strings.ReplaceAll(strings.TrimSuffix(file, ".md"), "/", ":")),
		open: p.base,
	}
	raw, err := f.read(file)
	if l.filled(&e, at, string(raw), err) {
		l.add(e)
	}
}

// fill takes over what a file says of itself; unknown are keys of its front
// matter that mean nothing here.
func (e *Entry) fill(text string) (unknown []string, err error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("it is no UTF-8 text")
	}
	head, body, has := split(text)
	if e.Kind == Skill && !has {
		return nil, errors.New(`it does not begin with front matter between two lines "---"`)
	}
	f, err := parse(head)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(body) == "" {
		return nil, errors.New("it says nothing behind its front matter")
	}
	if err := e.common(f); err != nil {
		return nil, err
	}
	known := []string{"description", "argument-hint", "model", "allowed-tools"}
	if e.Kind == Skill {
		known = append(known, "name", "license", "compatibility", "metadata", "disable-model-invocation", "user-invocable")
		err = e.layout(f)
	} else {
		e.Description = cmp.Or(e.Description, firstLine(body))
		err = commandName(e.Name)
	}
	return f.unknown(known...), cmp.Or(err, tooLong("description", e.Description, descriptionLimit),
		tooLong("argument-hint", e.Hint, hintLimit), tooLong("compatibility", e.Compatibility, compatibilityLimit))
}

func tooLong(key, text string, most int) error {
	if n := utf8.RuneCountInString(text); n > most {
		return fmt.Errorf("%s has %d characters, more than %d", key, n, most)
	}
	return nil
}

// common reads what skills and commands have in common.
func (e *Entry) common(f *front) (err error) {
	var errs [4]error
	var allow []string
	e.Description, errs[0] = f.text("description")
	e.Hint, errs[1] = hint(f)
	e.Model, errs[2] = f.text("model")
	allow, errs[3] = f.list("allowed-tools", rules)
	e.Allow = permissions(allow)
	if e.Model == "inherit" {
		e.Model = ""
	}
	return cmp.Or(errs[:]...)
}

// hint reads argument-hint; others write it as a list, which YAML makes of text
// in brackets.
func hint(f *front) (string, error) {
	const key = "argument-hint"
	parts, err := f.list(key, func(text string) []string { return []string{text} })
	if n := f.values[key]; err == nil && n != nil && len(n.Content) > 0 {
		return "[" + strings.Join(parts, ", ") + "]", nil
	}
	return strings.Join(parts, " "), err
}

// layout checks what the Agent Skills layout asks for.
func (e *Entry) layout(f *front) error {
	name, err := f.text("name")
	if err != nil {
		return err
	}
	if err := CheckName(name); err != nil {
		return err
	}
	if name != e.Name {
		return fmt.Errorf("its name is %q, and its folder's %q: they must be the same", name, e.Name)
	}
	if e.Description == "" {
		return errors.New("it has no description: the agent would not know when to use it")
	}
	var errs [5]error
	var notForModel bool
	e.License, errs[0] = f.text("license")
	e.Compatibility, errs[1] = f.text("compatibility")
	e.Metadata, errs[2] = f.pairs("metadata")
	notForModel, errs[3] = f.flag("disable-model-invocation", false)
	e.ForPerson, errs[4] = f.flag("user-invocable", true)
	e.ForModel = !notForModel
	e.Hint = cmp.Or(e.Hint, e.Metadata["argument-hint"])
	return cmp.Or(errs[:]...)
}

// CheckName says what is wrong with the name of a skill.
func CheckName(name string) error {
	wrong := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	switch {
	case name == "":
		return errors.New("it has no name")
	case len(name) > nameLimit:
		return fmt.Errorf("its name has %d characters, more than %d", len(name), nameLimit)
	case strings.ContainsFunc(name, wrong):
		return fmt.Errorf("its name is %q: it may have small letters a to z, digits and hyphens only", name)
	case strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") || strings.Contains(name, "--"):
		return fmt.Errorf("its name is %q: hyphens stand alone, between letters or digits", name)
	}
	return nil
}

// commandName checks the name of a command: words of letters, digits, hyphens
// and underscores, with colons between.
func commandName(name string) error {
	wrong := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != ':'
	}
	if len(name) > nameLimit {
		return fmt.Errorf("its name %q has %d characters, more than %d", name, len(name), nameLimit)
	}
	if strings.ContainsFunc(name, wrong) || slices.Contains(strings.Split(name, ":"), "") {
		return fmt.Errorf("its name %q may have letters a to z, digits, - and _ only", name)
	}
	return nil
}

// firstLine is the first line of a text that says something, without the marks
// of a heading.
func firstLine(body string) string {
	for line := range strings.Lines(body) {
		if text := oneLine(strings.TrimLeft(line, "# \t")); text != "" {
			if runes := []rune(text); len(runes) > descriptionLimit {
				return string(runes[:descriptionLimit-1]) + "…"
			}
			return text
		}
	}
	return ""
}
