package fault_test

import (
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/fault"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// transformers serve writes a tool call it cannot parse into the stream as
// broken JSON: the model has to hear that, the server is well.
func TestBrokenToolCallOfTransformers(t *testing.T) {
	raw := "{\"error\": \"json parser could not parse region as JSON.\nContent: '\n{\"name\": \"python\", trainarguments\"}}\n'\n" +
		"Error: Expecting property name enclosed in double quotes: line 2 column 20 (char 20)\"}"
	first, _, _ := strings.Cut(raw, "\n") // the bare newlines end the event's data
	for _, text := range []string{raw, first} {
		if f := fault.FromStream("vllm", "vllm/m", []byte(text), false); f.Class != llm.ClassToolGeneration {
			t.Errorf("class %s: %s", f.Class, f.Message)
		}
	}
}
