package command

import (
	"context"
	"os"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/mention"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// pictures reads the files of --image. One that is no picture is refused before
// anything begins.
func (o *rootOptions) pictures(ctx context.Context, s *console.Streams) ([]event.Image, error) {
	var all []event.Image
	for _, name := range o.images {
		path := app.Absolute(name, s.Dir)
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return nil, console.Usage("--image %s: there is no such file", name)
		}
		in, notes, err := mention.New(mention.Options{Dir: s.Dir}).Expand(ctx, "@"+strconv.Quote(path))
		if err != nil {
			return nil, err
		}
		if len(in.Images) != 1 {
			return nil, console.Usage("--image %s: it is no PNG, JPEG, GIF or WebP picture that can be sent: %s", name, strings.Join(notes, "; "))
		}
		all = append(all, in.Images...)
	}
	return all, nil
}
