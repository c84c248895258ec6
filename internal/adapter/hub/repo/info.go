package repo

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Gated says how access to the files of a repository is given: "" freely,
// "auto" to all who ask, "manual" to whom the owner lets in.
type Gated string

// UnmarshalJSON reads false, "auto" or "manual".
func (g *Gated) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "false", "null":
		*g = ""
		return nil
	case "true":
		*g = "auto"
		return nil
	}
	return json.Unmarshal(data, (*string)(g))
}

// MarshalJSON writes false for "".
func (g Gated) MarshalJSON() ([]byte, error) {
	if g == "" {
		return []byte("false"), nil
	}
	return json.Marshal(string(g))
}

// LFS describes content that is stored outside git.
type LFS struct {
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size"`
	PointerSize int64  `json:"pointerSize"`
}

// Sibling is a file in an [Info]; size and hashes are there if they were
// asked for.
type Sibling struct {
	Path   string `json:"rfilename"`
	Size   int64  `json:"size,omitempty"`
	BlobID string `json:"blobId,omitempty"`
	LFS    *LFS   `json:"lfs,omitempty"`
}

// known are the members of an info that have a field.
type known struct {
	HexID        string          `json:"_id"`
	ID           string          `json:"id"`
	Author       string          `json:"author"`
	SHA          string          `json:"sha"`
	Private      bool            `json:"private"`
	Gated        Gated           `json:"gated"`
	Disabled     bool            `json:"disabled"`
	Created      time.Time       `json:"createdAt"`
	Modified     time.Time       `json:"lastModified"`
	Downloads    int64           `json:"downloads"`
	Likes        int64           `json:"likes"`
	Trending     float64         `json:"trendingScore"`
	Tags         []string        `json:"tags"`
	Task         string          `json:"pipeline_tag"`
	Library      string          `json:"library_name"`
	SDK          string          `json:"sdk"`
	Subdomain    string          `json:"subdomain"`
	Card         json.RawMessage `json:"cardData"`
	Siblings     []Sibling       `json:"siblings"`
	UsedStorage  int64           `json:"usedStorage"`
	Description  string          `json:"description"`
	Citation     string          `json:"citation"`
	RelatedScore float64         `json:"semanticRelevancyScore"`
}

// Info is what the Hub says of a repository. Members without a field of their
// own are kept in Extra; encoding gives back all that was decoded.
type Info struct {
	known
	Extra map[string]json.RawMessage
	kept  kept
}

// UnmarshalJSON implements [json.Unmarshaler].
func (i *Info) UnmarshalJSON(data []byte) (err error) {
	i.known = known{}
	i.Extra, err = i.kept.keep(data, &i.known)
	return err
}

// MarshalJSON implements [json.Marshaler].
func (i Info) MarshalJSON() ([]byte, error) { return i.kept.give(&i.known, &known{}, i.Extra) }

// InfoOptions say what an info holds.
type InfoOptions struct {
	// Revision is a branch, tag or commit; "" is the newest state of main.
	Revision string
	// Blobs adds size and hashes of files, Security what scanners say.
	Blobs, Security bool
	// Expand asks for these members only; not together with the others.
	Expand []string
}

// Info asks for one repository.
func (a *API) Info(ctx context.Context, r Ref, o InfoOptions) (Info, error) {
	var in Info
	if err := r.check(); err != nil {
		return in, err
	}
	req := r.request("read the info of", http.MethodGet)
	if o.Revision != "" {
		if err := wire.CheckRevision("revision", o.Revision); err != nil {
			return in, err
		}
		req.Path = r.Type.API(r.ID, "revision", o.Revision)
	}
	q := url.Values{}
	if o.Blobs {
		q.Set("blobs", "true")
	}
	if o.Security {
		q.Set("securityStatus", "true")
	}
	for _, key := range o.Expand {
		q.Add("expand", key)
	}
	req.Query = q
	_, err := a.c.JSON(ctx, req, &in)
	return in, err
}

// Head is the commit a revision stands for; "" is main.
func (a *API) Head(ctx context.Context, r Ref, revision string) (string, error) {
	if revision == "" {
		revision = "main"
	}
	in, err := a.Info(ctx, r, InfoOptions{Revision: revision, Expand: []string{"sha"}})
	return in.SHA, err
}
