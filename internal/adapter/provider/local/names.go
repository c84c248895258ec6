package local

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
)

const (
	// namesLimit bounds the question to all servers: a person waits for it.
	namesLimit = time.Second
	// mostNames bounds what one server may list.
	mostNames = 200
)

// Names asks all servers which models they have and returns their ids, such as
// ollama/llama3.1:8b. A server that does not answer has none. One address that
// is meant for several kinds of servers is asked once, as the first of them.
func Names(ctx context.Context, client *http.Client, env func(string) string) []string {
	ctx, cancel := context.WithTimeout(ctx, namesLimit)
	defer cancel()
	kinds := []string{modelid.Ollama, modelid.VLLM, modelid.LMStudio, modelid.LlamaCPP}
	asked := map[string]bool{}
	found := make([][]string, len(kinds))
	var wait sync.WaitGroup
	for i, kind := range kinds {
		e, err := Find(kind, env)
		if err != nil || asked[e.Base] {
			continue
		}
		asked[e.Base] = true
		wait.Go(func() { found[i] = asker{e, client}.names(ctx) })
	}
	wait.Wait()
	return slices.Concat(found...)
}

func (q asker) names(ctx context.Context) []string {
	var in struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if q.ask(ctx, http.MethodGet, q.Base+"/models", nil, &in) != nil {
		return nil
	}
	var out []string
	for _, m := range in.Data {
		if m.ID != "" && !strings.ContainsFunc(m.ID, func(r rune) bool { return r <= ' ' || r == 0x7f }) && len(out) < mostNames {
			out = append(out, q.Provider+"/"+m.ID)
		}
	}
	return out
}
