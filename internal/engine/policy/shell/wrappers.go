package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// wrapper says how the options of a program that starts another one are laid
// out, so that the inner command can be found.
type wrapper struct {
	flags  string   // short options without a value
	values string   // short options with one
	long   []string // long options without a value
	longs  []string // long options with one
	skip   int      // words between the options and the command
	sets   bool     // takes NAME=value words
	own    bool     // does more than starting: needs a rule of its own
}

// wrapperOf returns the wrapper that name is, and its arguments.
func wrapperOf(name string, args []Word) (wrapper, []Word, bool) {
	switch name {
	case "uv", "poetry", "pipenv", "conda", "mamba", "micromamba", "rye", "pdm", "hatch", "pixi":
		if len(args) == 0 || args[0].Text != "run" {
			return wrapper{}, nil, false
		}
		return runner(name), args[1:], true
	}
	w, ok := wrappers()[name]
	return w, args, ok
}

// runner is `NAME run`, which starts a command in an environment.
func runner(name string) wrapper {
	switch name {
	case "uv":
		return wrapper{
			flags: "qvn", values: "p",
			long: []string{
				"quiet", "verbose", "no-sync", "frozen", "locked", "isolated", "active", "no-project", "all-extras",
				"no-dev", "exact", "offline", "no-cache", "refresh", "upgrade",
			},
			longs: []string{
				"with", "with-requirements", "with-editable", "python", "extra", "group", "index", "index-url",
				"extra-index-url", "prerelease", "resolution", "env-file",
			},
		}
	case "conda", "mamba", "micromamba":
		return wrapper{
			flags: "v", values: "np", long: []string{"no-capture-output", "live-stream"}, longs: []string{"name", "prefix"},
		}
	}
	return wrapper{flags: "qv", long: []string{"quiet", "verbose"}}
}

// wrappers are the programs whose inner command can be found.
func wrappers() map[string]wrapper {
	return map[string]wrapper{
		"env":     {flags: "i0v", values: "u", long: []string{"ignore-environment"}, longs: []string{"unset"}, sets: true},
		"nice":    {flags: "0123456789", values: "n", longs: []string{"adjustment"}},
		"ionice":  {flags: "t", values: "cn", long: []string{"ignore"}, longs: []string{"class", "classdata"}},
		"nohup":   {},
		"time":    {flags: "pvaq", values: "f", longs: []string{"format"}},
		"timeout": {flags: "v", values: "ks", long: []string{"preserve-status", "foreground", "verbose"}, longs: []string{"kill-after", "signal"}, skip: 1},
		"stdbuf":  {values: "ioe", longs: []string{"input", "output", "error"}},
		"setsid":  {flags: "cfw", long: []string{"ctty", "fork", "wait"}},
		"taskset": {flags: "ac", long: []string{"cpu-list", "all-tasks"}, skip: 1},
		"numactl": {flags: "l", values: "NCmip", long: []string{"localalloc"}, longs: []string{"cpunodebind", "physcpubind", "membind", "interleave", "preferred"}},
		"flock":   {flags: "nsxuoF", values: "wE", long: []string{"nonblock", "shared", "exclusive", "close", "no-fork"}, longs: []string{"timeout", "conflict-exit-code"}, skip: 1},
		"srun":    {flags: "ulQv", values: "nNpctGAJDowqx", longs: []string{"gres", "mem", "time", "partition", "nodes", "ntasks", "cpus-per-task", "account", "job-name", "qos"}},
		"command": {flags: "p"}, "builtin": {}, "exec": {flags: "cl", values: "a"},
		"busybox": {}, "toybox": {}, "chronic": {}, "caffeinate": {flags: "disu"},
		"sudo": {flags: "AbEHnPSkK", values: "ugpCThDR", sets: true, own: true}, "doas": {flags: "n", values: "u", own: true},
	}
}

