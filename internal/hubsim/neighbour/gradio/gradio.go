// Package gradio serves Gradio's documentation: one long text for programs, and
// a search that picks its sections.
package gradio

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/rank"
)

// Gradio serves a text.
type Gradio struct {
	text     string
	sections []string
	index    *rank.Index
}

// Read reads llms.txt below dir of fsys; without it the text is empty.
func Read(fsys fs.FS, dir string) (string, error) {
	raw, err := fs.ReadFile(fsys, path.Join(dir, "llms.txt"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read gradio: %w", err)
	}
	return string(raw), nil
}

// New returns the service over a text in Markdown.
func New(text string) *Gradio {
	g := &Gradio{text: text}
	for i, s := range strings.Split("\n"+text, "\n## ") {
		if i > 0 {
			s = "## " + s
		}
		if s = strings.TrimSpace(s); s != "" {
			g.sections = append(g.sections, s)
		}
	}
	g.index = rank.New(g.sections)
	return g
}

// Pages adds /gradio and /gradio-search.
func (g *Gradio) Pages(mux *http.ServeMux) {
	mux.HandleFunc("GET /gradio/llms.txt", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = fmt.Fprint(w, g.text) // the client has gone
	})
	mux.Handle("POST /gradio-search/api/prompt", answer.Handler(g.prompt))
}

// mostSections is how many sections an answer holds.
const mostSections = 5

func (g *Gradio) prompt(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Query    string `json:"prompt_to_embed"`
		System   string `json:"SYSTEM_PROMPT"`
		Fallback string `json:"FALLBACK_PROMPT"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if body.Query == "" {
		return answer.Refuse(http.StatusBadRequest, "prompt_to_embed is required")
	}
	var found []string
	for _, hit := range g.index.Search(body.Query) {
		if found = append(found, g.sections[hit.Text]); len(found) == mostSections {
			break
		}
	}
	text := body.Fallback
	if len(found) > 0 {
		text = strings.ReplaceAll(body.System, "$INSERT_GUIDES_DOCS_DEMOS", strings.Join(found, "\n\n"))
	}
	answer.JSON(w, http.StatusOK, map[string]any{"SYS_PROMPT": text, "FALLBACK_PROMPT": body.Fallback})
	return nil
}
