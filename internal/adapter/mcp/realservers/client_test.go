package realservers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/login"
	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
)

// judged is what the official suite says to a client, in variables.
type judged struct {
	scenario string
	context  struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		ToolCalls    []struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		} `json:"toolCalls"`
	}
}

// client plays the part of this program in a scenario of the suite: it connects as
// every session does, and does what the scenario wants to see.
func client(address string) int {
	j := judged{scenario: os.Getenv("MCP_CONFORMANCE_SCENARIO")}
	if text := os.Getenv("MCP_CONFORMANCE_CONTEXT"); text != "" {
		if err := json.Unmarshal([]byte(text), &j.context); err != nil {
			return failed(err)
		}
	}
	if err := j.play(context.Background(), address); err != nil {
		return failed(err)
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func (j judged) play(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "judged-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	keeper, err := login.New(login.Options{
		Server: address, Store: login.Store{Path: filepath.Join(dir, "logins.json")}, HTTP: &http.Client{},
		ClientID: j.clientID(), ClientSecret: j.context.ClientSecret,
		Ask: browser, Redirect: "http://localhost:3000/callback", Trouble: func(err error) { fmt.Fprintln(os.Stderr, err) },
	})
	if err != nil {
		return err
	}
	defer keeper.Close()
	s, err := server.New(server.Options{
		Name: "judge", Version: "1.0.0", URL: u, HTTP: http.DefaultTransport, Login: keeper, Elicit: j.elicit(),
		Log: func(line string) { fmt.Fprintln(os.Stderr, line) },
	})
	if err != nil {
		return err
	}
	defer s.Close()
	s.Start()
	<-s.Settled()
	st := s.Status()
	if st.State != server.Ready {
		return fmt.Errorf("%s: %w", st.State, st.Err)
	}
	return j.act(ctx, s, st)
}

func (j judged) clientID() string {
	if j.context.ClientID != "" {
		return j.context.ClientID
	}
	return "https://conformance-test.local/client-metadata.json"
}

// elicit answers where a scenario is about that; other scenarios see the program as
// it is, which asks nobody.
func (j judged) elicit() func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
	content := map[string]map[string]any{
		"elicitation-sep1034-client-defaults": {}, "sep-2322-client-request-state": {"confirmed": true},
	}
	answer, ok := content[j.scenario]
	if !ok {
		return nil
	}
	return func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
		return &mcp.ElicitResult{Action: "accept", Content: answer}, nil
	}
}

// act does what the scenario wants to see of a client that is connected.
func (j judged) act(ctx context.Context, s *server.Server, st server.Status) error {
	call := func(name, args string) error {
		_, err := s.Call(ctx, name, json.RawMessage(args), nil)
		return err
	}
	tolerant := func(err error) { // what is refused is for the suite to judge
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	c := st.Catalog
	switch {
	case strings.HasPrefix(j.scenario, "auth/"):
		return call("test-tool", `{}`)
	case j.scenario == "tools_call":
		return call("add_numbers", `{"a":5,"b":3}`)
	case j.scenario == "elicitation-sep1034-client-defaults":
		return call("test_client_elicitation_defaults", `{}`)
	case j.scenario == "sse-retry":
		return call("test_reconnection", `{}`)
	case j.scenario == "sep-2322-client-request-state":
		for _, name := range []string{"test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_unrelated", "test_mrtr_no_result_type"} {
			tolerant(call(name, `{}`))
		}
	case j.scenario == "http-standard-headers":
		if len(c.Tools) == 0 || len(c.Resources) == 0 || len(c.Prompts) == 0 {
			return fmt.Errorf("it offers %d tools, %d resources, %d prompts", len(c.Tools), len(c.Resources), len(c.Prompts))
		}
		tolerant(call(c.Tools[0].Name, `{}`))
		_, err := s.Read(ctx, c.Resources[0].URI)
		tolerant(err)
		_, err = s.Prompt(ctx, c.Prompts[0].Name, map[string]string{})
		tolerant(err)
	case j.scenario == "http-custom-headers":
		for _, t := range j.context.ToolCalls {
			tolerant(call(t.Name, string(t.Arguments)))
		}
	case j.scenario == "http-invalid-tool-headers":
		for _, t := range c.Tools {
			tolerant(call(t.Name, `{"region":"us-west1"}`))
		}
	case j.scenario == "json-schema-2020-12-preservation":
		for _, t := range c.Tools {
			if t.Name != "json_schema_2020_12_tool" {
				continue
			}
			args, err := json.Marshal(map[string]any{"schema": t.Schema})
			if err != nil {
				return err
			}
			return call("json_schema_echo", string(args))
		}
		return fmt.Errorf("the tool is not there: %v", c.Notes)
	case !slices.Contains([]string{"initialize", "request-metadata", "json-schema-ref-no-deref"}, j.scenario):
		return fmt.Errorf("scenario %q is not known here", j.scenario)
	}
	return nil
}

// browser is a person who agrees to everything: the suite's login sends him back at
// once.
func browser(ctx context.Context, address string) (*auth.AuthorizationResult, error) {
	visit := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := visit.Do(req)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	q := back.Query()
	return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
}
