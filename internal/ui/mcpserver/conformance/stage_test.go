//lint:file-ignore SA1019 The suite asks for logging, sampling and roots, which newer revisions advise against.

package conformance_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

// The smallest picture, one red point, and the smallest sound, none.
const (
	picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
	sound   = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
)

const (
	stageToken = "the-token-of-the-stage"
	watched    = "test://watched-resource"
	noSchema   = `{"type":"object","properties":{}}`
)

func decode(text string) []byte {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return raw
}

// stage is our server with what the suite expects to find. What the product has
// comes through the product's own way; pictures, sounds, questions to the client
// and the like, which it has not, through the library's.
func stage(t *testing.T) http.Handler {
	t.Helper()
	s, err := mcpserver.New(mcpserver.Options{
		Name: "stage", Version: "1.0.0", Tools: tools(),
		SDK: &mcp.ServerOptions{
			CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
				return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{}}}, nil
			},
			SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
			UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	contents(s.SDK())
	asking(s.SDK())
	rounds(s.SDK())
	resources(s.SDK())
	prompts(s.SDK())
	handler, err := s.Handler(mcpserver.HTTP{Token: stageToken})
	if err != nil {
		t.Fatal(err)
	}
	// The suite knows no token.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+stageToken)
		handler.ServeHTTP(w, r)
	})
}

// tools are those that the product could have.
func tools() []mcpserver.Tool {
	tool := func(name string, call mcpserver.Call) mcpserver.Tool {
		return mcpserver.Tool{Name: name, Description: "A tool of the suite", Parameters: json.RawMessage(noSchema), Call: call}
	}
	return []mcpserver.Tool{
		tool("test_simple_text", func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
			return mcpserver.Result{Text: "This is a simple text response for testing."}, nil
		}),
		tool("test_error_handling", func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
			return mcpserver.Result{}, errors.New("this tool intentionally returns an error for testing")
		}),
		tool("test_tool_with_progress", func(_ context.Context, _ json.RawMessage, report func(string)) (mcpserver.Result, error) {
			for _, line := range []string{"begun", "half of it is done", "all is done"} {
				report(line)
			}
			return mcpserver.Result{Text: "Three steps were told."}, nil
		}),
		tool("test_streaming_elicitation", func(context.Context, json.RawMessage, func(string)) (mcpserver.Result, error) {
			return mcpserver.Result{Text: "No request of its own stands in this answer."}, nil
		}),
	}
}

type handler func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error)

// add registers a tool of the suite's own.
func add(s *mcp.Server, name, schema string, h handler) {
	s.AddTool(&mcp.Tool{Name: name, Description: "A tool of the suite", InputSchema: json.RawMessage(schema)}, mcp.ToolHandler(h))
}

func said(content ...mcp.Content) *mcp.CallToolResult { return &mcp.CallToolResult{Content: content} }

func text(format string, args ...any) *mcp.TextContent {
	return &mcp.TextContent{Text: fmt.Sprintf(format, args...)}
}

func image() *mcp.ImageContent {
	return &mcp.ImageContent{Data: decode(picture), MIMEType: "image/png"}
}

func embedded(uri, content string) *mcp.EmbeddedResource {
	return &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: uri, MIMEType: "text/plain", Text: content}}
}

// contents are tools that answer with more than text, or tell more on the way.
func contents(s *mcp.Server) {
	always := func(name string, content ...mcp.Content) {
		add(s, name, noSchema, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) { return said(content...), nil })
	}
	always("test_image_content", image())
	always("test_audio_content", &mcp.AudioContent{Data: decode(sound), MIMEType: "audio/wav"})
	always("test_embedded_resource", embedded("test://embedded-resource", "This is an embedded resource content."))
	always("test_multiple_content_types", text("Multiple content types test:"), image(),
		&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "test://mixed-content-resource", MIMEType: "application/json", Text: `{"test":"data"}`}})
	add(s, "test_tool_with_logging", noSchema, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for _, line := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
			logLine(ctx, req, line)
		}
		return said(text("Three lines were logged.")), nil
	})
	add(s, "test_logging_tool", noSchema, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		logLine(ctx, req, "One line.")
		return said(text("A line was logged, if anybody wants to know.")), nil
	})
	add(s, "json_schema_2020_12_tool", schema2020, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return said(text("called")), nil
	})
	add(s, "test_x_mcp_header", `{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"level":{"type":"integer"}}}`,
		func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return said(text("%s", req.Params.Arguments)), nil
		})
	add(s, "test_reconnection", noSchema, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		req.Extra.CloseSSEStream(mcp.CloseSSEStreamArgs{RetryAfter: time.Millisecond})
		return said(text("The answer of a stream that was closed.")), nil
	})
	add(s, "test_trigger_tool_change", noSchema, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		add(s, "test_another_tool", noSchema, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) { return said(), nil })
		return said(text("The list of tools has changed.")), nil
	})
	add(s, "test_trigger_prompt_change", noSchema, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		s.AddPrompt(&mcp.Prompt{Name: "test_another_prompt", Description: "A prompt of the suite"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{}, nil
		})
		return said(text("The list of prompts has changed.")), nil
	})
}

func logLine(ctx context.Context, req *mcp.CallToolRequest, line string) {
	_ = req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: line})
}

