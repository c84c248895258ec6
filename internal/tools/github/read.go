package github

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	api "github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
	"github.com/ml-intern/ml-intern/internal/tools/github/show"
	"github.com/ml-intern/ml-intern/internal/tools/github/source"
)

//go:embed github_read_file.json
var readFileSpec []byte

// NewReadFile returns github_read_file.
func NewReadFile(o Options) (tool.Tool, error) { return newLook(o, readFileSpec, readFile) }

// ReadFile are the arguments of github_read_file.
type ReadFile struct {
	Repo        string `json:"repo"`
	Path        string `json:"path"`
	Ref         string `json:"ref,omitempty"`
	LineStart   *int   `json:"line_start,omitempty"`
	LineEnd     *int   `json:"line_end,omitempty"`
	Symbol      string `json:"symbol,omitempty"`
	LineNumbers bool   `json:"line_numbers,omitempty"`
}

// check reads addresses and refuses what is no place on GitHub. split says that
// an address told ref and path: where one ends and the other begins is a guess.
func (p *ReadFile) check() (split bool, err error) {
	if p.Symbol = strings.TrimSpace(p.Symbol); len(p.Symbol) > 200 {
		return false, errors.New("symbol is longer than 200 bytes")
	}
	for _, s := range []*string{&p.Path, &p.Repo} { // an address in path tells the repository, too
		place, is, err := api.ParseURL(strings.TrimSpace(*s))
		if !is {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", map[*string]string{&p.Path: "path", &p.Repo: "repo"}[s], err)
		}
		split = split || p.Ref == "" && place.Ref != ""
		p.take(place, s == &p.Path)
	}
	if p.Repo, err = api.ParseRepo(p.Repo, ""); err != nil {
		return false, err
	}
	if p.Path = strings.Trim(strings.TrimSpace(p.Path), "/"); p.Path == "." {
		p.Path = ""
	}
	if p.Ref = strings.TrimSpace(p.Ref); p.Ref == "HEAD" {
		p.Ref = ""
	}
	if len(p.Ref) > 250 || strings.ContainsAny(p.Ref, " \t\n\r\x00~^:?*[\\") || strings.Contains(p.Ref, "..") {
		return false, errors.New("ref must be the name of a branch or tag, or a commit")
	}
	return split, api.CheckPath(p.Path)
}

// take fills in what an address says and no argument does.
func (p *ReadFile) take(place api.Place, whole bool) {
	p.Repo = place.Repo
	if whole || strings.TrimSpace(p.Path) == "" {
		p.Path = place.Path
	}
	if p.Ref == "" && place.Ref != "" {
		p.Ref = place.Ref
	}
	if p.LineStart == nil && p.LineEnd == nil && place.From > 0 {
		p.LineStart, p.LineEnd = &place.From, &place.To
	}
}

// page is the address of what is read, for people.
func (p ReadFile) page(kind string) string {
	ref := p.Ref
	if ref == "" {
		ref = "HEAD"
	}
	return fmt.Sprintf("%s/%s/%s/%s/%s", api.Site, p.Repo, kind, ref, (&url.URL{Path: p.Path}).EscapedPath())
}

// more is the call that reads something else of the same place.
func (p ReadFile) more(change func(*ReadFile)) string {
	next := ReadFile{Repo: p.Repo, Path: p.Path, Ref: p.Ref, LineNumbers: p.LineNumbers}
	change(&next)
	return "github_read_file " + show.Call(next)
}

func (p ReadFile) head(what string) string {
	text := fmt.Sprintf("**Reading %s from repo: %s, path: %s**\n", what, p.Repo, show.Line(p.Path, 500))
	if p.Ref != "" {
		text += "Ref: " + show.Line(p.Ref, 250) + "\n"
	}
	return text + "\n"
}

func readFile(ctx context.Context, l *look, env tool.Env, args json.RawMessage) tool.Result {
	var p ReadFile
	if err := tool.Decode(args, &p); err != nil {
		return l.bad(err)
	}
	split, err := p.check()
	if err != nil {
		return l.bad(err)
	}
	c, err := l.gh.Content(ctx, p.Repo, p.Path, p.Ref)
	var f *fetch.Error
	if errors.As(err, &f) && f.Status == 404 {
		if first, rest, ok := strings.Cut(p.Path, "/"); ok && split { // the branch's name has a slash
			q := p
			q.Ref, q.Path = p.Ref+"/"+first, rest
			if again, second := l.gh.Content(ctx, q.Repo, q.Path, q.Ref); second == nil {
				p, c, err = q, again, nil
			}
		}
	}
	switch {
	case errors.As(err, &f) && f.Status == 404:
		return l.absent(ctx, p, err)
	case err != nil:
		return l.failed(fmt.Sprintf("read %s in %s", p.Path, p.Repo), err)
	case c.Entries != nil:
		return l.folder(ctx, env, p, c)
	case c.Data == nil && c.File.Type != "file":
		return l.link(env, p, c)
	}
	return l.file(env, p, c)
}

