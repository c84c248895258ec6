package mcpserve

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

// tokenVariable is the variable that holds the token. Only the process's own
// environment counts: a folder's .env must not choose who gets in.
const tokenVariable = "ML_INTERN_MCP_TOKEN"

// tokenLimit bounds a file with a token, in bytes.
const tokenLimit = 4096

// token is the one that was given, empty for none.
func (o *options) token(s *console.Streams) (string, error) {
	token, from := "", tokenVariable
	for _, v := range s.Environ {
		if value, ok := strings.CutPrefix(v, tokenVariable+"="); ok {
			token = strings.TrimSpace(value)
		}
	}
	if o.tokenFile != "" {
		from = "--token-file " + o.tokenFile
		var err error
		if token, err = readToken(app.Absolute(o.tokenFile, s.Dir)); err != nil {
			return "", console.Usage("%s: %w", from, err)
		}
		if token == "" {
			return "", console.Usage("%s: the file is empty", from)
		}
		if open(app.Absolute(o.tokenFile, s.Dir)) {
			fmt.Fprintf(s.Err, "warning: %s can be read by others on this machine: chmod 600 it\n", o.tokenFile)
		}
	}
	if token != "" && len(token) < mcpserver.MinToken {
		return "", console.Usage("%s: the token has %d characters: give at least %d, such as openssl rand -hex 32 makes", from, len(token), mcpserver.MinToken)
	}
	return token, nil
}

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, tokenLimit))
	return strings.TrimSpace(string(raw)), err
}

// open reports whether others than the owner can read a file.
func open(path string) bool {
	info, err := os.Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o044 != 0
}

// newToken makes a token with more than 128 bits that nobody can guess.
func newToken() string { return rand.Text() }

// loopback reports whether only this machine reaches an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
