package repo

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// pageSize is how many repositories one page of a list may have.
const pageSize = 1000

// ListOptions say which repositories a list holds and in what order.
type ListOptions struct {
	// Search texts must all be part of the id, Filter tags all be present.
	Search, Filter []string
	Author         string
	// Sort is a member such as lastModified, downloads or trendingScore;
	// the greatest first.
	Sort string
	// Limit is how many are yielded at most; zero means all there are.
	Limit int
	// Full adds files and dates; Expand asks for these members only.
	Full   bool
	Expand []string
	// More is further query, such as pipeline_tag or gated.
	More url.Values
}

func (o ListOptions) query() url.Values {
	q := url.Values{}
	for name, values := range o.More {
		q[name] = append([]string(nil), values...)
	}
	for name, values := range map[string][]string{"search": o.Search, "filter": o.Filter, "expand": o.Expand} {
		if len(values) > 0 {
			q[name] = append(q[name], values...)
		}
	}
	if o.Author != "" {
		q.Set("author", o.Author)
	}
	if o.Sort != "" {
		q.Set("sort", o.Sort)
		q.Set("direction", "-1")
	}
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(min(o.Limit, pageSize)))
	}
	if o.Full {
		q.Set("full", "true")
	}
	return q
}

// List yields repositories; an error is the last pair.
func (a *API) List(ctx context.Context, t wire.RepoType, o ListOptions) iter.Seq2[Info, error] {
	if err := wire.CheckType("repo_type", t); err != nil {
		return failed[Info](err)
	}
	return first(wire.Pages[Info](ctx, a.c, wire.Request{
		Op: "list the " + t.Plural(), Path: wire.Path("api", t.Plural()), Query: o.query(),
	}), o.Limit)
}

// failed is a list that cannot be asked for.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, err)
	}
}

// first yields at most n items; zero means all.
func first[T any](all iter.Seq2[T, error], n int) iter.Seq2[T, error] {
	if n <= 0 {
		return all
	}
	return func(yield func(T, error) bool) {
		left := n
		for item, err := range all {
			left--
			if !yield(item, err) || left == 0 {
				return
			}
		}
	}
}

// SearchSpaces finds Spaces by what they do. Its answers carry a title, a
// short description and a score among the extra members.
func (a *API) SearchSpaces(ctx context.Context, query, sdk string, all bool) ([]Info, error) {
	q := url.Values{"q": {query}}
	if sdk != "" {
		q.Set("sdk", sdk)
	}
	if all {
		q.Set("includeNonRunning", "true")
	}
	var out []Info
	_, err := a.c.JSON(ctx, wire.Request{Op: "search the Spaces", Path: "/api/spaces/semantic-search", Query: q}, &out)
	return out, err
}

// QuickSearch looks for repositories, users and papers by the beginning of a
// name. The answer is the Hub's own.
func (a *API) QuickSearch(ctx context.Context, query, kind string, limit int) (json.RawMessage, error) {
	q := url.Values{"q": {query}}
	return a.lookup(ctx, "search the Hub", "quicksearch", q, kind, limit)
}

// Trending is what is looked at most now. The answer is the Hub's own.
func (a *API) Trending(ctx context.Context, kind string, limit int) (json.RawMessage, error) {
	return a.lookup(ctx, "list what is trending", "trending", url.Values{}, kind, limit)
}

// Tags are the tags that models or datasets can have, by their type.
func (a *API) Tags(ctx context.Context, t wire.RepoType) (json.RawMessage, error) {
	if err := wire.CheckType("repo_type", t); err != nil {
		return nil, err
	}
	return a.lookup(ctx, "list the tags", t.Plural()+"-tags-by-type", url.Values{}, "", 0)
}

func (a *API) lookup(ctx context.Context, op, route string, q url.Values, kind string, limit int) (json.RawMessage, error) {
	if kind != "" {
		q.Set("type", kind)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	var out json.RawMessage
	_, err := a.c.JSON(ctx, wire.Request{Op: op, Path: wire.Path("api", route), Query: q}, &out)
	return out, err
}

// Liker is somebody who likes a repository.
type Liker struct {
	User     string `json:"user"`
	Fullname string `json:"fullname"`
	Type     string `json:"type"`
}

// Likers yields who likes a repository.
func (a *API) Likers(ctx context.Context, r Ref) iter.Seq2[Liker, error] {
	if err := r.check(); err != nil {
		return failed[Liker](err)
	}
	return wire.Pages[Liker](ctx, a.c, r.request("list who likes", http.MethodGet, "likers"))
}

// Like is a repository that somebody likes.
type Like struct {
	Created time.Time `json:"createdAt"`
	Repo    struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"repo"`
}

// Likes yields what a user likes.
func (a *API) Likes(ctx context.Context, user string) iter.Seq2[Like, error] {
	if err := wire.CheckNamespace("user", user); err != nil {
		return failed[Like](err)
	}
	return wire.Pages[Like](ctx, a.c, wire.Request{Op: "list what " + user + " likes", Path: wire.Path("api", "users", user, "likes")})
}

// Unlike takes the user's like back; there is no call for liking.
func (a *API) Unlike(ctx context.Context, r Ref) error {
	if err := r.check(); err != nil {
		return err
	}
	req := r.request("take back the like of", http.MethodDelete, "like")
	req.Retry = wire.Idempotent
	return a.do(ctx, req)
}
