package github

import (
	"context"
	"path"
	"strings"
	"sync"

	api "github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/github/example"
	"github.com/ml-intern/ml-intern/internal/tools/github/source"
)

const (
	// walkRequests bounds the further requests for a tree that GitHub cut off.
	walkRequests = 20
	// opened is how many of the best examples are looked into.
	opened = 5
	// openLimit is the size in bytes above which an example is not looked into.
	openLimit = 400_000
)

// files is what a repository holds.
type files struct {
	files []example.File
	// incomplete says that some are missing.
	incomplete bool
	resp       *fetch.Response
}

func (f files) warn(text string) string {
	if !f.incomplete {
		return text
	}
	return strings.TrimRight(text, "\n") + "\n\nThe list is incomplete: GitHub cuts off the tree of so large a repository; only the folders whose names promise examples were walked. Look further with github_read_file on a folder.\n"
}

// files lists a repository's files in one request; where GitHub cuts the tree
// off, the folders that promise examples are walked, too.
func (l *look) files(ctx context.Context, repo string) (files, error) {
	tree, resp, err := l.gh.Tree(ctx, repo, "HEAD", true)
	if err != nil {
		return files{}, err
	}
	w := walk{seen: map[string]bool{}}
	w.take("", tree.Entries)
	if tree.Truncated {
		l.walk(ctx, repo, &w, tree.Entries)
	}
	return files{files: w.files, incomplete: tree.Truncated, resp: resp}, nil
}

// walk is a tree that is being put together.
type walk struct {
	files []example.File
	seen  map[string]bool
}

func (w *walk) take(dir string, entries []api.Entry) {
	for _, e := range entries {
		p := path.Join(dir, e.Path)
		if e.Type == "blob" && !w.seen[p] {
			w.seen[p] = true
			w.files = append(w.files, example.File{Path: p, Size: e.Size, SHA: e.SHA})
		}
	}
}

// folder is a folder still to be listed.
type folder struct{ path, sha string }

// walk lists folders that promise examples with all below them, then the others
// one level at a time, while there are requests left.
func (l *look) walk(ctx context.Context, repo string, w *walk, known []api.Entry) {
	var promising, others []folder
	queued := map[string]bool{}
	sort := func(dir string, entries []api.Entry) {
		for _, e := range entries {
			f := folder{path.Join(dir, e.Path), e.SHA}
			if e.Type != "tree" || queued[f.path] {
				continue
			}
			queued[f.path] = true
			switch {
			case inside(f.path):
			case example.IsWord(path.Base(f.path)):
				promising = append(promising, f)
			case depthOf(f.path) < 2:
				others = append(others, f)
			}
		}
	}
	sort("", known)
	others = append([]folder{{"", "HEAD"}}, others...)
	for range walkRequests {
		deep := len(promising) > 0
		var next folder
		switch {
		case deep:
			next, promising = promising[0], promising[1:]
		case len(others) > 0:
			next, others = others[0], others[1:]
		default:
			return
		}
		tree, _, err := l.gh.Tree(ctx, repo, next.sha, deep)
		if err != nil {
			return // what there is stands; the list is told to be incomplete anyway
		}
		w.take(next.path, tree.Entries)
		if !deep {
			sort(next.path, tree.Entries)
		}
	}
}

// inside reports whether a folder lies below one that promises examples.
func inside(p string) bool {
	for s := range strings.SplitSeq(path.Dir(p), "/") {
		if example.IsWord(s) {
			return true
		}
	}
	return false
}

func depthOf(p string) int { return strings.Count(p, "/") }

// row is an example as it is shown.
type row struct {
	example.Hit
	about    string
	trainers []string
	stub     string // the path of a note that this is where it moved
	gone     string // where a note says it moved, outside what is listed
}

// open looks into the best examples, all at once. A note that a file has moved
// gives its place to that file. What cannot be opened is shown by its path.
func (l *look) open(ctx context.Context, repo string, hits []example.Hit, all []example.File) []row {
	rows := make([]row, len(hits))
	var wg sync.WaitGroup
	for i := range hits {
		rows[i].Hit = hits[i]
		if i < opened && hits[i].Size <= openLimit {
			wg.Go(func() { l.lookInto(ctx, repo, &rows[i], all) })
		}
	}
	wg.Wait()
	at := map[string]int{}
	out := rows[:0]
	for _, r := range rows {
		i, shown := at[r.Path]
		switch {
		case !shown: // a note's file stands where the note stood
			at[r.Path] = len(out)
			out = append(out, r)
		case out[i].stub == "":
			out[i].stub = r.stub
		}
	}
	return out
}

func (l *look) lookInto(ctx context.Context, repo string, r *row, all []example.File) {
	text := l.read(ctx, repo, r.Path)
	if target, ok := source.Moved(r.Path, text); ok && target != "" {
		r.gone = target
		if p, is, err := api.ParseURL(target); is && err == nil && strings.EqualFold(p.Repo, repo) {
			target = p.Path
		}
		for _, f := range all {
			if f.Path == target {
				r.stub, r.gone, r.File = r.Path, "", f
				text = l.read(ctx, repo, f.Path)
				break
			}
		}
	}
	r.about = source.About(r.Path, text)
	r.trainers = source.Trainers(text)
}

// read is the text of a file, empty when it cannot be had.
func (l *look) read(ctx context.Context, repo, p string) string {
	c, err := l.gh.Content(ctx, repo, p, "")
	if err != nil || c.Data == nil || source.Binary(c.Data) {
		return ""
	}
	return readable(p, c.Data)
}
