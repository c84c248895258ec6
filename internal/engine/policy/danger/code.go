package danger

import (
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/engine/policy/shell"
)

// code looks at a program given on the command line or as a here-document for
// what sends data. Programs in files are not looked at.
func (j *judge) code(name string, c shell.Command) {
	args := c.Words[1:]
	for i, w := range args {
		switch {
		case w.Text == "-m" && strings.HasPrefix(name, "py") && i+1 < len(args):
			j.started(c, args[i+1:])
			return
		case slices.Contains([]string{"-c", "-e", "-E", "-r", "-p", "-ne", "-pe", "--eval", "--print", "eval"}, w.Text) && i+1 < len(args):
			j.inline(name, args[i+1].Text)
		case strings.HasPrefix(w.Text, "-c") && len(w.Text) > 2 && strings.HasPrefix(name, "py"):
			j.inline(name, w.Text[2:])
		case !w.Flag() && i == 0 && w.Text != "-":
			j.assembled(name, args) // a file, with its own arguments
			return
		}
	}
	if c.Input != nil {
		j.inline(name, c.Input.Text)
	}
}

// inline judges the text of a program.
func (j *judge) inline(name, text string) {
	lower := strings.ToLower(text)
	for _, word := range sendingWords() {
		if mentions(lower, word) {
			j.send("runs a program that sends data or starts others (%s: %s)", name, strings.Trim(word, "(.`"))
			return
		}
	}
	for _, word := range []string{"requests.get(", "httpx.get(", "urlopen(", "urlretrieve(", "fetch(", "https.get(", "http.get(", "session.get(", "get_file("} {
		for rest := lower; ; {
			_, after, found := strings.Cut(rest, word)
			if !found {
				break
			}
			if !plainAddress(after) {
				j.send("runs a program that asks for an address it puts together (%s: %s)", name, strings.Trim(word, "("))
				return
			}
			rest = after
		}
	}
}

// sendingWords are parts of programs that send something, or that start other
// programs, in lower case.
func sendingWords() []string {
	return []string{
		".post(", ".put(", ".patch(", ".delete(", ".request(", "post(", "method='post", "method=\"post", "method: 'post", "method: \"post",
		"socket", "smtplib", "ftplib", "http.client", "httpconnection", "httpsconnection", "telnetlib", "paramiko", "websocket",
		"xmlhttprequest", "axios", "net::http", "lwp::", "io::socket", "net.connect", "net.createconnection", "dgram", "dns.",
		"http.request", "https.request", "sendbeacon", "curl_", "fsockopen", "file_get_contents('http", "file_get_contents(\"http", "mail(",
		"upload_", "push_to_hub", "create_commit", "create_repo", "create_discussion", "create_pull_request", "comment_discussion",
		"create_branch", "create_tag", "delete_repo", "run_job", "boto3", "google.cloud", "azure.storage", "slack_sdk", "telegram",
		"os.system", "subprocess", "os.popen", "popen(", "pty.", "child_process", "os.exec", "execsync", "`curl", "system(", "exec(",
		"eval(", "__import__", "b64decode", "fromhex", "runpy",
	}
}

// mentions reports whether text holds word; one that begins with a letter is
// not looked for in the middle of another.
func mentions(text, word string) bool {
	for rest := text; ; {
		i := strings.Index(rest, word)
		if i < 0 {
			return false
		}
		call := strings.HasSuffix(word, "(") && !strings.Contains(word, ".")
		if i == 0 || !strings.ContainsAny(word[:1], "abcdefghijklmnopqrstuvwxyz") || !partOfWord(rest[i-1], call) {
			return true
		}
		rest = rest[i+len(word):]
	}
}

// partOfWord reports whether a letter behind c goes on with a word. A call
// behind a point is a method, which is another thing than the function.
func partOfWord(c byte, call bool) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '.' && call
}

// plainAddress reports whether the first argument of a call is a text that is
// written out.
func plainAddress(after string) bool {
	after = strings.TrimLeft(after, " \n")
	if after == "" || after[0] != '"' && after[0] != '\'' {
		return false
	}
	end := strings.IndexByte(after[1:], after[0])
	if end < 0 {
		return false
	}
	text, rest := after[1:1+end], strings.TrimLeft(after[2+end:], " \n")
	if strings.ContainsRune(text, shell.Any) || len(text) > longQuery+200 || rest == "" {
		return false
	}
	more := rest[:min(len(rest), 200)]
	return rest[0] == ')' || rest[0] == ',' && !strings.Contains(more, "params") && !strings.Contains(more, "data") && !strings.Contains(more, "json")
}

// written looks at here-documents where the same script also runs a file: what
// is written and run at once is as good as given on the command line.
func (j *judge) written(s shell.Script) {
	programs, scripts := false, false
	for _, c := range s.Commands {
		name, known := c.Words[0].Base()
		switch {
		case !known:
		case slices.Contains([]string{"sh", "bash", "dash", "zsh", "source", "."}, name):
			scripts = scripts || len(operands(c.Words[1:])) > 0
		case strings.HasPrefix(name, "python") || slices.Contains([]string{"node", "perl", "ruby", "php", "deno", "bun", "uv"}, name):
			programs = programs || len(operands(c.Words[1:])) > 0
		case strings.Contains(c.Words[0].Text, "/"), name == "chmod":
			programs, scripts = true, true
		}
	}
	for _, c := range s.Commands {
		if c.Input == nil {
			continue
		}
		if programs {
			j.inline("a file it writes", c.Input.Text)
		}
		if scripts && c.Input.Plain() {
			inner := shell.Read(c.Input.Text, "", j.around.Home)
			for _, c := range inner.Commands {
				if name, known := c.Words[0].Base(); known {
					j.sends(name, c)
				}
			}
		}
	}
}
