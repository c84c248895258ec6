package redact_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

func TestJSON(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing", ` { "b" : 1.50, "a":"\u0041\/é" } `, ` { "b" : 1.50, "a":"\u0041\/é" } `},
		{"check 35 map value", `{"HF_TOKEN": "abc"}`, `{"HF_TOKEN": "[REDACTED]"}`},
		{"map value of a kind", `{"HF_TOKEN": "` + hubToken + `"}`, `{"HF_TOKEN": "[REDACTED_HF_TOKEN]"}`},
		{"map value escaped", `{"pass\u0077ord":"a\"b","n":1e3}`, `{"pass\u0077ord":"[REDACTED]","n":1e3}`},
		{"key", `{"` + hubToken + `":1}`, `{"[REDACTED_HF_TOKEN]":1}`},
		{"escapes around", `["\u0041 ` + hubToken + ` \/\ud83d\ude00"]`, `["\u0041 [REDACTED_HF_TOKEN] \/\ud83d\ude00"]`},
		{"escaped secret", `["\u0068` + hubToken[1:] + `"]`, `["[REDACTED_HF_TOKEN]"]`},
		{"lone surrogate", `["\ud800 ` + hubToken + `\udc00"]`, `["\ud800 [REDACTED_HF_TOKEN]\udc00"]`},
		{"arguments", `{"arguments":"{\"HF_TOKEN\": \"abc\", \"x\":1.0}"}`, `{"arguments":"{\"HF_TOKEN\": \"[REDACTED]\", \"x\":1.0}"}`},
		{"arguments twice", `["{\"a\":\"{\\\"password\\\":\\\"x\\\"}\"}"]`, `["{\"a\":\"{\\\"password\\\":\\\"[REDACTED]\\\"}\"}"]`},
		{"broken arguments", `["{\"HF_TOKEN\": \"abc\", "]`, `["{\"HF_TOKEN\": \"[REDACTED]\", "]`},
		{"reference", `{"HF_TOKEN":"$HF_TOKEN","pad_token":"<pad>","max_tokens":"9","token":""}`, `{"HF_TOKEN":"$HF_TOKEN","pad_token":"<pad>","max_tokens":"9","token":""}`},
		{"name and value", `[{"value":"a b","key":"HF_TOKEN","x":"` + hubToken + `"},{"name":"token","value":1}]`, `[{"value":"[REDACTED]","key":"HF_TOKEN","x":"[REDACTED_HF_TOKEN]"},{"name":"token","value":1}]`},
		{"sentence as key", `{"what is a token":"a piece of text"}`, `{"what is a token":"a piece of text"}`},
		{"kaggle", `{"username":"bob","key":"` + hex40[:32] + `"}`, `{"username":"bob","key":"[REDACTED]"}`},
		{"code", `{"c":"tokenizer.pad_token = tokenizer.eos_token\npush_to_hub(token=token)"}`, `{"c":"tokenizer.pad_token = tokenizer.eos_token\npush_to_hub(token=token)"}`},
		{"pem", `{"private_key":"` + strings.ReplaceAll(pemKey, "\n", `\n`) + `"}`, `{"private_key":"[REDACTED_PRIVATE_KEY]"}`},
		{"scalar", `"` + hubToken + `"`, `"[REDACTED_HF_TOKEN]"`},

		{
			"opaque", `[{"type":"thinking","thinking":"x","signature":"` + hubToken + `"},{"data":"` + hubToken + `","type":"redacted_thinking"},{"encrypted_content":"` + hubToken + `"}]`,
			`[{"type":"thinking","thinking":"x","signature":"` + hubToken + `"},{"data":"` + hubToken + `","type":"redacted_thinking"},{"encrypted_content":"` + hubToken + `"}]`,
		},
		{"signature elsewhere", `{"type":"text","signature":"` + hubToken + `"}`, `{"type":"text","signature":"[REDACTED_HF_TOKEN]"}`},
		{
			"scrubbed thinking", `{"thinking":"use ` + hubToken + `","signature":"` + hubToken + `","type":"thinking" }`,
			`{"thinking":"use [REDACTED_HF_TOKEN]","signature":"` + hubToken + `","type":"thinking" ,"redacted":true}`,
		},
		{
			"scrubbed thinking with a flag", `{"redacted":"` + hubToken + `","type":"thinking","thinking":"` + hubToken + `"}`,
			`{"redacted":true,"type":"thinking","thinking":"[REDACTED_HF_TOKEN]"}`,
		},
		{
			"thinking in a string", `["[{\"type\":\"thinking\",\"thinking\":\"` + hubToken + `\"}]"]`,
			`["[{\"type\":\"thinking\",\"thinking\":\"[REDACTED_HF_TOKEN]\",\"redacted\":true}]"]`,
		},
	}
	s := scrubber()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := []byte(tt.in)
			out, n, err := s.JSON(in)
			if err != nil {
				t.Fatal(err)
			}
			if string(out) != tt.want {
				t.Fatalf("got  %s\nwant %s", out, tt.want)
			}
			if string(in) != tt.in {
				t.Error("the input was changed")
			}
			if !json.Valid(out) || (n > 0) != (tt.in != tt.want) {
				t.Errorf("n=%d, valid=%v", n, json.Valid(out))
			}
			if again, n, err := s.JSON(out); err != nil || n != 0 || !bytes.Equal(again, out) {
				t.Errorf("a second scrub gives %s, %d, %v", again, n, err)
			}
		})
	}
}

