package danger

import (
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/engine/policy/shell"
)

// longQuery is from how many bytes on what stands behind the ? of an address
// is taken for data that is sent.
const longQuery = 256

// fetchHosts are places whose requests nobody but they see: an address there
// that is put together tells nobody anything.
func fetchHosts() []string {
	return []string{
		"huggingface.co", "hf.co", "github.com", "api.github.com", "raw.githubusercontent.com", "codeload.github.com",
		"objects.githubusercontent.com", "pypi.org", "files.pythonhosted.org", "download.pytorch.org", "arxiv.org", "export.arxiv.org",
	}
}

// installs notes packages that come from a place which is none of the usual:
// what is installed runs with all that commands have, also their credentials.
func (j *judge) installs(name string, args []shell.Word) {
	places := slices.Concat(
		optionValues(args, 'i', "index-url"), optionValues(args, 0, "extra-index-url"), optionValues(args, 0, "index"),
		optionValues(args, 0, "default-index"), optionValues(args, 'f', "find-links"),
	)
	for _, w := range places {
		if strings.Contains(w.Text, "://") && !fixedHost(w.Text, packageHosts()) && !fixedHost(w.Text, fetchHosts()) && !localAddress(w.Text) {
			j.send("installs what an unknown place offers (%s %s)", name, shown(w))
		}
	}
}

// packageHosts offer packages of Python, beside [fetchHosts].
func packageHosts() []string {
	return []string{
		"pypi.nvidia.com", "pypi.ngc.nvidia.com", "developer.download.nvidia.com", "wheels.vllm.ai", "flashinfer.ai", "data.pyg.org",
		"data.dgl.ai", "storage.googleapis.com", "test.pypi.org", "pypi.anaconda.org",
	}
}

// KnownHost reports whether an address is one of these places, or of this
// machine.
func KnownHost(address string) bool {
	return fixedHost(address, fetchHosts()) || localAddress(address)
}

// tokenHosts are the places that the user's own tokens are for.
func tokenHosts() []string { return []string{"huggingface.co", "hf.co", "api.github.com"} }

// request is what the words of a fetching program say.
type request struct {
	addresses []shell.Word
	headers   []shell.Word // and other texts that go along
	body      bool
	method    string
	detour    bool // goes through, or to, another machine than it says
}

// judgeRequest notes what a request sends.
func (j *judge) judgeRequest(name string, r request) {
	if !r.detour && len(r.addresses) > 0 && !slices.ContainsFunc(r.addresses, func(w shell.Word) bool { return !localAddress(w.Text) }) {
		return // this machine's own servers
	}
	switch {
	case r.detour:
		j.send("sends a request by way of another machine (%s)", name)
	case r.body:
		j.send("sends data (%s)", name)
	case r.method != "" && !reads(r.method):
		j.send("sends a request that changes something (%s %s)", name, shown(shell.Word{Text: r.method}))
	}
	for _, w := range r.addresses {
		_, query, _ := strings.Cut(w.Text, "?")
		scheme, _, has := strings.Cut(strings.ToLower(w.Text), "://")
		switch {
		case has && scheme != "http" && scheme != "https" && scheme != "ftp" && scheme != "ftps" && scheme != "file":
			j.send("opens a connection (%s %s)", name, shown(w))
		case computed(w) && !fixedHost(w.Text, fetchHosts()):
			j.send("an address is put together from what is on this machine (%s %s)", name, shown(w))
		case len(query) > longQuery, secretLike(w.Text):
			j.send("an address carries data (%s %s)", name, shown(w))
		}
	}
	trusted := len(r.addresses) > 0 && !slices.ContainsFunc(r.addresses, func(w shell.Word) bool { return !fixedHost(w.Text, tokenHosts()) })
	for _, w := range r.headers {
		if !trusted && (computed(w) || strings.HasPrefix(w.Text, "@") || secretLike(w.Text)) {
			j.send("sends what is on this machine along (%s)", name)
		}
	}
}

