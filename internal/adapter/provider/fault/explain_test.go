package fault_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/fault"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

const (
	proPage     = "https://huggingface.co/subscribe/pro"
	billingPage = "https://huggingface.co/settings/billing"
)

// Acceptance check 27 of the model layer.
func TestCheck27_HubBillingByPlan(t *testing.T) {
	for plan, want := range map[string]struct {
		pro     bool
		appears bool
	}{"free": {true, false}, "pro": {false, false}, "": {true, true}} {
		f := &llm.Fault{Class: llm.ClassBilling, Provider: "hf-router", Model: "o/m", Status: 402}
		fault.Explain(f, fault.Context{Label: "HF router", Plan: plan})
		all := f.Text + " " + f.Hint
		if !strings.Contains(all, billingPage) || strings.Contains(all, proPage) != want.pro ||
			strings.Contains(all, "appear to be exhausted") != want.appears {
			t.Errorf("plan %q: %s", plan, all)
		}
	}
}

func TestExplain(t *testing.T) {
	ctx := fault.Context{
		Label: "Anthropic API", BaseURL: "https://api.anthropic.com", KeyVariable: "ANTHROPIC_API_KEY", URLVariable: "ANTHROPIC_BASE_URL",
	}
	tests := []struct {
		name  string
		fault llm.Fault
		ctx   fault.Context
		want  []string
	}{
		{"missing key", llm.Fault{Class: llm.ClassMissingKey, Model: "anthropic/m"}, ctx, []string{"anthropic/m", "ANTHROPIC_API_KEY", ".env", "/model"}},
		{"refused key", llm.Fault{Class: llm.ClassAuth, Message: "invalid x-api-key"}, ctx, []string{"Anthropic API", "ANTHROPIC_API_KEY", "invalid x-api-key", "/model"}},
		{"hub token", llm.Fault{Class: llm.ClassAuth, Provider: "hf-router"}, fault.Context{KeyVariable: "HF_TOKEN"}, []string{"HF_TOKEN", "hf auth login", "Make calls to Inference Providers"}},
		{"balance", llm.Fault{Class: llm.ClassBilling, Provider: "anthropic"}, ctx, []string{"Anthropic API", "console.anthropic.com"}},
		{"pinned provider", llm.Fault{Class: llm.ClassNotServing, Model: "o/m:novita"}, ctx, []string{"novita", "`/model o/m`"}},
		{"any provider", llm.Fault{Class: llm.ClassNotServing, Model: "o/m"}, ctx, []string{"o/m", "/model"}},
		{"unknown model", llm.Fault{Class: llm.ClassModelNotFound, Model: "anthropic/claud"}, fault.Context{Label: "A", Close: []string{"anthropic/claude-x"}}, []string{"anthropic/claud", "anthropic/claude-x", "/model"}},
		{"rate limit", llm.Fault{Class: llm.ClassRateLimit, Wait: 600 * time.Second}, ctx, []string{"Anthropic API", "600 s"}},
		{"overloaded", llm.Fault{Class: llm.ClassOverloaded}, fault.Context{Label: "A", Tried: 110 * time.Second}, []string{"overloaded", "110 s"}},
		{"context", llm.Fault{Class: llm.ClassOverflow, Model: "o/m", Used: 12, Limit: 10}, ctx, []string{"o/m", "12 of 10", "/compact", "/new"}},
		{"local server", llm.Fault{Class: llm.ClassNetwork, Provider: "ollama", Message: "connection refused"}, fault.Context{Label: "Ollama", BaseURL: "http://u:secret@localhost:11434/v1", URLVariable: "OLLAMA_BASE_URL"}, []string{"http://localhost:11434/v1", "ollama serve", "OLLAMA_BASE_URL"}},
		{"timeout", llm.Fault{Class: llm.ClassTimeout}, ctx, []string{"https://api.anthropic.com", "in time"}},
		{"broken stream", llm.Fault{Class: llm.ClassNetwork, AfterOutput: true}, ctx, []string{"broke off"}},
		{"other", llm.Fault{Class: llm.ClassInvalidRequest, Model: "o/m", Status: 400, Message: "bad.", RequestID: "req_1"}, ctx, []string{"Anthropic API", "o/m", "HTTP 400", "invalid request", "bad", "req_1"}},
	}
	for _, tt := range tests {
		f := tt.fault
		fault.Explain(&f, tt.ctx)
		all := f.Text + "\n" + f.Hint
		for _, w := range tt.want {
			if !strings.Contains(all, w) {
				t.Errorf("%s: %q lacks %q", tt.name, all, w)
			}
		}
		if strings.Contains(all, "secret") || !strings.HasSuffix(f.Text, ".") || strings.Contains(f.Text, "..") || f.Hint == "" {
			t.Errorf("%s: %q", tt.name, all)
		}
		if f.Error() != f.Text {
			t.Errorf("%s: the error is %q", tt.name, f.Error())
		}
	}
}
