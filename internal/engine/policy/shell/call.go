package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// call reads one simple command of the tree.
func (r *reader) call(c *syntax.CallExpr) {
	var sets []string
	for _, a := range c.Assigns {
		r.assignedText(a)
		if a.Name == nil || harmless(a.Name.Value) {
			continue
		}
		if len(c.Args) == 0 {
			r.setsForAll(a.Name.Value)
			continue
		}
		sets = append(sets, a.Name.Value)
	}
	if len(c.Args) > 0 {
		r.command(r.words(c.Args), sets, r.inputs[c])
	}
}

// declare reads export, declare, local and the like: they set variables for
// all that follows.
func (r *reader) declare(d *syntax.DeclClause) {
	r.arithmetic(d)
	for _, a := range d.Args {
		if a.Name == nil {
			if w := r.word(a.Value); !w.static() || strings.ContainsAny(w.Text, "nf") {
				r.setsForAll("?") // a computed name, a name for another variable, or functions
			}
			continue
		}
		r.assignedText(a)
		r.setsForAll(a.Name.Value)
	}
}

// assignedText hides commands kept in a variable for later, as PS4 can.
func (r *reader) assignedText(a *syntax.Assign) {
	if a.Value == nil {
		return
	}
	if w := r.word(a.Value); substitutes(w.Text) {
		r.hide("a variable holds a command substitution as text")
	}
	if a.Name != nil && slices.Contains([]string{"BASH_ENV", "PROMPT_COMMAND"}, a.Name.Value) {
		r.hide("%s makes later shells run something", a.Name.Value)
	}
}

// setsForAll notes a variable that may change what later commands do. It
// counts as a command of its own, NAME=.
func (r *reader) setsForAll(name string) {
	if harmless(name) {
		return
	}
	r.add(Command{Words: []Word{{Text: name + "=" + anyText}}, Own: true})
}

// harmless reports whether programs do not change what they do, only how, by
// the variable: lower-case names are the shell's own (but for proxies), the
// others are known.
func harmless(name string) bool {
	if name == strings.ToLower(name) && name != "" && name != "?" {
		return !strings.HasSuffix(name, "_proxy")
	}
	for _, prefix := range []string{"LC_", "OMP_", "MKL_", "NCCL_", "HF_HUB_", "TOKENIZERS_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"CUDA_VISIBLE_DEVICES", "CUDA_LAUNCH_BLOCKING", "CUDA_DEVICE_ORDER", "PYTHONUNBUFFERED", "PYTHONHASHSEED",
		"PYTORCH_CUDA_ALLOC_CONF", "WANDB_MODE", "WANDB_DISABLED", "WANDB_PROJECT", "LANG", "TZ", "TERM", "NO_COLOR",
		"FORCE_COLOR", "COLUMNS",
	}, name)
}

func (r *reader) add(c Command) {
	c.In = r.in
	if len(r.script.Commands) >= maxCommands {
		if len(r.script.Commands) == maxCommands {
			r.hide("it has more than %d parts", maxCommands)
			r.script.Commands = append(r.script.Commands, c)
		}
		return
	}
	r.script.Commands = append(r.script.Commands, c)
}

// command reads one simple command given as words, and what it starts.
func (r *reader) command(words []Word, sets []string, in input) {
	if len(words) == 0 || len(r.script.Commands) > maxCommands {
		return
	}
	name, known := words[0].Base()
	if !known {
		r.hide("the name of a command is computed")
		r.add(Command{Words: words, Own: true, Sets: sets, Input: in.text})
		return
	}
	if name[0] == '-' {
		r.hide("a wrapper takes an option that cannot be followed")
	}
	at := len(r.script.Commands)
	r.add(Command{Words: words, Own: true, Sets: sets, Input: in.text})
	transparent := r.starts(name, words, sets, in)
	if at < len(r.script.Commands) {
		r.script.Commands[at].Own = !transparent
	}
}

// starts reads the commands that words start; it reports whether that is all
// they do.
func (r *reader) starts(name string, words []Word, sets []string, in input) bool {
	args := words[1:]
	switch name {
	case "sh", "bash", "dash", "zsh", "ksh", "ash", "rbash", "mksh", "fish":
		return r.shell(name, args, in)
	case "eval":
		return r.eval(args, in)
	case "source", ".":
		r.sourced(args, in)
	case "trap":
		r.trap(args)
	case "alias":
		r.aliases(args)
	case "cd", "pushd", "popd":
		r.moves(name, args)
	case "xargs":
		return r.xargs(args, sets)
	case "find", "gfind":
		r.find(args, sets)
	case "git":
		r.git(args)
	case "test", "[", "let", "printf", "read", "unset", "wait", "mapfile", "readarray":
		if slices.ContainsFunc(args, func(w Word) bool { return strings.Contains(w.Text, "[") && substitutes(w.Text) }) {
			r.hide("quoted text with a command substitution is computed with")
		}
	default:
		return r.wrapped(name, args, sets, in)
	}
	return false
}