// absent says what is not there and what stands beside it.
func (l *look) absent(ctx context.Context, p ReadFile, cause error) tool.Result {
	ref := p.Ref
	if ref == "" {
		ref = "HEAD"
	}
	text := fmt.Sprintf("File not found: %s in %s (ref: %s) (not_found).", p.Path, p.Repo, ref)
	if p.Path == "" {
		return tool.Failed(text + " " + l.gh.Advice(cause))
	}
	dir := path.Dir(p.Path)
	if dir == "." {
		dir = ""
	}
	c, err := l.gh.Content(ctx, p.Repo, dir, p.Ref)
	if err != nil || c.Entries == nil {
		return tool.Failed(fmt.Sprintf("%s Neither is the folder above it. Find the path with github_find_examples {\"repo\":%q} or from the top with %s. %s", text, p.Repo, p.more(func(q *ReadFile) { q.Path = "" }), l.gh.Advice(cause)))
	}
	names := make([]string, 0, len(c.Entries))
	for _, e := range c.Entries[:min(len(c.Entries), 60)] {
		names = append(names, show.Line(entryName(e), 100))
	}
	return tool.Failed(fmt.Sprintf("%s The folder %q has: %s.", text, dir, strings.Join(names, ", ")))
}

// link explains what is neither file nor folder.
func (l *look) link(env tool.Env, p ReadFile, c *api.Content) tool.Result {
	text := p.head("entry")
	switch c.File.Type {
	case "symlink":
		target := show.Line(c.File.Target, 400)
		text += fmt.Sprintf("It is a symbolic link to %s.", target)
		if to := path.Join(path.Dir(p.Path), c.File.Target); !path.IsAbs(c.File.Target) && api.CheckPath(to) == nil {
			text += " Read " + p.more(func(q *ReadFile) { q.Path = to })
		}
	case "submodule":
		text += fmt.Sprintf("It is a submodule: another repository at %s, commit %s.", show.Line(c.File.Module, 300), show.Line(c.File.SHA, 64))
		if place, is, err := api.ParseURL(strings.TrimSuffix(c.File.Module, ".git")); is && err == nil {
			text += " Read " + p.more(func(q *ReadFile) { q.Repo, q.Path, q.Ref = place.Repo, "", c.File.SHA })
		}
	default:
		text += fmt.Sprintf("It is no file: GitHub calls it %q.", show.Line(c.File.Type, 40))
	}
	return lookup.Cite(env, text, l.from(c.Response, p.Repo+"/"+p.Path, p.page("blob")))
}

const maxEntries = 200

// folder lists what a folder holds; that of the whole repository begins with
// what the repository is.
func (l *look) folder(ctx context.Context, env tool.Env, p ReadFile, c *api.Content) tool.Result {
	address := p.page("tree")
	cites := []lookup.Source{l.from(c.Response, p.Repo+"/"+p.Path, address)}
	out := show.NewPage(env, address, address)
	out.Add(p.head("directory"))
	if p.Path == "" {
		if repo, resp, err := l.gh.Repo(ctx, p.Repo); err == nil { // the list stands without it
			out.Add(show.About(*repo))
			cites = append(cites, l.from(resp, p.Repo, api.Site+"/"+p.Repo))
		}
	}
	shown := c.Entries[:min(len(c.Entries), maxEntries)]
	for _, dirs := range []bool{true, false} {
		for _, e := range shown {
			if (e.Type == "dir") != dirs {
				continue
			}
			row := show.Line(entryName(e), 300)
			if e.Type == "file" && e.Module == "" {
				row += "  " + source.Size(e.Size)
			}
			out.Add(row + "\n")
		}
	}
	text := out.Text()
	if n := len(c.Entries) - len(shown); n > 0 {
		text += fmt.Sprintf("… and %d more entries\n", n)
	}
	if len(c.Entries) == 0 {
		text += "It is empty.\n"
	}
	return lookup.Cite(env, text, cites...)
}

func entryName(e api.Entry) string {
	switch {
	case e.Type == "dir":
		return e.Name + "/"
	case e.Type == "symlink":
		return e.Name + " (symbolic link)"
	case e.Type == "submodule" || e.Module != "":
		return e.Name + " (submodule)"
	}
	return e.Name
}

// readable is a file's text as it is shown: notebooks as Markdown.
func readable(name string, data []byte) string {
	if strings.EqualFold(path.Ext(name), ".ipynb") {
		if text, err := markup.NotebookMarkdown(data); err == nil {
			return source.Text([]byte(text))
		}
	}
	return source.Text(data)
}
