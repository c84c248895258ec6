package bucket

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Lengths of pages and of the list of paths asked for at once.
const (
	standardPage = 1000
	maxPage      = 5000
	maxPaths     = 2000
)

// Routes registers the routes of buckets.
func (a *Area) Routes(mux *http.ServeMux) {
	const one = "/api/buckets/{ns}/{name}"
	mux.Handle("GET /api/buckets/{ns}", answer.Handler(a.namespace))
	mux.Handle("POST "+one, answer.Handler(a.create))
	mux.Handle("GET "+one, a.canonical(a.show))
	mux.Handle("DELETE "+one, answer.Handler(a.remove))
	mux.Handle("PUT "+one+"/settings", answer.Handler(a.settings))
	mux.Handle("GET "+one+"/tree", a.canonical(a.tree))
	mux.Handle("GET "+one+"/tree/{path...}", a.canonical(a.tree))
	mux.Handle("POST "+one+"/paths-info", answer.Handler(a.pathsInfo))
	mux.Handle("POST "+one+"/batch", answer.Handler(a.batch))
	mux.Handle("GET /buckets/{ns}/{name}/resolve/{path...}", a.canonical(a.resolve))
}

// id is the bucket a request names.
func id(r *http.Request) string { return r.PathValue("ns") + "/" + r.PathValue("name") }

// canonical sends readers that use an old or wrongly written name to the right
// one.
func (a *Area) canonical(h func(http.ResponseWriter, *http.Request, *Bucket) error) answer.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		b, err := a.Find(r.Context(), id(r))
		if err != nil {
			return err
		}
		name := a.nameOf(b)
		if asked := "/" + id(r); asked != "/"+name {
			u := *r.URL
			u.RawPath = strings.Replace(u.EscapedPath(), asked, "/"+name, 1)
			u.Path = strings.Replace(u.Path, asked, "/"+name, 1)
			http.Redirect(w, r, u.RequestURI(), http.StatusTemporaryRedirect)
			return nil
		}
		return h(w, r, b)
	}
}

func (a *Area) nameOf(b *Bucket) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return b.ID()
}

func (a *Area) create(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Private bool `json:"private"`
		CDN     []struct {
			Region string `json:"region"`
		} `json:"cdn"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	ns, name := r.PathValue("ns"), r.PathValue("name")
	if ns == "me" {
		ns = account.From(r.Context()).Name()
	}
	if err := mayWrite(r.Context(), ns); err != nil {
		return err
	}
	if repo.CheckName(name) != nil {
		return answer.Refuse(http.StatusBadRequest, `"name" is not a valid bucket name: `+name)
	}
	owner, ok := a.o.Accounts.Find(ns)
	if !ok {
		return answer.Refuse(http.StatusForbidden, `unknown namespace "`+ns+`"`)
	}
	url := fmt.Sprintf("%s/buckets/%s/%s", answer.Base(r), owner.Name, name)
	b, err := a.Create(owner.Name, name, body.Private)
	if e, ok := err.(*answer.Error); ok {
		e.Extra = map[string]any{"url": url}
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	for _, c := range body.CDN {
		b.CDN = append(b.CDN, c.Region)
	}
	a.mu.Unlock()
	answer.JSON(w, http.StatusOK, map[string]any{"url": url, "name": owner.Name + "/" + name, "id": b.Hex})
	return nil
}

// Describe tells of the bucket called id what lists and its own page show.
func (a *Area) Describe(ctx context.Context, id string) (map[string]any, error) {
	b, err := a.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	return a.info(b)
}

func (a *Area) info(b *Bucket) (map[string]any, error) {
	files, updated, err := a.list(b)
	if err != nil {
		return nil, err
	}
	var size int64
	for _, f := range files {
		size += f.Size
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return map[string]any{
		"author": b.Owner, "id": b.ID(), "private": b.Private, "createdAt": clock.Format(b.Created),
		"updatedAt": clock.Format(updated), "size": size, "totalFiles": len(files), "repoType": "bucket",
		"cdnRegions": append([]string{}, b.CDN...),
	}, nil
}

func (a *Area) show(w http.ResponseWriter, _ *http.Request, b *Bucket) error {
	info, err := a.info(b)
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, info)
	return nil
}

func (a *Area) namespace(w http.ResponseWriter, r *http.Request) error {
	ns := r.PathValue("ns")
	if ns == "me" {
		ns = account.From(r.Context()).Name()
		if ns == "" {
			return answer.Login("")
		}
	}
	limit, err := answer.Limit(r.URL.Query(), standardPage, maxPage)
	if err != nil {
		return err
	}
	search := strings.ToLower(r.URL.Query().Get("search"))
	var found []*Bucket
	for _, b := range a.sorted() {
		owner, name, _ := strings.Cut(a.nameOf(b), "/")
		if _, err := a.Find(r.Context(), owner+"/"+name); err != nil {
			continue
		}
		if strings.EqualFold(owner, ns) && strings.Contains(strings.ToLower(name), search) {
			found = append(found, b)
		}
	}
	page, err := answer.Page(w, r, found, limit, a.nameOf)
	if err != nil {
		return err
	}
	infos := make([]map[string]any, len(page))
	for i, b := range page {
		if infos[i], err = a.info(b); err != nil {
			return err
		}
	}
	answer.JSON(w, http.StatusOK, infos)
	return nil
}

func (a *Area) settings(w http.ResponseWriter, r *http.Request) error {
	b, err := a.Writable(r.Context(), id(r))
	if err != nil {
		return err
	}
	var body struct {
		Private    *bool   `json:"private"`
		Visibility *string `json:"visibility"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if v := body.Visibility; v != nil {
		if *v != "public" && *v != "private" {
			return answer.Refuse(http.StatusUnprocessableEntity, `"visibility" must be public or private`)
		}
		b.Private = *v == "private"
	}
	if body.Private != nil {
		b.Private = *body.Private
	}
	answer.JSON(w, http.StatusOK, map[string]any{"private": b.Private})
	return nil
}

