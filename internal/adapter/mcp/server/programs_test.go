package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
)

// self are the options of a server that is this test binary.
func self(t *testing.T, name string, env ...string) server.Options {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return server.Options{Argv: []string{path}, Dir: t.TempDir(), Env: append([]string{"TEST_MCP_PROGRAM=" + name, "PATH=" + os.Getenv("PATH")}, env...)}
}

// message is what a client sends.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name   string `json:"name"`
		Cursor string `json:"cursor"`
		Meta   struct {
			Token json.RawMessage `json:"progressToken"`
		} `json:"_meta"`
	} `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// raw is a server without a library: it answers the handshake of an older revision
// and leaves the rest to act.
func raw(act func(m message) (result string)) int {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 8<<20)
	for in.Scan() {
		var m message
		if json.Unmarshal(in.Bytes(), &m) != nil {
			continue
		}
		result := ""
		switch m.Method {
		case "initialize":
			result = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"raw","version":"0"}}`
		case "server/discover":
			say(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`, m.ID)
			continue
		default:
			result = act(m)
		}
		if len(m.ID) > 0 && result != "" {
			say(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
		}
	}
	return 0
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func text(s string) string {
	quoted, _ := json.Marshal(s)
	return fmt.Sprintf(`{"content":[{"type":"text","text":%s}]}`, quoted)
}

// tools is a list of as many tools.
func tools(from, n int, next string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"tool_%d","inputSchema":{"type":"object"}}`, from+i)
	}
	if next != "" {
		next = `,"nextCursor":"` + next + `"`
	}
	return `{"tools":[` + b.String() + `]` + next + `}`
}

// program is a server on standard streams.
func program(name string) int {
	switch name {
	case "notebook":
		if err := notebook().Run(context.Background(), &mcp.StdioTransport{}); err != nil {
			return 1
		}
	case "ends": // says why, and ends
		fmt.Fprintln(os.Stderr, "the licence\x1b[31m has expired")
		return 3
	case "refuses": // ends at the first question that it does not know, like older libraries
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			if strings.Contains(in.Text(), `"server/discover"`) {
				return 1
			}
			var m message
			_ = json.Unmarshal(in.Bytes(), &m)
			if m.Method == "initialize" {
				say(`{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{"name":"old","version":"1"}}}`, m.ID)
			}
		}
	case "silent": // reads, and answers nothing
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
		}
	case "chatty": // says things that are no messages
		say("Starting up…\n{not json}\n[1,2\n")
		return raw(func(m message) string {
			say("a line about %s", m.Method)
			if m.Method == "tools/list" {
				return tools(0, 1, "")
			}
			return text("fine")
		})
	case "huge":
		return raw(func(m message) string {
			if m.Method == "tools/list" {
				return tools(0, 1, "")
			}
			n, _ := strconv.Atoi(os.Getenv("SIZE"))
			return text(strings.Repeat("x", n))
		})
	case "many": // more tools than anybody can use, page by page
		return raw(func(m message) string {
			from, _ := strconv.Atoi(m.Params.Cursor)
			return tools(from, 1000, strconv.Itoa(from+1000))
		})
	case "all": // and all at once
		return raw(func(m message) string {
			if m.Method == "tools/list" {
				return tools(0, 100_000, "")
			}
			return ""
		})
	case "pages": // empty ones, without end
		return raw(func(m message) string {
			n, _ := strconv.Atoi(m.Params.Cursor)
			return tools(0, 0, strconv.Itoa(n+1))
		})
	case "stream": // notes without end, and no answer
		return raw(func(m message) string {
			if m.Method == "tools/list" {
				return tools(0, 1, "")
			}
			for m.Method == "tools/call" {
				say(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"and on"}}`)
			}
			return ""
		})
	case "restless": // its list is another all the time
		lists := 0
		return raw(func(m message) string {
			if m.Method == "tools/list" {
				lists++
				return tools(lists, 1, "")
			}
			for range 1000 {
				say(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
			}
			return text(strconv.Itoa(lists))
		})
	case "deaf": // does not read what it is sent after the handshake
		return raw(func(m message) string {
			if m.Method == "tools/list" {
				say(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, tools(0, 1, ""))
				time.Sleep(time.Minute)
			}
			return ""
		})
	case "mortal": // ends in the middle of its first call, and works when it is started again
		mark := filepath.Join(os.Getenv("MARK"), "died")
		return raw(func(m message) string {
			if m.Method == "tools/list" {
				return tools(0, 1, "")
			}
			if m.Method != "tools/call" {
				return ""
			}
			if _, err := os.Stat(mark); err != nil {
				_ = os.WriteFile(mark, nil, 0o600)
				os.Exit(1)
			}
			return text("alive again")
		})
	case "asks": // wants things of its client, and tells what it got
		return asks()
	case "parent": // leaves a process behind
		cmd := exec.Command("sleep", "60")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			return 1
		}
		fmt.Fprintf(os.Stderr, "child %d\n", cmd.Process.Pid)
		return raw(func(message) string { return tools(0, 1, "") })
	case "stubborn": // does not end by itself
		fmt.Fprintf(os.Stderr, "child %d\n", os.Getpid())
		raw(func(message) string { return tools(0, 1, "") })
		time.Sleep(time.Minute)
	}
	return 0
}

// asks is a server that makes requests of its own.
func asks() int {
	var call json.RawMessage
	var heard []string
	wants := []string{"sampling/createMessage", "elicitation/create", "roots/list", "ping"}
	return raw(func(m message) string {
		switch {
		case m.Method == "tools/list":
			return tools(0, 1, "")
		case m.Method == "tools/call":
			call = m.ID
			for i, method := range wants {
				params := map[string]string{
					"sampling/createMessage": `{"messages":[],"maxTokens":5}`, "elicitation/create": `{"message":"your password?","requestedSchema":{"type":"object","properties":{"p":{"type":"string"}}}}`,
				}[method]
				if params == "" {
					params = "{}"
				}
				say(`{"jsonrpc":"2.0","id":"w%d","method":%q,"params":%s}`, i, method, params)
			}
		case m.Method == "":
			answer := "refused"
			if len(m.Error) == 0 {
				answer = string(m.Result)
			}
			heard = append(heard, string(m.ID)+" "+answer)
			if len(heard) == len(wants) {
				say(`{"jsonrpc":"2.0","id":%s,"result":%s}`, call, text(strings.Join(heard, "\n")))
			}
		}
		return ""
	})
}
