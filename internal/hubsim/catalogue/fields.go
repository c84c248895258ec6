package catalogue

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/catalogue/facts"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/card"
)

// expandable are the members a client may ask for by name.
func expandable(t repo.Type) []string {
	common := `author cardData createdAt disabled lastModified likes private resourceGroup sha siblings tags
		trendingScore usedStorage xetEnabled gated `
	switch t {
	case repo.Dataset:
		return strings.Fields(common + `citation description downloads downloadsAllTime mainSize paperswithcode_id`)
	case repo.Space:
		return strings.Fields(common + `datasets models runtime sdk subdomain host`)
	}
	return strings.Fields(common + `baseModels childrenModelCount config downloads downloadsAllTime evalResults gguf
		inference inferenceProviderMapping library_name mask_token model-index pipeline_tag safetensors spaces
		transformersInfo widgetData`)
}

// expanded reads which members a request asks for; none is nil.
func expanded(r *http.Request, t repo.Type) ([]string, error) {
	keys := answer.Values(r.URL.Query(), "expand")
	known := expandable(t)
	for _, k := range keys {
		if !slices.Contains(known, k) {
			slices.Sort(known)
			return nil, answer.Refuse(http.StatusBadRequest, fmt.Sprintf("Invalid expand %q: it must be one of %s", k, strings.Join(known, ", ")))
		}
	}
	return keys, nil
}

// subject is a repository at a commit that is being described for a caller.
type subject struct {
	*Catalogue
	r      *http.Request
	at     *repo.Repo
	set    repo.Settings
	f      *facts.Facts
	inList bool
	blobs  bool
}

func (c *Catalogue) subject(r *http.Request, at *repo.Repo, f *facts.Facts) *subject {
	return &subject{Catalogue: c, r: r, at: at, set: at.Settings(), f: f}
}

// members makes an answer of the named members, those without a value left out.
func (s *subject) members(keys ...string) map[string]any {
	v := map[string]any{"_id": s.at.Hex(), "id": s.at.ID()}
	for _, k := range keys {
		if x, ok := s.member(k); ok {
			v[k] = x
		}
	}
	return v
}

// member is the value of one; ok is false when the repository has none.
func (s *subject) member(key string) (v any, ok bool) {
	if raw, seeded := s.set.Info[key]; seeded && key != "tags" && key != "inferenceProviderMapping" {
		return raw, true
	}
	switch key {
	case "author":
		return s.at.Namespace(), true
	case "modelId":
		return s.at.ID(), true
	case "sha":
		return s.f.OID, s.f.OID != ""
	case "private":
		return s.at.Private(), true
	case "gated":
		return s.at.Gated(), true
	case "disabled":
		return s.set.Disabled, true
	case "createdAt":
		return clock.Format(s.at.CreatedAt()), true
	case "lastModified":
		return clock.Format(s.at.LastModified()), true
	case "likes":
		return s.set.Likes, true
	case "downloads":
		return s.set.Downloads, true
	case "downloadsAllTime":
		return max(s.set.DownloadsAllTime, s.set.Downloads), true
	case "trendingScore":
		return s.set.TrendingScore, s.set.TrendingScore != 0
	case "tags":
		return s.tags(), true
	case "cardData":
		return s.f.Card, s.f.Card != nil
	case "siblings":
		return s.siblings(), true
	case "usedStorage", "mainSize":
		return s.f.Size, true
	case "xetEnabled":
		return false, true
	case "resourceGroup":
		return nil, true
	}
	switch s.at.Type() {
	case repo.Model:
		return s.modelMember(key)
	case repo.Dataset:
		return s.datasetMember(key)
	}
	return s.spaceMember(key)
}

