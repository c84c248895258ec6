package repo

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Setting is a secret or a variable of a Space.
type Setting struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
}

// SpaceSpec is what a new Space, made or copied, is given. Secrets leave this
// process only for the Hub.
type SpaceSpec struct {
	Hardware string `json:"hardware,omitempty"`
	// SleepSeconds is the idle time until it sleeps; -1 is never, zero leaves
	// it to the Hub.
	SleepSeconds int             `json:"sleepTimeSeconds,omitempty"`
	Secrets      []Setting       `json:"secrets,omitempty"`
	Variables    []Setting       `json:"variables,omitempty"`
	Volumes      json.RawMessage `json:"volumes,omitempty"`
}

// File is a small file of a new repository.
type File struct {
	Path     string `json:"path"`
	Content  string `json:"content"`
	Encoding string `json:"encoding"` // "utf-8" or "base64"
}

// CreateSpec describes a new repository. Its id may lack the namespace: the
// user's own.
type CreateSpec struct {
	Ref
	// Visibility is public, private or, for Spaces, protected; "" leaves it to
	// the namespace.
	Visibility    string
	License       string
	Region        string
	ResourceGroup string
	Files         []File
	// For Spaces.
	SDK              string
	Space            SpaceSpec
	Template         string
	ShortDescription string // at most 60 characters
	DevMode          bool
}

// Created is a new repository.
type Created struct {
	URL  string `json:"url"`
	Name string `json:"name"` // with its namespace
	ID   string `json:"id"`   // 24 hex digits; empty when it existed already
}

// Create makes a repository and waits until it can be seen. One that exists
// already is [wire.Conflict]; see [API.Ensure].
func (a *API) Create(ctx context.Context, s CreateSpec) (Created, error) {
	var out Created
	if err := s.check(); err != nil {
		return out, err
	}
	op := "create " + s.String()
	err := a.settle(ctx, op, wire.Conflict, func() error {
		out = Created{}
		_, err := a.c.JSON(ctx, wire.Request{Op: op, Method: http.MethodPost, Path: "/api/repos/create", JSON: s.body()}, &out)
		return err
	})
	if err != nil {
		return out, err
	}
	if out.Name == "" {
		// Made by a try whose answer was lost.
		out = Created{Name: s.ID, URL: a.c.Endpoint().String() + s.Type.Page(s.ID)}
	}
	return out, a.appear(ctx, Ref{s.Type, out.Name})
}

// Ensure is Create, but a repository that exists is as good as a new one.
func (a *API) Ensure(ctx context.Context, s CreateSpec) (Created, error) {
	out, err := a.Create(ctx, s)
	if wire.KindOf(err) == wire.Conflict && !busy(err) {
		return Created{Name: s.ID, URL: a.c.Endpoint().String() + s.Type.Page(s.ID)}, nil
	}
	return out, err
}

func (s CreateSpec) check() error {
	if err := s.Ref.check(); err != nil {
		return err
	}
	if err := checkVisibility(s.Visibility, s.Type); err != nil {
		return err
	}
	switch {
	case s.Type == wire.Space && s.SDK == "":
		return wire.BadField("sdk", "a Space needs an sdk: gradio, docker or static")
	case s.Type != wire.Space && (s.SDK != "" || s.Space.Hardware != "" || len(s.Space.Secrets)+len(s.Space.Variables) > 0):
		return wire.BadField("sdk", "only Spaces have an sdk, hardware, secrets or variables")
	case len([]rune(s.ShortDescription)) > 60:
		return wire.BadField("short_description", "it is longer than 60 characters")
	}
	for _, f := range s.Files {
		if err := wire.CheckPath("files", f.Path); err != nil {
			return err
		}
	}
	return s.Space.check()
}

func (s SpaceSpec) check() error {
	for _, k := range append(append([]Setting(nil), s.Secrets...), s.Variables...) {
		if err := wire.CheckKey("secrets or variables", k.Key); err != nil {
			return err
		}
	}
	if s.Hardware != "" && !wire.IsWord(s.Hardware) {
		return wire.BadField("hardware", "it is no name of hardware")
	}
	return nil
}

func checkVisibility(v string, t wire.RepoType) error {
	switch {
	case v == "", v == "public", v == "private", v == "protected" && t == wire.Space:
		return nil
	}
	return wire.BadField("visibility", "it must be public, private or, for a Space, protected")
}

