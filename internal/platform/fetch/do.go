package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

type service struct {
	Service
	public, base *url.URL
}

// New returns a Client.
func New(o Options) (*Client, error) {
	if o.HTTP == nil {
		return nil, errors.New("make the look-up client: HTTP is required")
	}
	c := &Client{o: o}
	for _, s := range o.Services {
		public, err := url.Parse(s.Public)
		if err != nil || public.Host == "" {
			return nil, fmt.Errorf("make the look-up client: the address of %s is none", s.Name)
		}
		base := public
		if s.Base != "" {
			if base, err = url.Parse(s.Base); err != nil || base.Host == "" {
				return nil, fmt.Errorf("make the look-up client: the base of %s is no address", s.Name)
			}
		}
		c.services = append(c.services, &service{s, public, base})
	}
	return c, nil
}

// Do asks. Its error is an [*Error], or that of ctx.
func (c *Client) Do(ctx context.Context, req Request) (*Response, error) {
	u, err := url.Parse(req.URL)
	if err != nil {
		return nil, &Error{Kind: BadArgument, URL: req.URL, Message: "it is no address", Err: err}
	}
	s := c.service(u)
	if s == nil {
		return nil, &Error{Kind: Blocked, Service: u.Host, URL: req.URL, Message: "only known services are asked"}
	}
	target := strings.TrimRight(s.base.String(), "/") + strings.TrimPrefix(u.EscapedPath(), strings.TrimRight(s.public.EscapedPath(), "/"))
	if u.RawQuery != "" {
		target += "?" + u.RawQuery
	}
	method := http.MethodGet
	var body io.Reader
	if req.Body != nil {
		method, body = http.MethodPost, bytes.NewReader(req.Body)
	}
	hr, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, &Error{Kind: BadArgument, Service: s.Name, URL: req.URL, Err: err}
	}
	for k, v := range req.Header {
		hr.Header[k] = v
	}
	if s.Credential != nil && !req.Anonymous {
		if v := s.Credential(); v != "" {
			if s.Header == "" {
				hr.Header.Set("Authorization", "Bearer "+v)
			} else {
				hr.Header.Set(s.Header, v)
			}
		}
	}
	resp, err := c.o.HTTP.Do(hr)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &Error{Kind: Network, Service: s.Name, URL: req.URL, Message: err.Error(), Err: err}
	}
	defer resp.Body.Close()
	limit := req.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	data, err := httpx.ReadAll(resp.Body, limit)
	if err != nil {
		return nil, &Error{Kind: TooLarge, Service: s.Name, URL: req.URL, Message: err.Error(), Err: err}
	}
	ok := resp.StatusCode/100 == 2
	for _, status := range req.Answers {
		ok = ok || resp.StatusCode == status
	}
	if !ok {
		kind := Upstream
		switch resp.StatusCode {
		case 404:
			kind = NotFound
		case 401, 403:
			kind = Unauthorized
		case 429:
			kind = RateLimited
		}
		return nil, &Error{Kind: kind, Service: s.Name, URL: req.URL, Status: resp.StatusCode, Header: resp.Header, Body: data}
	}
	sum := sha256.Sum256(data)
	return &Response{
		Status: resp.StatusCode, Header: resp.Header, Body: data, URL: req.URL,
		FetchedAt: time.Now().UTC(), SHA256: hex.EncodeToString(sum[:]),
	}, nil
}

func (c *Client) service(u *url.URL) *service {
	for _, s := range c.services {
		if strings.EqualFold(u.Host, s.public.Host) {
			return s
		}
		for _, h := range s.Hosts {
			if strings.EqualFold(u.Host, h) {
				return s
			}
		}
	}
	return nil
}
