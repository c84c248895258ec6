package data_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/data"
)

func inspector(t testing.TB, s *lookuptest.Server) *data.Inspect {
	t.Helper()
	tl, err := data.NewInspect(data.Options{Fetch: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

func run(t testing.TB, tl tool.Tool, args string) tool.Result {
	t.Helper()
	r, err := tl.Run(t.Context(), &tooltest.Env{}, json.RawMessage(args))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Output, lookuptest.HubToken) {
		t.Error("the token is in the output")
	}
	return r
}

// contains checks that the output has every text, and none of those behind "!".
func contains(t testing.TB, output string, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if not, forbidden := strings.CutPrefix(want, "!"); forbidden {
			if strings.Contains(output, not) {
				t.Errorf("%q is in:\n%s", not, output)
			}
		} else if !strings.Contains(output, want) {
			t.Errorf("%q is missing in:\n%s", want, output)
		}
	}
}

// own reads an answer that lies beside the tests.
func own(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// chatSFT plants the recorded answers on acme/chat-sft.
func chatSFT(t testing.TB) *lookuptest.Server {
	s := lookuptest.New(t)
	s.File("/hub/api/datasets/acme/chat-sft", 200, "hub-dataset-info.json")
	for path, name := range map[string]string{
		"is-valid": "dv-is-valid-all.json", "splits": "dv-splits-chat.json", "parquet": "dv-parquet-chat.json", "size": "dv-size-chat.json",
		"info": "dv-info-chat.json", "first-rows": "dv-first-rows-chat-messages.json", "statistics": "dv-statistics-chat.json",
	} {
		s.File("/viewer/"+path, 200, name)
	}
	return s
}

func TestCheck21WhatADatasetIs(t *testing.T) {
	s := chatSFT(t)
	env := &tooltest.Env{}
	r, err := inspector(t, s).Run(t.Context(), env, json.RawMessage(`{"dataset":"acme/chat-sft"}`))
	if err != nil || !r.OK {
		t.Fatal(err, r.Output)
	}
	t.Log(r.Output)
	contains(t, r.Output,
		"# acme/chat-sft\n", "## Access and licence\n", "cc-by-nc-4.0", "no commercial use", "gated: auto",
		"## Status\n✓ Valid (viewer, preview, search, filter, statistics)", "## Structure (configs & splits)\n",
		"| default | train | 1,200 | 1.8 MB |", "| default | test | 100 |", "## Schema (default)\n",
		"| messages | List<{role: string, content: string}> |", "| source | ClassLabel(3: web, forum, synthetic) |",
		"## Statistics (default/train)\n", "web 1,068 (89 %)", "⚠ 89 % of the rows are web", "3 null (0.2 %), length min/median/max 1/2/13",
		"## Sample Rows (default/train)\n**Row 0:**", `- source: 2 "synthetic"`, "## Messages Column Format\n",
		"**Roles:** assistant (4), system (1), user (4)", "role ✓, content ✓, tool_calls ✗, tool_call_id ✗, name ✗, function_call ✗",
		"- user → assistant: 3", "## Training format\n", "## Files (Parquet)\n- default/train: 1 file(s) (0.6 MB)",
		"!**Warnings:**", "!datasets-server",
	)
	if got := strings.Count(r.Output, "**Row "); got != 3 {
		t.Errorf("%d rows", got)
	}
	if n := len(env.Sources()); n != 3 || env.Sources()[0].URL != "https://huggingface.co/datasets/acme/chat-sft" {
		t.Errorf("%d sources: %+v", n, env.Sources())
	}
	if n := len(s.Requests("/viewer")); n != 7 {
		t.Errorf("%d requests", n)
	}
}

// refuse plants a refusal on every place of the viewer.
func refuse(s *lookuptest.Server, status int, body, code string) {
	for _, path := range []string{"is-valid", "splits", "parquet", "size", "info", "first-rows", "rows", "statistics", "search", "filter"} {
		s.Answer("/viewer/"+path, status, body, "X-Error-Code", code)
	}
}

const missing = `{"error":"The dataset does not exist, or is not accessible."}`

func TestCheck22MissingPrivateAndGated(t *testing.T) {
	near := `[{"id":"acme/chat-sft"},{"id":"acme/chat-sft-2"}]`
	for name, c := range map[string]struct {
		status, hub int
		code, body  string
		anonymous   bool
		want        []string
	}{
		"gated": {
			status: 404, code: "ExternalAuthenticatedError", hub: 200, body: `{"id":"acme/chat","gated":"auto","siblings":[]}`,
			want: []string{"(gated)", "https://huggingface.co/datasets/acme/chat", "accept the terms"},
		},
		"gated for nobody": {
			status: 401, code: "ExternalUnauthenticatedError", hub: 200, body: `{"id":"acme/chat","gated":"manual"}`, anonymous: true,
			want: []string{"(gated)", "https://huggingface.co/datasets/acme/chat", "HF_TOKEN"},
		},
		"private": {
			status: 404, code: "ExternalAuthenticatedError", hub: 200, body: `{"id":"acme/chat","private":true}`,
			want: []string{"(unauthorized)", "PRO", "Team", "Enterprise"},
		},
		"missing": {
			status: 404, code: "ExternalAuthenticatedError", hub: 404, body: `{"error":"Repository not found"}`,
			want: []string{"(not_found)", "acme/chat-sft, acme/chat-sft-2"},
		},
		"nobody asks": {
			status: 401, code: "ExternalUnauthenticatedError", hub: 401, body: `{"error":"Invalid username or password."}`, anonymous: true,
			want: []string{"(unauthorized)", "HF_TOKEN"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := lookuptest.New(t)
			s.Anonymous = c.anonymous
			refuse(s, c.status, missing, c.code)
			s.Answer("/hub/api/datasets/acme/chat", c.hub, c.body)
			s.Answer("/hub/api/datasets", 200, near)
			env := &tooltest.Env{}
			r, err := inspector(t, s).Run(t.Context(), env, json.RawMessage(`{"dataset":"acme/chat"}`))
			if err != nil || r.OK || len(env.Sources()) > 0 {
				t.Errorf("%v %+v", err, r)
			}
			contains(t, r.Output, c.want...)
			query, err := data.NewQuery(data.Options{Fetch: s.Client()})
			if err != nil {
				t.Fatal(err)
			}
			r = run(t, query, `{"operation":"rows","dataset":"acme/chat","config":"default","split":"train"}`)
			if r.OK {
				t.Error("the query worked")
			}
			contains(t, r.Output, c.want...)
		})
	}
}

// TestRecordedRefusals shows the viewer's own refusals of all kinds.
func TestRecordedRefusals(t *testing.T) {
	for _, c := range []struct {
		file   string
		status int
		code   string
		ok     bool
		want   []string
	}{
		{"dv-error-401-404-missing-or-gated.json", 404, "ExternalAuthenticatedError", false, []string{"gated"}},
		{"dv-error-404-config-or-split.json", 404, "ResponseNotFound", false, []string{"not_found"}},
		{"dv-error-422-missing-params.json", 422, "MissingRequiredParameter", false, []string{"bad_argument", "'dataset', 'config' and 'split' are required"}},
		{"dv-error-500-unexpected.json", 500, "UnexpectedError", true, []string{"Unexpected error.", "train.jsonl"}},
		{"dv-error-500-dataset-error.json", 500, "StreamingRowsError", true, []string{"atomic_data.tgz", "FileNotFoundError", "!Traceback", "train.jsonl"}},
		{"dv-error-501-blocked.json", 501, "DatasetInBlockListError", true, []string{"blocked", "has been disabled for this dataset", "cc-by-nc-4.0"}},
		{"dv-error-501-too-many-configs.json", 501, "DatasetWithTooManyConfigsError", true, []string{"41617 configs", "cc-by-nc-4.0"}},
	} {
		t.Run(c.code, func(t *testing.T) {
			s := lookuptest.New(t)
			refuse(s, c.status, lookuptest.Fixture(t, c.file), c.code)
			s.File("/hub/api/datasets/acme/chat-sft", 200, "hub-dataset-info.json")
			r := run(t, inspector(t, s), `{"dataset":"acme/chat-sft"}`)
			if r.OK != c.ok {
				t.Errorf("OK is %v", r.OK)
			}
			contains(t, r.Output, c.want...)
		})
	}
}

func TestARenamedDataset(t *testing.T) {
	s := lookuptest.New(t)
	s.Handle("/viewer/splits", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("dataset") == "squad" {
			w.Header().Set("X-Error-Code", "RenamedDatasetError")
			http.Error(w, `{"error":"The dataset has been renamed."}`, 404)
			return
		}
		_, _ = w.Write([]byte(`{"splits":[{"config":"plain_text","split":"train"}]}`))
	})
	for _, name := range []string{"squad", "rajpurkar/squad"} {
		s.Answer("/hub/api/datasets/"+name, 200, `{"id":"rajpurkar/squad"}`)
	}
	r := run(t, inspector(t, s), `{"dataset":"squad"}`)
	if !r.OK {
		t.Error("it failed")
	}
	contains(t, r.Output, "# rajpurkar/squad\n", "squad is called rajpurkar/squad now")
}

func TestCheck23TheSplitBelongsToTheConfig(t *testing.T) {
	s := lookuptest.New(t)
	for path, name := range map[string]string{
		"is-valid": "dv-is-valid-preview-only.json", "splits": "dv-splits-duorc.json", "parquet": "dv-parquet-duorc.json",
		"size": "dv-size-duorc.json", "info": "dv-info-duorc-selfrc.json",
	} {
		s.File("/viewer/"+path, 200, name)
	}
	belongs(t, s)
}

// TestCheck23OnOurOwn is the same without recorded answers.
func TestCheck23OnOurOwn(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/viewer/splits", 200, `{"splits":[{"config":"ParaphraseRC","split":"train"},{"config":"SelfRC","split":"train"},{"config":"SelfRC","split":"validation"}],"pending":[],"failed":[]}`)
	belongs(t, s)
}

func belongs(t *testing.T, s *lookuptest.Server) {
	r := run(t, inspector(t, s), `{"dataset":"ibm/duorc","config":"SelfRC"}`)
	if !r.OK {
		t.Fatal(r.Output)
	}
	asked := s.Requests("/viewer/first-rows")
	if len(asked) != 1 || asked[0].Query.Get("config") != "SelfRC" || asked[0].Query.Get("split") != "train" {
		t.Errorf("%+v", asked)
	}
	r = run(t, inspector(t, s), `{"dataset":"ibm/duorc","config":"SelfRC","split":"nope"}`)
	if r.OK {
		t.Error("a split that does not exist was accepted")
	}
	contains(t, r.Output, "bad_argument", "train, validation", "SelfRC")
	r = run(t, inspector(t, s), `{"dataset":"ibm/duorc","config":"nope"}`)
	if r.OK {
		t.Error("a config that does not exist was accepted")
	}
	contains(t, r.Output, "bad_argument", "ParaphraseRC, SelfRC")
}

func TestTheRecordedAuditSet(t *testing.T) {
	s := lookuptest.New(t)
	for path, name := range map[string]string{
		"is-valid": "dv-is-valid-none.json", "splits": "dv-splits-audit.json", "parquet": "dv-parquet-partial.json", "size": "dv-size-audit.json",
		"rows": "dv-rows-audit-train-0.json", "statistics": "dv-statistics-audit.json",
	} {
		s.File("/viewer/"+path, 200, name)
	}
	s.Answer("/hub/api/datasets/acme/audit-mini", 500, `{"error":"Internal"}`)
	r := run(t, inspector(t, s), `{"dataset":"acme/audit-mini","offset":0,"sample_rows":1,"trainer":"grpo"}`)
	if !r.OK {
		t.Error("it failed")
	}
	contains(t, r.Output, "✗ Dataset may have issues", "| default | test | 30 |", "- completion (string_text): 1 null (0.8 %)", "**prompt-completion**, standard (`prompt`, `completion`); 100 row(s)",
		"| GRPO | yes | the other columns reach the reward functions |", "For GRPO:", "- en/train (in part): ", "partial", "**Warnings:**", "the Hub's record: upstream_error")
}

func TestAPrivateDatasetWithoutViewer(t *testing.T) {
	s := lookuptest.New(t)
	refuse(s, 501, `{"error":"Private datasets are only supported for PRO users and Team or Enterprise organizations."}`, "NotSupportedPrivateRepositoryError")
	s.Answer("/hub/api/datasets/acme/own", 200, `{"id":"acme/own","private":true,"siblings":[{"rfilename":"train.jsonl"}]}`)
	r := run(t, inspector(t, s), `{"dataset":"acme/own"}`)
	if !r.OK {
		t.Error("it failed")
	}
	contains(t, r.Output, "No viewer for this private data set", "PRO users and Team or Enterprise", "- train.jsonl", "!may have issues")
}
