// Package hub is the client of the Hugging Face Hub: one connection for one
// user, and the parts of the Hub that are spoken to over it. What it promises
// is said where it is kept: requests, errors, limits and the token's origin in
// wire, the routes in the part they belong to. It knows neither settings nor
// sessions: address and token are given to it.
package hub

import (
	"context"
	"net/http"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/bucket"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/collection"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/discussion"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/settings"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/space"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Options of a client.
type Options struct {
	// HTTP makes the requests.
	HTTP *http.Client
	// Endpoint is the Hub's base URL, such as https://huggingface.co.
	Endpoint string
	// Token is the user's token; "" asks as nobody. It is sent to Endpoint's
	// origin only, and over plain http only to this machine.
	Token string
	// Offline refuses every request before any I/O.
	Offline bool
	// Warn takes what the Hub has to tell the user, each topic once.
	Warn func(topic, message string)
	// Wait sleeps before a request is sent again and may tell the user why; nil
	// only sleeps.
	Wait func(ctx context.Context, d time.Duration, why string) error
	// Identities remembers who tokens belong to; nil makes a memory of its own,
	// which Close ends.
	Identities *account.Cache
}

// Client talks to one Hub as one user. It is safe for concurrent use.
type Client struct {
	Account     *account.API
	Repos       *repo.API
	Commits     *commit.API
	Discussions *discussion.API
	Collections *collection.API
	Buckets     *bucket.API
	Settings    *settings.API
	Jobs        *job.API
	Spaces      *space.API
	// Conn is what they share.
	Conn *wire.Conn

	own *account.Cache
}

// New checks the options; nothing is sent.
func New(o Options) (*Client, error) {
	conn, err := wire.New(wire.Options{
		HTTP: o.HTTP, Endpoint: o.Endpoint, Token: o.Token, Offline: o.Offline, Warn: o.Warn, Wait: o.Wait,
	})
	if err != nil {
		return nil, err
	}
	c := &Client{Conn: conn}
	if o.Identities == nil {
		c.own = account.NewCache()
		o.Identities = c.own
	}
	c.Account = account.New(conn, o.Identities)
	c.Repos = repo.New(conn)
	c.Commits = commit.New(conn, commit.Options{})
	c.Discussions = discussion.New(conn)
	c.Collections = collection.New(conn)
	c.Buckets = bucket.New(conn)
	c.Settings = settings.New(conn)
	c.Jobs = job.New(conn)
	c.Spaces = space.New(conn)
	return c, nil
}

// Close ends what runs in the background.
func (c *Client) Close() {
	if c.own != nil {
		c.own.Close()
	}
}

// Endpoint is the Hub's base URL.
func (c *Client) Endpoint() string { return c.Conn.Endpoint().String() }
