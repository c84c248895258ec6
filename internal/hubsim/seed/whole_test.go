package seed_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim"
)

// TestTheWholeSimulatorServesTheSeed asks every part of the simulator for
// something of the seed's, through the door that clients use.
func TestTheWholeSimulatorServesTheSeed(t *testing.T) {
	hub, err := hubsim.New(hubsim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := hub.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct{ method, target, token, want string }{
		{"GET", "/api/models?author=acme&full=true", "", `"id":"acme/tiny-gpt"`},
		{"GET", "/api/models?filter=arxiv:2511.99004", "", `"acme/tiny-gpt"`},
		{"GET", "/api/models/acme/tiny-gpt", "", `"base_model:finetune:acme/tiny-base"`},
		{"GET", "/api/models/acme/tiny-gpt?expand=safetensors", "", `"total":18880`},
		{"GET", "/api/models/acme/gated", "", `"gated":"auto"`},
		{"GET", "/api/datasets?filter=benchmark:official", "", `"acme/mini-bench"`},
		{"GET", "/api/datasets/acme/chat-sft", "", `"license:cc-by-nc-4.0"`},
		{"GET", "/api/spaces/acme/demo/runtime", "", `"stage":"RUNNING"`},
		{"GET", "/api/spaces/acme/demo/variables", "hf_bob_write", `"Ahoy"`},
		{"GET", "/api/collections?item=papers/2509.99001", "", `"Tiny models end to end"`},
		{"GET", "/acme/tiny-gpt/raw/main/chat_template.jinja", "", "generation"},
		{"GET", "/acme/tiny-gpt/raw/main/model.safetensors", "", "git-lfs"},
		{"GET", "/datasets-server/rows?dataset=acme%2Faudit-mini&config=default&split=train&length=1", "", `"num_rows_total":120`},
		{"GET", "/api/papers/2511.99004", "", `"id":"acme/demo"`},
		{"GET", "/docs/trl/llms.txt", "", "sft_trainer.md"},
		{"GET", "/papers/2511.99004.md", "", "# Ebb and Flow"},
		{"GET", "/github/repos/acme/recipes", "sim", `"full_name":"acme/recipes"`},
		{"POST", "/slack/auth.test", "xoxb-1", `"ok":true`},
		{"GET", "/router/v1/models", "", `"sim/scripted"`},
		{"GET", "/api/whoami-v2", "hf_bob_write", `"isPro":true`},
	} {
		r := httptest.NewRequest(c.method, c.target, nil)
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		w := httptest.NewRecorder()
		hub.Handler().ServeHTTP(w, r)
		if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d without %s: %.300s", c.method, c.target, w.Code, c.want, body)
		}
	}
	if missing := hub.Unserved(); len(missing) > 0 {
		t.Errorf("unserved: %v", missing)
	}
	r := httptest.NewRequest(http.MethodGet, "/acme/gated/resolve/main/config.json", nil)
	w := httptest.NewRecorder()
	hub.Handler().ServeHTTP(w, r)
	var body struct{ Error string }
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusUnauthorized || w.Header().Get("X-Error-Code") != "GatedRepo" {
		t.Errorf("the gate is open: %d %s", w.Code, w.Body)
	}
}
