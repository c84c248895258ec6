package viewer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// maxListed is how many names an error lists.
const maxListed = 20

// Page is the address that people see a data set at.
func (a At) Page() string {
	page := hub + "/datasets/" + a.Dataset
	if a.Config == "" {
		return page
	}
	page += "/viewer/" + url.PathEscape(a.Config)
	if a.Split != "" {
		page += "/" + url.PathEscape(a.Split)
	}
	return page
}

// Choose picks a configuration and split: the wanted ones, else the first
// configuration and its split train, else its first. The error lists those that
// exist.
func (s *Splits) Choose(dataset, config, split string) (At, error) {
	at := At{Dataset: dataset, Config: config, Split: split}
	configs := s.Configs()
	if len(configs) == 0 {
		return at, errors.New("the viewer knows no split" + s.Progress.String())
	}
	if config == "" {
		at.Config = configs[0]
	}
	splits := s.Of(at.Config)
	switch {
	case len(splits) == 0:
		return at, fmt.Errorf("config %.100q does not exist; there are %s%s", config, some20(configs), s.Progress.String())
	case split != "" && !slices.Contains(splits, split):
		return at, fmt.Errorf("split %.100q does not exist in config %s; there are %s%s", split, at.Config, some20(splits), s.Progress.String())
	case split == "" && slices.Contains(splits, "train"):
		at.Split = "train"
	case split == "":
		at.Split = splits[0]
	}
	return at, nil
}

// String tells what is not there, beginning with "; " where there is something.
func (p Progress) String() string {
	text := ""
	for _, list := range []struct {
		what   string
		places []Place
	}{{"pending", p.Pending}, {"failed", p.Failed}} {
		var names []string
		for _, one := range list.places {
			names = append(names, strings.Trim(one.Config+"/"+one.Split, "/"))
		}
		if slices.Sort(names); len(names) > 0 {
			text += "; " + list.what + ": " + some20(slices.Compact(names))
		}
	}
	return text
}

func some20(names []string) string {
	if len(names) <= maxListed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
}

// Why asks the Hub why the viewer has refused a data set. It returns the record
// where the Hub gives one, and the refusal in the words of both: that terms have
// to be accepted, that a token is missing, that nothing has this name.
func (c *Client) Why(ctx context.Context, dataset string, refusal error) (*Record, error) {
	record, err := c.Record(ctx, dataset)
	if err != nil {
		return nil, c.unknown(ctx, dataset, refusal, err)
	}
	var f *fetch.Error
	if code := Code(refusal); !errors.As(refusal, &f) || code != Unauthenticated && code != NoAccess {
		return record, refusal
	}
	page := At{Dataset: record.ID}.Page()
	switch {
	case record.Gated != "" && Code(refusal) == Unauthenticated:
		return record, reason(f, fetch.Gated, "the data set is gated (%s) and no Hub token was sent: accept the terms at %s and log in with a token (HF_TOKEN)", record.Gated, page)
	case record.Gated != "":
		return record, reason(f, fetch.Gated, "the data set is gated (%s) and this account has no access: accept the terms at %s, then try again", record.Gated, page)
	case record.Private:
		return record, reason(f, fetch.Unauthorized, "the data set is private; the viewer shows private data sets only where a PRO user or a Team or Enterprise organisation owns them. Its files can be read from the repository")
	case record.ID != dataset:
		return record, reason(f, fetch.NotFound, "the data set is called %s now", record.ID)
	}
	return record, refusal
}

// unknown is the refusal of a data set that the Hub gives no record of.
func (c *Client) unknown(ctx context.Context, dataset string, refusal, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var f, h *fetch.Error
	if !errors.As(refusal, &f) || !errors.As(err, &h) {
		return refusal
	}
	switch {
	case h.Kind == fetch.NotFound, h.Kind == fetch.Unauthorized && Code(refusal) == NoAccess:
		text := "there is no data set of this name, or it is private"
		if near, err := c.Near(ctx, dataset); err == nil && len(near) > 0 {
			text += "; near names: " + strings.Join(near, ", ")
		}
		return reason(f, fetch.NotFound, "%s", text)
	case Code(refusal) == Unauthenticated:
		text := "the data set does not exist, or is private or gated: no Hub token was sent. Set HF_TOKEN to a token that may read it, or check the name"
		if near, err := c.Near(ctx, dataset); err == nil && len(near) > 0 {
			text += "; near names: " + strings.Join(near, ", ")
		}
		return reason(f, fetch.Unauthorized, "%s", text)
	}
	return refusal
}

// reason is f with another kind and text.
func reason(f *fetch.Error, kind fetch.Kind, format string, args ...any) error {
	told := *f
	told.Kind, told.Message = kind, fmt.Sprintf(format, args...)
	return &told
}
