package hubtools

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
)

// Prices are the price lists of one Hub.
type Prices struct{ Jobs, Spaces *price.Book }

// NewPrices makes the lists; they are kept in dir, those of one Hub apart from
// those of another.
func NewPrices(c *hub.Client, dir string) Prices {
	file := func(kind string) string {
		return filepath.Join(dir, strings.ReplaceAll(c.Conn.Endpoint().Host, ":", "_")+"-"+kind+".json")
	}
	return Prices{
		Jobs: price.New(price.Options{
			File: file("jobs"), Table: price.Jobs(), Fetch: func(ctx context.Context) ([]price.Flavor, error) {
				list, err := c.Jobs.Hardware(ctx)
				return price.FromHub(list), err
			},
		}),
		Spaces: price.New(price.Options{
			File: file("spaces"), Table: price.Spaces(), Fetch: func(ctx context.Context) ([]price.Flavor, error) {
				list, err := c.Spaces.Hardware(ctx)
				return price.FromHub(list), err
			},
		}),
	}
}
