package audit_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// faults are what the audit of acme/audit-mini has to find, and what it must
// not find beside them.
var faults = []string{
	"# Audit of acme/audit-mini\n", "## Verdict\n", "sample: 120 of 120 rows (100 %), seed 0", "compared with test 30",
	"- exact: 1 copy in 1 group\n  - train 40, 41\n", "- near: 1 pair\n  - train 60 and train 61 (near, 0.", "without copies 118 rows of 120 remain",
	"- test in train: 1 exact, 1 near of 30 rows", "train 10 and test 5 (exact)", "train 60 and test 9 (near, 0.", "train 61 and test 9 (near, 0.",
	"1 row empty completion: train 70\n", "1 row null completion: train 110\n", "train 71\n", "same as another text",
	"train 80, completion: `", "train 81, completion: `", "1 e-mail address in 1 row", "1 phone number in 1 row", "1 key in 1 row",
	"(0.83 %) over 1,024 tokens (estimate)", "- train 90: ", "| web | 108 | 90 % |", "WARNING balance: 90 % of the rows have source \"web\"",
	"BLOCKER leakage", "BLOCKER pii", "## How to fix\n", "```python", "load_dataset(\"acme/audit-mini\")",
	"!Warnings:", "!train 40 and train 41 (near",
}

// recorded plants the recorded answers on acme/audit-mini.
func recorded(t testing.TB) *lookuptest.Server {
	s := lookuptest.New(t)
	record := strings.NewReplacer("acme/chat-sft", "acme/audit-mini").Replace(lookuptest.Fixture(t, "hub-dataset-info.json"))
	s.Answer("/hub/api/datasets/acme/audit-mini", 200, record)
	s.File("/viewer/splits", 200, "dv-splits-audit.json")
	s.File("/viewer/size", 200, "dv-size-audit.json")
	s.File("/viewer/statistics", 200, "dv-statistics-audit.json")
	answers := map[string]string{
		"train 0": lookuptest.Fixture(t, "dv-rows-audit-train-0.json"), "train 100": lookuptest.Fixture(t, "dv-rows-audit-train-100.json"),
		"test 0": lookuptest.Fixture(t, "dv-rows-audit-test.json"),
	}
	s.Handle("/viewer/rows", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		body := answers[q.Get("split")+" "+q.Get("offset")]
		if body == "" || q.Get("length") != "100" || q.Get("dataset") != "acme/audit-mini" {
			t.Errorf("asked for %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	})
	return s
}

// secrets are the personal data and the key of rows 80 and 81.
func secrets(rows string) (out []string) {
	for _, word := range strings.FieldsFunc(rows, func(r rune) bool { return strings.ContainsRune(" \"'(),;", r) }) {
		word = strings.TrimRight(word, ".:")
		if strings.Contains(word, "@") || strings.HasPrefix(word, "hf_") || strings.HasPrefix(word, "sk-") || strings.HasPrefix(word, "+") && len(word) > 6 {
			out = append(out, word)
		}
	}
	return out
}

func TestCheck28_RecordedFaults(t *testing.T) {
	s := recorded(t)
	planted := secrets(lookuptest.Fixture(t, "dv-rows-audit-train-0.json"))
	if len(planted) < 2 {
		t.Fatalf("secrets %q", planted)
	}
	var before string
	for range 2 {
		env := &tooltest.Env{}
		r := run(t, auditor(t, s.Client(), ""), env, `{"dataset":"acme/audit-mini"}`)
		if !r.OK {
			t.Fatal(r.Output)
		}
		contains(t, r.Output, faults...)
		contains(t, r.Output, "licence: cc-by-nc-4.0: non-commercial", "access is gated (auto)")
		for _, secret := range planted {
			contains(t, r.Output, "!"+secret)
		}
		report, last, _ := strings.Cut(r.Output, "\n[S1] ")
		if before != "" && before != report {
			t.Errorf("not the same twice:\n%s\nand\n%s", before, report)
		}
		before = report
		contains(t, last, "https://huggingface.co/datasets/acme/audit-mini/viewer/default/train", "/test")
		if n := len(env.Sources()); n != 4 { // record, two splits, statistics
			t.Errorf("%d sources", n)
		}
	}
	if n := len(s.Requests("/viewer/statistics")); n != 2 {
		t.Errorf("statistics were asked for %d times in two audits", n)
	}
}

// The same on the simulator, whose rows are its own.
func TestCheck28_SimulatedFaults(t *testing.T) {
	client := simulated(t, "hf_bob_write")
	var before string
	for range 2 {
		r := run(t, auditor(t, client, ""), &tooltest.Env{}, `{"dataset":"acme/audit-mini"}`)
		contains(t, r.Output, faults...)
		report, _, _ := strings.Cut(r.Output, "\n[S1] ")
		if before != "" && before != report {
			t.Error("not the same twice")
		}
		before = report
	}
	r := run(t, auditor(t, client, ""), &tooltest.Env{}, `{"dataset":"acme/chat-sft","sample":100,"benchmarks":["acme/mini-bench"]}`)
	contains(t, r.Output, "sample: 100 of 1,200 rows (8.3 %), seed 0", "acme/mini-bench (test): 0 items of 40", "access is gated (auto)", "counted over the whole split", "| web | 1,068 | 89 % |")
	r = run(t, auditor(t, client, ""), &tooltest.Env{}, `{"dataset":"acme/chat-sfx"}`)
	contains(t, r.Output, "(not_found)", "near names: acme/chat-sft")
	r = run(t, auditor(t, simulated(t, ""), ""), &tooltest.Env{}, `{"dataset":"acme/chat-sft"}`)
	contains(t, r.Output, "HF_TOKEN", "https://huggingface.co/datasets/acme/chat-sft")
}

// simulated is a client on a simulator, as the owner of token.
func simulated(t *testing.T, token string) *fetch.Client {
	t.Helper()
	hub := hubsimtest.Start(t, hubsim.Options{})
	client, err := httpx.New(httpx.Options{Version: "0.0.0-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	env := map[string]string{"HF_ENDPOINT": hub.URL(), "ML_INTERN_DATASETS_SERVER_URL": hub.URL() + "/datasets-server"}
	same := func() string { return token }
	f, err := fetch.New(fetch.Options{HTTP: client, Services: lookup.Services(lookup.Places{
		Base: func(v string) string { return env[v] }, HubToken: same, ViewerToken: same, Unhurried: true,
	})})
	if err != nil {
		t.Fatal(err)
	}
	return f
}
