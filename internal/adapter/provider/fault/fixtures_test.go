package fault_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/fault"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
	"github.com/ml-intern/ml-intern/internal/platform/sse"
)

type fixture struct {
	File string
	Mode string
	HTTP struct {
		Status  int
		Headers map[string]string
	}
	Expect struct {
		Error *struct {
			Class     llm.Class
			Retryable bool
			Contains  string       `json:"message_contains"`
			Type      string       `json:"type"`
			Code      string       `json:"code"`
			Used      int          `json:"used_tokens"`
			Limit     int          `json:"max_tokens"`
			Wait      float64      `json:"retry_after_s"`
			Supported []llm.Effort `json:"supported_efforts"`
			After     bool         `json:"after_output"`
		}
	}
}

// Part of acceptance check 2 of the model layer: every recorded error, of
// every provider, with its status and headers.
func TestCheck02_RecordedErrors(t *testing.T) {
	dir := fixturetest.Dir(t, "llm")
	raw, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []fixture
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, fx := range all {
		want := fx.Expect.Error
		// A cut answer (max_output) is known by what came before the error.
		if want == nil || want.Class == llm.ClassMaxOutput {
			continue
		}
		tested++
		t.Run(fx.File, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join(dir, fx.File))
			if err != nil {
				t.Fatal(err)
			}
			provider, _, _ := strings.Cut(fx.File, "/")
			var f *llm.Fault
			if fx.Mode == "error" {
				h := http.Header{}
				for k, v := range fx.HTTP.Headers {
					h.Set(k, v)
				}
				f = fault.FromResponse(provider, "m", fx.HTTP.Status, h, body)
			} else {
				f = fault.FromStream(provider, "m", errorEvent(t, body), want.After)
			}
			if f.Class != want.Class || f.Retryable() != want.Retryable || f.AfterOutput != want.After {
				t.Errorf("got %+v, want %+v", f, want)
			}
			if !strings.Contains(f.Message, want.Contains) {
				t.Errorf("message %q lacks %q", f.Message, want.Contains)
			}
			if want.Type != "" && f.Type != want.Type || want.Code != "" && f.Code != want.Code {
				t.Errorf("type %q, code %q", f.Type, f.Code)
			}
			if f.Used != want.Used || f.Limit != want.Limit || f.Wait != time.Duration(want.Wait*float64(time.Second)) {
				t.Errorf("used %d, limit %d, wait %s", f.Used, f.Limit, f.Wait)
			}
			if d := cmp.Diff(want.Supported, f.Supported, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
	if tested < 10 {
		t.Errorf("only %d recorded errors found", tested)
	}
}

// errorEvent returns the data of the first error in a stream.
func errorEvent(t *testing.T, body []byte) []byte {
	t.Helper()
	var found []byte
	for ev, err := range sse.Read(strings.NewReader(string(body)), 32<<20) {
		if err != nil {
			t.Fatal(err)
		}
		if found == nil && ev.Name == "error" {
			found = ev.Data
		}
	}
	if found == nil {
		t.Fatal("no error event in the stream")
	}
	return found
}