// inner finds the command in the arguments of a wrapper, and the names of the
// variables it sets; ok is false when an option is not known.
func (w wrapper) inner(args []Word) (inner []Word, sets []string, ok bool) {
	skip := w.skip
	for i := 0; i < len(args); {
		word := args[i]
		text := word.Text
		name, _, assigns := strings.Cut(text, "=")
		switch {
		case word.Splits || text == "" || strings.ContainsAny(text[:1], dynamic):
			return args[i:], sets, skip == 0 && !word.Splits && text != "" // a computed name is the caller's concern
		case text == "--":
			return skipped(args[i+1:], skip, sets)
		case strings.HasPrefix(text, "--"):
			n := w.longOption(name[2:], assigns)
			if n == 0 {
				return nil, nil, false
			}
			i += n
		case word.Flag():
			n := w.shortOptions(text[1:])
			if n == 0 {
				return nil, nil, false
			}
			i += n
		case w.sets && assigns && syntax.ValidName(name):
			if !harmless(name) {
				sets = append(sets, name)
			}
			i++
		case skip > 0:
			skip--
			i++
			if skip == 0 {
				return args[i:], sets, true
			}
		default:
			return args[i:], sets, true
		}
	}
	return nil, sets, true
}

func skipped(args []Word, skip int, sets []string) ([]Word, []string, bool) {
	if len(args) < skip || slices.ContainsFunc(args[:skip], func(w Word) bool { return w.Splits }) {
		return nil, nil, false
	}
	return args[skip:], sets, true
}

// longOption returns how many words the option takes, 0 when it is not known.
func (w wrapper) longOption(name string, assigns bool) int {
	switch {
	case slices.Contains(w.longs, name) && assigns, slices.Contains(w.long, name) && !assigns:
		return 1
	case slices.Contains(w.longs, name):
		return 2
	}
	return 0
}

// shortOptions does the same for a cluster such as -nk5.
func (w wrapper) shortOptions(cluster string) int {
	for i := 0; i < len(cluster); i++ {
		switch {
		case strings.IndexByte(w.flags, cluster[i]) >= 0:
		case strings.IndexByte(w.values, cluster[i]) >= 0 && i == len(cluster)-1:
			return 2
		case strings.IndexByte(w.values, cluster[i]) >= 0:
			return 1
		default:
			return 0
		}
	}
	return 1
}

// opaque says why the commands a program starts cannot be followed, or returns
// the empty string.
func opaque(name string, args []Word) string {
	sub := ""
	for _, w := range args {
		if !w.Flag() {
			sub = w.Text
			break
		}
	}
	among := func(list ...string) bool { return slices.Contains(list, sub) }
	switch name {
	case "parallel", "watch", "script", "expect", "unshare", "nsenter", "chroot", "systemd-run", "strace", "ltrace",
		"gdb", "at", "batch", "entr", "unbuffer", "setpriv", "dtach", "pkexec", "su", "runuser", "run0":
		if len(args) > 0 {
			return "starts a command that cannot be followed"
		}
	case "ssh", "mosh":
		return "runs commands on another machine"
	case "docker", "podman", "nerdctl", "kubectl", "singularity", "apptainer":
		if among("run", "exec", "debug", "shell", "container", "compose") {
			return sub + " starts a command that cannot be followed"
		}
	case "tmux", "screen", "zellij":
		if !among("ls", "list-sessions", "capture-pane", "kill-session", "has-session") && len(args) > 0 &&
			args[0].Text != "-ls" {
			return "starts commands that cannot be followed"
		}
	case "crontab":
		if len(args) == 0 || args[0].Text != "-l" {
			return "schedules commands"
		}
	}
	return ""
}

// xargs follows the command that xargs completes with words it reads.
func (r *reader) xargs(args []Word, sets []string) bool {
	w := wrapper{
		flags: "0rtxpo", values: "ILnPsdEa", long: []string{"null", "no-run-if-empty", "verbose", "exit"},
		longs: []string{"max-args", "max-procs", "delimiter", "arg-file", "replace", "max-lines", "max-chars"},
	}
	inner, _, ok := w.inner(args)
	if !ok || len(inner) > 0 && inner[0].Flag() {
		r.hide("the options of xargs cannot be followed")
		return false
	}
	if len(inner) == 0 {
		return false
	}
	token := "{}"
	for i, a := range args[:len(args)-len(inner)] {
		if rest, ok := strings.CutPrefix(a.Text, "-I"); ok && rest != "" {
			token = rest
		} else if ok && i+1 < len(args) {
			token = args[i+1].Text
		}
	}
	words := replace(inner, token, Word{Text: anyText})
	r.command(append(words, Word{Text: anyText, Splits: true}), sets, input{})
	return true
}

