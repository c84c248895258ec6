// Package login is the Hub login of this user on this machine. A login by OAuth
// is more than the token that all Hugging Face programs share: it can be
// renewed. What that takes lies in a private file of this program, is sent to
// nobody but the provider that gave it, and is used by one process at a time. A
// token from the environment is the user's own affair and never renewed.
package login

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account/oauth"
	"github.com/ml-intern/ml-intern/internal/config/place"
)

// Record is what is kept of a login by OAuth. It is a secret.
type Record struct {
	// Login names the login itself: it stays while the tokens change.
	Login string `json:"login"`
	User  string `json:"user"` // empty when the Hub did not say
	// Hub is where the token is good; Provider and Client are who gave it to
	// whom, and alone may renew it.
	Hub      string `json:"hub"`
	Provider string `json:"provider"`
	Client   string `json:"client_id"`

	Access  string    `json:"access_token"`
	Refresh string    `json:"refresh_token,omitempty"` // empty: it cannot be renewed
	Scope   string    `json:"scope"`
	At      time.Time `json:"at"`
	Ends    time.Time `json:"expires_at,omitzero"`
	// Filed is the hash of what stands in the token file until Access does: it
	// remains where a process ended in between or the file cannot be written.
	Filed string `json:"filed,omitempty"`
}

// String hides the secrets.
func (r Record) String() string { return "the login of " + r.User }

// GoString hides the secrets.
func (r Record) GoString() string { return r.String() }

func (r Record) token() oauth.Token {
	return oauth.Token{Access: r.Access, Refresh: r.Refresh, Scope: r.Scope, At: r.At, ExpiresAt: r.Ends}
}

// with is the record with a fresh token.
func (r Record) with(t oauth.Token) Record {
	r.Access, r.Refresh, r.Scope, r.At, r.Ends = t.Access, t.Refresh, t.Scope, t.At.UTC(), t.ExpiresAt.UTC()
	if t.ExpiresAt.IsZero() {
		r.Ends = time.Time{}
	}
	return r
}

// Store is where the login lies: the token file that all programs share, and
// the private file.
type Store struct {
	Saved place.Login
	Path  string // of the private file
}

// Read reads the private file; ok is false without one. It may be of a login
// that is not in force any more: see [Store.Current].
func (s Store) Read() (r Record, ok bool, err error) {
	raw, err := os.ReadFile(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("read the login: %w", err)
	}
	if json.Unmarshal(raw, &r) != nil || r.Access == "" { // the failure might show what is in it
		return Record{}, false, fmt.Errorf("read the login: %s is damaged; log in again with: ml-intern login", s.Path)
	}
	return r, true, nil
}

// Current is the record of the login in force; ok is false for any other token
// than one by OAuth.
func (s Store) Current() (r Record, ok bool, err error) {
	token, source := s.Saved.Token()
	if token == "" || source != s.Saved.Path() {
		return r, false, nil
	}
	r, ok, err = s.Read()
	if err != nil || !ok || !r.files(token) {
		return Record{}, false, err
	}
	return r, true, nil
}

// files reports whether a token in the token file is this login's.
func (r Record) files(token string) bool { return token == r.Access || hash(token) == r.Filed }

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Lock waits until no other process changes the login.
func (s Store) Lock(ctx context.Context) (release func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
		return nil, fmt.Errorf("lock the login: %w", err)
	}
	l := flock.New(s.Path+".lock", flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the login: %w", err), l.Close())
	}
	return l.Close, nil
}

// write puts the record down, and its token into the token file. The record
// goes first: without the token file nothing is lost.
func (s Store) write(r Record) error {
	r.Filed = ""
	if token, source := s.Saved.Token(); source == s.Saved.Path() {
		r.Filed = hash(token)
	}
	if err := s.put(r); err != nil {
		return err
	}
	// It is not put on the list of stored tokens: those last, this one does not.
	if err := s.Saved.Save(r.Access, ""); err != nil {
		return fmt.Errorf("save the login: %w", err)
	}
	r.Filed = ""
	return s.put(r)
}

func (s Store) put(r Record) error {
	raw, err := json.Marshal(r)
	if err == nil {
		err = place.WritePrivate(s.Path, append(raw, '\n'))
	}
	if err != nil {
		return fmt.Errorf("save the login: %w", err)
	}
	return nil
}

// SaveOAuth makes a login by OAuth the one in force.
func (s Store) SaveOAuth(ctx context.Context, r Record) error {
	return s.locked(ctx, func() error {
		err := s.write(r)
		if err != nil {
			err = errors.Join(err, s.forget())
		}
		return err
	})
}

// SaveToken makes a token that was pasted the login in force.
func (s Store) SaveToken(ctx context.Context, token, name string) error {
	return s.locked(ctx, func() error {
		if err := s.forget(); err != nil {
			return err
		}
		return s.Saved.Save(token, name)
	})
}

// Remove ends the login.
func (s Store) Remove(ctx context.Context) error {
	return s.locked(ctx, func() error { return errors.Join(s.forget(), s.Saved.Remove()) })
}

func (s Store) forget() error {
	if err := os.Remove(s.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s Store) locked(ctx context.Context, f func() error) error {
	release, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(), release())
}
