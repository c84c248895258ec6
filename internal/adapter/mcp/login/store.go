// Package login is the logins at servers of the model context protocol by OAuth:
// what the user has agreed to in the browser, kept in a private file of this
// program and renewed by itself. Each token goes to the server it was given for, and
// what renews it to who has given it. Nobody is asked anything in the background: a
// server that wants a login says so by an error.
package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/oauth2"
)

// Record is what is kept of the login at one server. It is a secret.
type Record struct {
	// Provider is where tokens are made fresh, Resource what they are good for.
	Provider string `json:"token_url"`
	Resource string `json:"resource,omitempty"`
	// ClientID and ClientSecret are what this program is called there, and Style
	// how it says so.
	ClientID     string           `json:"client_id"`
	ClientSecret string           `json:"client_secret,omitempty"`
	Style        oauth2.AuthStyle `json:"auth_style,omitempty"`
	Scopes       []string         `json:"scopes,omitempty"`

	Access  string    `json:"access_token,omitempty"`
	Refresh string    `json:"refresh_token,omitempty"` // empty: it cannot be renewed
	At      time.Time `json:"at,omitzero"`
	Ends    time.Time `json:"expires_at,omitzero"`
	// Challenge is what the server asked for when the login was not enough.
	Challenge []string `json:"challenge,omitempty"`
}

// String hides the secrets.
func (r Record) String() string { return "a login given by " + r.Provider }

// GoString hides the secrets.
func (r Record) GoString() string { return r.String() }

// Store is the file of all logins, by the address of their servers.
type Store struct{ Path string }

// mostBytes bounds the file.
const mostBytes = 4 << 20

func (s Store) read() (map[string]Record, error) {
	all := map[string]Record{}
	info, err := os.Stat(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil && info.Size() > mostBytes {
		err = errors.New("it is too large")
	}
	var raw []byte
	if err == nil {
		raw, err = os.ReadFile(s.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the logins at MCP servers: %w", err)
	}
	if json.Unmarshal(raw, &all) != nil { // the failure might show what is in it
		return nil, fmt.Errorf("read the logins at MCP servers: %s is damaged; remove it and log in again", s.Path)
	}
	return all, nil
}

// Find gives the login at a server; ok is false without one.
func (s Store) Find(server string) (r Record, ok bool, err error) {
	all, err := s.read()
	r, ok = all[server]
	return r, ok && r.Access != "", err
}

// Secrets are the values of all logins that are secret.
func (s Store) Secrets() []string {
	all, err := s.read()
	if err != nil {
		return nil
	}
	var out []string
	for _, r := range all {
		out = append(out, r.Access, r.Refresh, r.ClientSecret)
	}
	return out
}

// Remove ends the login at a server; it reports whether there was one.
func (s Store) Remove(ctx context.Context, server string) (had bool, err error) {
	err = s.change(ctx, func(all map[string]Record) {
		_, had = all[server]
		delete(all, server)
	})
	return had, err
}

// put keeps the login at a server.
func (s Store) put(ctx context.Context, server string, r Record) error {
	return s.change(ctx, func(all map[string]Record) { all[server] = r })
}

// change edits the file while nobody else does.
func (s Store) change(ctx context.Context, edit func(map[string]Record)) error {
	release, err := s.lock(ctx, "")
	if err != nil {
		return err
	}
	all, err := s.read()
	if err == nil {
		edit(all)
		err = s.write(all)
	}
	return errors.Join(err, release())
}

// lock waits until no other process changes the file, or, with the address of a
// server, renews the login there.
func (s Store) lock(ctx context.Context, server string) (func() error, error) {
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
		return nil, fmt.Errorf("lock the logins at MCP servers: %w", err)
	}
	name := s.Path + ".lock"
	if server != "" {
		name = s.Path + "." + short(server) + ".lock"
	}
	l := flock.New(name, flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the logins at MCP servers: %w", err), l.Close())
	}
	return l.Close, nil
}

// write replaces the file as a whole.
func (s Store) write(all map[string]Record) error {
	raw, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = replace(s.Path, append(raw, '\n'))
	}
	if err != nil {
		return fmt.Errorf("save the logins at MCP servers: %w", err)
	}
	return nil
}

func replace(path string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".mcp-logins-*") // for its owner alone
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