func (s *subject) modelMember(key string) (v any, ok bool) {
	f := s.f
	switch key {
	case "pipeline_tag":
		return f.Pipeline, f.Pipeline != ""
	case "library_name":
		return f.Library, f.Library != ""
	case "config":
		return f.Config, f.Config != nil
	case "model-index":
		return f.Card["model-index"], true
	case "widgetData":
		return f.Card["widget"], f.Card["widget"] != nil
	case "mask_token":
		return "[MASK]", f.Pipeline == "fill-mask"
	case "safetensors":
		return f.Safetensors, f.Safetensors != nil
	case "gguf":
		return f.GGUF, f.GGUF != nil
	case "evalResults":
		return f.Evals, true
	case "transformersInfo":
		info := s.transformers()
		return info, info != nil
	case "spaces":
		return s.users(func(f *facts.Facts) []string { return card.Strings(f.Card["models"]) }), true
	case "baseModels":
		bases := s.bases()
		return bases, bases != nil
	case "childrenModelCount":
		return s.children(), true
	case "inference":
		return "warm", slices.ContainsFunc(s.providers(), live)
	case "inferenceProviderMapping":
		return s.mapping(), true
	}
	return nil, false
}

var bibtex = regexp.MustCompile("(?s)```(?:bibtex|bib)?\\s*\\n(\\s*@\\w+\\{.*?)```")

func (s *subject) datasetMember(key string) (v any, ok bool) {
	switch key {
	case "description":
		d := description(s.f.Body)
		return d, d != ""
	case "citation":
		if m := bibtex.FindStringSubmatch(s.f.Body); m != nil {
			return strings.TrimSpace(m[1]), true
		}
		return nil, true
	case "paperswithcode_id":
		return s.f.Card["paperswithcode_id"], true
	}
	return nil, false
}

func (s *subject) spaceMember(key string) (v any, ok bool) {
	switch key {
	case "sdk":
		if sdk := card.Text(s.f.Card, "sdk"); sdk != "" {
			return sdk, true
		}
		return s.set.SDK, s.set.SDK != ""
	case "subdomain":
		return repo.Subdomain(s.at.ID()), true
	case "host":
		return s.o.Host(answer.Base(s.r), repo.Subdomain(s.at.ID())), true
	case "models", "datasets":
		return append([]string{}, card.Strings(s.f.Card[key])...), true
	case "runtime":
		run := s.o.Runtime(s.at)
		return run, run != nil
	}
	return nil, false
}

// tags are those that follow from the files, and those a seed adds.
func (s *subject) tags() []string {
	tags := append([]string{}, s.f.Tags...)
	var more []string
	_ = json.Unmarshal(s.set.Info["tags"], &more) // what is no list adds nothing
	for _, t := range more {
		if !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	return tags
}

func (s *subject) siblings() []map[string]any {
	all := make([]map[string]any, len(s.f.Files))
	for i, f := range s.f.Files {
		v := map[string]any{"rfilename": f.Path}
		if s.blobs {
			v["size"], v["blobId"] = f.Size, f.OID
			if f.LFS != nil {
				v["lfs"] = map[string]any{"sha256": f.LFS.SHA256, "size": f.LFS.Size, "pointerSize": f.LFS.PointerSize}
			}
		}
		all[i] = v
	}
	return all
}

// maxDescription is the length of a description, in characters.
const maxDescription = 400

// description is the beginning of a README's text in one line.
func description(body string) string {
	text := []rune(strings.Join(strings.Fields(strings.Map(func(c rune) rune {
		if strings.ContainsRune("#*`", c) {
			return ' '
		}
		return c
	}, body)), " "))
	if len(text) > maxDescription {
		return strings.TrimSpace(string(text[:maxDescription])) + "…"
	}
	return string(text)
}

func (s *subject) transformers() map[string]any {
	if s.f.Library != "transformers" {
		return nil
	}
	for _, a := range card.Strings(s.f.Config["architectures"]) {
		_, task, ok := strings.Cut(a, "For")
		if strings.HasSuffix(a, "LMHeadModel") {
			task, ok = "CausalLM", true
		}
		if ok {
			info := map[string]any{"auto_model": "AutoModelFor" + task, "processor": "AutoTokenizer"}
			if s.f.Pipeline != "" {
				info["pipeline_tag"] = s.f.Pipeline
			}
			return info
		}
	}
	return map[string]any{"auto_model": "AutoModel"}
}