// schema2020 has what JSON Schema 2020-12 knows and older drafts do not.
const schema2020 = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
	"properties": {
		"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"},
		"contactMethod": {"type": "string", "enum": ["phone", "email"]}, "phone": {"type": "string"}, "email": {"type": "string"}
	},
	"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
	"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
	"then": {"required": ["phone"]}, "else": {"required": ["email"]},
	"additionalProperties": false
}`

// asking are tools that ask the client in the middle of a call, as revisions
// with sessions can.
func asking(s *mcp.Server) {
	add(s, "test_sampling", `{"type":"object","properties":{"prompt":{"type":"string"}},"required":["prompt"]}`, sample)
	elicit := func(name, message, schema string) {
		add(s, name, `{"type":"object","properties":{"message":{"type":"string"}}}`, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			var in struct{ Message string }
			if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
				return nil, err
			}
			if in.Message != "" {
				message = in.Message
			}
			r, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: message, RequestedSchema: json.RawMessage(schema)})
			if err != nil {
				return nil, err
			}
			return said(text("Elicitation completed: action=%s, content=%v", r.Action, r.Content)), nil
		})
	}
	elicit("test_elicitation", "", `{"type":"object","properties":{"username":{"type":"string","description":"User's response"},"email":{"type":"string","description":"User's email address"}},"required":["username","email"]}`)
	elicit("test_elicitation_sep1034_defaults", "Defaults", `{"type":"object","properties":{
		"name":{"type":"string","default":"John Doe"}, "age":{"type":"integer","default":30}, "score":{"type":"number","default":95.5},
		"status":{"type":"string","enum":["active","inactive","pending"],"default":"active"}, "verified":{"type":"boolean","default":true}}}`)
	elicit("test_elicitation_sep1330_enums", "Choices", `{"type":"object","properties":{
		"untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
		"titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},
		"legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],"enumNames":["Option One","Option Two","Option Three"]},
		"untitledMulti":{"type":"array","items":{"type":"string","enum":["option1","option2","option3"]}},
		"titledMulti":{"type":"array","items":{"anyOf":[{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}}}`)
	add(s, "test_missing_capability", noSchema, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if c := req.ClientCapabilities(); c != nil && c.Sampling != nil {
			return said(text("The client can be asked.")), nil
		}
		data, err := json.Marshal(mcp.MissingRequiredClientCapabilityData{RequiredCapabilities: &mcp.ClientCapabilities{Sampling: &mcp.SamplingCapabilities{}}})
		if err != nil {
			return nil, err
		}
		return nil, &jsonrpc.Error{Code: mcp.CodeMissingRequiredClientCapabilities, Message: "the client cannot be asked", Data: data}
	})
}

func sample(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var in struct{ Prompt string }
	if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
		return nil, err
	}
	r, err := req.Session.CreateMessage(ctx, &mcp.CreateMessageParams{
		Messages: []*mcp.SamplingMessage{{Role: "user", Content: text("%s", in.Prompt)}}, MaxTokens: 100,
	})
	if err != nil {
		return nil, err
	}
	answer, ok := r.Content.(*mcp.TextContent)
	if !ok {
		return nil, fmt.Errorf("the answer is a %T", r.Content)
	}
	return said(text("LLM response: %s", answer.Text)), nil
}

// resources and prompts of the suite.
func resources(s *mcp.Server) {
	read := func(name, uri string, c mcp.ResourceContents) {
		s.AddResource(&mcp.Resource{Name: name, URI: uri, MIMEType: c.MIMEType}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{&c}}, nil
		})
	}
	read("static-text", "test://static-text", mcp.ResourceContents{MIMEType: "text/plain", Text: "This is the content of the static text resource."})
	read("static-binary", "test://static-binary", mcp.ResourceContents{MIMEType: "image/png", Blob: decode(picture)})
	read("watched-resource", watched, mcp.ResourceContents{MIMEType: "text/plain", Text: "Watched resource content"})
	s.AddResourceTemplate(&mcp.ResourceTemplate{Name: "template", URITemplate: "test://template/{id}/data", MIMEType: "application/json"},
		func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			id := strings.TrimSuffix(strings.TrimPrefix(req.Params.URI, "test://template/"), "/data")
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{
				MIMEType: "application/json", Text: fmt.Sprintf(`{"id":%q,"templateTest":true,"data":"Data for ID: %s"}`, id, id),
			}}}, nil
		})
}

func prompts(s *mcp.Server) {
	user := func(c mcp.Content) *mcp.PromptMessage { return &mcp.PromptMessage{Role: "user", Content: c} }
	argument := func(name string) *mcp.PromptArgument {
		return &mcp.PromptArgument{Name: name, Description: "An argument of the suite", Required: true}
	}
	say := func(name string, arguments []*mcp.PromptArgument, words func(args map[string]string) []*mcp.PromptMessage) {
		s.AddPrompt(&mcp.Prompt{Name: name, Description: "A prompt of the suite", Arguments: arguments}, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Messages: words(req.Params.Arguments)}, nil
		})
	}
	say("test_simple_prompt", nil, func(map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{user(text("This is a simple prompt for testing."))}
	})
	say("test_prompt_with_arguments", []*mcp.PromptArgument{argument("arg1"), argument("arg2")}, func(args map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{user(text("Prompt with arguments: arg1='%s', arg2='%s'", args["arg1"], args["arg2"]))}
	})
	say("test_prompt_with_embedded_resource", []*mcp.PromptArgument{argument("resourceUri")}, func(args map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{user(embedded(args["resourceUri"], "Embedded resource content for testing.")), user(text("Please process the embedded resource above."))}
	})
	say("test_prompt_with_image", nil, func(map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{user(image()), user(text("Please analyze the image above."))}
	})
}
