package viewer

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/loose"
)

const hubService = "the Hub"

// Record is what the Hub itself knows of a data set.
type Record struct {
	Source
	// ID is the name it has now: that of a renamed data set is not the one that
	// was asked for.
	ID, Author, SHA string
	Private         bool
	Disabled        bool
	// Gated is "", "auto" or "manual".
	Gated            string
	Tags             []string
	Downloads, Likes int64
	LastModified     string
	// Card are the members of the card's metadata.
	Card map[string]json.RawMessage
	// Files are the paths at main.
	Files []string
}

// Record asks the Hub for a data set.
func (c *Client) Record(ctx context.Context, dataset string) (*Record, error) {
	req := fetch.Request{URL: hub + "/api/datasets/" + dataset, Fresh: fresh, Timeout: timeout}
	resp, err := c.o.Fetch.Do(ctx, req)
	if err != nil {
		return nil, explain(err)
	}
	r, err := readRecord(resp.Body)
	if err != nil {
		return nil, &fetch.Error{Kind: fetch.Parse, Service: hubService, URL: req.URL, Message: "the record cannot be read: " + err.Error(), Err: err}
	}
	r.from(resp)
	return r, nil
}

func readRecord(data []byte) (*Record, error) {
	var wire struct {
		ID           string          `json:"id"`
		Author       string          `json:"author"`
		SHA          string          `json:"sha"`
		Private      bool            `json:"private"`
		Disabled     bool            `json:"disabled"`
		Gated        json.RawMessage `json:"gated"`
		Tags         []string        `json:"tags"`
		Downloads    float64         `json:"downloads"`
		Likes        float64         `json:"likes"`
		LastModified string          `json:"lastModified"`
		Card         json.RawMessage `json:"cardData"`
		Siblings     []struct {
			Path string `json:"rfilename"`
		} `json:"siblings"`
	}
	if err := loose.Decode(data, &wire); err != nil {
		return nil, err
	}
	r := &Record{
		ID: wire.ID, Author: wire.Author, SHA: wire.SHA, Private: wire.Private, Disabled: wire.Disabled, Gated: gate(wire.Gated),
		Tags: wire.Tags, Downloads: whole(wire.Downloads), Likes: whole(wire.Likes), LastModified: wire.LastModified,
		Card: map[string]json.RawMessage{},
	}
	members, _ := Members(wire.Card)
	for _, m := range members {
		r.Card[m.Name] = m.Value
	}
	for _, s := range wire.Siblings {
		r.Files = append(r.Files, s.Path)
	}
	return r, nil
}

// gate reads false, true, "auto" or "manual".
func gate(data json.RawMessage) string {
	if name := text(data); name != "" {
		return name
	}
	if string(data) == "true" {
		return "manual"
	}
	return ""
}

// Words reads a member of the card that is a text or a list of texts.
func (r *Record) Words(name string) []string {
	data := r.Card[name]
	if one := text(data); one != "" {
		return []string{one}
	}
	var many []string
	_ = loose.Decode(data, &many)
	return many
}

// Tagged are the values of the tags with a prefix, such as "license".
func (r *Record) Tagged(prefix string) []string {
	var values []string
	for _, t := range r.Tags {
		if v, ok := strings.CutPrefix(t, prefix+":"); ok {
			values = append(values, v)
		}
	}
	return values
}

// Near are the names of up to five data sets that a name may have meant: those
// with the same name, else those with the longest word of it.
func (c *Client) Near(ctx context.Context, dataset string) ([]string, error) {
	_, name, ok := strings.Cut(dataset, "/")
	if !ok {
		name = dataset
	}
	names, err := c.search(ctx, name)
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	if err != nil || len(names) > 0 || len(words) < 2 {
		return names, err
	}
	longest := slices.MaxFunc(words, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	return c.search(ctx, longest)
}

func (c *Client) search(ctx context.Context, text string) ([]string, error) {
	req := fetch.Request{URL: hub + "/api/datasets?" + url.Values{"search": {text}, "limit": {"5"}}.Encode(), Fresh: fresh, Timeout: timeout}
	resp, err := c.o.Fetch.Do(ctx, req)
	if err != nil {
		return nil, explain(err)
	}
	var found []struct {
		ID string `json:"id"`
	}
	_ = loose.Decode(resp.Body, &found)
	var names []string
	for _, f := range found[:min(len(found), 5)] {
		if _, err := ID(f.ID); err == nil {
			names = append(names, f.ID)
		}
	}
	return names, nil
}
