//lint:file-ignore SA1019 The suite asks for sampling and roots, which newer revisions advise against.

package conformance_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The tools here ask the client by ending their call with a question: the client
// answers by calling again. What a tool must remember goes with the question, as
// a state that bears a seal.

// seal and sealed guard a state against change.
func seal(state string) string {
	m := hmac.New(sha256.New, []byte("the key of the stage"))
	m.Write([]byte(state))
	return state + "." + hex.EncodeToString(m.Sum(nil))
}

func sealed(text string) (state string, ok bool) {
	at := strings.LastIndexByte(text, '.')
	if at < 0 || !hmac.Equal([]byte(seal(text[:at])), []byte(text)) {
		return "", false
	}
	return text[:at], true
}

func tampered() error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "the state of the request was changed"}
}

// form asks a person for one value.
func form(message, name, kind string) *mcp.ElicitParams {
	return &mcp.ElicitParams{Message: message, RequestedSchema: json.RawMessage(fmt.Sprintf(
		`{"type":"object","properties":{%q:{"type":%q}},"required":[%q]}`, name, kind, name))}
}

func question(prompt string) *mcp.CreateMessageParams {
	return &mcp.CreateMessageParams{Messages: []*mcp.SamplingMessage{{Role: "user", Content: text("%s", prompt)}}, MaxTokens: 100}
}

func ask(requests mcp.InputRequestMap, state string) *mcp.CallToolResult {
	return &mcp.CallToolResult{InputRequests: requests, RequestState: state}
}

// filled is what a person has put into a form, and accepted.
func filled[T any](answers mcp.InputResponseMap, key, name string) (value T, ok bool) {
	r, is := answers[key].(*mcp.ElicitResult)
	if !is || r == nil || r.Action != "accept" {
		return value, false
	}
	value, ok = r.Content[name].(T)
	return value, ok
}

// answered is the text of a model.
func answered(answers mcp.InputResponseMap, key string) (string, bool) {
	r, ok := answers[key].(*mcp.CreateMessageWithToolsResult)
	if !ok || r == nil || len(r.Content) == 0 {
		return "", false
	}
	t, ok := r.Content[0].(*mcp.TextContent)
	if !ok {
		return "", false
	}
	return t.Text, true
}

func rounds(s *mcp.Server) {
	add(s, "test_input_required_result_elicitation", noSchema, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if name, ok := filled[string](req.Params.InputResponses, "user_name", "name"); ok {
			return said(text("Hello, %s!", name)), nil
		}
		return ask(mcp.InputRequestMap{"user_name": form("What is your name?", "name", "string")}, ""), nil
	})
	add(s, "test_input_required_result_sampling", noSchema, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if answer, ok := answered(req.Params.InputResponses, "capital_question"); ok {
			return said(text("The model says: %s", answer)), nil
		}
		return ask(mcp.InputRequestMap{"capital_question": question("What is the capital of France?")}, ""), nil
	})
	add(s, "test_input_required_result_list_roots", noSchema, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if r, ok := req.Params.InputResponses["client_roots"].(*mcp.ListRootsResult); ok && r != nil {
			return said(text("%d roots", len(r.Roots))), nil
		}
		return ask(mcp.InputRequestMap{"client_roots": &mcp.ListRootsParams{}}, ""), nil
	})
	confirm := func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if req.Params.RequestState != "" {
			if _, ok := sealed(req.Params.RequestState); !ok {
				return nil, tampered()
			}
			if _, ok := filled[bool](req.Params.InputResponses, "confirm", "ok"); ok {
				return said(text("state-ok: it is confirmed")), nil
			}
		}
		return ask(mcp.InputRequestMap{"confirm": form("Please confirm", "ok", "boolean")}, seal("confirm")), nil
	}
	add(s, "test_input_required_result_request_state", noSchema, confirm)
	add(s, "test_input_required_result_tampered_state", noSchema, confirm)
	add(s, "test_input_required_result_multiple_inputs", noSchema, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		answers := req.Params.InputResponses
		name, named := filled[string](answers, "user_name", "name")
		greeting, greeted := answered(answers, "greeting")
		roots, rooted := answers["client_roots"].(*mcp.ListRootsResult)
		if named && greeted && rooted {
			return said(text("%s, %s: %d roots", greeting, name, len(roots.Roots))), nil
		}
		return ask(mcp.InputRequestMap{
			"user_name": form("What is your name?", "name", "string"), "greeting": question("Generate a greeting"), "client_roots": &mcp.ListRootsParams{},
		}, seal("several")), nil
	})
	add(s, "test_input_required_result_multi_round", noSchema, inRounds)
	add(s, "test_input_required_result_capabilities", noSchema, ableTo)
	s.AddPrompt(&mcp.Prompt{Name: "test_input_required_result_prompt", Description: "A prompt of the suite"}, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		if answer, ok := filled[string](req.Params.InputResponses, "user_context", "context"); ok {
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: text("Context: %s", answer)}}}, nil
		}
		return &mcp.GetPromptResult{InputRequests: mcp.InputRequestMap{"user_context": form("Please provide context", "context", "string")}}, nil
	})
}

// inRounds asks twice; the first answer travels in the state of the second
// question.
func inRounds(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	first := ask(mcp.InputRequestMap{"step1": form("Step 1: What is your name?", "name", "string")}, seal("1:"))
	if req.Params.RequestState == "" {
		return first, nil
	}
	state, ok := sealed(req.Params.RequestState)
	if !ok {
		return nil, tampered()
	}
	round, before, _ := strings.Cut(state, ":")
	if round == "1" {
		name, ok := filled[string](req.Params.InputResponses, "step1", "name")
		if !ok {
			return first, nil
		}
		return ask(mcp.InputRequestMap{"step2": form("Step 2: What is your favorite color?", "color", "string")}, seal("2:"+name)), nil
	}
	color, ok := filled[string](req.Params.InputResponses, "step2", "color")
	if !ok {
		return ask(mcp.InputRequestMap{"step2": form("Step 2: What is your favorite color?", "color", "string")}, seal(state)), nil
	}
	return said(text("%s likes %s", before, color)), nil
}

// ableTo asks only what the client says it can answer.
func ableTo(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if len(req.Params.InputResponses) > 0 {
		return said(text("The client has answered.")), nil
	}
	requests := mcp.InputRequestMap{}
	able := req.ClientCapabilities()
	if able != nil && able.Elicitation != nil {
		requests["user_name"] = form("What is your name?", "name", "string")
	}
	if able != nil && able.Sampling != nil {
		requests["greeting"] = question("Generate a short greeting")
	}
	if able != nil && able.RootsV2 != nil {
		requests["client_roots"] = &mcp.ListRootsParams{}
	}
	if len(requests) == 0 {
		return said(text("The client can answer nothing.")), nil
	}
	return ask(requests, ""), nil
}
