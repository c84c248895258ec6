// Package models holds the tool that inspects a model of the Hub: what it is,
// what it needs, and what its chat template does. It changes nothing and runs
// no code of the model. It knows neither who reads the result nor how requests
// are made.
package models

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/name"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

//go:embed hf_model_inspect.json
var description []byte

// hub is the public address of the Hub.
const hub = "https://huggingface.co"

const (
	kept = 10 * time.Minute
	// fileLimit bounds a file that is read, in bytes: tokenizer_config.json of
	// large vocabularies has megabytes.
	fileLimit = 8 << 20
	// maxContext is how many messages are rendered at most.
	maxContext = 50
)

// Options make the tool.
type Options struct {
	// Fetch makes the requests.
	Fetch fetch.Getter
}

// Tool is hf_model_inspect.
type Tool struct {
	spec  tool.Spec
	fetch fetch.Getter
}

var _ tool.Tool = (*Tool)(nil)

// New returns the tool.
func New(o Options) (*Tool, error) {
	if o.Fetch == nil {
		return nil, errors.New("make hf_model_inspect: Fetch is required")
	}
	spec, err := tool.ParseSpec(description, lookup.MaxOutput)
	if err != nil {
		return nil, err
	}
	return &Tool{spec: spec, fetch: o.Fetch}, nil
}

// Params are the arguments of hf_model_inspect.
type Params struct {
	Model    string           `json:"model"`
	Revision string           `json:"revision,omitempty"`
	Parts    []string         `json:"parts,omitempty"`
	Context  []map[string]any `json:"context,omitempty"`
}

// The parts, in order.
const (
	partOverview = "overview"
	partConfig   = "config"
	partTokens   = "tokenizer"
	partTemplate = "chat_template"
	partFiles    = "files"
	partCard     = "card"
	partEval     = "eval"
	partLineage  = "lineage"
)

func allParts() []string {
	return []string{partOverview, partConfig, partTokens, partTemplate, partFiles, partCard, partEval, partLineage}
}

func (p *Params) check() error {
	p.Model = strings.Trim(strings.TrimPrefix(strings.TrimSpace(p.Model), hub+"/"), "/")
	if rule := name.RepoID(p.Model); rule != "" {
		return fmt.Errorf("model %s; it is an id such as Qwen/Qwen3-0.6B", rule)
	}
	if p.Revision == "main" {
		p.Revision = ""
	}
	if p.Revision != "" {
		if rule := name.Revision(p.Revision); rule != "" {
			return fmt.Errorf("revision %s; it is a branch, a tag or a commit", rule)
		}
	}
	if len(p.Parts) == 0 {
		p.Parts = allParts()[:4]
	}
	for _, part := range p.Parts {
		if !slices.Contains(allParts(), part) {
			return fmt.Errorf("parts must be some of %s, not %q", strings.Join(allParts(), ", "), part)
		}
	}
	if len(p.Context) > maxContext {
		return fmt.Errorf("context takes at most %d messages", maxContext)
	}
	if len(p.Context) > 0 && !p.has(partTemplate) {
		p.Parts = append(p.Parts, partTemplate)
	}
	return nil
}

func (p *Params) has(part string) bool { return slices.Contains(p.Parts, part) }

// Spec describes the tool.
func (t *Tool) Spec() tool.Spec { return t.spec }

// Risk is that of reading.
func (t *Tool) Risk(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Read} }

// Run inspects.
func (t *Tool) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	var p Params
	err := tool.Decode(args, &p)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return lookup.Refused(t.spec, err), nil
	}
	v := &view{Params: p, t: t, room: lookup.Room(env, 0)}
	if v.record, v.answer, err = t.record(ctx, p); err != nil {
		return lookup.Failed("hf_model_inspect: the record of "+p.Model, err, advice(err)), nil
	}
	v.read(ctx)
	if err := ctx.Err(); err != nil {
		return lookup.Failed("hf_model_inspect: read "+p.Model, err), nil
	}
	text := v.text(ctx)
	source := func(r *fetch.Response, object, page string) lookup.Source {
		return lookup.Source{Response: r, Tool: t.spec.Name, Object: object, Title: object, URL: page}
	}
	sources := []lookup.Source{source(v.answer, p.Model, hub+"/"+p.Model)}
	for _, name := range v.wanted() {
		if f := v.files[name]; f.resp != nil {
			sources = append(sources, source(f.resp, p.Model+"/"+name, hub+"/"+p.Model+"/blob/"+cmp.Or(p.Revision, "main")+"/"+name))
		}
	}
	return lookup.Cite(env, text, sources...), nil
}

