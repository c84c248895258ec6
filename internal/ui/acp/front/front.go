// Package front is what the agent says before there is a session: who it is and
// what it can do, how a person logs in, which sessions are saved. It asks nobody.
package front

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
)

// Desk is what the agent says of itself.
type Desk struct {
	// Version is that of the program.
	Version string
	// Login are the arguments which, behind those that the editor starts this
	// program with, make it log a person in, in a terminal; none for no such way.
	Login []string
	// HowToLogIn says in a sentence what else there is.
	HowToLogIn string
}

// Hello answers initialize.
func (d Desk) Hello(client protocol.ClientCapabilities) protocol.InitializeResponse {
	there := &struct{}{}
	return protocol.InitializeResponse{
		ProtocolVersion: protocol.Version,
		Agent:           protocol.Info{Name: "ml-intern", Title: "ML Intern", Version: d.Version},
		Capabilities: protocol.AgentCapabilities{
			LoadSession: true,
			Prompt:      protocol.PromptCapabilities{Image: true, EmbeddedContext: true},
			MCP:         protocol.MCPCapabilities{HTTP: true, SSE: true},
			Session:     protocol.SessionCapabilities{List: there, Delete: there, Resume: there, Close: there},
			Auth:        protocol.AuthCapabilities{Logout: there},
		},
		AuthMethods: d.methods(client),
	}
}

// Ids of the ways to log in.
const (
	byHand     = "environment"
	byTerminal = "terminal"
)

func (d Desk) methods(client protocol.ClientCapabilities) []protocol.AuthMethod {
	all := []protocol.AuthMethod{{ID: byHand, Name: "Key or login of this machine", Description: d.HowToLogIn}}
	if client.Auth.Terminal && len(d.Login) > 0 {
		all = append(all, protocol.AuthMethod{
			Type: "terminal", ID: byTerminal, Name: "Log in to Hugging Face",
			Description: "Opens a terminal that logs you in.", Args: d.Login,
		})
	}
	return all
}

// Method refuses a way to log in that there is not.
func (d Desk) Method(id string) error {
	if id != byHand && id != byTerminal {
		return wire.Errorf(wire.Arguments, "there is no way to log in called %q", id)
	}
	return nil
}

// NotReady is the answer where no model can be called.
func (d Desk) NotReady(why error) error {
	return wire.Errorf(protocol.AuthRequired, "%v. %s", why, d.HowToLogIn)
}

// pageSize is how many saved sessions are listed at once.
const pageSize = 50

// Page is the page of a list that a cursor means; the first for an empty one.
func Page(all []protocol.SessionInfo, cursor string) (protocol.ListResponse, error) {
	from := 0
	if cursor != "" {
		n, ok := readCursor(cursor)
		if !ok {
			return protocol.ListResponse{}, wire.Errorf(wire.Arguments, "the cursor is none of this list")
		}
		from = min(n, len(all))
	}
	to := min(from+pageSize, len(all))
	page := protocol.ListResponse{Sessions: append([]protocol.SessionInfo{}, slices.Clone(all[from:to])...)}
	if to < len(all) {
		page.NextCursor = writeCursor(to)
	}
	return page, nil
}

// cursorMark begins a cursor: what an editor keeps says nothing to it.
const cursorMark = "from-"

func writeCursor(n int) string { return cursorMark + strconv.Itoa(n) }

func readCursor(text string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(text, cursorMark)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0
}