// wrapped follows programs that only start another one.
func (r *reader) wrapped(name string, args []Word, sets []string, in input) bool {
	if reason := opaque(name, args); reason != "" {
		r.hide("%s %s", name, reason)
		return false
	}
	w, args, ok := wrapperOf(name, args)
	if !ok {
		r.interprets(name, args, in)
		return false
	}
	inner, more, ok := w.inner(args)
	if !ok {
		r.hide("the options of %s cannot be followed", name)
		return false
	}
	if len(inner) == 0 {
		return false
	}
	at := len(r.script.Commands)
	r.command(inner, append(slices.Clone(sets), more...), in)
	if w.own && at < len(r.script.Commands) {
		r.script.Commands[at].Own = false // its words are part of the wrapper's
	}
	return !w.own
}

// interprets flags downloads that are fed to another language.
func (r *reader) interprets(name string, args []Word, in input) {
	languages := []string{"python", "python2", "python3", "perl", "ruby", "node", "php", "lua", "deno", "bun", "Rscript"}
	if !in.fetched || in.text != nil || !slices.Contains(languages, name) {
		return
	}
	if len(args) == 0 || args[0].Text == "-" {
		r.hide("runs a download with %s", name)
	}
}

// shell follows sh -c, here-documents and pipes into a shell.
func (r *reader) shell(name string, args []Word, in input) bool {
	script, stdin := false, false
	i := 0
	for ; i < len(args); i++ {
		text := args[i].Text
		if text == "--" {
			i++
			break
		}
		if !args[i].Plain() || len(text) < 2 || text[0] != '-' && text[0] != '+' {
			break
		}
		if strings.HasPrefix(text, "--") {
			if !slices.Contains([]string{"--norc", "--noprofile", "--posix", "--login", "--verbose"}, text) {
				r.hide("the option %s of %s cannot be followed", text, name)
				return false
			}
			continue
		}
		script = script || strings.Contains(text, "c")
		stdin = stdin || strings.Contains(text, "s")
		if strings.ContainsAny(text, "oO") {
			i++
		}
	}
	switch {
	case script:
		return r.inline(name, args[min(i, len(args)):], in)
	case i < len(args) && !stdin:
		r.file(name, args[i])
		return false
	}
	return r.fromInput(name, in)
}

// inline reads the text after -c.
func (r *reader) inline(name string, args []Word, in input) bool {
	if len(args) == 0 || !args[0].Plain() {
		r.hide("the text that %s -c runs is computed", name)
		return false
	}
	r.nested(name+" -c", args[0].Text, in)
	return true
}

// file judges a script that a shell reads from a file.
func (r *reader) file(name string, script Word) {
	text := script.Text
	if !script.static() || text == "-" || strings.HasPrefix(text, "/dev/") || strings.HasPrefix(text, "/proc/") {
		r.hide("the script that %s runs is computed", name)
	}
}

// fromInput judges a shell that reads commands from its standard input.
func (r *reader) fromInput(name string, in input) bool {
	switch {
	case in.text != nil && in.text.Plain():
		r.nested(name, in.text.Text, input{})
		return true
	case in.text != nil:
		r.hide("the text that %s runs is computed", name)
	case in.fetched:
		r.hide("runs a download with %s", name)
	case in.piped:
		r.hide("runs what another command prints with %s", name)
	}
	return false
}

func (r *reader) eval(args []Word, in input) bool {
	texts := make([]string, len(args))
	for i, w := range args {
		if !w.Plain() {
			r.hide("the text that eval runs is computed")
			return false
		}
		texts[i] = w.Text
	}
	r.nested("eval", strings.Join(texts, " "), in)
	return true
}

func (r *reader) sourced(args []Word, in input) {
	if len(args) == 0 {
		return
	}
	r.file("source", args[0])
	if in.piped && args[0].Text == "-" {
		r.hide("runs what another command prints")
	}
}

// trap reads the command a trap runs later, wherever the shell is then.
func (r *reader) trap(args []Word) {
	if len(args) > 0 && args[0].Text == "--" {
		args = args[1:]
	}
	if len(args) == 0 || args[0].Flag() && args[0].Plain() && len(args[0].Text) == 2 {
		return // -l and -p only print
	}
	if !args[0].Plain() {
		r.hide("the text that trap runs is computed")
		return
	}
	in := r.in
	r.in = nil
	r.nested("trap", args[0].Text, input{piped: true})
	r.in = in
}

func (r *reader) aliases(args []Word) {
	for _, w := range args {
		if !w.Plain() {
			r.hide("the text of an alias is computed")
			continue
		}
		if _, value, ok := strings.Cut(w.Text, "="); ok {
			r.nested("alias", value, input{piped: true})
		}
	}
}

// moves follows a change of directory; the old one stays possible, since the
// change may fail or belong to a subshell.
func (r *reader) moves(name string, args []Word) {
	for len(args) > 0 && args[0].Flag() && args[0].Plain() {
		args = args[1:]
	}
	if name == "popd" {
		return // an earlier directory, which is still in the set
	}
	to := Word{Text: homeText}
	if len(args) > 0 {
		to = args[0]
	}
	if to.Text == "-" || r.homeSet || len(args) > 1 {
		r.in = nil
		return
	}
	targets, ok := r.in.Resolve(to, r.home)
	var paths []string
	for _, t := range targets {
		ok = ok && t.Pattern == ""
		paths = append(paths, t.Path)
	}
	if !ok {
		paths = nil
	}
	r.in = r.in.change(paths)
}