// curl reads curl's options.
func (j *judge) curl(args []shell.Word) {
	r := request{method: methodOf(args)}
	for i := 0; i < len(args); i++ {
		name, value, n := curlOption(args, i)
		switch name {
		case "": // an address
			r.addresses = append(r.addresses, args[i])
		case "url":
			r.addresses = append(r.addresses, value)
		case "d", "data", "data-ascii", "data-raw", "data-binary", "data-urlencode", "json", "F", "form", "form-string", "T",
			"upload-file", "url-query", "mail-from", "mail-rcpt", "Q", "quote", "K", "config", "u", "user", "b", "cookie":
			r.body = true
		case "x", "proxy", "preproxy", "socks5", "socks5-hostname", "socks4", "socks4a", "connect-to", "resolve", "doh-url",
			"dns-servers", "proxy-user", "U", "abstract-unix-socket", "unix-socket":
			r.detour = true
		case "o", "output", "output-dir", "w", "write-out", "C", "continue-at", "m", "max-time", "connect-timeout", "retry",
			"retry-delay", "retry-max-time", "r", "range", "z", "D", "dump-header", "c", "cookie-jar", "limit-rate", "Y", "y",
			"cacert", "capath", "X", "request", "stderr", "trace", "trace-ascii", "Z", "parallel-max", "max-redirs", "max-filesize":
		default:
			if value.Text != "" {
				r.headers = append(r.headers, value)
			}
		}
		i += n
	}
	j.judgeRequest("curl", r)
}

// curlOption reads the option at i: its name, empty for an address, its value,
// and how many more words it takes.
func curlOption(args []shell.Word, i int) (name string, value shell.Word, more int) {
	text := args[i].Text
	if !args[i].Flag() {
		return "", shell.Word{}, 0
	}
	next := func() (shell.Word, int) {
		if i+1 < len(args) {
			return args[i+1], 1
		}
		return shell.Word{}, 0
	}
	if long, ok := strings.CutPrefix(text, "--"); ok {
		if name, after, has := strings.Cut(long, "="); has {
			return name, shell.Word{Text: after, Splits: args[i].Splits}, 0
		}
		if !curlTakes(long) {
			return long, shell.Word{}, 0
		}
		value, more = next()
		return long, value, more
	}
	for k := 1; k < len(text); k++ {
		if !strings.ContainsRune("AbcCdDeEFHhKmoPQrtTuUwxXyYz", rune(text[k])) {
			continue
		}
		if k+1 < len(text) {
			return text[k : k+1], shell.Word{Text: text[k+1:], Splits: args[i].Splits}, 0
		}
		value, more = next()
		return text[k:], value, more
	}
	return "-", shell.Word{}, 0
}

// curlTakes reports whether a long option is followed by its value. Those that
// only switch something are known; an unknown one is taken for such a switch
// when its name says so.
func curlTakes(name string) bool {
	for _, start := range []string{"no-", "ssl", "tls", "ipv", "http", "compressed", "tcp-", "fail", "proto-", "create-", "remote-"} {
		if strings.HasPrefix(name, start) {
			return false
		}
	}
	return !slices.Contains([]string{
		"location", "location-trusted", "silent", "show-error", "verbose", "include", "head", "insecure", "get", "progress-bar",
		"globoff", "parallel", "netrc", "netrc-optional", "anyauth", "basic", "digest", "ntlm", "negotiate", "append", "path-as-is",
		"raw", "retry-connrefused", "retry-all-errors", "use-ascii", "xattr", "manual", "version", "help", "buffer", "disable",
	}, name)
}

