package redact_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// sessionText is what sessions hold: prose, code, logs and JSON.
const sessionText = `The run finished; let me look at the curves before we go on with the evaluation of the checkpoint.
from transformers import AutoTokenizer, TrainingArguments
tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen3-0.6B", token=os.environ["HF_TOKEN"])
tokenizer.pad_token = tokenizer.eos_token
args = TrainingArguments(output_dir="out", learning_rate=2e-5, max_steps=100, push_to_hub=True, report_to="none")
{"loss": 1.2345, "grad_norm": 0.98, "learning_rate": 1.9e-05, "epoch": 0.12, "step": 120, "num_tokens": 123456}
2026-01-02 10:11:12,345 INFO  [trainer.py:812] saved https://huggingface.co/alice/my-model/blob/main/model.safetensors
`

func BenchmarkString(b *testing.B) {
	s := scrubber()
	text := strings.Repeat(sessionText, 50<<20/len(sessionText))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, n := s.String(text); n != 0 {
			b.Fatal(n)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	s := scrubber()
	var messages []map[string]string
	for range 50 << 20 / len(sessionText) {
		messages = append(messages, map[string]string{"role": "tool", "content": sessionText})
	}
	raw, err := json.Marshal(messages)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, n, err := s.JSON(raw); n != 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkSmallString(b *testing.B) {
	s := scrubber()
	text := sessionText[:100]
	b.SetBytes(100)
	b.ReportAllocs()
	for b.Loop() {
		s.String(text)
	}
}

func BenchmarkSmallDelta(b *testing.B) {
	st := scrubber().Stream()
	b.ReportAllocs()
	for b.Loop() {
		st.Feed("the next words ")
	}
}

func BenchmarkSmallEvent(b *testing.B) {
	s := scrubber()
	raw := []byte(`{"seq":17,"event_type":"assistant_chunk","data":{"content":"the next words of the answer\n"}}`)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.JSON(raw); err != nil {
			b.Fatal(err)
		}
	}
}
