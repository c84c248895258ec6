package danger

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/engine/policy/shell"
)

func (j *judge) send(format string, args ...any) {
	j.report.Sends = append(j.report.Sends, fmt.Sprintf(format, args...))
}

// sends notes what a well-known program sends to other machines. Fetching
// something by an address that is written out sends nothing; an address that
// is put together may carry what it is put together from.
func (j *judge) sends(name string, c shell.Command) {
	args := c.Words[1:]
	switch name {
	case "curl":
		j.curl(args)
	case "wget", "wget2", "aria2c", "axel":
		j.wget(name, args)
	case "http", "https", "xh", "xhs":
		j.httpie(name, args)
	case "scp", "rsync":
		j.copiesOut(name, args)
	case "nc", "ncat", "netcat":
		if !hasFlag(args, 'z', "") && !hasFlag(args, 'l', "listen") && !slices.ContainsFunc(args, localWord) {
			j.send("opens a connection (%s)", name)
		}
	case "dig", "nslookup", "host", "drill", "getent", "ping", "ping6", "traceroute", "whois", "resolvectl":
		if slices.ContainsFunc(args, computed) || strings.HasPrefix(name, "ping") && hasFlag(args, 'p', "pattern") {
			j.send("asks other machines for a name that is put together (%s)", name)
		}
	case "git":
		j.gitSends(args)
	case "python", "python2", "python3", "pypy", "ipython", "node", "deno", "bun", "perl", "ruby", "php", "lua", "Rscript":
		j.code(name, c)
	case "awk", "gawk", "mawk":
		if slices.ContainsFunc(args, func(w shell.Word) bool { return strings.Contains(w.Text, "/inet") }) {
			j.send("opens a connection (%s)", name)
		}
	case "openssl":
		if hasWord(args, "s_client") {
			j.send("opens a connection (openssl)")
		}
	case "pip", "pip3":
		j.installs(name, args)
		j.service(name, args)
	case "npx", "uvx", "bunx", "pipx", "pnpm", "yarn":
		if rest := operands(args); len(rest) > 0 && rest[0].Text == "run" {
			args = rest[1:]
		}
		j.started(c, operands(args))
	default:
		j.service(name, args)
	}
}

// started judges a program that another one starts by its name.
func (j *judge) started(c shell.Command, words []shell.Word) {
	if len(words) == 0 {
		return
	}
	name, known := words[0].Base()
	switch name {
	case "", "npx", "uvx", "bunx", "pipx", "pnpm", "yarn", "python", "python3":
		return // not deeper: what starts itself has no end
	}
	if known {
		j.sends(name, shell.Command{Words: words, In: c.In, Input: c.Input})
	}
}

// service notes programs that speak to a service: which of their commands only
// look is known, the others change or send something.
func (j *judge) service(name string, args []shell.Word) {
	if slices.Contains([]string{
		"ssh", "mosh", "sftp", "ftp", "lftp", "tftp", "ncftp", "ncftpput", "telnet", "socat", "websocat", "wscat", "mail", "mailx",
		"sendmail", "mutt", "msmtp", "swaks", "ssh-copy-id", "ngrok", "cloudflared", "bore", "lt", "wormhole", "croc", "telegram-send",
		"slackcat", "ntfy", "curlie", "grpcurl", "rclone", "azcopy", "s3cmd", "b2", "mc", "vercel", "netlify", "wrangler",
		"firebase", "heroku", "fly", "flyctl", "railway", "surge", "gh-pages", "lynx", "w3m", "smbclient", "rcp", "rsh", "uucp",
	}, name) {
		j.send("speaks to another machine (%s)", name)
		return
	}
	if j.assembled(name, args) {
		return
	}
	words := operands(args)
	text := func(i int) string {
		if i < len(words) {
			return words[i].Text
		}
		return ""
	}
	if name == "uv" {
		j.installs(name, args)
	}
	switch name {
	case "hf", "huggingface-cli":
		if !hubLooks(text(0), text(1)) && len(words) > 0 {
			j.send("acts on the Hub (%s %s)", name, strings.TrimSpace(text(0)+" "+text(1)))
		}
	case "gh":
		j.github(args, text(0), text(1))
	case "aws", "gsutil", "gcloud", "az":
		j.cloud(name, words)
	case "docker", "podman", "nerdctl", "skopeo", "crane":
		if slices.Contains([]string{"push", "login", "copy"}, text(0)) || text(1) == "push" {
			j.send("pushes an image (%s)", name)
		}
	case "twine", "npm", "cargo", "poetry", "uv", "flit", "hatch", "pdm", "gem", "anaconda", "dvc", "kaggle", "wandb", "tensorboard", "modal":
		for _, verb := range []string{"upload", "publish", "push", "submit", "create", "version", "sync", "artifact", "dev", "deploy"} {
			if publishes(name, verb, text(0), text(1)) {
				j.send("publishes or uploads (%s %s)", name, strings.TrimSpace(text(0)+" "+text(1)))
				return
			}
		}
	}
}

// assembled notes that a program is given an address that is put together; it
// reports whether it is.
func (j *judge) assembled(name string, args []shell.Word) bool {
	for _, w := range args {
		if computed(w) && strings.Contains(w.Text, "://") && !quiet(name) && !fixedHost(w.Text, fetchHosts()) && !localAddress(w.Text) {
			j.send("an address is put together from what is on this machine (%s %s)", name, shown(w))
			return true
		}
	}
	return false
}

