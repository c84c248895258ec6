package viewer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"path"
	"slices"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// Parquet lists the files that the data set has been converted to. While the
// viewer cannot be asked the Hub's own list serves, which knows no sizes.
func (c *Client) Parquet(ctx context.Context, dataset string) (*Parquet, error) {
	p, err := ask(ctx, c, call{path: "/parquet", at: At{Dataset: dataset}}, readParquet)
	var f *fetch.Error
	if err == nil || ctx.Err() != nil || !errors.As(err, &f) || !slices.Contains([]fetch.Kind{fetch.Network, fetch.Timeout, fetch.Upstream, fetch.RateLimited}, f.Kind) {
		return p, err
	}
	if p, hubErr := c.hubParquet(ctx, dataset); hubErr == nil {
		return p, nil
	}
	return nil, err
}

func (c *Client) hubParquet(ctx context.Context, dataset string) (*Parquet, error) {
	resp, err := c.o.Fetch.Do(ctx, fetch.Request{URL: hub + "/api/datasets/" + dataset + "/parquet", Fresh: fresh, Timeout: timeout})
	if err != nil {
		return nil, err
	}
	p, err := readHubParquet(resp.Body)
	if err != nil {
		return nil, err
	}
	p.from(resp)
	return p, nil
}

// readHubParquet reads addresses by configuration and split.
func readHubParquet(data []byte) (*Parquet, error) {
	var wire map[string]map[string][]string
	if err := json.Unmarshal(data, &wire); err != nil {
		return nil, err
	}
	p := &Parquet{}
	for config, splits := range wire {
		for split, addresses := range splits {
			for _, address := range addresses {
				p.Files = append(p.Files, File{Config: config, Split: split, URL: address, Name: path.Base(address), Bytes: -1})
			}
		}
	}
	slices.SortStableFunc(p.Files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Config, b.Config), cmp.Compare(a.Split, b.Split))
	})
	return p, nil
}
