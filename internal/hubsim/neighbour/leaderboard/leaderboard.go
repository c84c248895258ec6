// Package leaderboard ranks models on benchmark datasets by the results that
// their repositories state in .eval_results. It runs no evaluation.
package leaderboard

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// folder is where results lie in a model's repository.
const folder = ".eval_results/"

// Board is the service.
type Board struct {
	accounts *account.Book
	store    *repo.Store
}

// New returns the service.
func New(accounts *account.Book, store *repo.Store) *Board {
	return &Board{accounts: accounts, store: store}
}

// Routes adds the leaderboard of datasets.
func (b *Board) Routes(mux *http.ServeMux) {
	mux.Handle("GET /api/datasets/{ns}/{name}/leaderboard", repo.Route(b.list))
}

// result is an entry of a file of results.
type result struct {
	Dataset struct {
		ID     string `yaml:"id"`
		TaskID string `yaml:"task_id"`
	} `yaml:"dataset"`
	Value    float64 `yaml:"value"`
	Verified bool    `yaml:"verified"`
	Date     string  `yaml:"date"`
	Source   *struct {
		URL  string `yaml:"url"`
		Name string `yaml:"name"`
	} `yaml:"source"`
	Notes string `yaml:"notes"`
}

func (b *Board) list(w http.ResponseWriter, r *http.Request) error {
	set, err := b.store.Find(r.Context(), repo.Dataset, r.PathValue("ns")+"/"+r.PathValue("name"))
	if err != nil {
		return err
	}
	task := r.URL.Query().Get("task_id")
	entries := []map[string]any{}
	for _, m := range b.store.All(repo.Model) {
		if !m.Visible(account.From(r.Context())) {
			continue
		}
		found, err := b.results(r, m, set.ID(), task)
		if err != nil {
			return err
		}
		entries = append(entries, found...)
	}
	slices.SortStableFunc(entries, func(x, y map[string]any) int {
		switch p, q := x["value"].(float64), y["value"].(float64); {
		case p > q:
			return -1
		case p < q:
			return 1
		}
		return 0
	})
	for i := range entries {
		entries[i]["rank"] = i + 1
	}
	answer.JSON(w, http.StatusOK, entries)
	return nil
}

func (b *Board) results(r *http.Request, m *repo.Repo, dataset, task string) ([]map[string]any, error) {
	oid, err := m.Head("main")
	if err != nil {
		return nil, nil // a repository without commits states nothing
	}
	var out []map[string]any
	for _, f := range m.Files(oid) {
		if !strings.HasPrefix(f.Path, folder) || path.Ext(f.Path) != ".yaml" {
			continue
		}
		raw, err := m.Read(r.Context(), oid, f.Path)
		if err != nil {
			return nil, err
		}
		var results []result
		if yaml.Unmarshal(raw, &results) != nil {
			continue // the Hub passes over files it cannot read
		}
		for _, res := range results {
			if res.Dataset.ID == dataset && (task == "" || task == res.Dataset.TaskID) {
				out = append(out, b.entry(m, f.Path, res))
			}
		}
	}
	return out, nil
}

func (b *Board) entry(m *repo.Repo, file string, res result) map[string]any {
	e := map[string]any{"modelId": m.ID(), "value": res.Value, "verified": res.Verified, "filename": file, "source": nil}
	if res.Source != nil {
		e["source"] = map[string]any{"url": res.Source.URL, "name": res.Source.Name, "isExternal": !strings.Contains(res.Source.URL, "huggingface.co")}
	}
	if res.Notes != "" {
		e["notes"] = res.Notes
	}
	if owner, ok := b.accounts.Find(m.Namespace()); ok {
		name := owner.Fullname
		if name == "" {
			name = owner.Name
		}
		e["author"] = map[string]any{"_id": owner.ID, "name": owner.Name, "fullname": name, "type": owner.Type, "avatarUrl": owner.Avatar()}
	}
	return e
}