// body is the request as the Hub wants it.
func (s CreateSpec) body() any {
	type settings = SpaceSpec
	in := struct {
		Name             string  `json:"name"`
		Organization     *string `json:"organization"`
		Type             string  `json:"type,omitempty"`
		Visibility       string  `json:"visibility,omitempty"`
		License          string  `json:"license,omitempty"`
		Region           string  `json:"region,omitempty"`
		ResourceGroup    string  `json:"resourceGroupId,omitempty"`
		Files            []File  `json:"files,omitempty"`
		SDK              string  `json:"sdk,omitempty"`
		Template         string  `json:"template,omitempty"`
		ShortDescription string  `json:"short_description,omitempty"`
		DevMode          bool    `json:"devModeEnabled,omitempty"`
		settings
	}{
		Visibility: s.Visibility, License: s.License, Region: s.Region, ResourceGroup: s.ResourceGroup, Files: s.Files,
		SDK: s.SDK, Template: s.Template, ShortDescription: s.ShortDescription, DevMode: s.DevMode, settings: s.Space,
	}
	in.Name, in.Organization = split(s.ID)
	if s.Type != wire.Model {
		in.Type = string(s.Type)
	}
	return in
}

func split(id string) (name string, namespace *string) {
	if ns, name, ok := strings.Cut(id, "/"); ok {
		return name, &ns
	}
	return id, nil
}

// Delete removes a repository for good.
func (a *API) Delete(ctx context.Context, r Ref) error {
	if err := r.check(); err != nil {
		return err
	}
	body := map[string]any{}
	name, namespace := split(r.ID)
	body["name"], body["organization"] = name, namespace
	if r.Type != wire.Model {
		body["type"] = r.Type
	}
	op := "delete " + r.String()
	return a.settle(ctx, op, wire.RepoNotFound, func() error {
		return a.do(ctx, wire.Request{Op: op, Method: http.MethodDelete, Path: "/api/repos/delete", JSON: body})
	})
}

// Move gives a repository another id; the old one leads there. The Hub may
// report trouble and finish all the same: then the new id decides.
func (a *API) Move(ctx context.Context, r Ref, to string) error {
	if err := r.check(); err != nil {
		return err
	}
	if err := wire.CheckFullRepoID("to", to); err != nil {
		return err
	}
	err := a.do(ctx, wire.Request{
		Op: "move " + r.String() + " to " + to, Method: http.MethodPost, Path: "/api/repos/move", FirstByte: 2 * time.Minute,
		JSON: map[string]any{"fromRepo": r.ID, "toRepo": to, "type": r.Type},
	})
	if err == nil || wire.Ambiguous(err) && a.appear(ctx, Ref{r.Type, to}) == nil {
		return nil
	}
	return err
}

// Settings are changes to a repository; nil and "" leave things as they are.
type Settings struct {
	Visibility          string `json:"visibility,omitempty"`
	Gated               *Gated `json:"gated,omitempty"`
	OrgMembersGated     *bool  `json:"orgMembersGated,omitempty"`
	DiscussionsDisabled *bool  `json:"discussionsDisabled,omitempty"`
	DiscussionsSorting  string `json:"discussionsSorting,omitempty"`
	GatedEmail          string `json:"gatedNotificationsEmail,omitempty"`
	GatedMode           string `json:"gatedNotificationsMode,omitempty"`
}

// Configure changes a repository's settings; the answer is the Hub's own.
func (a *API) Configure(ctx context.Context, r Ref, s Settings) (json.RawMessage, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if err := checkVisibility(s.Visibility, r.Type); err != nil {
		return nil, err
	}
	if s.Gated != nil && *s.Gated != "" && *s.Gated != "auto" && *s.Gated != "manual" {
		return nil, wire.BadField("gated", "it must be auto, manual or nothing")
	}
	req := r.request("change the settings of", http.MethodPut, "settings")
	req.JSON, req.Retry = s, wire.Idempotent
	var out json.RawMessage
	_, err := a.c.JSON(ctx, req, &out)
	return out, err
}

// DuplicateSpec describes a copy.
type DuplicateSpec struct {
	To         string // namespace/name
	Visibility string
	Space      SpaceSpec
}

// Duplicate copies a repository and waits until the copy can be seen. A copy
// that exists already is [wire.Conflict].
func (a *API) Duplicate(ctx context.Context, r Ref, s DuplicateSpec) (url string, err error) {
	if err := r.check(); err != nil {
		return "", err
	}
	if err := wire.CheckFullRepoID("to", s.To); err != nil {
		return "", err
	}
	if err := checkVisibility(s.Visibility, r.Type); err != nil {
		return "", err
	}
	if err := s.Space.check(); err != nil {
		return "", err
	}
	type settings = SpaceSpec
	req := r.request("copy", http.MethodPost, "duplicate")
	req.JSON = struct {
		Repository string `json:"repository"`
		Visibility string `json:"visibility,omitempty"`
		settings
	}{s.To, s.Visibility, s.Space}
	var out struct {
		URL string `json:"url"`
	}
	err = a.settle(ctx, req.Op, wire.Conflict, func() error {
		_, err := a.c.JSON(ctx, req, &out)
		return err
	})
	if err != nil {
		return "", err
	}
	if out.URL == "" {
		out.URL = a.c.Endpoint().String() + r.Type.Page(s.To)
	}
	return out.URL, a.appear(ctx, Ref{r.Type, s.To})
}