// TestMalformedJSON: what cannot be scrubbed must not be saved.
func TestMalformedJSON(t *testing.T) {
	for _, in := range []string{"", "{", `{"a":}`, `"` + hubToken, "[1,]", "{} {}", `["\x"]`} {
		if out, _, err := scrubber().JSON([]byte(in)); err == nil || out != nil {
			t.Errorf("JSON(%q) = %q, %v", in, out, err)
		}
	}
}

func TestReportJSON(t *testing.T) {
	_, counts, err := scrubber().ReportJSON([]byte(`{"type":"thinking","thinking":"` + hubToken + `","PASSWORD":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"hf_token": 1, "named": 1}, counts); diff != "" {
		t.Error(diff)
	}
}

// documents draws JSON values whose strings are made of the pieces.
func documents(depth int) *rapid.Generator[any] {
	keys := []string{"type", "thinking", "signature", "data", "HF_TOKEN", "password", "redacted", "username", "key", "name", "value", "encrypted_content", "x"}
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 3
		if depth > 0 {
			kinds = 6
		}
		switch rapid.IntRange(0, kinds).Draw(t, "kind") {
		case 0:
			return rapid.SampledFrom([]any{nil, true, 1.5, "thinking", "redacted_thinking"}).Draw(t, "scalar")
		case 4:
			return rapid.SliceOfN(documents(depth-1), 0, 3).Draw(t, "array")
		case 5:
			return rapid.MapOfN(rapid.SampledFrom(keys), documents(depth-1), 0, 4).Draw(t, "object")
		case 6:
			inner, err := json.Marshal(documents(depth-1).Draw(t, "inner"))
			if err != nil {
				t.Fatal(err)
			}
			return string(inner)
		default:
			return texts().Draw(t, "text")
		}
	})
}

func TestJSONStaysJSON(t *testing.T) {
	s := scrubber()
	rapid.Check(t, func(t *rapid.T) {
		raw, err := json.Marshal(documents(3).Draw(t, "document"))
		if err != nil {
			t.Fatal(err)
		}
		out, n, err := s.JSON(raw)
		if err != nil || !json.Valid(out) || n == 0 && !bytes.Equal(raw, out) {
			t.Fatalf("%s\n%s\n%d %v", raw, out, n, err)
		}
		again, n, err := s.JSON(out)
		if err != nil || n != 0 || !bytes.Equal(out, again) {
			t.Fatalf("%s\n once %s\ntwice %s (%d) %v", raw, out, again, n, err)
		}
	})
}

// What a call passes as secrets is removed whatever it is called; a reference,
// and a schema that describes secrets, stay.
func TestJSONSecretsOfACall(t *testing.T) {
	s := redact.New(redact.Options{})
	for in, want := range map[string]string{
		`{"secrets":{"WANDB":"plain text","B":"$WANDB","C":""}}`:                               `{"secrets":{"WANDB":"[REDACTED]","B":"$WANDB","C":""}}`,
		`{"arguments":"{\"secrets\":{\"W\":\"a\\nb\"}}"}`:                                      `{"arguments":"{\"secrets\":{\"W\":\"[REDACTED]\"}}"}`,
		`{"secrets":{"type":"object","description":"secret variables","X":{"type":"string"}}}`: `{"secrets":{"type":"object","description":"secret variables","X":{"type":"string"}}}`,
		`{"secrets":["HF_TOKEN"],"env":{"WANDB":"plain text"}}`:                                `{"secrets":["HF_TOKEN"],"env":{"WANDB":"plain text"}}`,
	} {
		got, _, err := s.JSON([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s\n became %s, %v\nwant   %s", in, got, err, want)
		}
		if again, n, err := s.JSON(got); err != nil || n != 0 || string(again) != string(got) {
			t.Errorf("the second time: %s, %d, %v", again, n, err)
		}
	}
}
