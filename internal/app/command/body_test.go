package command_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// maxBody is what the first request with all built-in tools may measure, in
// bytes: every session sends it, and every later one begins with it.
const maxBody = 36_000

func TestTheFirstRequestIsSmall(t *testing.T) {
	for _, runtime := range [][]string{nil, {"--sandbox-tools"}} {
		var size atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			switch body, _ := io.ReadAll(r.Body); {
			case r.Method == http.MethodGet && r.URL.Path == "/v1/models":
				_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"m","object":"model","max_model_len":131072}]}`)
			case r.Method == http.MethodPost && r.URL.Path == "/v1/chat/completions":
				size.CompareAndSwap(0, int64(len(body)))
				_, _ = io.WriteString(w, `{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}`)
			default:
				http.NotFound(w, r)
			}
		}))
		var out, errs bytes.Buffer
		home := t.TempDir()
		in, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		code := command.Main(t.Context(), console.Streams{
			Args: append([]string{"-m", "vllm/m", "--no-stream", "hi"}, runtime...), Dir: home, In: in, Out: &out, Err: &errs,
			Environ: []string{
				"HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Join(home, "c"), "PATH=" + os.Getenv("PATH"),
				"VLLM_BASE_URL=" + server.URL, "HF_ENDPOINT=" + server.URL + "/hub", "HF_TOKEN=hf_test",
			},
		})
		_ = in.Close()
		server.Close()
		if n := size.Load(); code != 0 || n == 0 || n > maxBody {
			t.Errorf("%q: code %d, a first request of %d bytes, want at most %d\n%s", runtime, code, n, maxBody, errs.String())
		} else {
			t.Logf("%q: %d bytes", runtime, n)
		}
	}
}