// wget reads the options of wget and its kin.
func (j *judge) wget(name string, args []shell.Word) {
	r := request{method: methodOf(args)}
	for i := 0; i < len(args); i++ {
		text := args[i].Text
		if !args[i].Flag() {
			r.addresses = append(r.addresses, args[i])
			continue
		}
		option, value, has := strings.Cut(text, "=")
		switch option {
		case "--post-data", "--post-file", "--body-data", "--body-file", "--password", "--http-password", "--use-askpass", "--config", "--load-cookies":
			r.body = true
		case "--header", "--user-agent", "--referer", "-U":
			if !has && i+1 < len(args) {
				i++
				value = args[i].Text
			}
			r.headers = append(r.headers, shell.Word{Text: value})
		case "-e", "--execute", "--all-proxy", "--http-proxy", "--https-proxy":
			r.detour = true
			i++
		case "-O", "-P", "-o", "-a", "-t", "-T", "-w", "-A", "-R", "-D", "-l", "-x", "-s", "-j", "-d", "-n", "-Q", "-I", "-X", "-B", "-i":
			i++ // its value is a place or a number
		case "--output-document", "--directory-prefix", "--tries", "--timeout", "--wait", "--limit-rate", "--level", "--dir", "--out":
			if !has {
				i++
			}
		}
	}
	j.judgeRequest(name, r)
}

// httpie reads commands of the form `http METHOD address items`.
func (j *judge) httpie(name string, args []shell.Word) {
	r := request{}
	for _, w := range operands(args) {
		upper := strings.ToUpper(w.Text)
		switch {
		case slices.Contains([]string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}, upper):
			r.method = upper
		case len(r.addresses) == 0:
			if !strings.Contains(w.Text, "://") {
				w.Text = "https://" + w.Text
			}
			r.addresses = append(r.addresses, w)
		case strings.Contains(w.Text, "==") && !computed(w):
		case strings.ContainsAny(w.Text, "=@"):
			r.body = true
		default:
			r.headers = append(r.headers, w)
		}
	}
	j.judgeRequest(name, r)
}

// methodOf is the method a request names; empty for none.
func methodOf(args []shell.Word) string {
	for _, long := range []string{"request", "method"} {
		short := byte('X')
		if values := optionValues(args, short, long); len(values) > 0 {
			return values[len(values)-1].Text
		}
	}
	return ""
}

// reads reports whether requests of a method change nothing.
func reads(method string) bool {
	return slices.Contains([]string{"GET", "HEAD", "OPTIONS", "PROPFIND"}, strings.ToUpper(strings.TrimPrefix(method, "=")))
}

// fixedHost reports whether an address is one of hosts, whatever its path is
// put together from.
func fixedHost(address string, hosts []string) bool {
	host, ok := hostOf(address)
	return ok && slices.Contains(hosts, host)
}

// hostOf is the host of an address; ok is false where it cannot be told.
func hostOf(address string) (host string, ok bool) {
	if _, rest, has := strings.Cut(address, "://"); has {
		address = rest
	}
	if i := strings.IndexAny(address, "/?#"); i >= 0 {
		address = address[:i]
	}
	if strings.Contains(address, "@") {
		return "", false
	}
	if !strings.HasPrefix(address, "[") {
		address, _, _ = strings.Cut(address, ":")
	}
	host = strings.ToLower(address)
	return host, host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") == ""
}

// localAddress reports whether an address is one of this machine.
func localAddress(address string) bool {
	host, ok := hostOf(address)
	if !ok {
		return false
	}
	host = strings.Trim(host, "[]")
	return host == "localhost" || host == "::1" || host == "0.0.0.0" || strings.HasPrefix(host, "127.") ||
		strings.HasPrefix(host, "[::1]")
}

func localWord(w shell.Word) bool { return !w.Flag() && localAddress(w.Text) }

// secretLike reports whether text holds what looks like a token.
func secretLike(text string) bool {
	for _, prefix := range []string{"hf_", "ghp_", "gho_", "github_pat_", "sk-", "AKIA", "xox"} {
		for rest := text; ; {
			_, after, found := strings.Cut(rest, prefix)
			if !found {
				break
			}
			n := 0
			for n < min(len(after), 64) && (after[n] == '_' || after[n] == '-' || '0' <= after[n] && after[n] <= '9' || 'a' <= after[n]|0x20 && after[n]|0x20 <= 'z') {
				n++
			}
			if n >= 16 && strings.ContainsAny(after[:n], "0123456789") {
				return true
			}
			rest = after
		}
	}
	return false
}