func (a *Area) remove(w http.ResponseWriter, r *http.Request) error {
	if err := a.Delete(r.Context(), id(r)); err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{"success": true})
	return nil
}

// node is a line of a tree: a file, or a folder with the newest time of its
// files.
type node struct {
	path string
	File
	folder bool
}

func (n node) view() map[string]any {
	v := map[string]any{"type": "directory", "path": n.path, "uploadedAt": clock.Format(n.Uploaded)}
	if n.folder {
		return v
	}
	v["type"], v["size"], v["xetHash"], v["mtime"] = "file", n.Size, n.Hash, clock.Format(n.MTime)
	if n.MTimeNanos != nil {
		v["mtimeNanos"] = *n.MTimeNanos
	}
	if n.ContentType != "" {
		v["contentType"] = n.ContentType
	}
	return v
}

// nodes lists what is below prefix: everything, or the direct children.
func nodes(files map[string]File, prefix string, recursive bool) []node {
	folders := map[string]node{}
	var all []node
	for p, f := range files {
		rest, ok := strings.CutPrefix(p, prefix)
		if !ok || prefix != "" && rest != "" && rest[0] != '/' {
			continue
		}
		if recursive || !strings.Contains(strings.TrimPrefix(rest, "/"), "/") {
			all = append(all, node{path: p, File: f})
		}
		for dir := path.Dir(p); dir != "." && len(dir) > len(prefix); dir = path.Dir(dir) {
			d := folders[dir]
			d.path, d.folder = dir, true
			if d.Uploaded.Before(f.Uploaded) {
				d.Uploaded = f.Uploaded
			}
			folders[dir] = d
		}
	}
	for dir, d := range folders {
		if recursive || !strings.Contains(strings.TrimPrefix(dir[len(prefix):], "/"), "/") {
			all = append(all, d)
		}
	}
	return all
}

func (a *Area) tree(w http.ResponseWriter, r *http.Request, b *Bucket) error {
	q := r.URL.Query()
	limit, err := answer.Limit(q, standardPage, maxPage)
	if err != nil {
		return err
	}
	var place func(node) string
	switch sort := cmp.Or(q.Get("sort"), "path"); {
	case sort == "path" && q.Get("direction") != "-1":
		place = func(n node) string { return n.path }
	case sort == "path":
		place = func(n node) string { return answer.Backwards(n.path) }
	case sort == "uploadedAt" && q.Get("direction") == "1":
		place = func(n node) string { return answer.Ascending(n.Uploaded.UnixNano()) + n.path }
	case sort == "uploadedAt":
		place = func(n node) string { return answer.Descending(n.Uploaded.UnixNano()) + n.path }
	default:
		return answer.Refuse(http.StatusBadRequest, `"sort" must be path or uploadedAt`)
	}
	recursive, given := answer.Flag(q, "recursive")
	files, _, err := a.list(b)
	if err != nil {
		return err
	}
	all := nodes(files, strings.Trim(r.PathValue("path"), "/"), recursive || !given)
	page, err := answer.Page(w, r, all, limit, place)
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, views(page))
	return nil
}

func views(list []node) []map[string]any {
	out := make([]map[string]any, len(list))
	for i, n := range list {
		out[i] = n.view()
	}
	return out
}

func (a *Area) pathsInfo(w http.ResponseWriter, r *http.Request) error {
	b, err := a.Find(r.Context(), id(r))
	if err != nil {
		return err
	}
	var body struct {
		Paths []string `json:"paths"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if len(body.Paths) > maxPaths {
		return answer.Refuse(http.StatusBadRequest, fmt.Sprintf(`"paths" must have %d elements at most`, maxPaths))
	}
	files, _, err := a.list(b)
	if err != nil {
		return err
	}
	found := []node{}
	for _, p := range body.Paths {
		if f, ok := files[p]; ok {
			found = append(found, node{path: p, File: f})
		}
	}
	answer.JSON(w, http.StatusOK, views(found))
	return nil
}

// resolve answers with the content itself, or the ranges asked for.
func (a *Area) resolve(w http.ResponseWriter, r *http.Request, b *Bucket) error {
	content, f, err := a.open(b, r.PathValue("path"))
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // only read
	h := w.Header()
	h.Set("ETag", `"`+f.Hash+`"`)
	h.Set("X-Linked-ETag", `"`+f.Hash+`"`)
	h.Set("X-Linked-Size", fmt.Sprint(f.Size))
	h.Set("Content-Disposition", fmt.Sprintf("inline; filename=%q", path.Base(r.PathValue("path"))))
	h.Set("Content-Type", cmp.Or(f.ContentType, "application/octet-stream"))
	http.ServeContent(w, r, "", f.MTime, content)
	return nil
}