func advice(err error) string {
	var f *fetch.Error
	if !errors.As(err, &f) {
		return ""
	}
	switch f.Status {
	case 401, 404:
		return "There is no such model or revision, or it is private: find the id with hub_search, or set a token that may see it."
	case 403:
		return "The token may not see it: the user must ask for access on its page."
	}
	return ""
}

// view is an inspection.
type view struct {
	Params
	t      *Tool
	record *record
	answer *fetch.Response
	files  map[string]file
	room   int
	more   map[string]json.RawMessage // answers to further questions, by name
}

// file is a file of the repository.
type file struct {
	resp *fetch.Response
	err  error
}

func (f file) data() []byte {
	if f.resp == nil {
		return nil
	}
	return f.resp.Body
}

// record asks for what the Hub knows of the model.
func (t *Tool) record(ctx context.Context, p Params) (*record, *fetch.Response, error) {
	path := "/api/models/" + p.Model
	if p.Revision != "" {
		path += "/revision/" + url.PathEscape(p.Revision)
	}
	resp, err := t.fetch.Do(ctx, fetch.Request{URL: hub + path + "?blobs=true", Fresh: kept, Limit: 32 << 20})
	if err != nil {
		return nil, nil, err
	}
	var r record
	if err := json.Unmarshal(resp.Body, &r); err != nil {
		return nil, nil, &fetch.Error{Kind: fetch.Parse, Service: "the Hub", URL: resp.URL, Message: "the record cannot be read", Err: err}
	}
	return &r, resp, nil
}

// wanted are the files that the parts need, as far as the repository has them.
func (v *view) wanted() []string {
	var names []string
	need := func(part string, files ...string) {
		for _, f := range files {
			if v.has(part) && v.record.has(f) && !slices.Contains(names, f) {
				names = append(names, f)
			}
		}
	}
	need(partOverview, "config.json") // whether it may be read tells of access
	need(partConfig, "config.json", "adapter_config.json")
	need(partTokens, "tokenizer_config.json", "special_tokens_map.json")
	need(partTemplate, "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "chat_template.json")
	need(partLineage, "adapter_config.json")
	need(partCard, "README.md")
	return names
}

// read gets the files and asks the further questions, all at once.
func (v *view) read(ctx context.Context) {
	revision := v.Revision
	if revision == "" {
		revision = "main"
	}
	v.files, v.more = map[string]file{}, map[string]json.RawMessage{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range v.wanted() {
		wg.Go(func() {
			address := fmt.Sprintf("%s/%s/resolve/%s/%s", hub, v.Model, url.PathEscape(revision), url.PathEscape(name))
			resp, err := v.t.fetch.Do(ctx, fetch.Request{URL: address, Fresh: kept, Limit: fileLimit})
			mu.Lock()
			defer mu.Unlock()
			v.files[name] = file{resp, err}
		})
	}
	for name, address := range v.questions() {
		wg.Go(func() {
			resp, err := v.t.fetch.Do(ctx, fetch.Request{URL: address, Fresh: kept})
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				v.more[name] = resp.Body
			}
		})
	}
	wg.Wait()
}

// relations are how models descend from others.
func relations() []string { return []string{"finetune", "adapter", "quantized", "merge"} }

// questions are the addresses of further answers, by name.
func (v *view) questions() map[string]string {
	all := map[string]string{}
	if v.has(partEval) {
		all["eval"] = hub + "/api/models/" + v.Model + "?expand=evalResults&expand=model-index"
	}
	if v.has(partLineage) {
		for _, r := range relations() {
			q := url.Values{"filter": {"base_model:" + r + ":" + v.Model}, "sort": {"downloads"}, "direction": {"-1"}, "limit": {"5"}}
			all[r] = hub + "/api/models?" + q.Encode()
		}
	}
	return all
}

// text puts the parts together.
func (v *view) text(ctx context.Context) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", v.Model)
	for _, part := range allParts() {
		if !v.has(part) {
			continue
		}
		section := map[string]func(context.Context) string{
			partOverview: v.overview, partConfig: v.config, partTokens: v.tokenizer, partTemplate: v.template,
			partFiles: v.list, partCard: v.card, partEval: v.eval, partLineage: v.lineage,
		}[part](ctx)
		left := v.room - len([]rune(b.String())) - 150 // for the words on what is cut
		if runes := []rune(section); len(runes) > left {
			piece := string(runes[:max(left, 0)])
			if i := strings.LastIndexByte(piece, '\n'); i > 0 {
				piece = piece[:i]
			}
			if strings.Count(piece, "\n```")%2 == 1 {
				piece += "\n```"
			}
			fmt.Fprintf(&b, "%s\n\n… cut here; ask for parts [%q] alone.\n", piece, part)
			break
		}
		b.WriteString(section)
	}
	return b.String()
}