// replace puts what a placeholder becomes into words.
func replace(words []Word, token string, by Word) []Word {
	out := slices.Clone(words)
	for i, w := range out {
		if token != "" && strings.Contains(w.Text, token) {
			out[i] = Word{Text: strings.ReplaceAll(w.Text, token, by.Text), Splits: w.Splits || by.Splits}
		}
	}
	return out
}

// FindRoots returns where find starts to look.
func FindRoots(args []Word) []Word {
	var roots []Word
	for _, w := range args {
		if w.Flag() || w.Text == "(" || w.Text == "!" {
			break
		}
		roots = append(roots, w)
	}
	if len(roots) == 0 {
		return []Word{literal(".")}
	}
	return roots
}

// find follows -exec and its kin.
func (r *reader) find(args []Word, sets []string) {
	roots := FindRoots(args)
	for i := 0; i < len(args); i++ {
		switch args[i].Text {
		case "-exec", "-execdir", "-ok", "-okdir":
			i = r.findExec(args, i, roots, sets)
		default:
			if strings.ContainsRune(args[i].Text, Any) && args[i].Splits {
				r.hide("the options of find are computed")
			}
		}
	}
}

// Found is what find comes upon below root: everything when it has no test
// that leaves something out.
func Found(root Word, args []Word) Word {
	if !root.static() {
		return Word{Text: anyText}
	}
	tests := []string{
		"-name", "-iname", "-path", "-ipath", "-wholename", "-regex", "-iregex", "-size", "-empty", "-newer", "-mtime",
		"-mmin", "-ctime", "-atime", "-user", "-perm",
	}
	chosen := ""
	if slices.ContainsFunc(args, func(w Word) bool { return slices.Contains(tests, w.Text) }) {
		chosen = "found-"
	}
	return Word{Text: root.Text + "/" + chosen + globText}
}

// findExec follows one -exec that starts at args[i]; it returns where it ends.
func (r *reader) findExec(args []Word, i int, roots []Word, sets []string) int {
	end := i + 1
	for end < len(args) && args[end].Text != ";" && args[end].Text != "+" {
		end++
	}
	inner := args[i+1 : end]
	before := r.in
	if strings.HasSuffix(args[i].Text, "dir") {
		r.in = nil
	}
	for _, root := range roots {
		r.command(replace(inner, "{}", Found(root, args)), sets, input{})
	}
	r.in = before
	return end
}

// git follows settings and subcommands that start other commands.
func (r *reader) git(args []Word) {
	for i, w := range args {
		if w.Text != "-c" && !strings.HasPrefix(w.Text, "--config-env") && !strings.HasPrefix(w.Text, "--exec-path=") {
			continue
		}
		if i+1 < len(args) && !strings.HasPrefix(args[i+1].Text, "user.") {
			r.hide("git %s may start another command", w.Text)
		}
	}
	sub, rest, known := GitCommand(args)
	has := func(words ...string) bool {
		return slices.ContainsFunc(rest, func(w Word) bool { return slices.Contains(words, w.Text) })
	}
	switch {
	case !known:
		r.hide("the git command is computed")
	case sub == "submodule" && has("foreach"), sub == "bisect" && has("run"), sub == "filter-branch",
		sub == "rebase" && has("-x", "--exec"), sub == "difftool" && has("-x", "--extcmd"):
		r.hide("git %s starts commands that cannot be followed", sub)
	}
}

// GitCommand returns git's subcommand and what follows it; known is false when
// the subcommand cannot be told.
func GitCommand(args []Word) (sub string, rest []Word, known bool) {
	i := 0
	for i < len(args) && args[i].Flag() {
		switch args[i].Text {
		case "-c", "-C", "--git-dir", "--work-tree", "--namespace", "--config-env":
			i++
		}
		i++
	}
	if i >= len(args) {
		return "", nil, true
	}
	return args[i].Text, args[i+1:], args[i].Plain()
}