// publishes reports whether verb, as the first or second word of a command,
// sends something for this program.
func publishes(name, verb, first, second string) bool {
	switch name {
	case "kaggle":
		return second == verb
	case "wandb":
		return first == verb && (verb == "sync" || verb == "artifact" && second == "put")
	case "tensorboard":
		return first == "dev" && verb == "dev"
	case "cargo", "npm", "poetry", "uv", "flit", "hatch", "pdm":
		return first == verb && (verb == "publish" || verb == "upload")
	}
	return first == verb && verb != "create" && verb != "version" && verb != "sync" && verb != "dev"
}

// hubLooks reports whether a command of the Hub's program only looks, fetches,
// or keeps the house on this machine.
func hubLooks(first, second string) bool {
	switch first {
	case "download", "whoami", "env", "version", "cache", "scan-cache", "delete-cache", "login", "logout", "auth", "help", "lfs-enable-largefiles":
		return true
	}
	return slices.Contains([]string{"ls", "list", "info", "ps", "logs", "inspect", "hardware", "stats", "search", "read"}, second)
}

// github judges GitHub's program.
func (j *judge) github(args []shell.Word, first, second string) {
	looks := slices.Contains([]string{
		"view", "list", "status", "diff", "checks", "download", "clone", "checkout", "watch", "token", "setup-git", "get",
		"repos", "issues", "prs", "code", "commits", "verify",
	}, second) || slices.Contains([]string{"", "status", "browse", "help", "version", "completion"}, first)
	if first == "api" {
		method := methodOf(args)
		looks = method == "" || reads(method)
		for _, data := range []struct {
			short byte
			long  string
		}{{'f', "raw-field"}, {'F', "field"}, {0, "input"}} {
			looks = looks && len(optionValues(args, data.short, data.long)) == 0
		}
	}
	if !looks {
		j.send("acts on GitHub (gh %s)", strings.TrimSpace(first+" "+second))
	}
}

// cloud judges programs of object stores: what is copied there, and all but
// looking.
func (j *judge) cloud(name string, words []shell.Word) {
	if slices.ContainsFunc(words, func(w shell.Word) bool {
		return slices.Contains([]string{"ls", "list", "help", "version", "configure", "describe", "du", "stat", "cat", "info", "sts", "auth"}, w.Text)
	}) {
		return
	}
	if n := len(words); n > 1 && slices.ContainsFunc(words[:n-1], remoteStore) && !remoteStore(words[n-1]) && !computed(words[n-1]) {
		return // to this machine
	}
	j.send("speaks to a cloud (%s)", name)
}

func remoteStore(w shell.Word) bool {
	return strings.HasPrefix(w.Text, "s3://") || strings.HasPrefix(w.Text, "gs://")
}

// gitSends notes what git sends.
func (j *judge) gitSends(args []shell.Word) {
	sub, rest, known := shell.GitCommand(args)
	plain := operands(rest)
	verb := ""
	if len(plain) > 0 {
		verb = plain[0].Text
	}
	switch {
	case !known:
		j.send("a git command cannot be told")
	case sub == "push", sub == "send-email", sub == "imap-send", sub == "request-pull", sub == "p4", sub == "svn",
		sub == "lfs" && verb == "push",
		sub == "annex" && slices.Contains([]string{"copy", "move", "sync", "push", "export", "assist"}, verb):
		j.send("sends commits to another machine (git %s)", sub)
	case slices.Contains([]string{"clone", "fetch", "pull", "ls-remote", "submodule", "remote"}, sub):
		for _, w := range plain {
			if computed(w) && (strings.Contains(w.Text, "://") || sub != "clone" || w.Text == plain[0].Text) &&
				!fixedHost(w.Text, fetchHosts()) {
				j.send("an address is put together from what is on this machine (git %s %s)", sub, shown(w))
				return
			}
		}
	}
}

// copiesOut notes copies to another machine.
func (j *judge) copiesOut(name string, args []shell.Word) {
	plain := operands(args)
	if len(plain) == 0 {
		return
	}
	to := plain[len(plain)-1].Text
	host, _, remote := strings.Cut(to, ":")
	switch {
	case remote && !strings.Contains(host, "/"), strings.Contains(to, "://"):
		j.send("copies to another machine (%s %s)", name, shown(plain[len(plain)-1]))
	case len(to) > 0 && to[0] == shell.Any, slices.ContainsFunc(plain, func(w shell.Word) bool { return w.Splits && strings.HasPrefix(w.Text, string(shell.Any)) }):
		j.send("copies to where it cannot be told (%s)", name)
	}
}

// detours notes variables that send the requests of a program elsewhere.
func (j *judge) detours(c shell.Command) {
	names := c.Sets
	if name, value, ok := strings.Cut(c.Words[0].Text, "="); ok && len(c.Words) == 1 && value == string(shell.Any) {
		names = append(slices.Clone(names), name)
	}
	for _, name := range names {
		upper := strings.ToUpper(name)
		if strings.HasSuffix(upper, "_PROXY") || slices.Contains([]string{
			"HF_ENDPOINT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "GIT_SSH_COMMAND", "GIT_SSH",
			"AWS_ENDPOINT_URL", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "WANDB_BASE_URL", "GH_HOST",
		}, upper) {
			j.send("sends what programs ask for elsewhere (%s)", name)
		}
	}
}

// quiet reports whether name is a program that speaks to no other machine.
func quiet(name string) bool {
	return slices.Contains([]string{
		"echo", "printf", "grep", "egrep", "fgrep", "rg", "sed", "cat", "tee", "test", "[", "head", "tail", "cut", "tr", "sort", "jq",
		"ls", "true", "false", ":", "read", "export", "unset", "set", "cd", "mkdir", "rm", "mv", "cp",
	}, name)
}

// computed reports whether part of a word is known only when the shell runs.
func computed(w shell.Word) bool { return strings.ContainsRune(w.Text, shell.Any) }
