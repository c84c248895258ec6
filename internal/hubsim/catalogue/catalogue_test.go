package catalogue_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/catalogue"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

const (
	bob   = simtest.BobWrite
	alice = simtest.AliceWrite
)

type m = map[string]any

type hub struct {
	*simtest.Server
	w *simtest.World
	c *catalogue.Catalogue
}

func setup(t *testing.T) *hub {
	t.Helper()
	w := simtest.New(t)
	c, err := catalogue.New(catalogue.Options{
		Clock: w.Clock, Accounts: w.Book, Repos: w.Repos,
		Runtime: func(r *repo.Repo) map[string]any {
			if strings.HasSuffix(r.ID(), "asleep") {
				return m{"stage": "SLEEPING"}
			}
			return m{"stage": "RUNNING"}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &hub{Server: w.Serve(c), w: w, c: c}
}

// safetensors is a file with n parameters of one type.
func safetensors(dtype string, n int) string {
	header := fmt.Sprintf(`{"w":{"dtype":%q,"shape":[%d],"data_offsets":[0,0]}}`, dtype, n)
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header
}

func seeded(values m) map[string]json.RawMessage {
	raw := map[string]json.RawMessage{}
	for k, v := range values {
		raw[k], _ = json.Marshal(v)
	}
	return raw
}

// full is a hub with models, datasets and Spaces of several kinds.
func full(t *testing.T) *hub {
	h := setup(t)
	tiny := h.w.Repo(repo.CreateSpec{ID: "acme/tiny-gpt"}, map[string]string{
		"README.md": "---\nlicense: mit\nlanguage: [en]\ndatasets: [acme/toy-chat]\npipeline_tag: text-generation\ntags: [chat]\n---\n" +
			"# Tiny\nSee https://arxiv.org/abs/2401.00001\n",
		"config.json":           `{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":8}`,
		"tokenizer_config.json": `{"bos_token":"<s>","chat_template":"{{ messages }}","secret":1}`,
		"model.safetensors":     safetensors("F32", 7_000_000_000),
		".eval_results/e.yaml":  "- dataset: {id: acme/mini-bench, task_id: default}\n  value: 0.5\n  verifyToken: t\n",
	})
	tiny.Update(func(s *repo.Settings) {
		s.Downloads, s.TrendingScore = 100, 2.5
		s.Info = seeded(m{
			"inferenceProviderMapping": m{
				"together": m{"status": "live", "providerId": "p", "task": "conversational", "isModelAuthor": false},
				"groq":     m{"status": "error", "providerId": "q", "task": "conversational", "isModelAuthor": false},
			},
			"tags": []string{"deploy:sagemaker"}, "futureField": m{"a": []int{1}},
		})
	})
	h.w.Repo(repo.CreateSpec{ID: "bob/adapter"}, map[string]string{
		"README.md":                 "---\nlicense: apache-2.0\nbase_model: acme/tiny-gpt\nlibrary_name: peft\n---\n",
		"adapter_config.json":       `{"base_model_name_or_path":"acme/tiny-gpt","task_type":"CAUSAL_LM","r":8}`,
		"adapter_model.safetensors": safetensors("BF16", 1_000_000),
	}).Update(func(s *repo.Settings) { s.Downloads = 500 })
	h.w.Repo(repo.CreateSpec{ID: "bob/secret", Visibility: repo.Private}, nil)
	h.w.Repo(repo.CreateSpec{ID: "acme/gated", Gated: "auto"}, nil)
	h.w.Repo(repo.CreateSpec{Type: repo.Dataset, ID: "acme/toy-chat"}, map[string]string{
		"README.md":        "---\nlicense: mit\ntask_categories: [text-generation]\n---\n# Toy chat\nA few *talks*.\n\n```bibtex\n@misc{toy, title={Toy}}\n```\n",
		"data/train.jsonl": "{}\n",
	})
	h.w.Repo(repo.CreateSpec{Type: repo.Space, ID: "acme/demo", SDK: "gradio"}, map[string]string{
		"README.md": "---\ntitle: Chat Demo\nemoji: 🚀\nsdk: gradio\nshort_description: Talk to a tiny model\nmodels: [acme/tiny-gpt]\n---\n",
	})
	h.w.Repo(repo.CreateSpec{Type: repo.Space, ID: "bob/asleep", SDK: "docker"}, map[string]string{
		"README.md": "---\ntitle: Talking\nsdk: docker\nshort_description: Talk to nobody\n---\n",
	})
	return h
}

func (h *hub) get(token, target string) simtest.Reply {
	h.Helper()
	return h.Must(200, token, "GET", target, nil)
}

func (h *hub) ids(token, target string) []any {
	h.Helper()
	return simtest.Each(h.get(token, target).Body, "id")
}

func TestInfoOfAModel(t *testing.T) {
	h := full(t)
	r := h.get("", "/api/models/acme/tiny-gpt")
	h.Equal(r.At("tags"), any([]any{
		"transformers", "safetensors", "llama", "text-generation", "chat", "en", "dataset:acme/toy-chat", "arxiv:2401.00001",
		"license:mit", "eval-results", "region:us", "deploy:sagemaker",
	}))
	h.Equal(r.At("safetensors"), any(m{"parameters": m{"F32": 7e9}, "total": 7e9}))
	h.Equal(r.At("config"), any(m{
		"architectures": []any{"LlamaForCausalLM"}, "model_type": "llama", "tokenizer_config": m{"bos_token": "<s>", "chat_template": "{{ messages }}"},
	}))
	h.Equal(r.At("spaces"), any([]any{"acme/demo"}))
	h.Equal(r.At("transformersInfo", "auto_model"), any("AutoModelForCausalLM"))
	h.Equal([]any{r.At("pipeline_tag"), r.At("library_name"), r.At("cardData", "license")}, []any{"text-generation", "transformers", "mit"})
	simtest.SameKeys(t, r.Body, simtest.Fixture(t, "model-info.json"), "library_name", "transformersInfo", "futureField", "inference")

	expand := h.get("", "/api/models/acme/tiny-gpt?expand=evalResults&expand[]=childrenModelCount&expand=inference")
	h.Equal(expand.At("evalResults", 0, "data", "value"), any(0.5))
	h.Equal(expand.At("childrenModelCount"), any(1.0))
	h.Equal(expand.At("inference"), any("warm"))
	simtest.SameKeys(t, expand.Body, m{"_id": 0, "id": 0, "evalResults": 0, "childrenModelCount": 0, "inference": 0})
	providers := simtest.Fixture(t, "model-info-providers.json", "body")
	mapping := h.get("", "/api/models/acme/tiny-gpt?expand=inferenceProviderMapping")
	simtest.SameKeys(t, mapping.Body, providers)
	simtest.SameKeys(t, mapping.At("inferenceProviderMapping", "groq"), simtest.At(providers, "inferenceProviderMapping", "groq"))

	adapter := h.get("", "/api/models/bob/adapter?expand=baseModels&expand=config")
	h.Equal(adapter.At("baseModels", "relation"), any("adapter"))
	h.Equal(adapter.At("baseModels", "models", 0, "id"), any("acme/tiny-gpt"))
	h.Equal(adapter.At("config", "peft", "task_type"), any("CAUSAL_LM"))
}

// Acceptance check 37 of the Hub, the server's side: members nobody knows are
// in the info as the seed gave them, and no member is there twice.
func TestCheck37_UnknownMembersAreServed(t *testing.T) {
	h := full(t)
	r := h.get("", "/api/models/acme/tiny-gpt")
	h.Equal(r.At("futureField"), any(m{"a": []any{1.0}}))
	if n := strings.Count(string(r.Raw), `"futureField"`); n != 1 {
		t.Errorf("it is there %d times", n)
	}
	var decoded map[string]json.RawMessage
	if err := json.Unmarshal(r.Raw, &decoded); err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(decoded)
	var a, b any
	_, _ = json.Unmarshal(r.Raw, &a), json.Unmarshal(again, &b)
	h.Equal(a, b)
}

func TestExpand(t *testing.T) {
	h := full(t)
	r := h.get("", "/api/models/acme/tiny-gpt/revision/main?expand=xetEnabled")
	simtest.SameKeys(t, r.Body, m{"_id": 0, "id": 0, "xetEnabled": 0})
	h.Equal(r.At("xetEnabled"), any(false))
	js := h.get("", "/api/models/acme/tiny-gpt/revision/HEAD?expand=pipeline_tag&expand=private&expand=gated&expand=downloads&expand=likes&expand=lastModified&expand=sha&expand=tags")
	if !regexp.MustCompile("^[0-9a-f]{24}$").MatchString(js.Text("_id")) {
		t.Errorf("_id %q", js.Text("_id"))
	}
	for _, bad := range []string{"/api/models/acme/tiny-gpt?expand=nonsense", "/api/models?expand=sdk", "/api/datasets?expand=gguf", "/api/spaces?expand[]=downloads"} {
		h.Must(400, "", "GET", bad, nil)
	}
	for _, kind := range []string{"models/acme/tiny-gpt", "datasets/acme/toy-chat", "spaces/acme/demo"} {
		refused := h.Must(400, "", "GET", "/api/"+kind+"?expand=x", nil)
		_, list, _ := strings.Cut(refused.Text("error"), "one of ")
		for _, key := range strings.Split(list, ", ") { // all that is offered can be had
			h.get("", "/api/"+kind+"?expand="+key)
			plural, _, _ := strings.Cut(kind, "/")
			h.get("", "/api/"+plural+"?expand="+key)
		}
	}
}

func TestInfoWithBlobs(t *testing.T) {
	h := setup(t)
	big := strings.Repeat("w\x00", 5000)
	h.w.Repo(repo.CreateSpec{ID: "bob/m1", Visibility: repo.Private}, map[string]string{"README.md": "---\nlicense: mit\n---\n", "big.bin": big})
	r := h.get(bob, "/api/models/bob/m1?blobs=true&securityStatus=true")
	want := simtest.Fixture(t, "model-info-blobs.json")
	simtest.SameKeys(t, r.Body, want, "config", "model-index", "securityRepoStatus")
	h.Equal(simtest.Each(r.At("siblings"), "rfilename"), []any{".gitattributes", "README.md", "big.bin"})
	simtest.SameKeys(t, r.At("siblings", 1), simtest.At(want, "siblings", 1))
	simtest.SameKeys(t, r.At("siblings", 2), simtest.At(want, "siblings", 3))
	simtest.SameKeys(t, r.At("siblings", 2, "lfs"), simtest.At(want, "siblings", 3, "lfs"))
	h.Equal(r.At("siblings", 2, "lfs", "size"), any(10000.0))
	h.Equal(r.Header.Get("X-Repo-Commit"), r.Text("sha"))
}

func TestInfoOfDatasetsAndSpaces(t *testing.T) {
	h := full(t)
	d := h.get("", "/api/datasets/acme/toy-chat")
	simtest.SameKeys(t, d.Body, simtest.Fixture(t, "dataset-info.json", "withCard"), "citation")
	h.Equal(d.Text("citation"), "@misc{toy, title={Toy}}")
	if !strings.HasPrefix(d.Text("description"), "Toy chat A few talks .") {
		t.Errorf("description %q", d.Text("description"))
	}
	h.w.Repo(repo.CreateSpec{Type: repo.Dataset, ID: "bob/plain"}, map[string]string{"README.md": "# Plain"})
	simtest.SameKeys(t, h.get("", "/api/datasets/bob/plain").Body, simtest.Fixture(t, "dataset-info.json", "noCard"))

	s := h.get("", "/api/spaces/acme/demo")
	simtest.SameKeys(t, s.Body, simtest.Fixture(t, "space-info.json"), "usedStorage")
	h.Equal([]any{s.At("sdk"), s.At("subdomain"), s.At("host")}, []any{"gradio", "acme-demo", "http://hub.test/__spaces/acme-demo"})
	h.Equal([]any{s.At("models"), s.At("runtime", "stage")}, []any{[]any{"acme/tiny-gpt"}, "RUNNING"})
}

func TestWhoSeesWhat(t *testing.T) {
	h := full(t)
	for target, status := range map[string]int{"/api/models/bob/secret": 401, "/api/models/bob/none": 401} {
		h.Equal(h.Must(status, "", "GET", target, nil).Header.Get("X-Error-Code"), "RepoNotFound")
		h.Equal(h.Must(404, alice, "GET", target, nil).Header.Get("X-Error-Code"), "RepoNotFound")
	}
	h.get(bob, "/api/models/bob/secret")
	h.Equal(h.Must(404, bob, "GET", "/api/models/bob/secret/revision/nope", nil).Header.Get("X-Error-Code"), "RevisionNotFound")
	moved := h.Must(307, "", "GET", "/api/models/Acme/Tiny-GPT?expand=likes", nil)
	h.Equal(moved.Header.Get("Location"), "/api/models/acme/tiny-gpt?expand=likes")
	if slices.Contains(h.ids(alice, "/api/models"), any("bob/secret")) || !slices.Contains(h.ids(bob, "/api/models"), any("bob/secret")) {
		t.Error("the list shows the private model to the wrong people")
	}
	h.get("", "/api/models/acme/gated") // what is gated are its files
	h.Must(401, "", "GET", "/api/models/acme/gated/auth-check", nil)
	h.Must(403, alice, "GET", "/api/models/bob/adapter/auth-check/write", nil)
	h.Must(401, "", "GET", "/api/models/bob/adapter/auth-check/write", nil)
	h.Must(404, alice, "GET", "/api/models/bob/secret/auth-check", nil)
	h.get(bob, "/api/models/bob/secret/auth-check/write")
	h.get("", "/api/models/bob/adapter/auth-check")
}

func TestLegacyIds(t *testing.T) {
	h := setup(t)
	h.Must(404, alice, "GET", "/api/models/gpt2", nil)
	h.w.Repo(repo.CreateSpec{ID: "openai-community/gpt2"}, nil)
	r := h.Must(307, "", "GET", "/api/models/gpt2?blobs=true", nil)
	h.Equal(r.Header.Get("Location"), "/api/models/openai-community/gpt2?blobs=true")
}

func TestRevisions(t *testing.T) {
	h := setup(t)
	r := h.w.Repo(repo.CreateSpec{ID: "bob/m"}, nil)
	if err := r.CreateBranch(repo.BranchSpec{Name: "feat/x", By: "bob"}); err != nil {
		t.Fatal(err)
	}
	oid := h.w.Commit(r, "feat/x", map[string]string{"x.txt": "x"})
	for _, rev := range []string{"feat%2Fx", "feat/x", oid, oid[:8]} {
		got := h.get("", "/api/models/bob/m/revision/"+rev)
		h.Equal([]any{got.At("sha"), len(got.At("siblings").([]any))}, []any{oid, 2})
	}
	h.Equal(len(h.get("", "/api/models/bob/m").At("siblings").([]any)), 1)
}

func TestFilters(t *testing.T) {
	h := full(t)
	for query, want := range map[string][]any{
		"search=TINY":                             {"acme/tiny-gpt"},
		"search=acme&search=g":                    {"acme/tiny-gpt", "acme/gated"},
		"search=acme gpt":                         {"acme/tiny-gpt"},
		"author=bob":                              {"bob/adapter"},
		"filter=license:mit":                      {"acme/tiny-gpt"},
		"filter=llama&filter=en":                  {"acme/tiny-gpt"},
		"filter=llama,peft":                       {},
		"filter=language:en":                      {"acme/tiny-gpt"},
		"filter=library:peft":                     {"bob/adapter"},
		"filter=base_model:acme/tiny-gpt":         {"bob/adapter"},
		"filter=base_model:adapter:acme/tiny-gpt": {"bob/adapter"},
		"filter=arxiv:2401.00001":                 {"acme/tiny-gpt"},
		"filter=deploy:sagemaker":                 {"acme/tiny-gpt"},
		"trained_dataset=acme/toy-chat":           {"acme/tiny-gpt"},
		"pipeline_tag=text-generation":            {"acme/tiny-gpt"},
		"gated=true":                              {"acme/gated"},
		"gated=False&author=acme":                 {"acme/tiny-gpt"},
		"inference=warm":                          {"acme/tiny-gpt"},
		"inference_provider=all":                  {"acme/tiny-gpt"},
		"inference_provider=novita,together":      {"acme/tiny-gpt"},
		"inference_provider=groq":                 {},
		"num_parameters=min:6B,max:128B":          {"acme/tiny-gpt"},
		"num_parameters=max:1.5M":                 {"bob/adapter"},
		"apps=vllm":                               {"acme/tiny-gpt"},
		"apps=ollama":                             {},
		"sort=downloads&direction=-1":             {"bob/adapter", "acme/tiny-gpt", "acme/gated"},
		"sort=num_parameters&direction=1":         {"acme/gated", "bob/adapter", "acme/tiny-gpt"},
		"sort=id":                                 {"acme/gated", "acme/tiny-gpt", "bob/adapter"},
		"sort=id&direction=-1":                    {"bob/adapter", "acme/tiny-gpt", "acme/gated"},
		"sort=createdAt":                          {"acme/gated", "bob/adapter", "acme/tiny-gpt"},
		"sort=lastModified&limit=2":               {"acme/gated", "bob/adapter"},
		"sort=trendingScore&limit=1":              {"acme/tiny-gpt"},
	} {
		h.Equal(h.ids("", "/api/models?"+strings.ReplaceAll(query, " ", "%20")), want)
	}
	h.Equal(h.ids("", "/api/datasets?filter=format:json&filter=task_categories:text-generation"), []any{"acme/toy-chat"})
	h.Equal(h.ids("", "/api/datasets?filter=format:csv"), []any{})
	h.Equal(h.ids("", "/api/spaces?models=acme/tiny-gpt"), []any{"acme/demo"})
	h.Equal(h.ids("", "/api/spaces?linked=true"), []any{"acme/demo"})
	h.Equal(h.ids("", "/api/spaces?filter=docker"), []any{"bob/asleep"})
	for _, bad := range []string{"sort=age", "limit=0", "limit=x", "num_parameters=6B", "num_parameters=min:x", "cursor=%20"} {
		h.Must(400, "", "GET", "/api/models?"+bad, nil)
	}
}

func TestListItems(t *testing.T) {
	h := full(t)
	plain := h.get("", "/api/models?search=tiny").At(0)
	simtest.SameKeys(t, plain, m{
		"_id": 0, "id": 0, "modelId": 0, "author": 0, "private": 0, "likes": 0, "downloads": 0, "tags": 0, "createdAt": 0,
		"pipeline_tag": 0, "library_name": 0, "trendingScore": 0,
	})
	item := h.get("", "/api/models?search=tiny&full=True").At(0)
	simtest.SameKeys(t, item, simtest.Fixture(t, "models-list.json", 0), "disabled")
	with := h.get("", "/api/models?search=tiny&cardData=true&config=True")
	h.Equal(with.At(0, "cardData", "license"), any("mit"))
	h.Equal(with.At(0, "config", "model_type"), any("llama"))
	only := h.get("", "/api/models?search=tiny&expand=downloads")
	h.Equal(only.At(0), any(m{"_id": simtest.At(plain, "_id"), "id": "acme/tiny-gpt", "downloads": 100.0}))
	list := h.get("", "/api/models?search=tiny&expand=inferenceProviderMapping").At(0, "inferenceProviderMapping")
	h.Equal(simtest.Each(list, "provider"), []any{"groq", "together"})
}

func TestKernels(t *testing.T) {
	h := full(t)
	h.Equal(h.ids("", "/api/kernels"), []any{})
	for _, id := range []string{"acme/fast-norm", "acme/fast-attention"} {
		h.w.Repo(repo.CreateSpec{ID: id}, map[string]string{"README.md": "---\nlicense: mit\ntags: [kernel]\n---\n"})
	}
	h.Equal(h.ids("", "/api/kernels?search=norm"), []any{"acme/fast-norm"})
	r := h.get("", "/api/kernels?limit=1")
	if link := r.Header.Get("Link"); !strings.Contains(link, "/api/kernels?") || strings.Count(link, "filter=kernel") != 1 {
		t.Errorf("Link %q", link)
	}
	h.Equal(r.At(0, "gated"), any(false))
}

// Pages hold everything once, also when the list is shuffled meanwhile.
func TestPaging(t *testing.T) {
	h := setup(t)
	for i := range 25 {
		h.w.Repo(repo.CreateSpec{ID: fmt.Sprintf("bob/m%02d", i)}, nil).Update(func(s *repo.Settings) { s.Downloads = int64(i % 3) })
	}
	next := regexp.MustCompile(`^<http://hub\.test(/api/models\?[^>]*)>; rel="next"$`)
	walk := func(target string, change func(page int)) (seen []any) {
		for page := 0; target != ""; page++ {
			r := h.get("", target)
			seen = append(seen, simtest.Each(r.Body, "id")...)
			target = ""
			if link := r.Header.Get("Link"); link != "" {
				found := next.FindStringSubmatch(link)
				if found == nil {
					t.Fatalf("Link %q", link)
				}
				target = found[1]
			}
			change(page)
		}
		return seen
	}
	unchanged := func(int) {}
	all := walk("/api/models?author=bob&sort=downloads&limit=4", unchanged)
	h.Equal(all, h.ids("", "/api/models?sort=downloads"))
	h.Equal(len(all), 25)
	churned := walk("/api/models?sort=downloads&limit=4&expand[]=likes", func(page int) {
		if page == 1 {
			h.w.Repo(repo.CreateSpec{ID: "bob/late"}, nil).Update(func(s *repo.Settings) { s.Downloads = 99 })
			if err := h.w.Repos.Delete(h.w.As(bob), repo.Model, "bob/m02"); err != nil {
				t.Fatal(err)
			}
		}
	})
	h.Equal(churned, all) // what came and went lay on pages already seen
}

func TestValidateYAML(t *testing.T) {
	h := setup(t)
	ok := h.Must(200, "", "POST", "/api/validate-yaml", m{"content": "---\nlicense: mit\n---\n", "repoType": "model"})
	h.Equal(ok.Body, any(m{"errors": []any{}, "warnings": []any{}}))
	warned := h.Must(200, "", "POST", "/api/validate-yaml", m{"content": "# nothing"})
	h.Equal(len(warned.At("warnings").([]any)), 1)
	bad := h.Must(400, "", "POST", "/api/validate-yaml", m{"content": "---\nlicense: 3\n---\n", "repoType": "model"})
	for _, e := range simtest.Fixture(t, "errors.json").([]any) {
		if simtest.At(e, "case") == "invalid README metadata" {
			h.Equal(bad.Body, simtest.At(e, "body"))
			h.Equal(any(bad.Header.Get("X-Error-Message")), simtest.At(e, "headers", "X-Error-Message"))
		}
	}
	h.Must(400, "", "POST", "/api/validate-yaml", m{"content": "x", "repoType": "planet"})
	h.Must(400, "", "POST", "/api/validate-yaml", "{")
}

func TestLikes(t *testing.T) {
	h := full(t)
	at, err := h.w.Repos.Find(h.w.As(bob), repo.Model, "acme/tiny-gpt")
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := h.w.Repos.Find(h.w.As(bob), repo.Model, "bob/secret")
	for _, user := range []string{"alice", "bob", "bob", "gone"} {
		h.c.Like(at, user)
	}
	h.c.Like(secret, "bob")
	likers := h.get("", "/api/models/acme/tiny-gpt/likers")
	h.Equal(simtest.Each(likers.Body, "user"), []any{"gone", "bob", "alice"})
	h.Equal(likers.At(1, "fullname"), any("Bob"))
	h.Equal(h.get("", "/api/models/acme/tiny-gpt").At("likes"), any(3.0))
	own := h.get(bob, "/api/users/bob/likes")
	h.Equal(simtest.Each(own.Body, "repo", "name"), []any{"bob/secret", "acme/tiny-gpt"})
	simtest.SameKeys(t, own.At(0), m{"createdAt": 0, "repo": 0})
	h.Equal(len(h.get(alice, "/api/users/Bob/likes").Body.([]any)), 1)
	h.Must(404, "", "GET", "/api/users/nobody/likes", nil)

	raw, err := h.c.Save()
	if err != nil {
		t.Fatal(err)
	}
	h.Must(401, "", "DELETE", "/api/models/acme/tiny-gpt/like", nil)
	h.Must(403, simtest.AliceRead, "DELETE", "/api/models/acme/tiny-gpt/like", nil)
	h.Must(200, alice, "DELETE", "/api/models/acme/tiny-gpt/like", nil)
	h.Must(200, alice, "DELETE", "/api/models/acme/tiny-gpt/like", nil)
	h.Equal(h.get("", "/api/models/acme/tiny-gpt").At("likes"), any(2.0))
	if err := h.c.Load(raw); err != nil {
		t.Fatal(err)
	}
	h.Equal(h.get("", "/api/models/acme/tiny-gpt/likers").Body, likers.Body)
}

func TestSearches(t *testing.T) {
	h := full(t)
	spaces := h.get("", "/api/spaces/semantic-search?q=talking%20to%20tiny%20models")
	h.Equal(simtest.Each(spaces.Body, "id"), []any{"acme/demo"})
	h.Equal([]any{spaces.At(0, "title"), spaces.At(0, "ai_short_description")}, []any{"Chat Demo", "Talk to a tiny model"})
	if score, _ := spaces.At(0, "semanticRelevancyScore").(float64); score <= 0 || score > 1 {
		t.Errorf("score %v", spaces.At(0, "semanticRelevancyScore"))
	}
	h.Equal(h.ids("", "/api/spaces/semantic-search?q=talk&includeNonRunning=true"), []any{"acme/demo", "bob/asleep"})
	h.Equal(h.ids("", "/api/spaces/semantic-search?q=talk&includeNonRunning=true&sdk=docker"), []any{"bob/asleep"})
	h.Must(400, "", "GET", "/api/spaces/semantic-search", nil)

	quick := h.get("", "/api/quicksearch?q=acme&limit=1")
	h.Equal(simtest.Each(quick.At("models"), "id"), []any{"acme/tiny-gpt"})
	h.Equal([]any{quick.At("modelsCount"), quick.At("datasetsCount"), quick.At("orgsCount"), quick.At("usersCount")}, []any{2.0, 1.0, 1.0, 0.0})
	if one := h.get("", "/api/quicksearch?q=b&type=user"); one.At("models") != nil || one.Text("users", 0, "user") != "bob" {
		t.Errorf("%s", one.Raw)
	}
	trend := h.get("", "/api/trending?limit=2")
	h.Equal(simtest.Each(trend.At("recentlyTrending"), "repoData", "id")[0], any("acme/tiny-gpt"))
	h.Equal(simtest.Each(h.get("", "/api/trending?type=dataset").At("recentlyTrending"), "repoType"), []any{"dataset"})

	tags := h.get("", "/api/models-tags-by-type")
	h.Equal(simtest.Each(tags.At("license"), "id"), []any{"license:apache-2.0", "license:mit"})
	h.Equal(tags.At("pipeline_tag"), any([]any{m{"type": "pipeline_tag", "id": "text-generation", "label": "text-generation"}}))
	h.Equal(simtest.Each(tags.At("library"), "id"), []any{"peft", "safetensors", "transformers"})
	h.Equal(simtest.Each(h.get("", "/api/datasets-tags-by-type").At("format"), "label"), []any{"json"})
}

func TestMembersOfCollections(t *testing.T) {
	h := full(t)
	want := simtest.Fixture(t, "collection.json", "items")
	own := []string{"_id", "position", "type"}
	decoded := func(kind repo.Type, id string) any {
		v, err := h.c.Lookup(kind)(h.w.As(alice), id)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := json.Marshal(v)
		var plain any
		_ = json.Unmarshal(raw, &plain)
		return plain
	}
	space, model := decoded(repo.Space, "acme/demo"), decoded(repo.Model, "Acme/tiny-gpt")
	simtest.SameKeys(t, space, simtest.At(want, 0), own...)
	simtest.SameKeys(t, model, simtest.At(want, 1), own...)
	h.Equal([]any{simtest.At(model, "id"), simtest.At(model, "numParameters")}, []any{"acme/tiny-gpt", 7e9})
	if _, err := h.c.Lookup(repo.Model)(h.w.As(alice), "bob/secret"); err == nil {
		t.Error("a hidden model is described")
	}
}

func TestEqualRequestsHaveEqualAnswers(t *testing.T) {
	targets := []string{
		"/api/models?full=true", "/api/models/acme/tiny-gpt", "/api/spaces?full=true", "/api/datasets", "/api/quicksearch?q=a",
		"/api/trending", "/api/models-tags-by-type", "/api/spaces/semantic-search?q=talk",
	}
	h := setup(t)
	h.w.Repo(repo.CreateSpec{ID: "bob/m"}, map[string]string{"README.md": "---\ntags: [c, a, b]\n---\n"})
	for _, target := range targets {
		a, b := h.Do(bob, "GET", target, nil), h.Do(bob, "GET", target, nil)
		h.Equal(string(a.Raw), string(b.Raw))
	}
}

func TestManyAskAtOnce(t *testing.T) {
	h := full(t)
	at, _ := h.w.Repos.Find(h.w.As(bob), repo.Model, "bob/adapter")
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 5 {
				h.Do("", "GET", "/api/models?full=true", nil)
				h.c.Like(at, "alice")
				h.Do(alice, "DELETE", "/api/models/bob/adapter/like", nil)
				h.Do("", "GET", "/api/models/bob/adapter/likers", nil)
			}
		}()
	}
	for range 4 {
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("stuck")
		}
	}
	if n := at.Settings().Likes; n != 0 {
		t.Errorf("%d likes are left", n)
	}
}
